/** What is said of a claim: facts that name it, each list made once for all folds that hear the same in the same order. */
import type { Said } from "../swarm/cuts.ts";
import type { Event } from "../timeline/events.ts";

/** A fact that names a claim, and where it stands. */
export interface Remark {
  readonly event: Event;
  readonly said: Said;
}

/** By the event, the list of it alone; by a list, the one with something more. */
const firsts = new WeakMap<Event, readonly Remark[]>();
const nexts = new WeakMap<readonly Remark[], readonly Remark[]>();

/** The list with one remark more; most claims hear the same in the same order, everywhere. */
export function withRemark(
  before: readonly Remark[] | undefined,
  event: Event,
  said: Said,
): readonly Remark[] {
  const known = before ? nexts.get(before) : firsts.get(event);
  const last = known?.at(-1);
  if (last?.event === event && last.said === said) return known!;
  const after = [...(before ?? []), { event, said }];
  if (before) nexts.set(before, after);
  else firsts.set(event, after);
  return after;
}
