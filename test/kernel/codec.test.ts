import * as dagCbor from "@ipld/dag-cbor";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  copied,
  decode,
  encode,
  encodeParts,
  putBytes,
  putList,
  putListOf,
  putValue,
} from "../../protocol/kernel/codec.ts";
import { digestFrom, sha256, sha256Hex } from "../../protocol/kernel/digest.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { peerIdOf } from "../../protocol/kernel/ids.ts";

const hash = fc.string().map((text) => sha256Hex(text));
const peer = fc.string().map((text) => peerIdOf(sha256(Buffer.from(text))));
const digest = fc
  .tuple(hash, fc.oneof(fc.constantFrom(0, 1, 255, 256, 2 ** 32, Number.MAX_SAFE_INTEGER), fc.maxSafeNat()))
  .map(([text, size]) => digestFrom(text, size));

/** Text that only looks like what is packed. */
const nearly = fc.oneof(
  hash.map((text) => text.toUpperCase()),
  hash.map((text) => `${text}/`),
  hash.map((text) => `${text}/01`),
  hash.map((text) => `${text}/9999999999999999`),
  peer.map((text) => `${text.slice(0, -1)}0`),
  fc.string({ minLength: 52, maxLength: 52 }),
);
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { maxDepth: 4 },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true, noDefaultInfinity: true }).filter((n) => !Object.is(n, -0)),
    fc.string({ unit: "grapheme" }),
    fc.uint8Array({ maxLength: 80 }).map((list) => new Uint8Array(list)),
    hash,
    peer,
    digest,
    nearly,
    fc.array(tie("any"), { maxLength: 4 }),
    fc.dictionary(
      fc.string().filter((key) => key !== "__proto__"),
      tie("any"),
      { maxKeys: 4, noNullPrototype: true },
    ),
  ),
})).any;

test("any value comes back from its bytes, and equal values have equal bytes", () => {
  fc.assert(
    fc.property(value, (any) => {
      const bytes = encode(any);
      const again = decode(bytes, 1 << 20);
      expect(again).toEqual(any);
      expect(Buffer.compare(encode(again), bytes)).toBe(0);
    }),
    { numRuns: 500 },
  );
});

test("what is put part by part has the bytes of the whole, also where a part asks for encodings meanwhile", () => {
  fc.assert(
    fc.property(fc.array(value, { maxLength: 30 }), (items) => {
      const putItems = () => {
        for (const item of items) {
          expect(() => encode([item, Symbol("odd")])).toThrow();
          expect(decode(encode(item), 1 << 20)).toEqual(item);
          putValue(item);
        }
        return items.length;
      };
      const parts = encodeParts(() => {
        putListOf(2);
        putList(putItems);
        putBytes(() => putList(putItems));
      }, copied);
      expect(Buffer.compare(parts, encode([items, encode(items)]))).toBe(0);
    }),
    { numRuns: 200 },
  );
});

test("what comes out is what dag-cbor's own encoder makes of it", () => {
  fc.assert(
    fc.property(value, (any) => {
      const bytes = encode(any);
      expect(Buffer.compare(dagCbor.encode(dagCbor.decode(bytes)), bytes)).toBe(0);
    }),
    { numRuns: 500 },
  );
});

test("whatever is done to bytes, those that are still taken are their value's own encoding, here and for dag-cbor", () => {
  const change = fc.record({ at: fc.nat(), byte: fc.nat(255), cut: fc.boolean() });
  let taken = 0;
  fc.assert(
    fc.property(value, change, (any, { at, byte, cut }) => {
      const whole = encode(any);
      const bytes = cut ? whole.slice(0, at % (whole.length + 1)) : whole;
      if (bytes.length > 0) bytes[at % bytes.length] = byte;
      let again: unknown;
      try {
        again = decode(bytes, 1 << 20);
      } catch (thrown) {
        expect(thrown).toMatchObject({ code: "malformed" });
        return;
      }
      taken++;
      expect(Buffer.compare(encode(again), bytes)).toBe(0);
      expect(Buffer.compare(dagCbor.encode(dagCbor.decode(bytes)), bytes)).toBe(0);
    }),
    { numRuns: 2000 },
  );
  expect(taken).toBeGreaterThan(50);
});

test("the order in which keys were set does not show", () => {
  expect(encode({ b: 1, a: 2, aa: 3 })).toEqual(encode({ aa: 3, a: 2, b: 1 }));
});

test("absent and undefined are the same", () => {
  expect(encode({ a: 1, b: undefined })).toEqual(encode({ a: 1 }));
});

test("names cost their bytes and little more", () => {
  const name = peerIdOf(sha256(Buffer.from("ann")));
  expect(encode(name)).toHaveLength(35);
  expect(encode(sha256Hex("x"))).toHaveLength(35);
  expect(encode(digestFrom(sha256Hex("x"), 300))).toHaveLength(37);
});

test("what comes out are bare bytes of their own, never a window on somebody else's", () => {
  const bytes = encode({ inner: new Uint8Array([1, 2, 3]) });
  expect(bytes.constructor).toBe(Uint8Array);
  const { inner } = decode(bytes, 100) as { inner: Uint8Array };
  bytes.fill(0);
  expect([...inner]).toEqual([1, 2, 3]);
});

test("bytes that are not the one encoding of a value are refused", () => {
  const tagged = (...bytes: number[]) => dagCbor.encode(new Uint8Array(bytes));
  const zeros = Array<number>(32).fill(0);
  const cases: Record<string, Uint8Array> = {
    nothing: new Uint8Array(),
    "a long integer": new Uint8Array([0x18, 0x01]),
    "an indefinite list": new Uint8Array([0x9f, 0xff]),
    "keys out of order": new Uint8Array([0xa2, 0x61, 0x62, 0x01, 0x61, 0x61, 0x02]),
    "a key twice": new Uint8Array([0xa2, 0x61, 0x61, 0x01, 0x61, 0x61, 0x02]),
    "more behind": new Uint8Array([0x01, 0x01]),
    "cut short": encode({ a: [1, 2, 3] }).subarray(0, -1),
    undefined: new Uint8Array([0xf7]),
    "not a number": new Uint8Array([0xfb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0]),
    "bytes without a tag": tagged(),
    "an unknown tag": tagged(9, 1),
    "a short hash": tagged(3, 1, 2),
    "a digest with a zero at its end": tagged(1, ...zeros, 0),
    "a digest too large to count": tagged(1, ...zeros, ...Array<number>(8).fill(255)),
    "a hash written out": dagCbor.encode(sha256Hex("x")),
    "a peer written out": dagCbor.encode(peerIdOf(sha256(Buffer.from("ann")))),
    "a digest written out": dagCbor.encode({ a: [digestFrom(sha256Hex("x"), 5)] }),
    "a key that poisons": new Uint8Array([0xa1, 0x69, ...Buffer.from("__proto__"), 0x01]),
  };
  for (const [what, bytes] of Object.entries(cases))
    expect(() => decode(bytes, 100_000), what).toThrow(expect.objectContaining({ code: "malformed" }));
});

test("more bytes than allowed are not looked at", () => {
  expect(() => decode(new Uint8Array(11), 10)).toThrow(expect.objectContaining({ code: "too-large" }));
});

test("any bytes give a value or a typed refusal", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        decode(bytes, 200);
      } catch (thrown) {
        expect(thrown).toBeInstanceOf(SwarmError);
      }
    }),
    { numRuns: 3000 },
  );
});

test("nesting too deep to follow is refused like anything else", () => {
  for (let depth = 500; depth < 60_000; depth *= 1.3) {
    const bytes = new Uint8Array(Math.floor(depth)).fill(0x81);
    bytes[bytes.length - 1] = 0x80;
    try {
      decode(bytes, 1 << 20);
    } catch (thrown) {
      expect(thrown).toMatchObject({ code: "malformed" });
    }
  }
  expect(() => decode(new Uint8Array(60_000).fill(0x81), 1 << 20)).toThrow(
    expect.objectContaining({ code: "malformed" }),
  );
});
