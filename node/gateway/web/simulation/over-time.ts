/** A simulated run over time: how many slots worked, and how warm the warmest node was. */
import type { Picture } from "./report-text.ts";

/** More would be finer than a screen. */
const buckets = 300;

/** A value at a moment; undefined where there is none. */
interface Point {
  readonly atMs: number;
  readonly value: number | undefined;
}

/** End of all there is in a picture, at least 1 ms. */
export function endOf({ makespanMs, heftMs, stretches }: Picture): number {
  let last = Math.max(1, makespanMs, heftMs);
  for (const { endedMs } of stretches) if (endedMs > last) last = endedMs;
  return last;
}

/** Share of all slots that worked, mean over each of the buckets from 0 to `endMs`; nothing once the run is over. */
export function busyOf({ stretches, slots }: Picture, endMs: number): Point[] {
  const step = endMs / buckets;
  const all = slots.reduce((sum, one) => sum + one.slots, 0);
  /** Slot-milliseconds within a bucket, and slots that work through all of those from one on. */
  const partly = new Float64Array(buckets + 1);
  const wholly = new Float64Array(buckets + 2);
  for (const { slots, beganMs, endedMs } of stretches) {
    const from = Math.min(endMs, Math.max(0, beganMs));
    const to = Math.min(endMs, Math.max(0, endedMs));
    const first = Math.min(buckets - 1, Math.floor(from / step));
    const last = Math.min(buckets - 1, Math.floor(to / step));
    if (first === last) {
      partly[first]! += slots * (to - from);
      continue;
    }
    partly[first]! += slots * ((first + 1) * step - from);
    partly[last]! += slots * (to - last * step);
    wholly[first + 1]! += slots;
    wholly[last]! -= slots;
  }
  const last = stretches.reduce((most, { endedMs }) => Math.max(most, endedMs), 0);
  let working = 0;
  return Array.from({ length: buckets }, (_, i) => {
    working += wholly[i]!;
    const value = all === 0 || i * step > last ? undefined : Math.min(1, (working + partly[i]! / step) / all);
    return { atMs: (i + 0.5) * step, value };
  });
}

/** The warmest node at each moment; nothing where no node has a model of heat. */
export function hottestOf({ warmth }: Picture, endMs: number): Point[] {
  if (warmth.length === 0) return [];
  const step = endMs / buckets;
  const highest = new Float64Array(buckets).fill(Number.NEGATIVE_INFINITY);
  for (const { samples } of warmth)
    for (const { atMs, celsius } of samples) {
      const at = Math.floor(atMs / step);
      if (at >= 0 && at < buckets && celsius > highest[at]!) highest[at] = celsius;
    }
  return [...highest].flatMap((celsius, i) =>
    Number.isFinite(celsius) ? [{ atMs: (i + 0.5) * step, value: celsius }] : [],
  );
}
