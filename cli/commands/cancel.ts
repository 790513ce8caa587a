/** `swarmd cancel BUILD`: ends a build; what is done stays in the cache. */
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { type Command, optionText } from "../command.ts";
import { selectBuild } from "../select.ts";

export const cancel: Command = {
  name: "cancel",
  args: "<build>",
  description: "Cancel a build; what is done stays in the cache",
  options: [{ flags: "--reason <text>", description: "Why, for those who ask later" }],
  examples: ["cancel leveldb", 'cancel leveldb-0123 --reason "wrong branch"'],
  async run(context, [word], options) {
    const { build, state } = await selectBuild(context.control, word!);
    if (state !== "running" && state !== "paused")
      throw new SwarmError("refused", `${build} has ended: it is ${state}`, {
        remedy: `what came of it: ${context.commandLine(["watch", build])}`,
      });
    await context.control.control(build, "cancel", optionText(options, "reason"));
    if (context.json) context.output.json({ build, state: "cancelled" });
    else context.output.line(`${build} is cancelled`);
    return 0;
  },
};
