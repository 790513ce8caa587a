/** Where the word of an author ends: the last entry that counts of each of its starts, or one entry after which nothing does. */
import type { EntryId, Incarnation } from "../kernel/ids.ts";
import { incarnationCounter } from "../kernel/ids.ts";
import type { Entry, SignedEntry } from "../timeline/entry.ts";

/** The last entry of one incarnation that counts. */
export interface LastWord {
  readonly inc: Incarnation;
  readonly seq: number;
  readonly id: EntryId;
}

/** A place in the chains of an author: an entry of which the signature holds. */
export type Said = Pick<SignedEntry, "entry" | "id">;

/** The same by its number alone: enough where nobody contradicts himself. */
export interface Spot {
  readonly entry: Pick<Entry, "author" | "inc" | "seq">;
  readonly id?: EntryId;
}

/**
 * Either the last words of each start, as somebody knew them: of a start that is not named nothing counts. Or the author's own last word:
 * earlier starts stand, later ones do not.
 */
export type Cut =
  | { readonly kind: "named"; readonly last: ReadonlyMap<Incarnation, LastWord> }
  | { readonly kind: "until"; readonly inc: Incarnation; readonly seq: number };

export const namedCut = (last: readonly LastWord[]): Cut => ({
  kind: "named",
  last: new Map(last.map((word) => [word.inc, word])),
});

export const untilEntry = ({ entry }: Said): Cut => ({ kind: "until", inc: entry.inc, seq: entry.seq });

/** Whether an entry of the author stands before the cut, and so still counts. */
export function standsBefore(cut: Cut, { entry, id }: Spot): boolean {
  if (cut.kind === "until")
    return entry.inc === cut.inc
      ? entry.seq <= cut.seq
      : incarnationCounter(entry.inc) < incarnationCounter(cut.inc);
  const last = cut.last.get(entry.inc);
  return (
    last !== undefined && (entry.seq < last.seq || (entry.seq === last.seq && (id ?? last.id) === last.id))
  );
}
