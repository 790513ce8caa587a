/** `swarmd drain NODE`: a node takes nothing new, gives back what it has not begun, and finishes what runs. */
import type { Command } from "../command.ts";
import { selectNode } from "../select.ts";
import { carryOut, losingOptions } from "../word.ts";

export const drain: Command = {
  name: "drain",
  args: "<node>",
  description: "Let a node take nothing new, give back what waits, and finish what runs",
  options: [{ flags: "--now", description: "Stop what runs too; others begin it anew" }, ...losingOptions],
  examples: ["drain pc", "drain pc --now --yes", 'drain pc --dry-run --reason "new fan"'],
  async run(context, [word], options) {
    const { name, peerId: peer } = selectNode(await context.control.nodes(), word!);
    const now = options.now === true;
    return carryOut(context, options, {
      is: () => `${name} is drained`,
      wouldBe: `${name} would be drained`,
      node: name,
      say: (how) => context.control.operate({ op: "drain", peer, ...(now ? { now } : {}) }, how),
      ...(now ? { withoutAsking: ["drain", name, "--now", "--yes"] } : {}),
    });
  },
};
