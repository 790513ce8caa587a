/** What was read of each node since the page was opened: the last few minutes of load, temperature and work. */
import type { NodeView } from "../../control/api.ts";

/** One sample for each read, at the pace of the view. */
const samplesMax = 150;

export interface Sample {
  readonly load?: number;
  readonly temperatureCelsius?: number;
  readonly running?: number;
}

const kept = new Map<string, Sample[]>();

/** Adds what was just read. A node that is not heard of leaves a gap. */
export function remember(nodes: readonly NodeView[]): void {
  for (const { peerId, vitals, state } of nodes) {
    const samples = kept.get(peerId) ?? [];
    kept.set(peerId, samples);
    const heard = vitals && (state === "self" || state === "alive" || state === "suspect");
    samples.push(
      heard
        ? {
            load: known(vitals.load),
            temperatureCelsius: known(vitals.temperatureCelsius),
            running: vitals.running,
          }
        : {},
    );
    if (samples.length > samplesMax) samples.shift();
  }
}

export const historyOf = (peerId: string): readonly Sample[] => kept.get(peerId) ?? [];

const known = (value: number | "unknown"): number | undefined => (value === "unknown" ? undefined : value);
