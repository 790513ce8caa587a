/** What a cache offers of the results that it knows of one action key, and in which order: the one that most members came to first. */
import type { CacheHit } from "../contract.ts";
import type { Digest, PeerId } from "../kernel/ids.ts";
import type { Remembered } from "../ports.ts";

/** Makers that are named with a result, and makers of others. */
const madeMax = 8;

export interface Offered {
  readonly hit: Omit<CacheHit, "from">;
  /** Who may have its bytes, the latest maker first. */
  readonly holders: readonly PeerId[];
}

/** The results of a key, as its store tells them, the newest last. Each member counts once; of equals the newest is offered first. */
export function offersOf(key: Digest, known: readonly Remembered[]): Offered[] {
  return known
    .map((one, at) => ({ ...one, at, makers: new Set(one.made.map((m) => m.by)).size }))
    .sort((a, b) => b.makers - a.makers || b.at - a.at)
    .map(({ result, made }) => {
      const divergent = known.flatMap((k) => (k.result === result ? [] : k.made)).slice(-madeMax);
      const latest = made.toReversed();
      const hit = { key, result, made: latest.slice(0, madeMax), ...(divergent.length > 0 && { divergent }) };
      return { hit, holders: latest.map((m) => m.by) };
    });
}
