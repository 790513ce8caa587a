/** `swarmd stop`: ends the daemon of this home and waits until it is gone. */
import type { Command } from "../command.ts";
import { stopDaemon } from "../daemon-process.ts";

export const stop: Command = {
  name: "stop",
  description: "Stop the daemon; what it runs is taken over by others",
  examples: ["stop"],
  async run(context) {
    await stopDaemon(context.home, context.control);
    if (context.json) context.output.json({ stopped: true });
    else context.output.line("the daemon has stopped");
    return 0;
  },
};
