/** `swarmd unground NODE`: the failures that kept a node from work are forgiven. */
import type { Command } from "../command.ts";
import { selectNode } from "../select.ts";
import { carryOut, wordOptions } from "../word.ts";

export const unground: Command = {
  name: "unground",
  args: "<node>",
  description: "Forgive a node the failures that keep it from work",
  options: wordOptions,
  examples: ["unground pc", 'unground pc --reason "its disk was replaced"'],
  async run(context, [word], options) {
    const { name, peerId: peer } = selectNode(await context.control.nodes(), word!);
    return carryOut(context, options, {
      is: () => `${name} is forgiven`,
      wouldBe: `${name} would be forgiven`,
      node: name,
      say: (how) => context.control.operate({ op: "unground", peer }, how),
    });
  },
};
