/** A person's word about a build or a node, carried out: it asks before work is lost, then says in one sentence what moved. */
import type { Moved, WordOptions } from "../node/control/words.ts";
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
  readonly wouldBe: string | ((moved: Moved) => string);
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
    const question = `${wouldBe(word, { moved: 0, lost })}, and ${countText(lost, "run")} would be lost. Go on?`;
    if (lost > 0 && !(await confirm(context, question, withoutAsking))) {
      context.output.note("nothing was changed");
      return 0;
    }
  }
  answer(context, word, await word.say({ reason }), false);
  return 0;
}

const wouldBe = (word: Word, moved: Moved): string =>
  typeof word.wouldBe === "string" ? word.wouldBe : word.wouldBe(moved);

function answer(context: Context, word: Word, moved: Moved, dryRun: boolean) {
  const { moved: actions, lost, build, word: note } = moved;
  if (context.json)
    context.output.json({
      ok: true,
      moved: actions,
      lost,
      ...(build ? { build } : {}),
      ...(moved.toolchains ? { toolchains: moved.toolchains } : {}),
      ...(moved.actions ? { actions: moved.actions } : {}),
      ...(note === undefined ? {} : { word: note }),
      ...(word.node === undefined ? {} : { node: word.node }),
      ...(dryRun ? { dryRun } : {}),
    });
  else
    context.output.line(
      dryRun
        ? `${wouldBe(word, moved)}${movedText(moved, "would move", "would be lost")}`
        : `${word.is(moved)}${movedText(moved)}`,
    );
  if (!context.json && note !== undefined) context.output.note(note);
  if (!context.json)
    for (const { demand, from, to } of moved.toolchains ?? []) {
      const name = demand.split(" ")[0]!;
      context.output.line(
        `toolchain ${demand}: ${offerWords(name, from)} is gone, ${offerWords(name, to)} in its place`,
      );
    }
}

/** `: 3 actions moved, 1 run lost`; of what none did nothing is said. */
export function movedText(
  { moved, lost }: Pick<Moved, "moved" | "lost">,
  did = "moved",
  were = "lost",
): string {
  const parts = [
    ...(moved > 0 ? [`${countText(moved, "action")} ${did}`] : []),
    ...(lost > 0 ? [`${countText(lost, "run")} ${were}`] : []),
  ];
  return parts.length === 0 ? "" : `: ${parts.join(", ")}`;
}

/** Said behind a word whose point is to move actions, where it moves none. */
export const noneText = ({ moved }: Pick<Moved, "moved">): string => (moved > 0 ? "" : ": no action moves");

function reasonOf(options: Options): string | undefined {
  const reason = optionText(options, "reason");
  if (reason !== undefined && reason.length > reasonCharactersMax)
    throw new SwarmError("usage", `--reason takes at most ${reasonCharactersMax} characters`);
  return reason;
}
