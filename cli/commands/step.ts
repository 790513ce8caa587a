/** `swarmd step BUILD [ACTION ...]`: of a build that is held, lets single actions run. */
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { ActionName } from "../../protocol/kernel/ids.ts";
import { type Command, optionText } from "../command.ts";
import { selectBuild, selectLive } from "../select.ts";
import { carryOut, wordOptions } from "../word.ts";

const countMax = 64;
const namedMax = 5;

export const step: Command = {
  name: "step",
  args: "[build] [actions...]",
  description: "Of a build that is paused or stands at a breakpoint, let single actions run",
  options: [
    { flags: "--count <n>", description: "How many of those the scheduler would choose next (1)" },
    ...wordOptions,
  ],
  examples: ["step leveldb", "step leveldb --count 3", "step leveldb compile/db_impl compile/log_reader"],
  async run(context, [word, ...actions], options) {
    const count = countOf(optionText(options, "count"));
    if (count !== undefined && actions.length > 0)
      throw new SwarmError("usage", "--count is for what is not named", {
        remedy: "name the actions, or say how many",
      });
    const { build } =
      word === undefined
        ? await selectLive(context, ({ holds }) => holds !== undefined, "stepped: nothing is held")
        : await selectBuild(context.control, word);
    const what = (names: readonly string[] = []) =>
      names.length === 0
        ? `nothing of ${build}`
        : `${names.slice(0, namedMax).join(", ")}${names.length > namedMax ? ` and ${names.length - namedMax} more` : ""} of ${build}`;
    return carryOut(context, options, {
      is: (moved) => `${what(moved.actions)} may run`,
      wouldBe: (moved) => `${what(moved.actions)} might run`,
      say: (how) =>
        context.control.debug(
          build,
          {
            op: "step",
            ...(actions.length > 0 ? { actions: actions as readonly string[] as readonly ActionName[] } : {}),
            ...(count === undefined ? {} : { count }),
          },
          how,
        ),
    });
  },
};

/** Throws `usage`. */
export function countOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const count = /^[0-9]{1,4}$/.test(text) ? Number(text) : 0;
  if (count < 1 || count > countMax)
    throw new SwarmError("usage", `--count takes a number from 1 to ${countMax}`);
  return count;
}
