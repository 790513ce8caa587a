import { expect, test } from "vitest";
import { decode, encode } from "../../protocol/kernel/codec.ts";
import { digestOf } from "../../protocol/kernel/digest.ts";
import { peerNamed } from "../contract/chain.ts";
import { hostileBytes } from "./bytes.ts";
import { fuzz, weigh } from "./fuzz.ts";
import { hostileValue } from "./values.ts";

const values = [
  { a: 1, list: [1, -1, 0.5, null, true, "text", new Uint8Array(20)], peer: peerNamed("ann") },
  { digest: digestOf(new Uint8Array(300)), hash: "0".repeat(64), deep: { a: { b: [{ c: [[]] }] } } },
  ["é", "\u{10ffff}", 2 ** 53 - 1, -(2 ** 53) + 1, 1e300, {}, []],
];
const samples = values.map(encode);
const maxBytes = 64 << 10;

/** What was taken must be the one encoding of what it says. */
function read(bytes: Uint8Array): void {
  const value = decode(bytes, maxBytes);
  expect(Buffer.compare(encode(value), bytes)).toBe(0);
}

test("hostile bytes are refused, or are the one encoding of what they say", () => {
  const { taken, refused } = fuzz({ make: (dice) => hostileBytes(dice, samples, maxBytes), run: read });
  expect(taken).toBeGreaterThan(0.01);
  expect(refused.malformed).toBeGreaterThan(0);
});

test("whatever can be encoded reads back as it was", () => {
  fuzz({
    make: (dice) => hostileValue(dice, values),
    run: (value) => {
      let bytes: Uint8Array;
      try {
        bytes = encode(value);
      } catch (error) {
        if (error instanceof Error && error.message.includes("has no encoding")) return;
        throw error;
      }
      if (bytes.length <= maxBytes) read(bytes);
    },
  });
});

test.each([
  ["a nest as deep as there are bytes", new Uint8Array(4 << 20).fill(0x81)],
  ["a nest of maps", Buffer.from("a16161".repeat(20_000), "hex")],
  [
    "a list of nothing but empty maps",
    Buffer.concat([Buffer.from("9a003fff00", "hex"), Buffer.alloc(0x3fff00, 0xa0)]),
  ],
  ["a list that says it is endless", Buffer.from("9b001fffffffffffff", "hex")],
])("%s is refused", (_, bytes) => {
  expect(weigh({ run: (input: Uint8Array) => decode(input, 4 << 20) }, bytes)).toMatch(/malformed|too-large/);
});
