/** A recorded stretch of a node's life lived again: from a saved core through its recorded inputs, demanding the same effects, bit for bit. */
import type { Effect } from "../contract.ts";
import { Core } from "../core.ts";
import { SwarmError } from "../kernel/errors.ts";
import { type SignEffect, sumOf, type TapeStep, untaped } from "./tape.ts";

export interface Difference {
  /** Counted from 1. */
  readonly step: number;
  readonly wallMs: number;
  readonly input: string;
  /** Kinds of effects, and the sum over them. */
  readonly recorded: string;
  readonly replayed: string;
}

export interface Verdict {
  readonly steps: number;
  readonly effects: number;
  /** Claims granted and refused words aside: events that the node said of its own. */
  readonly decisions: number;
  readonly fromMs?: number;
  readonly toMs?: number;
  /** The first one; what comes after it says nothing any more. */
  readonly difference?: Difference;
}

/** Throws `malformed` for a saved core, or a tape, that cannot be read. */
export function verify(saved: Uint8Array, tape: Iterable<TapeStep>): Verdict {
  const core = Core.load(saved);
  const counted = { steps: 0, effects: 0, decisions: 0 };
  let fromMs: number | undefined;
  let toMs: number | undefined;
  /** Entries whose signatures come next: those of the latest step before those of the ones around it. */
  let awaited: SignEffect[] = [];
  const span = () => ({
    ...(fromMs === undefined ? {} : { fromMs }),
    ...(toMs === undefined ? {} : { toMs }),
  });
  for (const step of tape) {
    const [kind, monoMs, wallMs, , sum, kinds] = step;
    const differs = (replayed: string): Verdict => ({
      ...counted,
      ...span(),
      difference: {
        step: counted.steps,
        wallMs,
        input: kind,
        recorded: `${kinds || "nothing"} (${sum})`,
        replayed,
      },
    });
    counted.steps++;
    fromMs ??= wallMs;
    toMs = wallMs;
    if (kind === "signed" && awaited.length === 0) return differs("no entry that waits for a signature");
    const input = untaped(step, awaited[0]);
    if (kind === "signed") awaited = awaited.slice(1);
    let effects: readonly Effect[];
    try {
      effects = core.step(input, { monoMs, wallMs });
    } catch (fault) {
      if (fault instanceof SwarmError) throw fault;
      return differs(`it broke: ${fault instanceof Error ? fault.message : String(fault)}`);
    }
    counted.effects += effects.length;
    const signs = effects.filter((effect) => effect.kind === "sign");
    for (const { entry } of signs) counted.decisions += entry.events.length;
    if (signs.length > 0) awaited = [...signs, ...awaited];
    const again = sumOf(effects);
    if (again !== sum) return differs(`${effects.map((e) => e.kind).join(" ") || "nothing"} (${again})`);
  }
  return { ...counted, ...span() };
}
