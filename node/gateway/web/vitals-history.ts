/** Load, temperature and work of each node over the last minutes: what the gateway kept, and what was read since. */
import type { NodeView } from "../../control/api.ts";
import type { Sample as Kept } from "../series.ts";

/** What a line shows at most, and at least, milliseconds. */
const [spanMsMax, spanMsMin] = [15 * 60_000, 60_000];
/** At the pace of the view. */
const samplesMax = 600;

export interface Sample {
  readonly atMs: number;
  readonly load?: number;
  readonly temperatureCelsius?: number;
}

const histories = new Map<string, Sample[]>();

/** What the gateway sampled before the page was there. */
export function recall(kept: Readonly<Record<string, readonly Kept[]>>): void {
  for (const [name, samples] of Object.entries(kept)) {
    const known = histories.get(name) ?? [];
    const first = known[0]?.atMs ?? Number.POSITIVE_INFINITY;
    const earlier = samples
      .slice(-samplesMax / 2)
      .filter(({ atMs }) => atMs < first)
      .map(({ atMs, load, temperatureCelsius }) => ({
        atMs,
        load: load ?? undefined,
        temperatureCelsius: temperatureCelsius ?? undefined,
      }));
    histories.set(name, [...earlier, ...known]);
  }
}

/** Adds what was just read. A node that is not heard of leaves a gap. */
export function remember(nodes: readonly NodeView[]): void {
  const atMs = Date.now();
  for (const { name, vitals, state } of nodes) {
    const samples = histories.get(name) ?? [];
    histories.set(name, samples);
    const isHeard = vitals && (state === "self" || state === "alive" || state === "suspect");
    samples.push(
      isHeard
        ? { atMs, load: known(vitals.load), temperatureCelsius: known(vitals.temperatureCelsius) }
        : { atMs },
    );
    if (samples.length > samplesMax) samples.shift();
  }
}

export const historyOf = (name: string): readonly Sample[] => histories.get(name) ?? [];

const known = (value: number | "unknown"): number | undefined => (value === "unknown" ? undefined : value);

/** How much time the line of a node shows. */
export function spanOf(samples: readonly Sample[]): number {
  const age = (samples.at(-1)?.atMs ?? 0) - (samples[0]?.atMs ?? 0);
  return Math.min(spanMsMax, Math.max(spanMsMin, age));
}
