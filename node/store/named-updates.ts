/**
 * A ledger's update as the event store keeps it: by the names of the entries it adds, which lie in the store anyway. What an update says beside
 * them follows from who wrote them and in which order (specs/ledger.md), so it is made again when it is read.
 */
import { decode, encode } from "../../protocol/kernel/codec.ts";
import { sha256Hex } from "../../protocol/kernel/digest.ts";
import { chainOf, type Incarnation, type PeerId } from "../../protocol/kernel/ids.ts";
import { entryKey, type SignedEntry } from "../../protocol/timeline/entry.ts";
import { clientOf } from "../../protocol/work/ledger.ts";
import { type Added, entriesAdded, updateOf } from "../../protocol/work/update.ts";

/** No update begins with it that adds anything: it would be of no writer. */
const mark = 0;
const namesBytesMax = 64 << 20;
/** Hex digits of the sha2-256 of an entry's bytes: of one who contradicts himself another may lie in its place. */
const sumDigits = 8;

/** Entries of one chain that an update adds. */
export interface Named {
  readonly author: PeerId;
  readonly inc: Incarnation;
  /** Sequence number, place in the author's part of the ledger, and what the bytes add up to. */
  readonly entries: readonly (readonly [seq: number, clock: number, sum: string])[];
}

/** Entries by their names. */
export const byName = (entries: readonly SignedEntry[]): Map<string, SignedEntry> =>
  new Map(entries.map((entry) => [entryKey(entry.entry), entry]));

/** What is kept of an update, given the entries that go to the disk with it, by name: itself, when it adds others too. */
export function shortened(update: Uint8Array, known: ReadonlyMap<string, SignedEntry>): Uint8Array {
  const chains = new Map<string, { author: PeerId; inc: Incarnation; entries: Named["entries"][number][] }>();
  let added: Added[];
  try {
    added = entriesAdded(update, Number.POSITIVE_INFINITY);
  } catch {
    return update; // the ledger takes other bytes than these, or none
  }
  for (const { client, clock, key, bytes } of added) {
    const entry = known.get(key);
    if (!entry || Buffer.compare(entry.bytes, bytes) !== 0) return update;
    const { author, inc, seq } = entry.entry;
    if (client !== clientOf(author, inc)) return update;
    const chain = chains.get(chainOf(author, inc)) ?? { author, inc, entries: [] };
    chains.set(chainOf(author, inc), chain);
    chain.entries.push([seq, clock, sumOf(bytes)]);
  }
  if (chains.size === 0) return update;
  return Buffer.concat([
    Buffer.of(mark),
    encode([...chains.values()].map(({ author, inc, entries: named }) => [author, inc, named])),
  ]);
}

/** The names in what is kept of an update; undefined when it is the update itself. */
export function namedIn(kept: Uint8Array): Named[] | undefined {
  if (kept[0] !== mark) return undefined;
  try {
    const chains = decode(new Uint8Array(kept.subarray(1)), namesBytesMax, Number.POSITIVE_INFINITY);
    return (chains as [PeerId, Incarnation, Named["entries"]][]).map(([author, inc, entries]) => ({
      author,
      inc,
      entries,
    }));
  } catch {
    return undefined; // an update that adds nothing
  }
}

/** The update that adds one of the named entries; undefined when other bytes lie in its place by now. */
export function lengthened(
  { author, inc }: Named,
  [seq, clock, sum]: Named["entries"][number],
  bytes: Uint8Array,
): Uint8Array | undefined {
  if (sumOf(bytes) !== sum) return undefined;
  return updateOf({ client: clientOf(author, inc), clock, key: entryKey({ author, inc, seq }), bytes });
}

const sumOf = (bytes: Uint8Array): string => sha256Hex(bytes).slice(0, sumDigits);
