/** A person's word about a build or a node, carried out: it asks before work is lost, then says in one sentence what moved. */
import type { Moved, WordOptions } from "../node/control/api.ts";
import { SwarmError } from "../protocol/kernel/errors.ts";
import { type CommandOption, type Context, type Options, optionText } from "./command.ts";
import { confirm } from "./confirm.ts";
import { offerWords } from "./toolchains.ts";
import { countText } from "./units.ts";

const reasonCharactersMax = 250;

export const wordOptions: readonly CommandOption[] = [
  { flags: "--dry-run", description: "Say what it would do, and do nothing" },
  { flags: "--reason <text>", description: "Why, for those who ask later" },
];

/** For what may throw runs away. */
export const losingOptions: readonly CommandOption[] = [
  ...wordOptions,
  { flags: "--yes", description: "Do not ask before work is lost" },
];

export interface Word {
  /** How it is after: `leveldb-0123456789 is paused`, and as it would be. */
  readonly is: (moved: Moved) => string;
  readonly wouldBe: string;
  /** The node it is about, for the answer in JSON. */
  readonly node?: string;
  say(options: WordOptions): Promise<Moved>;
  /** The command line that does it without asking; absent for what never throws a run away. */
  readonly withoutAsking?: readonly string[];
}

/** The exit code. Throws what the daemon refused, and `usage` where work would be lost and nobody can be asked. */
export async function carryOut(context: Context, options: Options, word: Word): Promise<number> {
  const reason = reasonOf(options);
  const { withoutAsking } = word;
  if (options.dryRun) {
    answer(context, word, await word.say({ reason, dryRun: true }), true);
    return 0;
  }
  if (withoutAsking && !options.yes) {
    const { lost } = await word.say({ reason, dryRun: true });
    const question = `${word.wouldBe}, and ${countText(lost, "run")} would be lost. Go on?`;
    if (lost > 0 && !(await confirm(context, question, withoutAsking))) {
      context.output.note("nothing was changed");
      return 0;
    }
  }
  answer(context, word, await word.say({ reason }), false);
  return 0;
}

function answer(context: Context, word: Word, moved: Moved, dryRun: boolean) {
  const { moved: actions, lost, build } = moved;
  if (context.json)
    context.output.json({
      ok: true,
      moved: actions,
      lost,
      ...(build ? { build } : {}),
      ...(moved.toolchains ? { toolchains: moved.toolchains } : {}),
      ...(word.node === undefined ? {} : { node: word.node }),
      ...(dryRun ? { dryRun } : {}),
    });
  else if (dryRun)
    context.output.line(
      `${word.wouldBe}: ${countText(actions, "action")} would move${lost > 0 ? `, ${countText(lost, "run")} would be lost` : ""}`,
    );
  else
    context.output.line(
      `${word.is(moved)}: ${countText(actions, "action")} moved${lost > 0 ? `, ${countText(lost, "run")} lost` : ""}`,
    );
  if (!context.json)
    for (const { demand, from, to } of moved.toolchains ?? []) {
      const name = demand.split(" ")[0]!;
      context.output.line(
        `toolchain ${demand}: ${offerWords(name, from)} is gone, ${offerWords(name, to)} in its place`,
      );
    }
}

function reasonOf(options: Options): string | undefined {
  const reason = optionText(options, "reason");
  if (reason !== undefined && reason.length > reasonCharactersMax)
    throw new SwarmError("usage", `--reason takes at most ${reasonCharactersMax} characters`);
  return reason;
}
