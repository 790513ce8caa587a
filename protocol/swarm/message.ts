/** What members say to each other beside entries: unicast messages and gossip, with their encoding and bounds. Formats in specs/messages.md. */
import { z } from "zod";
import { toolPattern } from "../build/toolchain.ts";
import { decode, encode } from "../kernel/codec.ts";
import { isDigest, sha256Hex } from "../kernel/digest.ts";
import { SwarmError } from "../kernel/errors.ts";
import {
  type ActionName,
  type BuildId,
  type Digest,
  type Incarnation,
  isBuildId,
  isIncarnation,
  isPeerId,
  oneOf,
  type PeerId,
} from "../kernel/ids.ts";
import type { Head } from "../timeline/chain.ts";
import { readEntry, type SignedEntry } from "../timeline/entry.ts";
import { roles, type Why, why } from "../timeline/events.ts";
import { type JoinRequest, ticketProofFields } from "./admission.ts";
import { type Vitals, vitalsSchema } from "./vitals.ts";

export const messageBytesMax = 4 << 20;
/** Of a message that a third carries: its seal fits beside it. */
export const forwardBytesMax = messageBytesMax - 1024;
/** Ended builds that one message names. */
const archiveMax = 8192;
export const gossipBytesMax = 64 << 10;
/** Entries in one message: what is read and verified in one go. Whoever packs many stays below half of it. */
export const messageEntriesMax = 512;
/** Chains that one sync names; members that know of more name the latest starts. */
export const headsMax = 4096;
/** Builds that one sync names. */
export const ledgersMax = 1024;
/** Vectors in one message are read as a whole too. */
const vectorsBytesMax = 512 << 10;
/** Action keys that are sought at once. */
export const seekKeysMax = 4096;
/** Blobs that one `hold` names: whoever wants more held asks again. */
export const holdDigestsMax = 16_384;

/** A Yjs update of one build's ledger, with the entries it carries (their signatures hold once the core sees them). */
export interface LedgerUpdate {
  readonly build: BuildId;
  readonly update: Uint8Array;
  readonly entries: readonly SignedEntry[];
}

/** Places of one chain, both ends among them: those of a build, or of the timeline. */
export interface Lack {
  readonly author: PeerId;
  readonly inc: Incarnation;
  readonly build?: BuildId;
  readonly fromSeq: number;
  readonly toSeq: number;
}
/** In one message. */
export const lacksMax = 64;

export type Message =
  /** What I know; answer with what I lack, and `reply` once with what you know. */
  | {
      readonly kind: "sync";
      readonly heads: readonly Head[];
      readonly ledgers: readonly {
        readonly build: BuildId;
        readonly vector: Uint8Array;
        /** Of its entries: where it differs and the vectors do not, somebody told two stories. */
        readonly digest: string;
      }[];
      /** What the ended builds add up to that are no longer in memory. */
      readonly archive?: string;
      readonly reply: boolean;
    }
  /** Ended builds whose entries I have, and what those add up to. */
  | {
      readonly kind: "archive";
      readonly builds: readonly {
        readonly build: BuildId;
        readonly sum: string;
        /** So many; absent: an older version did not say. */
        readonly entries?: number;
      }[];
    }
  /** Send me the entries of this ended build. */
  | { readonly kind: "want"; readonly build: BuildId }
  /** What I know of it is that it was: its first and its last word, so many entries, and what they added up to. The rest was kept long enough. */
  | {
      readonly kind: "outline";
      readonly build: BuildId;
      readonly sum: string;
      readonly count: number;
      readonly done: number;
      readonly entries: readonly SignedEntry[];
    }
  /** My disk was damaged: send me these places again. */
  | { readonly kind: "lack"; readonly places: readonly Lack[] }
  | { readonly kind: "entries"; readonly entries: readonly SignedEntry[] }
  | ({ readonly kind: "ledger" } & LedgerUpdate)
  /** An idle node asks the steward for up to `count` of these actions, best first. */
  | {
      readonly kind: "ask";
      readonly id: string;
      readonly build: BuildId;
      readonly count: number;
      readonly actions: readonly ActionName[];
      readonly why?: Why;
    }
  /** The answer: the steward's own update that holds the claims. */
  | ({ readonly kind: "grant"; readonly id: string } & LedgerUpdate)
  | {
      readonly kind: "deny";
      readonly id: string;
      readonly build: BuildId;
      readonly reason: string;
      readonly steward?: PeerId;
    }
  /** Please hold these blobs too: the one who asks has them. */
  | { readonly kind: "hold"; readonly id: string; readonly digests: readonly Digest[] }
  /** Done; `missing` names those that could not be had. */
  | { readonly kind: "held"; readonly id: string; readonly missing: readonly Digest[] }
  /** Which of these action keys have a result whose outputs can be had? */
  | { readonly kind: "seek"; readonly id: string; readonly keys: readonly Digest[] }
  /** The answer, in several parts where it is long; `last` ends it. */
  | {
      readonly kind: "found";
      readonly id: string;
      readonly hits: readonly {
        readonly key: Digest;
        /** What it was called there; for people. */
        readonly action: ActionName;
        /** Who has its outputs now. */
        readonly from: PeerId;
        /** Which of the proofs says its result. */
        readonly proof: number;
      }[];
      /** Entries in which makers said what they came to. */
      readonly proofs: readonly SignedEntry[];
      readonly last: boolean;
    }
  /** A beat as it is gossiped, to a member that gossip may not reach: one of two machines under one identity. */
  | { readonly kind: "beat"; readonly gossip: Uint8Array }
  /** Please hand this message to `to`, whom its author does not reach: `relays.ts`. `stamp`: the author's start and a number that grows. */
  | {
      readonly kind: "forward";
      readonly from: PeerId;
      readonly to: PeerId;
      readonly stamp: readonly [start: number, number: number];
      readonly message: Uint8Array;
      readonly sig: Uint8Array;
    }
  /** I do not reach that one either. */
  | { readonly kind: "astray"; readonly to: PeerId }
  /** Please read the files of these tools, and offer exact fingerprints of them. */
  | { readonly kind: "survey"; readonly tools: readonly string[] };

export type Gossip =
  | { readonly kind: "vitals"; readonly vitals: Vitals }
  | ({ readonly kind: "ledger" } & LedgerUpdate)
  | { readonly kind: "entries"; readonly entries: readonly SignedEntry[] }
  /** Somebody asks to join: told, and signed, by the member at whose door it was. */
  | { readonly kind: "request"; readonly request: JoinRequest };

const peer = z.custom<PeerId>((v) => typeof v === "string" && isPeerId(v));
const inc = z.custom<Incarnation>((v) => typeof v === "string" && isIncarnation(v));
const sum = z.string().regex(/^[0-9a-f]{16}$/);
const build = z.custom<BuildId>((v) => typeof v === "string" && isBuildId(v));
const digest = z.custom<Digest>((v) => typeof v === "string" && isDigest(v));
/** Read in one go: a schema for each of thousands costs more than all else in a message. */
const digests = (least: number, most: number) =>
  z.custom<Digest[]>(
    (v) =>
      Array.isArray(v) &&
      v.length >= least &&
      v.length <= most &&
      v.every((one) => typeof one === "string" && isDigest(one)),
  );
const bytes = z.instanceof(Uint8Array);
const id = z.string().min(1).max(64);
const action = z.string().min(1).max(512) as unknown as z.ZodType<ActionName>;
const shortText = z.string().max(128);
const count = z.int().nonnegative();
/** Each costs a node seconds. */
export const surveyToolsMax = 64;

const ledger = { build, update: bytes };
const messageSchema = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("sync"),
    heads: z.array(z.object({ author: peer, inc, seq: z.int().nonnegative(), sum })).max(headsMax),
    ledgers: z.array(z.object({ build, vector: bytes, digest: sum })).max(ledgersMax),
    archive: sum.optional(),
    reply: z.boolean(),
  }),
  z.object({
    kind: z.literal("archive"),
    builds: z.array(z.object({ build, sum, entries: count.optional() })).max(archiveMax),
  }),
  z.object({ kind: z.literal("want"), build }),
  z.object({
    kind: z.literal("outline"),
    build,
    sum,
    count,
    done: count,
    entries: z.array(bytes).length(2),
  }),
  z.object({
    kind: z.literal("lack"),
    places: z
      .array(z.object({ author: peer, inc, build: build.optional(), fromSeq: count, toSeq: count }))
      .min(1)
      .max(lacksMax),
  }),
  z.object({ kind: z.literal("entries"), entries: z.array(bytes).max(messageEntriesMax) }),
  z.object({ kind: z.literal("ledger"), ...ledger }),
  z.object({
    kind: z.literal("ask"),
    id,
    build,
    count: z.int().positive().max(1024),
    actions: z.array(action).min(1).max(1024),
    why: why.optional(),
  }),
  z.object({ kind: z.literal("grant"), id, ...ledger }),
  z.object({ kind: z.literal("deny"), id, build, reason: shortText, steward: peer.optional() }),
  z.object({ kind: z.literal("hold"), id, digests: digests(0, holdDigestsMax) }),
  z.object({ kind: z.literal("held"), id, missing: digests(0, holdDigestsMax) }),
  z.object({ kind: z.literal("seek"), id, keys: digests(1, seekKeysMax) }),
  z.object({
    kind: z.literal("found"),
    id,
    hits: z
      .array(z.object({ key: digest, action, from: peer, proof: z.int().nonnegative() }))
      .max(seekKeysMax),
    proofs: z.array(bytes).max(messageEntriesMax),
    last: z.boolean(),
  }),
  z.object({ kind: z.literal("beat"), gossip: bytes.refine((b) => b.length <= gossipBytesMax) }),
  z.object({
    kind: z.literal("forward"),
    from: peer,
    to: peer,
    stamp: z.tuple([z.int().nonnegative(), z.int().nonnegative()]),
    message: bytes.refine((b) => b.length <= forwardBytesMax),
    sig: bytes.refine((b) => b.length <= 128),
  }),
  z.object({ kind: z.literal("astray"), to: peer }),
  z.object({
    kind: z.literal("survey"),
    tools: z.array(z.string().regex(toolPattern)).min(1).max(surveyToolsMax),
  }),
]);
const gossipSchema = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("vitals"), vitals: bytes, sig: bytes }),
  z.object({ kind: z.literal("ledger"), ...ledger }),
  z.object({ kind: z.literal("entries"), entries: z.array(bytes).max(messageEntriesMax) }),
  z.object({ kind: z.literal("request"), request: bytes, sig: bytes }),
]);
/** Every kind of either, each once, in the order in which specs/messages.md has them. */
export const messageKinds: readonly string[] = [
  ...new Set([...messageSchema.options, ...gossipSchema.options].map(({ shape }) => shape.kind.value)),
];
const requestSchema = z.object({
  via: peer,
  peer,
  name: z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/),
  roles: z.array(z.enum(roles)).max(roles.length),
  ticket: z.object(ticketProofFields).optional(),
  renewal: z.boolean().optional(),
});

function flatten(message: Message | Gossip): unknown {
  if (message.kind === "entries" || message.kind === "outline")
    return { ...message, entries: message.entries.map((e) => e.bytes) };
  if (message.kind === "found") return { ...message, proofs: message.proofs.map((e) => e.bytes) };
  if (message.kind === "ledger") return { kind: "ledger", build: message.build, update: message.update };
  if (message.kind === "grant")
    return { kind: "grant", id: message.id, build: message.build, update: message.update };
  return message;
}

export const encodeMessage = (message: Message): Uint8Array => encode(flatten(message));

/** `sign`: the own signature over a sha2-256 (hex). Vitals are signed as a whole; entries carry their authors' signatures. */
export function encodeGossip(message: Gossip, sign: (hash: string) => Uint8Array): Uint8Array {
  if (message.kind === "request") {
    const request = encode(message.request);
    return encode({ kind: "request", request, sig: sign(sha256Hex(request)) });
  }
  if (message.kind !== "vitals") return encode(flatten(message));
  const vitals = encode(message.vitals);
  return encode({ kind: "vitals", vitals, sig: sign(sha256Hex(vitals)) });
}

/** How the entries of a ledger update, at most so many, are found; given by `work/ledger`, which stands above this file. */
export type ReadUpdate = (build: BuildId, update: Uint8Array, maxEntries: number) => SignedEntry[];

/** A message from bytes. Throws `malformed` or `too-large`. Signatures are not checked here. */
export function readMessage(raw: Uint8Array, readUpdate: ReadUpdate): Message {
  const parsed = messageSchema.safeParse(decode(raw, messageBytesMax));
  if (!parsed.success) throw new SwarmError("malformed", "not a message");
  const m = parsed.data;
  if (m.kind === "entries" || m.kind === "outline") return { ...m, entries: m.entries.map(readEntry) };
  if (m.kind === "found") return { ...m, proofs: m.proofs.map(readEntry) };
  if (m.kind === "ledger" || m.kind === "grant")
    return { ...m, entries: readUpdate(m.build, m.update, messageEntriesMax) };
  if (m.kind === "sync" && m.ledgers.reduce((sum, l) => sum + l.vector.length, 0) > vectorsBytesMax)
    throw new SwarmError("too-large", "a sync with longer state vectors than any builds have");
  return m;
}

/** A gossiped message from bytes. `verify` judges the signature under vitals. Throws `malformed`, `too-large` or `unauthentic`. */
export function readGossip(
  raw: Uint8Array,
  readUpdate: ReadUpdate,
  verify: (author: PeerId, hash: string, sig: Uint8Array) => boolean,
): Gossip {
  const parsed = gossipSchema.safeParse(decode(raw, gossipBytesMax));
  if (!parsed.success) throw new SwarmError("malformed", "not a gossip message");
  const m = parsed.data;
  if (m.kind === "entries") return { kind: "entries", entries: m.entries.map(readEntry) };
  if (m.kind === "ledger") return { ...m, entries: readUpdate(m.build, m.update, messageEntriesMax) };
  if (m.kind === "request") {
    const request = requestSchema.safeParse(decode(m.request, gossipBytesMax));
    if (!request.success) throw new SwarmError("malformed", "not a request to join");
    if (!verify(request.data.via, sha256Hex(m.request), m.sig))
      throw new SwarmError("unauthentic", "a request to join is not signed by the member that tells of it");
    return { kind: "request", request: request.data };
  }
  const vitals = vitalsSchema.safeParse(decode(m.vitals, gossipBytesMax));
  if (!vitals.success) throw new SwarmError("malformed", "not vitals");
  if (!verify(vitals.data.peer, sha256Hex(m.vitals), m.sig))
    throw new SwarmError("unauthentic", "vitals are not signed by the node they speak of");
  const { peer, inc } = vitals.data;
  return { kind: "vitals", vitals: { ...vitals.data, peer: oneOf(peer), inc: oneOf(inc) } };
}
