/** `swarmd monitor`: the swarm on one screen of a terminal, and the keys that act on it. */
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { type Command, optionText } from "../command.ts";

const intervalDefault = "1s";

export const monitor: Command = {
  name: "monitor",
  description: "Watch builds, nodes, running actions and their output; keys act on the chosen build",
  options: [
    { flags: "--interval <time>", description: `How often it looks: 500ms, 2s (${intervalDefault})` },
  ],
  examples: ["monitor", "monitor --interval 5s"],
  async run(context, _, options) {
    const everyMs = intervalMsOf(optionText(options, "interval") ?? intervalDefault);
    if (context.json || !context.output.terminal || !process.stdin.isTTY)
      throw new SwarmError("usage", "monitor draws on a terminal, and there is none", {
        remedy: `read it as data: ${context.commandLine(["status", "--json"])}`,
      });
    await context.control.status(); // refuses here, before anything is drawn
    const { showMonitor } = await import("../monitor/screen.ts");
    return showMonitor(context, everyMs);
  },
};

function intervalMsOf(text: string): number {
  const [, count, unit] = /^([0-9]{1,6})(ms|s|m)?$/.exec(text) ?? [];
  const ms = Number(count) * { ms: 1, s: 1000, m: 60_000 }[(unit ?? "s") as "ms" | "s" | "m"];
  if (ms >= 100 && ms <= 3_600_000) return ms;
  throw new SwarmError("usage", `${text} is no interval`, {
    remedy: "write 500ms, 2s or 1m: 100ms at least",
  });
}
