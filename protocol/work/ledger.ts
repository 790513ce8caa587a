/**
 * The ledger of one live build: a grow-only Y.Map `author.inc.seq` → entry bytes, kept as the Yjs updates that make it. Yjs spreads
 * and heals it; it decides nothing. The only door to yjs. Only the author's running incarnation sets a key; everyone else passes its
 * updates on unchanged.
 */
import * as Y from "yjs";
import { decode, encode } from "../kernel/codec.ts";
import { sha256Hex } from "../kernel/digest.ts";
import { SwarmError } from "../kernel/errors.ts";
import { type BuildId, chainOf, type Incarnation, type PeerId } from "../kernel/ids.ts";
import { messageEntriesMax } from "../swarm/message.ts";
import { entryKey, readEntry, type SignedEntry } from "../timeline/entry.ts";
import { IdSum } from "../timeline/sum.ts";
import { type Added, entriesAdded, updateOf } from "./update.ts";

/**
 * The client id, in Yjs, of one start of one author: 48 bits, so that two never meet. It follows from who speaks, for two documents
 * that write under one id diverge silently and for ever: nobody must be able to take another's.
 */
export const clientOf = (author: PeerId, inc: Incarnation): number =>
  Number.parseInt(sha256Hex(chainOf(author, inc)).slice(0, 12), 16);
/** A message of several updates stays below this, so that a frame never grows with the build. */
const batchBytesMax = 1 << 20;
/** Ten thousand starts of authors, about, that wrote in one build. */
const vectorBytesMax = 128 << 10;
const batchEntriesMax = messageEntriesMax / 2;
const savedBytesMax = 1 << 30;

interface Range {
  readonly client: number;
  readonly from: number;
  readonly to: number;
}

const rangeOf = ({ client, clock }: Added): Range => ({ client, from: clock, to: clock + 1 });

/** An entry and where it stands in Yjs. */
interface Placed {
  readonly range: Range;
  readonly entry: SignedEntry;
}

/** What was found in an update, which never changes: whoever meets the same bytes again need not look. */
const placedIn = new WeakMap<Uint8Array, readonly Placed[]>();

function placedOf(update: Uint8Array): readonly Placed[] {
  let placed = placedIn.get(update);
  if (!placed) {
    const added = entriesAdded(update, Number.POSITIVE_INFINITY);
    placed = added.map((one) => ({ range: rangeOf(one), entry: readEntry(one.bytes) }));
    placedIn.set(update, placed);
  }
  return placed;
}

/** The entries of an update, at most so many, from bytes somebody sent: the firewall. Throws `malformed`, `too-large`; signatures are the shell's to check. */
export function readUpdate(
  build: BuildId,
  update: Uint8Array,
  maxEntries = Number.POSITIVE_INFINITY,
): SignedEntry[] {
  const placed = entriesAdded(update, maxEntries).map((one): Placed => {
    const { client, key, bytes } = one;
    const entry = readEntry(bytes);
    if (client !== clientOf(entry.entry.author, entry.entry.inc))
      throw new SwarmError("malformed", "an entry was written under another's name");
    if (entryKey(entry.entry) !== key || entry.entry.build !== build)
      throw new SwarmError("malformed", "an entry stands under a key that is not its own");
    return { range: rangeOf(one), entry };
  });
  placedIn.set(update, placed);
  return placed.map((p) => p.entry);
}

/** Those of the entries, as they were handed in, that a ledger took. */
export function among(
  entries: readonly SignedEntry[],
  taken: readonly SignedEntry[],
): readonly SignedEntry[] {
  if (entries.length === taken.length) return entries;
  const ids = new Set(taken.map((t) => t.id));
  return entries.filter((e) => ids.has(e.id));
}

/** What came of an update. */
export interface Applied {
  /** What it taught, in order; the rest of it was known, or is at odds. */
  readonly taken: readonly SignedEntry[];
  /** Something before it is missing, so it was left out (a gap costs Yjs quadratic time): sync with the sender. */
  readonly gap: boolean;
  /** Some author's entries do not follow on what is known of him: where he contradicts himself shows when everything is compared. */
  readonly odds: boolean;
}

const nothing: Applied = { taken: [], gap: false, odds: false };

/** Two entries of which one stands where the other does. */
export interface Clash {
  readonly known: SignedEntry;
  readonly other: SignedEntry;
}

/** What a state vector says: client → number of its entries. No bytes at all say that nothing is known. Throws `malformed`, `too-large`. */
export function readVector(vector: Uint8Array): Map<number, number> {
  if (vector.length > vectorBytesMax)
    throw new SwarmError("too-large", `a state vector of ${vector.length} bytes exceeds ${vectorBytesMax}`);
  try {
    return vector.length === 0 ? new Map() : Y.decodeStateVector(vector);
  } catch (cause) {
    throw new SwarmError("malformed", "not a state vector", { cause });
  }
}

export class Ledger {
  readonly build: BuildId;
  private readonly client: number;
  /** Every update as it came, in an order that leaves no gap. */
  private readonly log: Uint8Array[] = [];
  /** By client, the entries in the order of their clocks. */
  private readonly entries = new Map<number, SignedEntry[]>();
  /** Clients that are proved to contradict themselves, and from which place of their chain on. */
  private readonly untils = new Map<number, number>();
  /** Number of entries. */
  size = 0;
  /** Over all that counts. */
  private readonly sum = new IdSum();

  /** `client`: this node's own, by `clientOf`; new at each start, since the incarnation is. */
  constructor(build: BuildId, client: number) {
    this.build = build;
    this.client = client;
  }

  /** For a saved core: its updates say all, and the same life goes on under the same id. */
  static freeze(ledger: Ledger): Uint8Array {
    return encode({
      build: ledger.build,
      client: ledger.client,
      updates: ledger.updates(),
      untils: [...ledger.untils],
    });
  }

  static thaw(bytes: Uint8Array): Ledger {
    const { build, client, updates, untils } = decode(bytes, savedBytesMax, Number.POSITIVE_INFINITY) as {
      build: BuildId;
      client: number;
      updates: Uint8Array[];
      untils: [number, number][];
    };
    const ledger = new Ledger(build, client);
    for (const [forked, until] of untils) ledger.untils.set(forked, until);
    for (const update of updates) ledger.apply(update);
    return ledger;
  }

  /** All updates, in an order that can be applied. */
  updates(): Uint8Array[] {
    return [...this.log];
  }

  /** Adds an own entry and returns the update that carries it. */
  add(entry: SignedEntry): Uint8Array {
    const { client } = this;
    const clock = this.endOf(client).clock;
    const one: Added = { client, clock, key: entryKey(entry.entry), bytes: entry.bytes };
    const update = updateOf(one);
    const placed: readonly Placed[] = [{ range: rangeOf(one), entry }];
    placedIn.set(update, placed);
    this.record(placed, update);
    return update;
  }

  /** Applies an update whose entries passed the firewall and whose signatures hold. */
  apply(update: Uint8Array): Applied {
    const placed = placedOf(update);
    if (placed.length === 1) return this.applyOne(placed[0]!, placed, update);
    // Several of one client stand in order, so that each begins where the one before ends.
    const ends = new Map<number, { readonly clock: number; readonly seq: number }>();
    const apart = new Set<number>();
    const taken: Placed[] = [];
    let odds = false;
    for (const one of placed) {
      const { client, from, to } = one.range;
      if (apart.has(client)) continue;
      const end = ends.get(client) ?? this.endOf(client);
      const forked = this.untils.has(client);
      if (from > end.clock && !forked) return { ...nothing, gap: true };
      const known = this.entries.get(client)?.[from];
      if (from > end.clock || (known ? known.id !== one.entry.id : one.entry.entry.last !== end.seq)) {
        apart.add(client);
        odds ||= !forked;
      } else if (!known) {
        taken.push(one);
        ends.set(client, { clock: to, seq: one.entry.entry.seq });
      }
    }
    if (taken.length > 0) this.record(taken, update);
    return { taken: taken.map((t) => t.entry), gap: false, odds };
  }

  /** As `apply`, of an update that carries one entry: that is the rule. */
  private applyOne({ range, entry }: Placed, placed: readonly Placed[], update: Uint8Array): Applied {
    const entries = this.entries.get(range.client);
    const clock = entries?.length ?? 0;
    if (range.from > clock) return this.untils.has(range.client) ? nothing : { ...nothing, gap: true };
    if (range.from < clock) {
      const odds = entries![range.from]!.id !== entry.id && !this.untils.has(range.client);
      return odds ? { ...nothing, odds } : nothing;
    }
    if (entry.entry.last !== (entries?.at(-1)?.entry.seq ?? -1))
      return this.untils.has(range.client) ? nothing : { ...nothing, odds: true };
    this.record(placed, update);
    return { taken: [entry], gap: false, odds: false };
  }

  /** Applies what the disk holds. A record that was written late, or is torn out, leaves a gap: what stands behind it may still come. */
  restore(updates: readonly Uint8Array[]): SignedEntry[] {
    const all: SignedEntry[] = [];
    for (let left = updates, count = -1; left.length !== count; ) {
      count = left.length;
      left = left.filter((update) => {
        const { taken, gap } = this.apply(update);
        all.push(...taken);
        return gap;
      });
    }
    return all;
  }

  /** The first place at which an update says another thing than this ledger, of every author of whom it does. */
  clashes(update: Uint8Array): Clash[] {
    const found = new Map<number, Clash>();
    for (const { range, entry } of placedOf(update)) {
      const known = this.entries.get(range.client)?.[range.from];
      if (known && known.id !== entry.id && !found.has(range.client))
        found.set(range.client, { known, other: entry });
    }
    return [...found.values()];
  }

  /** An author is proved to contradict itself: what it says from `seq` on differs between nodes for good, and is no difference any more. */
  fork(author: PeerId, inc: Incarnation, seq: number): void {
    const client = clientOf(author, inc);
    const until = this.untils.get(client) ?? Number.POSITIVE_INFINITY;
    if (seq >= until) return;
    for (const { id, entry } of this.entries.get(client) ?? [])
      if (entry.seq >= seq && entry.seq < until) this.sum.mix(id);
    this.untils.set(client, seq);
  }

  /** What this node has, as a Yjs state vector. */
  vector(): Uint8Array {
    return Y.encodeStateVector(new Map([...this.entries].map(([client, { length }]) => [client, length])));
  }

  /** The updates that a holder of `vector` lacks, packed into batches of at most 1 MiB and 256 entries. Throws `malformed` for a broken vector. */
  missingFor(vector: Uint8Array): Uint8Array[] {
    const theirs = readVector(vector);
    const batches: Uint8Array[] = [];
    let batch: Uint8Array[] = [];
    let size = 0;
    let count = 0;
    const close = () => {
      if (batch.length > 0) batches.push(batch.length === 1 ? batch[0]! : Y.mergeUpdates(batch));
      batch = [];
      size = 0;
      count = 0;
    };
    for (const update of this.log) {
      const ranges = placedOf(update).map((p) => p.range);
      if (!ranges.some((r) => r.to > (theirs.get(r.client) ?? 0))) continue;
      // What they have of it is cut off: between what they have and what they lack, a merged update would show a gap.
      const known = ranges.some((r) => r.from < (theirs.get(r.client) ?? 0));
      const needed = known ? Y.diffUpdate(update, vectorFor(ranges, theirs)) : update;
      if (size + needed.length > batchBytesMax || count + ranges.length > batchEntriesMax) close();
      batch.push(needed);
      size += needed.length;
      count += ranges.length;
    }
    close();
    return batches;
  }

  /** Whether this ledger counts no more entries of anybody than a holder of `vector` does, and no fewer. */
  covers(vector: Uint8Array): boolean {
    const theirs = readVector(vector);
    return (
      theirs.size === this.entries.size && [...theirs].every(([c, n]) => this.entries.get(c)?.length === n)
    );
  }

  /** Several updates as one, for a message. */
  together(updates: readonly Uint8Array[]): Uint8Array {
    return updates.length === 1 ? updates[0]! : Y.mergeUpdates([...updates]);
  }

  /** Ledgers with equal entries that count have equal digests (16 hex digits). */
  digest(): string {
    return this.sum.text();
  }

  /** How far a client's entries are known: how many, and the place of the last in its author's chain. */
  private endOf(client: number): { readonly clock: number; readonly seq: number } {
    const entries = this.entries.get(client);
    return { clock: entries?.length ?? 0, seq: entries?.at(-1)?.entry.seq ?? -1 };
  }

  private record(placed: readonly Placed[], update: Uint8Array): void {
    for (const { range, entry } of placed) {
      const { client } = range;
      let entries = this.entries.get(client);
      if (!entries) {
        entries = [];
        this.entries.set(client, entries);
      }
      entries.push(entry);
      if (this.untils.size === 0 || entry.entry.seq < (this.untils.get(client) ?? Number.POSITIVE_INFINITY))
        this.sum.mix(entry.id);
      this.size++;
    }
    this.log.push(update);
  }
}

/** As much of a vector as concerns one update: whoever sends a long one must not make each cut as long. */
function vectorFor(ranges: readonly Range[], theirs: ReadonlyMap<number, number>): Uint8Array {
  const known = new Map<number, number>();
  for (const { client } of ranges) if (theirs.has(client)) known.set(client, theirs.get(client)!);
  return Y.encodeStateVector(known);
}
