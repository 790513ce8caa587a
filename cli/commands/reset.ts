/** `swarmd reset BUILD`: a build begins anew with the results it has. */
import type { Command } from "../command.ts";
import { selectBuild } from "../select.ts";
import { carryOut, losingOptions } from "../word.ts";

export const reset: Command = {
  name: "reset",
  args: "<build>",
  description: "Stop all that runs of a build and forget its failures; results stay, and it goes on",
  options: losingOptions,
  examples: ["reset leveldb", "reset leveldb --dry-run", "reset leveldb-0123 --yes"],
  async run(context, [word], options) {
    const { build } = await selectBuild(context.control, word!);
    return carryOut(context, options, {
      is: () => `${build} begins anew, its results kept`,
      wouldBe: `${build} would begin anew, its results kept`,
      say: (how) => context.control.operate({ op: "reset", build }, how),
      withoutAsking: ["reset", build, "--yes"],
    });
  },
};
