import fc from "fast-check";
import { expect, test } from "vitest";
import { encode } from "../../protocol/kernel/codec.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { SwarmId } from "../../protocol/kernel/ids.ts";
import {
  admissionBytesMax,
  encodeAdmission,
  readAdmission,
  redemptionHash,
} from "../../protocol/swarm/admission.ts";
import { entryAt, peerNamed } from "../contract/chain.ts";

const swarm = "5".repeat(64) as SwarmId;
const present = { kind: "present", swarm, certificates: [entryAt(0), entryAt(1)], wallMs: 17 } as const;
const redeem = {
  kind: "redeem",
  swarm,
  ticket: "0123456789abcdef",
  key: peerNamed("key"),
  nonce: "0".repeat(32),
  name: "bob",
  proof: new Uint8Array(64).fill(9),
  wallMs: 18,
} as const;

test("what is said at the door comes in as it was said", () => {
  for (const request of [present, redeem]) expect(readAdmission(encodeAdmission(request))).toEqual(request);
});

test("a proof speaks for one node, one swarm and one nonce", () => {
  const hashes = [
    redemptionHash(swarm, peerNamed("bob"), "n1"),
    redemptionHash(swarm, peerNamed("bob"), "n2"),
    redemptionHash(swarm, peerNamed("eve"), "n1"),
    redemptionHash("6".repeat(64) as SwarmId, peerNamed("bob"), "n1"),
  ].map((hash) => Buffer.from(hash).toString("hex"));
  expect(new Set(hashes).size).toBe(4);
});

test("what is out of bounds is refused by type", () => {
  const raw = { v: 1, ...redeem };
  const wrong: unknown[] = [
    { ...raw, v: 2 },
    { ...raw, kind: "bribe" },
    { ...raw, swarm: "here" },
    { ...raw, ticket: "" },
    { ...raw, ticket: "x".repeat(33) },
    { ...raw, key: "bob" },
    { ...raw, nonce: "short" },
    { ...raw, name: "Bob!" },
    { ...raw, proof: new Uint8Array(63) },
    { ...raw, wallMs: -1 },
    { v: 1, kind: "present", swarm, certificates: Array(65).fill(new Uint8Array()), wallMs: 1 },
    { v: 1, kind: "present", swarm, certificates: [new Uint8Array([1])], wallMs: 1 },
  ];
  for (const message of wrong)
    expect(() => readAdmission(encode(message)), JSON.stringify(message)).toThrow(
      expect.objectContaining({ code: "malformed" }),
    );
  expect(() => readAdmission(new Uint8Array(admissionBytesMax + 1))).toThrow(
    expect.objectContaining({ code: "too-large" }),
  );
});

test("any bytes at the door give a request or a typed refusal", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      try {
        readAdmission(bytes);
      } catch (thrown) {
        expect(thrown).toBeInstanceOf(SwarmError);
      }
    }),
    { numRuns: 1000 },
  );
});
