/** What the disks of a farm hold, read once their daemons have ended: all entries of all chains, sealed builds included. */
import { placesOf } from "../../node/home-places.ts";
import { openEventStore } from "../../node/store/events.ts";
import type { Incarnation, PeerId } from "../../protocol/kernel/ids.ts";
import type { EventStore } from "../../protocol/ports.ts";
import type { SignedEntry } from "../../protocol/timeline/entry.ts";
import { type EventKind, type EventOf, knownEvent } from "../../protocol/timeline/events.ts";

/** All entries in the event store of a home whose daemon does not run. */
export async function entriesOf(home: string): Promise<SignedEntry[]> {
  const store = await openEventStore(placesOf(home).timeline);
  try {
    const { entries } = await store.restore();
    const chains = new Map<string, { author: PeerId; inc: Incarnation }>();
    for (const { entry } of entries) chains.set(`${entry.author} ${entry.inc}`, entry);
    const all = new Map(entries.map((entry) => [entry.id, entry]));
    for (const { author, inc } of chains.values())
      for (const entry of await range(store, author, inc)) all.set(entry.id, entry);
    return [...all.values()];
  } finally {
    await store.close();
  }
}

const range = (store: EventStore, author: PeerId, inc: Incarnation): Promise<SignedEntry[]> =>
  new Promise((resolve) => store.range(author, inc, 0, Number.MAX_SAFE_INTEGER, resolve));

/** Each entry once, whoever holds it, in the order in which they were said as far as clocks tell. */
export function merged(disks: readonly (readonly SignedEntry[])[]): SignedEntry[] {
  const all = new Map(disks.flat().map((entry) => [entry.id, entry]));
  return [...all.values()].sort((a, b) => a.entry.hlc[0] - b.entry.hlc[0] || a.entry.hlc[1] - b.entry.hlc[1]);
}

export interface Said<K extends EventKind> {
  readonly event: EventOf<K>;
  readonly author: PeerId;
  /** By the author's clock. */
  readonly wallMs: number;
}

/** Events of one kind that were said in a build. */
export function saidIn<K extends EventKind>(
  entries: readonly SignedEntry[],
  build: string,
  kind: K,
): Said<K>[] {
  return entries
    .filter(({ entry }) => entry.build === build)
    .flatMap(({ entry }) =>
      entry.events.flatMap((raw) => {
        const event = knownEvent(raw);
        return event?.kind === kind
          ? [{ event: event as EventOf<K>, author: entry.author, wallMs: entry.hlc[0] }]
          : [];
      }),
    );
}

/** Action → the different results that were said of it, each as one text. */
export function resultsOf(entries: readonly SignedEntry[], build: string): Map<string, Set<string>> {
  const actionOf = new Map(saidIn(entries, build, "claim").map(({ event }) => [event.claim, event.action]));
  const results = new Map<string, Set<string>>();
  const note = (action: string, outputs: unknown): void => {
    const known = results.get(action) ?? new Set();
    results.set(action, known.add(JSON.stringify(outputs)));
  };
  for (const { event } of saidIn(entries, build, "done"))
    note(actionOf.get(event.claim) ?? event.claim, event.result.outputs);
  for (const { event } of saidIn(entries, build, "cached")) note(event.action, event.result.outputs);
  return results;
}
