/** What goes from a node's disk before it is full: of what nothing needs, that which was used longest ago. */
import { byText, type Digest } from "../kernel/ids.ts";
import { type Need, needs } from "./reachable.ts";

/** What was used so short a time ago stays: what it is for may not be known yet. */
export const recentMs = 30 * 60_000;
/** A time so far in the future was written by a clock that was wrong. */
const aheadMsMax = 3_600_000;

/** Of the most it may be, the share at which room is made, and the one that is left then. */
const begins = 0.9;
const ends = 0.8;
/** Room that is made beyond what is to be kept free, as a share of it. */
const beyond = 0.2;

/** A blob on this disk. */
export interface Held {
  readonly digest: Digest;
  /** That it takes. */
  readonly bytes: number;
  /** When it was used last, by the wall clock. */
  readonly usedMs: number;
}

/** How full the disk is, and how full it may be; bytes. */
export interface Fill {
  readonly usedBytes: number;
  readonly usedBytesMax: number;
  readonly freeBytes: number;
  readonly freeBytesMin: number;
}

/** Bytes that should go now; 0 while there is room. */
export function excessOf({ usedBytes, usedBytesMax, freeBytes, freeBytesMin }: Fill): number {
  if (usedBytes < usedBytesMax * begins && freeBytes >= freeBytesMin) return 0;
  return Math.ceil(Math.max(0, usedBytes - usedBytesMax * ends, freeBytesMin * (1 + beyond) - freeBytes));
}

/** Why something stays: somebody needs it, it was used just now, or there is room for it. */
export const stays = [...needs, "recent", "room"] as const;
export type Stay = (typeof stays)[number];

export interface Sum {
  readonly count: number;
  readonly bytes: number;
}

export interface Collection {
  /** In the order in which they go. */
  readonly goes: readonly Held[];
  readonly goesBytes: number;
  readonly kept: Readonly<Record<Stay, Sum>>;
}

/**
 * What goes of `held` to make room for `excessBytes`: nothing that `needOf` knows a need for, nothing used within `recentMs`; what is
 * overdue in any case, then what was used longest ago first, in any order of `held` the same.
 */
export function collect(
  held: Iterable<Held>,
  needOf: (digest: Digest) => Need | undefined,
  at: { readonly nowMs: number; readonly recentMs: number; readonly excessBytes: number },
  isOverdue: (digest: Digest) => boolean = () => false,
): Collection {
  const kept = Object.fromEntries(stays.map((stay) => [stay, { count: 0, bytes: 0 }])) as Record<
    Stay,
    { count: number; bytes: number }
  >;
  const keep = (stay: Stay, { bytes }: Held) => {
    kept[stay].count++;
    kept[stay].bytes += bytes;
  };
  const spare: Held[] = [];
  for (const one of held) {
    const need = needOf(one.digest);
    const ageMs = at.nowMs - one.usedMs;
    if (need) keep(need, one);
    else if (ageMs < at.recentMs && ageMs > -aheadMsMax) keep("recent", one);
    else spare.push(one);
  }
  spare.sort((a, b) => a.usedMs - b.usedMs || byText(a.digest, b.digest));
  const { overdue = [], others = [] } = Object.groupBy(spare, ({ digest }) =>
    isOverdue(digest) ? "overdue" : "others",
  );
  const goes = [...overdue];
  let goesBytes = overdue.reduce((sum, { bytes }) => sum + bytes, 0);
  for (const one of others)
    if (goesBytes < at.excessBytes) {
      goes.push(one);
      goesBytes += one.bytes;
    } else keep("room", one);
  return { goes, goesBytes, kept };
}
