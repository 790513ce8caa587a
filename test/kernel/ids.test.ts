import fc from "fast-check";
import { base58btc } from "multiformats/bases/base58";
import { CID } from "multiformats/cid";
import { expect, test } from "vitest";
import { fromBase58 } from "../../protocol/kernel/base58.ts";
import { cidOf, digestOf, emptyDigest, hashOf, isDigest, sizeOf } from "../../protocol/kernel/digest.ts";
import {
  byText,
  incarnationCounter,
  isBuildId,
  isIncarnation,
  isPeerId,
  peerIdOf,
  publicKeyOf,
} from "../../protocol/kernel/ids.ts";
import { Random } from "../../protocol/kernel/random.ts";

const key = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((list) => new Uint8Array(list));

test("a peer id names a key and nothing else", () => {
  fc.assert(
    fc.property(key, (bytes) => {
      const peer = peerIdOf(bytes);
      expect(isPeerId(peer)).toBe(true);
      expect([...publicKeyOf(peer)!]).toEqual([...bytes]);
      const whole = Uint8Array.of(0x00, 0x24, 0x08, 0x01, 0x12, 0x20, ...bytes);
      expect(peer).toBe(base58btc.baseEncode(whole));
      expect([...fromBase58(peer)!]).toEqual([...bytes]);
    }),
  );
  for (const other of [
    "",
    "12D3KooW",
    "Qm".padEnd(46, "a"),
    "12D3KooW".padEnd(52, "0"),
    "12D3KooW".padEnd(52, "z"),
    "12D3KooW".padEnd(52, "é"),
    "z".repeat(52),
  ])
    expect(isPeerId(other), other).toBe(false);
});

test("a digest tells hash and size, and its CID is that of the same bytes", () => {
  const digest = digestOf(Buffer.from("hello"));
  expect(digest).toBe("2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824/5");
  expect(sizeOf(digest)).toBe(5);
  const cid = CID.parse(cidOf(digest));
  expect([cid.version, cid.code, cid.multihash.code]).toEqual([1, 0x55, 0x12]);
  expect(Buffer.from(cid.multihash.digest).toString("hex")).toBe(hashOf(digest));
  expect(sizeOf(emptyDigest)).toBe(0);
});

test("what only looks like a digest, an incarnation or a build is none", () => {
  const hash = "a".repeat(64);
  for (const text of [hash, `${hash}/`, `${hash}/01`, `${hash}/-1`, `${hash.toUpperCase()}/1`, `${hash}/1\n`])
    expect(isDigest(text), text).toBe(false);
  for (const text of ["", "1", "1-", "-00000000", "1-0000000G", "1-000000000", "1-00000000\n"])
    expect(isIncarnation(text), text).toBe(false);
  for (const text of ["", "a", "a-012345678", "A-0123456789", "../a-0123456789", "a/b-0123456789"])
    expect(isBuildId(text), text).toBe(false);
  expect(isBuildId("leveldb-1.20-0123456789")).toBe(true);
  expect(incarnationCounter("12-00000000" as Parameters<typeof incarnationCounter>[0])).toBe(12);
});

test("text is ordered the same way in every locale, and fully", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "binary" })), (list) => {
      const sorted = [...list].sort(byText);
      expect(sorted).toEqual([...list].reverse().sort(byText));
      for (let at = 1; at < sorted.length; at++)
        expect(byText(sorted[at - 1]!, sorted[at]!)).toBeLessThanOrEqual(0);
    }),
  );
  expect(["ä", "a", "Z", "z"].sort(byText)).toEqual(["Z", "a", "z", "ä"]);
});

test("equal seeds draw equal numbers, and a saved generator goes on where it was", () => {
  const random = Random.fromNumber(7);
  const other = Random.fromNumber(7);
  expect([1, 2, 3].map(() => random.uint32())).toEqual([1, 2, 3].map(() => other.uint32()));
  const later = new Random(random.save());
  expect([1, 2, 3].map(() => later.uint32())).toEqual([1, 2, 3].map(() => random.uint32()));
  expect(Random.fromNumber(8).uint32()).not.toBe(Random.fromNumber(7).uint32());
});

test("numbers are spread evenly over their range", () => {
  const random = Random.fromNumber(1);
  const counts = Array<number>(10).fill(0);
  for (let n = 0; n < 20_000; n++) counts[random.below(10)]!++;
  for (const count of counts) expect(Math.abs(count - 2000)).toBeLessThan(200);
  for (let n = 0; n < 1000; n++) {
    const x = random.float();
    expect(x >= 0 && x < 1).toBe(true);
  }
});
