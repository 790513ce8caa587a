/** `swarmd next`: runs what status proposes, after asking. */
import { once } from "node:events";
import { createInterface } from "node:readline/promises";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { Command } from "../command.ts";
import { readStatus, showNext } from "./status.ts";

export const next: Command = {
  name: "next",
  description: "Run what status proposes, after asking",
  options: [{ flags: "--yes", description: "Do not ask" }],
  examples: ["next", "next --yes"],
  async run(context, _, options) {
    const { next: proposal } = await readStatus(context);
    const { command } = proposal;
    if (context.json && (!command || !options.yes)) {
      context.output.json(proposal);
      return 0;
    }
    if (!context.json) showNext(context, proposal);
    if (!command) return 0;
    if (!options.yes) {
      if (!context.output.terminal || !process.stdin.isTTY)
        throw new SwarmError("usage", "there is nobody to ask", {
          remedy: `run it at once: ${context.commandLine(["next", "--yes"])}`,
        });
      const asking = createInterface({ input: process.stdin, output: process.stdout });
      // Ctrl-C and Ctrl-D close it, which is a no.
      const closed = once(asking, "close").then(() => "");
      const answer = await Promise.race([asking.question("Run it? [y/N] ").catch(() => ""), closed]);
      asking.close();
      if (!/^y(es)?$/i.test(answer.trim())) return 0;
    }
    return context.run(command);
  },
};
