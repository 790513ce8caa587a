/** A small swarm's words as samples: what honest members send, in the bytes that are sent, for others to be made of. */

import { encodeGraph } from "../../protocol/build/graph.ts";
import { encode } from "../../protocol/kernel/codec.ts";
import { digestOf } from "../../protocol/kernel/digest.ts";
import type { BuildId, Incarnation, PeerId } from "../../protocol/kernel/ids.ts";
import { encodeAdmission } from "../../protocol/swarm/admission.ts";
import { foundingEntry } from "../../protocol/swarm/founding.ts";
import { encodeGossip } from "../../protocol/swarm/message.ts";
import type { Vitals } from "../../protocol/swarm/vitals.ts";
import { type Entry, type SignedEntry, sealEntry, signedEntry } from "../../protocol/timeline/entry.ts";
import { clientOf, Ledger } from "../../protocol/work/ledger.ts";
import { fakePeer, fakeSigner } from "../../sim/signer.ts";
import { graphOf, keyOf, resultOf } from "../work/facts.ts";

export const build = "demo-0123456789" as BuildId;
export const inc = "1-00000001" as Incarnation;

/** An entry with its author's made-up signature. */
export function signed(entry: Entry): SignedEntry {
  const { body, id } = sealEntry(entry);
  return signedEntry(entry, body, id, fakeSigner(entry.author).sign(id));
}

const founding = signed(
  foundingEntry({
    name: "hostile",
    root: fakePeer("root"),
    nonce: "0".repeat(32),
    admin: fakePeer("ann"),
    adminName: "ann",
    nowMs: 1_764_000_000_000,
    notAfterMs: 1_800_000_000_000,
  }),
);
export const { swarm } = founding.entry;

/** An entry of `author`: of the build where one is named, else of the timeline. */
export const says = (
  author: string,
  seq: number,
  events: Entry["events"],
  of: BuildId | undefined,
): SignedEntry =>
  signed({
    v: 1,
    swarm,
    author: fakePeer(author),
    inc,
    seq,
    prev: null,
    hlc: [1_764_000_000_000, seq],
    last: seq - 1,
    ...(of === undefined ? {} : { build: of }),
    events,
  });

const claim = `${fakePeer("ann")}.${inc}.0`;
export const { bytes: graph } = encodeGraph(graphOf({ a: [], b: ["a"] }));

/** One event of each kind that travels in a build's ledger. */
export const buildEvents: Entry["events"] = [
  {
    kind: "build.submitted",
    name: "demo",
    graph: digestOf(graph),
    nonce: "n",
    fold: 1,
    actions: 2,
    priority: 0,
    holders: [fakePeer("ann")],
  },
  { kind: "claim", claim, action: "a", attempt: 1, key: keyOf("a"), holder: fakePeer("bob"), holderInc: inc },
  { kind: "start", claim },
  { kind: "done", claim, key: keyOf("a"), result: resultOf("a") },
  { kind: "fail", claim, cause: "infrastructure", reason: "no disk" },
  { kind: "abandon", claim, reason: "lost" },
  { kind: "expire", claim, reason: "dead" },
  { kind: "cached", action: "b", key: keyOf("b"), result: resultOf("b"), from: fakePeer("bob") },
  { kind: "lost", action: "a", results: [claim], reason: "gone" },
  { kind: "control", op: "pause", id: "c1", answers: [] },
  { kind: "sealed", state: "complete", wallMs: 5 },
  { kind: "kind.of.tomorrow", says: { anything: [1, 2] } },
];

/** One event of each kind that travels in the timeline. */
export const timelineEvents: Entry["events"] = [
  { kind: "node.up", name: "ann", version: "0", folds: [1], slots: 2 },
  { kind: "node.down", reason: "asked" },
  { kind: "node.control", op: "pause", peer: fakePeer("bob"), id: "o1", answers: [] },
  { kind: "node.grounded", peer: fakePeer("bob"), inc, failures: 3, forMs: 1000 },
  {
    kind: "member.admitted",
    peer: fakePeer("bob"),
    name: "bob",
    roles: ["builder", "submitter"],
    notAfterMs: 1_800_000_000_000,
  },
  {
    kind: "ticket.issued",
    ticket: "t1",
    key: fakePeer("ticket"),
    roles: ["builder"],
    notAfterMs: 1_800_000_000_000,
  },
];

export const buildEntries: readonly SignedEntry[] = [
  ...buildEvents.map((event, seq) => says("ann", seq, [event], build)),
  says("bob", 0, buildEvents, build),
];
export const timelineEntries: readonly SignedEntry[] = [
  founding,
  ...timelineEvents.map((event, seq) => says("ann", seq, [event], undefined)),
  says("bob", 0, timelineEvents, undefined),
];

/** The updates that carry an author's entries of the build, in order. */
export function updatesOf(author: string, entries: readonly SignedEntry[]): Uint8Array[] {
  const ledger = new Ledger(build, clientOf(fakePeer(author), inc));
  return entries.map((entry) => ledger.add(entry));
}

export const vitals: Vitals = {
  peer: fakePeer("bob"),
  inc,
  name: "bob",
  version: "0",
  beat: 7,
  slots: 2,
  running: 0,
  foreign: true,
  frontier: "0".repeat(16),
  labels: ["ssd"],
  fenced: false,
  policy: "normal",
  reservedBytes: 0,
  ledgers: { [build]: "0".repeat(16) },
  cores: 2,
  load: 0.5,
  pressurePercent: { cpu: 0, memory: 0, io: 0 },
  temperatureCelsius: 40,
  headroomCelsius: "unknown",
  memoryTotalBytes: 2 ** 33,
  memoryFreeBytes: 2 ** 32,
  diskTotalBytes: 2 ** 36,
  diskFreeBytes: 2 ** 35,
  sandbox: "bubblewrap",
  target: "x86_64-linux-gnu",
  toolchains: { gcc: "12" },
};

const bob: PeerId = fakePeer("bob");
const own = buildEntries.filter((e) => e.entry.author === fakePeer("ann"));
const updates = updatesOf("ann", own);
const ledger = new Ledger(build, 1);
for (const update of updates) ledger.apply(update);

/** One of each message, as plain values of the wire. */
export const messages: readonly Record<string, unknown>[] = [
  {
    kind: "sync",
    heads: timelineEntries.map(({ entry, id }) => ({
      author: entry.author,
      inc: entry.inc,
      seq: entry.seq,
      sum: id.slice(0, 16),
    })),
    ledgers: [{ build, vector: ledger.vector(), digest: ledger.digest() }],
    archive: "0".repeat(16),
    reply: true,
  },
  { kind: "archive", builds: [{ build, sum: ledger.digest() }] },
  { kind: "want", build },
  {
    kind: "outline",
    build,
    sum: ledger.digest(),
    count: own.length,
    done: 1,
    entries: own.slice(0, 2).map((e) => e.bytes),
  },
  { kind: "lack", places: [{ author: bob, inc: own[0]!.entry.inc, build, fromSeq: 0, toSeq: 9 }] },
  { kind: "entries", entries: timelineEntries.map((e) => e.bytes) },
  { kind: "ledger", build, update: updates[0] },
  { kind: "grant", id: "g1", build, update: ledger.together(updates) },
  {
    kind: "ask",
    id: "1",
    build,
    count: 2,
    actions: ["a", "b"],
    why: { score: 1, parts: { speed: 1 }, view: "0", seen: 2, others: [[bob, 0.5]] },
  },
  { kind: "deny", id: "1", build, reason: "not ready", steward: bob },
  { kind: "hold", id: "h", digests: [keyOf("a"), keyOf("b")] },
  { kind: "held", id: "h", missing: [keyOf("a")] },
  { kind: "seek", id: "s", keys: [keyOf("a")] },
  {
    kind: "found",
    id: "s",
    hits: [{ key: keyOf("a"), action: "a", from: bob, proof: 0 }],
    proofs: [timelineEntries[0]!.bytes],
    last: true,
  },
];

export const messageSamples: readonly Uint8Array[] = messages.map(encode);

const sign = (hash: string) => fakeSigner(bob).sign(hash);
export const gossipSamples: readonly Uint8Array[] = [
  encodeGossip({ kind: "vitals", vitals }, sign),
  encodeGossip({ kind: "entries", entries: timelineEntries }, sign),
  encodeGossip({ kind: "ledger", build, update: updates[0]!, entries: [] }, sign),
];

export const admissionSamples: readonly Uint8Array[] = [
  encodeAdmission({ kind: "present", swarm, certificates: [founding], wallMs: 1 }),
  encodeAdmission({
    kind: "redeem",
    swarm,
    ticket: "t1",
    key: fakePeer("ticket"),
    nonce: "0123456789",
    name: "dan",
    proof: new Uint8Array(64),
    wallMs: 1,
  }),
  encodeAdmission({ kind: "refused", code: "not-a-member", message: "no", remedy: "ask", wallMs: 1 }),
];
