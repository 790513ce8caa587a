/** Places in chains: where entries lie, and where a disk gave back other bytes than it was given. */
import type { BuildId, Incarnation, PeerId } from "../kernel/ids.ts";

export interface Place {
  readonly author: PeerId;
  readonly inc: Incarnation;
  /** From, to, from, to …: places in the chain, both ends among them. */
  readonly runs: readonly number[];
}

/** What a disk found damaged, and put aside. */
export interface Damage {
  readonly author: PeerId;
  readonly inc: Incarnation;
  readonly fromSeq: number;
  readonly toSeq: number;
  /** What no build carries lies in the timeline. */
  readonly shelf: "timeline" | "builds";
  /** Whose entries they were, where that is known. */
  readonly build?: BuildId;
}

export const holds = (place: Place | undefined, seq: number): boolean => {
  for (let at = 0; place && at < place.runs.length; at += 2)
    if (place.runs[at]! <= seq && seq <= place.runs[at + 1]!) return true;
  return false;
};
