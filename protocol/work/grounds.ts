/** What a result was made from: a short sum over the results its action took, by which everybody tells whether those still count. */
import { sha256Hex } from "../kernel/digest.ts";
import type { EntryId } from "../kernel/ids.ts";

/** Of more ways to choose among the results of what an action takes from nobody looks for the one that was chosen: then it stands. */
const waysMax = 64;

/** The results that an action took, one for each of its dependencies in their order, summed up (16 hex digits). */
export const sumOf = (taken: readonly EntryId[]): string => sha256Hex(taken.join("\n")).slice(0, 16);

/**
 * Whether one of the ways to take one result of each dependency is the one that a sum names. `known`: the results of each that count.
 * With more of them known it never turns false again.
 */
export function standsOn(sum: string, known: readonly (readonly EntryId[])[]): boolean {
  let ways = 1;
  for (const results of known) ways *= results.length;
  if (ways === 0) return false;
  if (ways > waysMax) return true;
  for (let way = 0; way < ways; way++) {
    let left = way;
    const taken = known.map((results) => {
      const one = results[left % results.length]!;
      left = Math.floor(left / results.length);
      return one;
    });
    if (sumOf(taken) !== sum) continue;
    if (sums.size >= sumsMax) sums.clear();
    sums.set(sum, taken);
    return true;
  }
  return false;
}

/** Sums of late that were found to be those of results, and of which: each is asked about wherever its result is folded. */
const sums = new Map<string, readonly EntryId[]>();
const sumsMax = 20_000;

/** The results that a sum was found to be the sum of, one for each dependency; undefined: it was not looked for lately. */
export const takenBy = (sum: string): readonly EntryId[] | undefined => sums.get(sum);
