/** `swarmd retry` and its kin: failures of a build are forgiven, so that what failed runs again. */
import type { Moved } from "../../node/control/words.ts";
import type { Command } from "../command.ts";
import { selectWork } from "../select.ts";
import { carryOut, noneText, wordOptions } from "../word.ts";

interface Kin {
  readonly op: "retry" | "retry-failures" | "unblock" | "clear-failures";
  readonly args: string;
  readonly description: string;
  readonly examples: readonly string[];
  /** After the build's name. */
  readonly is: string;
  readonly wouldBe: string;
}

const forgiving = ({ op, args, description, examples, is, wouldBe }: Kin): Command => ({
  name: op,
  args,
  description,
  options: wordOptions,
  examples,
  async run(context, words, options) {
    const { build: of, action } = await selectWork(context, words, "retried");
    const { build } = of;
    const subject = action === undefined ? build : `${action} of ${build}`;
    return carryOut(context, options, {
      is: (moved: Moved) =>
        moved.build === undefined || moved.build === build
          ? `${subject} ${is}${noneText(moved)}`
          : `${build} is built again as ${moved.build}`,
      wouldBe: (moved) =>
        `${subject} ${wouldBe}${moved.build === undefined || moved.build === build ? noneText(moved) : ""}`,
      say: (how) => context.control.operate({ op, build, ...(action ? { action } : {}) }, how),
    });
  },
});

export const retry = forgiving({
  op: "retry",
  args: "[build] [action]",
  description: "Run again what failed; of a build that ended, by building it again",
  examples: ["retry", "retry leveldb", "retry leveldb compile/db_impl", "retry leveldb --dry-run"],
  is: "is tried again",
  wouldBe: "would be tried again",
});

export const retryFailures = forgiving({
  op: "retry-failures",
  args: "[build]",
  description: "Run again all that failed or is blocked in a build",
  examples: ["retry-failures", "retry-failures leveldb"],
  is: "is tried again",
  wouldBe: "would be tried again",
});

export const unblock = forgiving({
  op: "unblock",
  args: "[build] [action]",
  description: "Let blocked actions run again",
  examples: ["unblock", "unblock compile/db_impl", "unblock leveldb compile/db_impl"],
  is: "is unblocked",
  wouldBe: "would be unblocked",
});

export const clearFailures = forgiving({
  op: "clear-failures",
  args: "[build]",
  description: "Forget every failure of a build: actions may run again where they failed",
  examples: ["clear-failures", "clear-failures leveldb"],
  is: "has no failures any more",
  wouldBe: "would have no failures any more",
});
