/** `swarmd cancel BUILD`: ends a build; what is done stays in the cache. */
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { Command } from "../command.ts";
import { selectBuild } from "../select.ts";
import { carryOut, losingOptions } from "../word.ts";

export const cancel: Command = {
  name: "cancel",
  args: "<build>",
  description: "Cancel a build; what is done stays in the cache",
  options: losingOptions,
  examples: ["cancel leveldb", 'cancel leveldb-0123 --yes --reason "wrong branch"'],
  async run(context, [word], options) {
    const { build, state } = await selectBuild(context.control, word!);
    if (state !== "running" && state !== "paused")
      throw new SwarmError("refused", `${build} has ended: it is ${state}`, {
        remedy: `what came of it: ${context.commandLine(["watch", build])}`,
      });
    return carryOut(context, options, {
      is: () => `${build} is cancelled`,
      wouldBe: `${build} would be cancelled`,
      say: (how) => context.control.control(build, "cancel", how),
      withoutAsking: ["cancel", build, "--yes"],
    });
  },
};
