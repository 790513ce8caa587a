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
import { type Added, entriesAdded, mapName } from "./update.ts";

/**
 * The client id, in Yjs, of one start of one author: 48 bits, so that two never meet. It follows from who speaks, for two documents
 * that write under one id diverge silently and for ever: nobody must be able to take another's.
 */
export const clientOf = (author: PeerId, inc: Incarnation): number =>
  Number.parseInt(sha256Hex(chainOf(author, inc)).slice(0, 12), 16);
/** A message of several updates stays below this, so that a frame never grows with the build. */
const batchBytesMax = 1 << 20;
/** Ten thousand starts of authors, about, that wrote in one build. */
export const vectorBytesMax = 128 << 10;
const batchEntriesMax = messageEntriesMax / 2;
const savedBytesMax = 1 << 30;

interface Range {
  readonly client: number;
  readonly from: number;
  readonly to: number;
}

const rangeOf = ({ client, clock }: Added): Range => ({ client, from: clock, to: clock + 1 });

/** What was found in an update, which never changes: whoever meets the same bytes again need not look. */
const rangesIn = new WeakMap<Uint8Array, readonly Range[]>();

function rangesOf(update: Uint8Array): readonly Range[] {
  let ranges = rangesIn.get(update);
  if (!ranges) {
    ranges = entriesAdded(update, Number.POSITIVE_INFINITY).map(rangeOf);
    rangesIn.set(update, ranges);
  }
  return ranges;
}

/** The entries of an update, at most so many, from bytes somebody sent: the firewall. Throws `malformed`, `too-large`; signatures are the shell's to check. */
export function readUpdate(
  build: BuildId,
  update: Uint8Array,
  maxEntries = Number.POSITIVE_INFINITY,
): SignedEntry[] {
  const added = entriesAdded(update, maxEntries);
  rangesIn.set(update, added.map(rangeOf));
  return added.map(({ client, key, bytes }) => {
    const entry = readEntry(bytes);
    if (client !== clientOf(entry.entry.author, entry.entry.inc))
      throw new SwarmError("malformed", "an entry was written under another's name");
    if (entryKey(entry.entry) !== key || entry.entry.build !== build)
      throw new SwarmError("malformed", "an entry stands under a key that is not its own");
    return entry;
  });
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
  /** The document of this node's own entries, where its updates come from: what others write needs no document here. */
  private own: Y.Doc | undefined;
  /** Every update as it came, in an order that leaves no gap. */
  private readonly log: Uint8Array[] = [];
  private readonly clocks = new Map<number, number>();
  /** Number of entries. */
  size = 0;
  /** Over all clocks, 32 bits each. */
  private high = 0;
  private low = 0;

  /** `client`: this node's own, by `clientOf`; new at each start, since the incarnation is. */
  constructor(build: BuildId, client: number) {
    this.build = build;
    this.client = client;
  }

  /** For a saved core: its updates say all, and the same life goes on under the same id. */
  static freeze(ledger: Ledger): Uint8Array {
    return encode({ build: ledger.build, client: ledger.client, updates: ledger.updates() });
  }

  static thaw(bytes: Uint8Array): Ledger {
    const { build, client, updates } = decode(bytes, savedBytesMax, Number.POSITIVE_INFINITY) as {
      build: BuildId;
      client: number;
      updates: Uint8Array[];
    };
    const ledger = new Ledger(build, client);
    for (const update of updates) ledger.apply(update);
    return ledger;
  }

  /** All updates, in an order that can be applied. */
  updates(): Uint8Array[] {
    return [...this.log];
  }

  /** Adds an own entry and returns the update that carries it. */
  add(entry: SignedEntry): Uint8Array {
    this.own ??= this.document();
    let update: Uint8Array | undefined;
    const note = (bytes: Uint8Array) => {
      update = bytes;
    };
    this.own.on("update", note);
    this.own.getMap(mapName).set(entryKey(entry.entry), entry.bytes);
    this.own.off("update", note);
    this.record(rangesOf(update!), update!);
    return update!;
  }

  /**
   * Applies an update whose entries passed the firewall and whose signatures hold. `new`: it taught us something.
   * `gap`: something before it is missing, so it was left out (a gap costs Yjs quadratic time): sync with the sender.
   */
  apply(update: Uint8Array): "new" | "known" | "gap" {
    const ranges = rangesOf(update);
    // One range is the rule; several of one client stand in order, so that each ends where the next begins.
    const ends = ranges.length > 1 ? new Map<number, number>() : undefined;
    let fresh = false;
    for (const { client, from, to } of ranges) {
      const end = ends?.get(client) ?? this.clocks.get(client) ?? 0;
      if (from > end) return "gap";
      if (to <= end) continue;
      fresh = true;
      ends?.set(client, to);
    }
    if (!fresh) return "known";
    this.record(ranges, update);
    return "new";
  }

  /** What this node has, as a Yjs state vector. */
  vector(): Uint8Array {
    return Y.encodeStateVector(this.clocks);
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
      const ranges = rangesOf(update);
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

  /** Several updates as one, for a message. */
  together(updates: readonly Uint8Array[]): Uint8Array {
    return updates.length === 1 ? updates[0]! : Y.mergeUpdates([...updates]);
  }

  /** Equal ledgers have equal digests (16 hex digits). */
  digest(): string {
    return `${hex8(this.high)}${hex8(this.low)}`;
  }

  /** A document that says what this node said in this life already: after a load, nothing else is known of it. */
  private document(): Y.Doc {
    const doc = new Y.Doc({ guid: this.build, gc: false });
    if (this.clocks.has(this.client)) Y.applyUpdate(doc, Y.mergeUpdates(this.log));
    doc.clientID = this.client; // only now: Yjs takes another id when it is told of its own entries
    return doc;
  }

  private record(ranges: readonly Range[], update: Uint8Array): void {
    for (const { client, to } of ranges) {
      const clock = this.clocks.get(client) ?? 0;
      if (to <= clock) continue;
      this.mixIn(client, clock);
      this.mixIn(client, to);
      this.clocks.set(client, to);
      this.size += to - clock;
    }
    this.log.push(update);
  }

  /** Adds a clock to the digest, or takes it out again. */
  private mixIn(client: number, clock: number): void {
    if (clock === 0) return;
    const top = Math.floor(client / 2 ** 32);
    this.high ^= scatter(client ^ scatter(top ^ scatter(clock)));
    this.low ^= scatter(clock ^ scatter(client ^ scatter(top + 0x9e3779b9)));
  }
}

/** 32 bits of 32 bits: spread, not secrecy; a client id is half a hash already. */
function scatter(word: number): number {
  let x = word;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return x ^ (x >>> 16);
}

/** As much of a vector as concerns one update: whoever sends a long one must not make each cut as long. */
function vectorFor(ranges: readonly Range[], theirs: ReadonlyMap<number, number>): Uint8Array {
  const known = new Map<number, number>();
  for (const { client } of ranges) if (theirs.has(client)) known.set(client, theirs.get(client)!);
  return Y.encodeStateVector(known);
}

const hex8 = (word: number): string => (word >>> 0).toString(16).padStart(8, "0");
