/** `swarmd watch BUILD`: follows a build to its end, from any member. */
import type { Command } from "../command.ts";
import { follow } from "../follow.ts";
import { selectBuild } from "../select.ts";
import { pronounce } from "../verdict.ts";

export const watch: Command = {
  name: "watch",
  args: "<build>",
  description: "Follow a build to its end; Ctrl-C leaves it running",
  examples: ["watch leveldb", "watch leveldb-0123 --json"],
  async run(context, [word]) {
    const { build } = await selectBuild(context.control, word!);
    const result = await follow(context, build);
    return result ? pronounce(context, result) : 130;
  },
};
