/** `swarmd stop`: ends the daemon of this home and waits until it is gone. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { Command } from "../command.ts";

const waitMsMax = 30_000;
const askMs = 25;

export const stop: Command = {
  name: "stop",
  description: "Stop the daemon; what it runs is taken over by others",
  examples: ["stop"],
  async run(context) {
    const pid = Number(await readFile(path.join(context.home, "lock.pid"), "utf8").catch(() => ""));
    await context.control.stop();
    const until = Date.now() + waitMsMax;
    while (pid > 0 && lives(pid)) {
      if (Date.now() > until)
        throw new SwarmError("timed-out", `process ${pid} is still there after ${waitMsMax / 1000} s`, {
          remedy: `end it: kill ${pid}`,
        });
      await pause(askMs);
    }
    if (context.json) context.output.json({ stopped: true });
    else context.output.line("the daemon has stopped");
    return 0;
  },
};

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === "EPERM";
  }
}
