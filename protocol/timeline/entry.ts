/** An entry: the one way a node speaks. Signed, chained to the author's entry before it, carrying events of one scope. */
import { z } from "zod";
import { decode, encode } from "../kernel/codec.ts";
import { sha256, sha256Hex } from "../kernel/digest.ts";
import { SwarmError } from "../kernel/errors.ts";
import type { Hlc } from "../kernel/hlc.ts";
import {
  type BuildId,
  type EntryId,
  type Incarnation,
  isBuildId,
  isHash,
  isIncarnation,
  isPeerId,
  oneOf,
  type PeerId,
  type SwarmId,
} from "../kernel/ids.ts";

export const entryBytesMax = 64 << 10;
export const entryEventsMax = 512;
const headerBytesMax = 2048;

/** What every event has; the kinds are in `events.ts`. Unknown kinds are stored and passed on. */
export interface AnyEvent {
  readonly kind: string;
  readonly [field: string]: unknown;
}

export interface Entry {
  readonly v: 1;
  readonly swarm: SwarmId;
  readonly author: PeerId;
  readonly inc: Incarnation;
  /** 0, 1, 2 … within (author, inc). */
  readonly seq: number;
  /** The id of the entry before; for seq 0 the last known id of the incarnation before, or null. */
  readonly prev: EntryId | null;
  /** Milliseconds and counter; for people only, no fold reads it. */
  readonly hlc: Hlc;
  /** `seq` of the author's entry before it in this incarnation and in the same build (or in none), -1 for the first; so a gap is known as a gap. */
  readonly last: number;
  /** The build whose ledger carries the entry; absent: the timeline does. */
  readonly build?: BuildId;
  readonly events: readonly AnyEvent[];
}

export interface SignedEntry {
  readonly entry: Entry;
  readonly id: EntryId;
  /** Ed25519 over the 32 bytes of the id. */
  readonly sig: Uint8Array;
  /** What is stored and sent. */
  readonly bytes: Uint8Array;
}

const headerFields = {
  v: z.literal(1),
  swarm: z.custom<SwarmId>((v) => typeof v === "string" && isHash(v)),
  author: z.custom<PeerId>((v) => typeof v === "string" && isPeerId(v)),
  inc: z.custom<Incarnation>((v) => typeof v === "string" && isIncarnation(v)),
  seq: z.int().nonnegative(),
  prev: z.custom<EntryId>((v) => typeof v === "string" && isHash(v)).nullable(),
  hlc: z.tuple([z.int().nonnegative(), z.int().nonnegative()]),
  last: z.int().min(-1),
  build: z.custom<BuildId>((v) => typeof v === "string" && isBuildId(v)).optional(),
};
const entrySchema = z.strictObject({
  ...headerFields,
  events: z
    .array(z.looseObject({ kind: z.string().min(1).max(64) }))
    .min(1)
    .max(entryEventsMax),
});
const headerSchema = z.strictObject({ ...headerFields, events: z.tuple([]) });

/** All of an entry but what it says: where it stands, and who signed it. It proves itself without the events. */
export interface Header {
  readonly entry: Omit<Entry, "events">;
  readonly id: EntryId;
  readonly sig: Uint8Array;
}

/** The encoding of no events, which is all that a header lacks to be read as an entry. */
const noEvents = encode([]);

/** Cuts a body where the events begin: of all keys `events` is the last one in canonical order. */
function cut(body: Uint8Array, entry: Omit<Entry, "events">): { header: Uint8Array; events: Uint8Array } {
  const at = encode({ ...entry, events: [] }).length - noEvents.length;
  return { header: body.subarray(0, at), events: sha256(body.subarray(at)) };
}

/** Over the header and the hash of the events, so that whoever has the header need not have the events. */
const idOf = (header: Uint8Array, events: Uint8Array): EntryId =>
  sha256Hex(Buffer.concat([header, events])) as EntryId;

/** The bytes that are stored, and the id (sha2-256, hex) that is signed. */
export function sealEntry(entry: Entry): { body: Uint8Array; id: EntryId } {
  const body = encode(entry);
  const { header, events } = cut(body, entry);
  return { body, id: idOf(header, events) };
}

/** The header of an entry as bytes: a few hundred, however much it says. */
export function headerOf({ entry, sig }: SignedEntry): Uint8Array {
  const { header, events } = cut(encode(entry), entry);
  return encode([new Uint8Array(header), new Uint8Array(events), sig]);
}

/** A header from bytes somebody sent; its signature is the shell's to check. Throws `malformed` or `too-large`. */
export function readHeader(bytes: Uint8Array): Header {
  const outer = decode(bytes, headerBytesMax);
  const [header, events, sig] = Array.isArray(outer) && outer.length === 3 ? outer : [];
  if (!(header instanceof Uint8Array) || !(events instanceof Uint8Array) || !(sig instanceof Uint8Array))
    throw new SwarmError("malformed", "not a header");
  const parsed = headerSchema.safeParse(decode(Buffer.concat([header, noEvents]), headerBytesMax));
  if (!parsed.success || events.length !== 32 || sig.length !== 64)
    throw new SwarmError("malformed", "not a header");
  const { events: _, ...entry } = parsed.data;
  if (entry.last >= entry.seq) throw new SwarmError("malformed", "not a header");
  return { entry, id: idOf(header, events), sig };
}

/** An entry with its signature, ready to store and send. Throws `too-large` over the bound. */
export function signedEntry(entry: Entry, body: Uint8Array, id: EntryId, sig: Uint8Array): SignedEntry {
  const bytes = encode([body, sig]);
  if (bytes.length > entryBytesMax)
    throw new SwarmError("too-large", `an entry of ${bytes.length} bytes exceeds ${entryBytesMax}`);
  return { entry, id, sig, bytes };
}

/** Entries read lately, by sha2-256 of their bytes: gossip, grants and syncs bring one several times. */
const read = new Map<string, SignedEntry>();
const readMax = 4096;

/**
 * An entry from bytes somebody sent. What the bytes alone prove is checked, the signature is not: that is the shell's work.
 * Throws `malformed`, `version-unknown` or `too-large`.
 */
export function readEntry(bytes: Uint8Array): SignedEntry {
  const name = sha256Hex(bytes);
  const known = read.get(name);
  if (known) return known;
  const signed = decodeEntry(bytes);
  if (read.size >= readMax) read.delete(read.keys().next().value!);
  read.set(name, signed);
  return signed;
}

function decodeEntry(bytes: Uint8Array): SignedEntry {
  const outer = decode(bytes, entryBytesMax);
  if (!Array.isArray(outer) || outer.length !== 2) throw new SwarmError("malformed", "not an entry");
  const [body, sig] = outer;
  if (!(body instanceof Uint8Array) || !(sig instanceof Uint8Array) || sig.length !== 64)
    throw new SwarmError("malformed", "not an entry");
  const plain = decode(body, entryBytesMax);
  const parsed = entrySchema.safeParse(plain);
  const v = parsed.success ? 1 : (plain as { v?: unknown } | null)?.v;
  if (typeof v === "number" && v > 1)
    throw new SwarmError("version-unknown", `an entry of format ${v}; this version reads format 1`, {
      remedy: "bring this node to the version of the others: swarmd version",
    });
  if (!parsed.success)
    throw new SwarmError("malformed", `not an entry: ${parsed.error.issues[0]?.path.join(".") ?? ""}`);
  const content = parsed.data as Entry;
  if (content.last >= content.seq)
    throw new SwarmError("malformed", "an entry names one before it, not itself");
  const { author, inc } = content;
  const entry: Entry = { ...content, author: oneOf(author), inc: oneOf(inc) };
  const { header, events } = cut(body, entry);
  return { entry, id: idOf(header, events), sig, bytes };
}

/** `author.inc.seq`: the key of an entry in its ledger, and its place in its chain. */
export const entryKey = (entry: Pick<Entry, "author" | "inc" | "seq">): string =>
  `${entry.author}.${entry.inc}.${entry.seq}`;
