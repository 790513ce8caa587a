/** `swarmd rebalance`: what nodes hold and have not begun is shared out anew. */
import type { Command } from "../command.ts";
import { selectBuild } from "../select.ts";
import { carryOut, noneText, wordOptions } from "../word.ts";

export const rebalance: Command = {
  name: "rebalance",
  args: "[build]",
  description: "Share out anew what nodes hold and have not begun; what runs goes on",
  options: wordOptions,
  examples: ["rebalance", "rebalance leveldb", "rebalance --dry-run"],
  async run(context, [word], options) {
    const build = word === undefined ? undefined : (await selectBuild(context.control, word)).build;
    const what = build === undefined ? "what waits in all builds" : `what waits of ${build}`;
    return carryOut(context, options, {
      is: (moved) => `${what} is shared out anew${noneText(moved)}`,
      wouldBe: (moved) => `${what} would be shared out anew${noneText(moved)}`,
      say: (how) => context.control.operate({ op: "rebalance", ...(build ? { build } : {}) }, how),
    });
  },
};
