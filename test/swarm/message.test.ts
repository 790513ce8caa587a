import fc from "fast-check";
import { expect, test } from "vitest";
import { createSigner } from "../../node/signer.ts";
import { encode } from "../../protocol/kernel/codec.ts";
import { digestOf } from "../../protocol/kernel/digest.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { ActionName, BuildId, Incarnation } from "../../protocol/kernel/ids.ts";
import {
  encodeGossip,
  encodeMessage,
  type Gossip,
  gossipBytesMax,
  type Message,
  messageBytesMax,
  readGossip,
  readMessage,
} from "../../protocol/swarm/message.ts";
import type { Vitals } from "../../protocol/swarm/vitals.ts";
import { entryAt, peerNamed } from "../contract/chain.ts";

const build = "hello-0123456789" as BuildId;
const inc = "1-00000001" as Incarnation;
const entry = entryAt(3, { build });
const update = new Uint8Array([1, 2, 3]);
const signer = createSigner(new Uint8Array(32).fill(4));

/** Stands for the ledger, which knows how entries lie in an update. */
const readUpdate = () => [entry];
const ledger = { build, update, entries: [entry] };

const messages: Message[] = [
  {
    kind: "sync",
    heads: [{ author: peerNamed("ann"), inc, seq: 3, sum: "7".repeat(16) }],
    ledgers: [{ build, vector: update, digest: "8".repeat(16) }],
    reply: true,
  },
  { kind: "archive", builds: [{ build, sum: "9".repeat(16) }] },
  { kind: "want", build },
  {
    kind: "outline",
    build,
    sum: "9".repeat(16),
    count: 4,
    done: 1,
    entries: [entryAt(0, { build }), entryAt(1, { build })],
  },
  { kind: "lack", places: [{ author: peerNamed("ann"), inc, build, fromSeq: 1, toSeq: 3 }] },
  { kind: "entries", entries: [entryAt(0), entry] },
  { kind: "ledger", ...ledger },
  { kind: "ask", id: "1", build, count: 2, actions: ["compile/a" as ActionName] },
  { kind: "grant", id: "1", ...ledger },
  { kind: "deny", id: "1", build, reason: "no", steward: peerNamed("bob") },
  { kind: "hold", id: "2", digests: [digestOf(update)] },
  { kind: "held", id: "2", missing: [] },
  { kind: "survey", tools: ["gcc"] },
  { kind: "beat", gossip: Uint8Array.of(1, 2) },
  {
    kind: "forward",
    from: signer.self,
    to: peerNamed("bob"),
    stamp: [2, 7],
    message: Uint8Array.of(1, 2),
    sig: Uint8Array.of(3),
  },
  { kind: "astray", to: peerNamed("bob") },
];

const vitals: Vitals = {
  peer: signer.self,
  inc,
  name: "ann",
  version: "0.1.0",
  beat: 1,
  slots: 2,
  running: 0,
  foreign: true,
  frontier: "",
  ledgers: { [build]: "x" },
  cores: 2,
  load: 0.5,
  pressurePercent: "unknown",
  temperatureCelsius: "unknown",
  headroomCelsius: 40.5,
  memoryTotalBytes: 1,
  memoryFreeBytes: 1,
  diskTotalBytes: 1,
  diskFreeBytes: 1,
  labels: [],
  fenced: false,
  policy: "normal",
  reservedBytes: 0,
  sandbox: "bubblewrap",
  target: "x86_64-linux-gnu",
  toolchains: { "g++": "f".repeat(32) },
};
const gossip: Gossip[] = [
  { kind: "vitals", vitals },
  { kind: "ledger", ...ledger },
  { kind: "entries", entries: [entryAt(0)] },
];

test("every message comes in as it was said", () => {
  for (const message of messages) expect(readMessage(encodeMessage(message), readUpdate)).toEqual(message);
});

test("everything gossiped comes in as it was said", () => {
  for (const one of gossip)
    expect(readGossip(encodeGossip(one, signer.sign), readUpdate, signer.verify)).toEqual(one);
});

test("vitals that another signed in a node's name are refused", () => {
  const eve = createSigner(new Uint8Array(32).fill(5));
  expect(() => readGossip(encodeGossip(gossip[0]!, eve.sign), readUpdate, signer.verify)).toThrow(
    expect.objectContaining({ code: "unauthentic" }),
  );
});

test("unknown kinds, bad fields and too much are refused by type", () => {
  const wrong: unknown[] = [
    null,
    [],
    { kind: "sing" },
    { kind: "constructor" },
    { kind: "sync", heads: [{}], ledgers: [], reply: true },
    { kind: "ask", id: "1", build, count: 0, actions: ["a"] },
    { kind: "ask", id: "1", build, count: 1, actions: [] },
    { kind: "ask", id: "1", build: "../x", count: 1, actions: ["a"] },
    { kind: "hold", id: "1", digests: ["x"] },
    { kind: "survey", tools: [] },
    { kind: "survey", tools: ["../gcc"] },
    { kind: "survey", tools: Array.from({ length: 65 }, (_, i) => `tool${i}`) },
    { kind: "entries", entries: [new Uint8Array([9])] },
  ];
  for (const message of wrong)
    expect(() => readMessage(encode(message), readUpdate), JSON.stringify(message)).toThrow(
      expect.objectContaining({ code: "malformed" }),
    );
  expect(() => readMessage(new Uint8Array(messageBytesMax + 1), readUpdate)).toThrow(
    expect.objectContaining({ code: "too-large" }),
  );
  expect(() => readGossip(new Uint8Array(gossipBytesMax + 1), readUpdate, signer.verify)).toThrow(
    expect.objectContaining({ code: "too-large" }),
  );
});

test("any message with a bit turned gives a message or a typed refusal", () => {
  const all = messages.map(encodeMessage);
  fc.assert(
    fc.property(fc.nat({ max: all.length - 1 }), fc.nat(), (which, at) => {
      const bytes = new Uint8Array(all[which]!);
      const bit = at % (bytes.length * 8);
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      try {
        readMessage(bytes, readUpdate);
      } catch (thrown) {
        expect(thrown).toBeInstanceOf(SwarmError);
      }
    }),
    { numRuns: 2000 },
  );
});
