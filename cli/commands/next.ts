/** `swarmd next`: runs what status proposes, after asking. */
import type { Command } from "../command.ts";
import { confirm } from "../confirm.ts";
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
    if (!options.yes && !(await confirm(context, "Run it?", ["next", "--yes"]))) return 0;
    return context.run(command);
  },
};
