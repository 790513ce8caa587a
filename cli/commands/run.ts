/** `swarmd run`: runs the daemon of this home. */
import type { Command } from "../command.ts";
import { daemonOptions, runDaemon } from "../daemon-process.ts";

export const run: Command = {
  name: "run",
  description: "Run the daemon, in the foreground unless detached",
  options: daemonOptions,
  examples: ["run", "run --detach", "run --listen 0.0.0.0:4701 --slots 4"],
  run: (context, _, options) => runDaemon(context, options),
};
