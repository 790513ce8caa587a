/** `swarmd rebuild-check BUILD [SHARE]`: runs actions of a build again on other members, and shows where what comes out differs. */
import type { RebuildBegun, RebuildView } from "../../node/control/rebuilding.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { ActionName, BuildId } from "../../protocol/kernel/ids.ts";
import { type Command, type Context, type Options, optionText } from "../command.ts";
import { show } from "../follow.ts";
import { heard } from "../heard.ts";
import { onInterrupt } from "../interrupt.ts";
import { openAll, showRebuilt } from "../rebuilt.ts";
import { selectBuild } from "../select.ts";
import { countText } from "../units.ts";
import { priorityOf, priorityOption } from "./submit.ts";

export const rebuildCheck: Command = {
  name: "rebuild-check",
  args: "<build> [share...]",
  description:
    "Run actions of a build again on other nodes, and show what comes out differently; of a check: what it came to",
  options: [
    { flags: "--action <name>", description: "This one alone" },
    { ...priorityOption, description: "Before builds of lower priority, -100 to 100 (else -10)" },
    { flags: "--detach", description: "Do not follow it" },
  ],
  examples: [
    "rebuild-check leveldb",
    "rebuild-check leveldb 10%",
    "rebuild-check leveldb 0.1 --detach",
    "rebuild-check leveldb --action compile/db_impl",
    "rebuild-check check-leveldb --json",
  ],
  async run(context, [word, ...shareWords], options) {
    // As people write it, a blank before the sign.
    const shareWord = shareWords.length > 0 ? shareWords.join("") : undefined;
    const share = shareOf(shareWord);
    const priority = priorityOf(options);
    const action = optionText(options, "action");
    if (action !== undefined && share !== undefined)
      throw new SwarmError("usage", "an action is checked alone: there is no share of it", {
        remedy: "leave out the share, or --action",
      });
    const found = await selectBuild(context.control, word!);
    if (found.checks !== undefined)
      return resume(context, found.build, [shareWord, ...Object.keys(options)], options);
    await heard(context, found.build);
    const begun = await context.control.rebuild({
      build: found.build,
      share: share ?? 1,
      ...(action === undefined ? {} : { action: action as ActionName }),
      ...(priority === undefined ? {} : { priority }),
    });
    if (begun.word) context.output.note(begun.word);
    if (options.detach) {
      if (context.json) context.output.json(begun);
      else {
        context.output.line(begun.check);
        context.output.note(`what it comes to: ${context.commandLine(["rebuild-check", begun.check])}`);
      }
      return 0;
    }
    return follow(context, begun.check, headingOf(found.build, begun));
  },
};

/** A check that was begun before: what a new one would take makes no sense for it. */
function resume(
  context: Context,
  check: BuildId,
  given: readonly (string | undefined)[],
  options: Options,
): Promise<number> {
  const [first] = given.filter((one) => one !== undefined && one !== "detach");
  if (first !== undefined)
    throw new SwarmError("usage", `${check} is a check that was begun before: it takes no more options`, {
      remedy: context.commandLine(["rebuild-check", check]),
    });
  return options.detach ? answer(context, check) : follow(context, check);
}

/** 0.1, 10%; undefined where nothing is said. Throws `usage`. */
function shareOf(word: string | undefined): number | undefined {
  if (word === undefined) return undefined;
  const [, number, percent] = /^([0-9]{1,3}(?:\.[0-9]{1,6})?|\.[0-9]{1,6})(%?)$/.exec(word) ?? [];
  const share = Number(number) / (percent ? 100 : 1);
  if (number === undefined || !(share > 0 && share <= 1))
    throw new SwarmError("usage", `a share is above 0 and at most 1, as 0.1 or 10%, not ${word}`, {
      remedy: "swarmd rebuild-check BUILD 10%",
    });
  return share;
}

const headingOf = (build: BuildId, { check, picked, of, left }: RebuildBegun): string =>
  `${check} checks ${build}: ${picked} of ${countText(of, "executed action")} ${picked === 1 ? "runs" : "run"} again on other nodes${
    left > 0 ? `; ${left} more cannot be checked` : ""
  }`;

async function follow(context: Context, check: BuildId, heading?: string): Promise<number> {
  const interrupt = onInterrupt();
  try {
    if (heading !== undefined && !context.json) context.output.line(heading);
    const result = await show(context, check, interrupt.signal);
    if (result) return await answer(context, check);
  } finally {
    interrupt.release();
  }
  context.output.note(`stopped following ${check}; the check goes on`);
  context.output.note(`  come back to it: ${context.commandLine(["rebuild-check", check])}`);
  context.output.note(`  cancel it:       ${context.commandLine(["cancel", check])}`);
  return 130;
}

async function answer(context: Context, check: BuildId): Promise<number> {
  const view = await context.control.rebuilt(check);
  const opened = await openAll(context, view);
  if (context.json) context.output.json(opened);
  else showRebuilt(context, opened);
  return codeOf(view);
}

/** 1 when something differs; also when nothing could be checked at all, for then nothing is known. */
const codeOf = ({ counts, actions }: RebuildView): number =>
  counts.different > 0 || actions.every(({ verdict }) => verdict === "unchecked") ? 1 : 0;
