import { expect, test } from "vitest";
import { encode } from "../../protocol/kernel/codec.ts";
import { sha256 } from "../../protocol/kernel/digest.ts";
import { peerIdOf } from "../../protocol/kernel/ids.ts";
import { admissionBytesMax, readAdmission } from "../../protocol/swarm/admission.ts";
import {
  gossipBytesMax,
  headsMax,
  holdDigestsMax,
  messageBytesMax,
  messageEntriesMax,
} from "../../protocol/swarm/message.ts";
import { plainWire } from "../../protocol/wire.ts";
import { fakePeer, fakeSigner } from "../../sim/signer.ts";
import { keyOf } from "../work/facts.ts";
import { hostileBytes } from "./bytes.ts";
import type { Dice } from "./dice.ts";
import { fuzz, weigh } from "./fuzz.ts";
import {
  admissionSamples,
  build,
  gossipSamples,
  inc,
  messageSamples,
  messages,
  timelineEntries,
  vitals,
} from "./swarm.ts";
import { hostileValue } from "./values.ts";

const wire = plainWire();
const signer = fakeSigner(fakePeer("cy"));
const readMessage = (bytes: Uint8Array): void => {
  const message = wire.readMessage(bytes);
  if ("entries" in message) expect(message.entries.length).toBeLessThanOrEqual(messageEntriesMax);
  if (message.kind === "found") expect(message.proofs.length).toBeLessThanOrEqual(messageEntriesMax);
};
const readGossip = (bytes: Uint8Array): void => {
  const gossip = wire.readGossip(bytes, signer);
  // Only bob signed vitals, and only these.
  if (gossip.kind === "vitals") expect(gossip.vitals).toEqual(vitals);
};

function encoded(dice: Dice, make: () => unknown): Uint8Array {
  try {
    return encode(make());
  } catch {
    return dice.bytes(20);
  }
}

test("altered messages are refused, or are messages", () => {
  const make = (dice: Dice) => hostileBytes(dice, messageSamples, messageBytesMax);
  fuzz({ make, run: readMessage });
  const { taken } = fuzz({
    make: (dice) => encoded(dice, () => hostileValue(dice, messages)),
    run: readMessage,
  });
  expect(taken).toBeGreaterThan(0.01);
});

test("altered gossip is refused, or is gossip", () => {
  const { refused } = fuzz({
    make: (dice) => hostileBytes(dice, gossipSamples, gossipBytesMax + 10),
    run: readGossip,
  });
  expect(Object.keys(refused)).toContain("unauthentic");
});

test("altered vitals with a signature are refused, or are vitals", () => {
  const bob = fakeSigner(fakePeer("bob"));
  const { taken } = fuzz({
    make: (dice) =>
      encoded(dice, () => {
        const record = encode(hostileValue(dice, [vitals]));
        const sig = bob.sign(Buffer.from(sha256(record)).toString("hex"));
        return { kind: "vitals", vitals: record, sig };
      }),
    run: (bytes) => {
      const gossip = wire.readGossip(bytes, signer);
      if (gossip.kind === "vitals") expect(gossip.vitals.peer).toBe(fakePeer("bob"));
    },
  });
  expect(taken).toBeGreaterThan(0.01);
});

test("altered requests at the door are refused, or are requests", () => {
  fuzz({
    make: (dice) => hostileBytes(dice, admissionSamples, admissionBytesMax + 10),
    run: (bytes) => void readAdmission(bytes),
  });
});

const stranger = (i: number) => peerIdOf(sha256(Buffer.from(`stranger ${i}`)));
const sync = (fields: object) => ({ kind: "sync", heads: [], ledgers: [], reply: true, ...fields });
const list = <T>(length: number, of: (i: number) => T) => Array.from({ length }, (_, i) => of(i));
const sum = "0".repeat(16);
const digests = list(holdDigestsMax + 1, (i) => `${keyOf(`${i}`).slice(0, 64)}/1`);

test.each<[string, unknown, string | undefined]>([
  [
    "heads of as many made-up authors as fit",
    sync({ heads: list(headsMax, (i) => ({ author: stranger(i), inc, seq: 0, sum })) }),
    undefined,
  ],
  ["as many blobs to hold as fit", { kind: "hold", id: "h", digests: digests.slice(1) }, undefined],
  ["one more blob to hold", { kind: "hold", id: "h", digests }, "malformed"],
  ["more peers than any message names", { kind: "entries", entries: list(9000, stranger) }, "too-large"],
  ["as many ended builds as fit", { kind: "archive", builds: list(8192, () => ({ build, sum })) }, undefined],
  [
    "as many results as fit",
    {
      kind: "found",
      id: "f",
      last: true,
      hits: list(4096, (i) => ({ key: digests[i], from: stranger(i), action: `${i}`, proof: i })),
      proofs: list(messageEntriesMax, () => timelineEntries[0]!.bytes),
    },
    undefined,
  ],
  [
    "one more proof of results",
    {
      kind: "found",
      id: "f",
      last: true,
      hits: [],
      proofs: list(messageEntriesMax + 1, () => timelineEntries[0]!.bytes),
    },
    "malformed",
  ],
  [
    "a thousand long vectors",
    sync({
      ledgers: list(1000, () => ({ build, vector: new Uint8Array(4000).fill(1), digest: sum })),
    }),
    "too-large",
  ],
  [
    "a thousand actions of long names",
    { kind: "ask", id: "1", build, count: 1024, actions: list(1024, (i) => `${i}${"x".repeat(500)}`) },
    undefined,
  ],
  ["thousands of entries", { kind: "entries", entries: list(8192, () => new Uint8Array(400)) }, "malformed"],
])("a message with %s takes its time and no more", (_, message, code) => {
  expect(weigh({ run: readMessage }, encode(message))).toBe(code);
});
