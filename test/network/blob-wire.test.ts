import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type BlobRequest,
  encodeOffer,
  encodePieces,
  encodeRequest,
  encodeSize,
  packBits,
  readOffer,
  readPieces,
  readRequest,
  readSize,
} from "../../node/network/blob-wire.ts";
import { pieceCountOf } from "../../node/store/pieces.ts";
import { digestFrom, digestOf } from "../../protocol/kernel/digest.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { peerIdOf } from "../../protocol/kernel/ids.ts";

const large = digestFrom("ab".repeat(32), (9 << 20) + 5);
const pieces = pieceCountOf(large);
const lack = packBits(Array.from({ length: pieces }, (_, index) => index % 2 === 0));
const peer = peerIdOf(new Uint8Array(32).fill(7));
const answer = { list: new Uint8Array(pieces * 32).fill(3), whole: true, others: [peer] };

const requests: readonly BlobRequest[] = [
  { kind: "get", digest: large, offset: 5 },
  { kind: "stat", digests: [large, digestOf(new Uint8Array())] },
  { kind: "size", hash: "cd".repeat(32) },
  { kind: "obtain", digest: large, from: [peer] },
  { kind: "doubt", digest: large },
  { kind: "pieces", digest: large },
  { kind: "offer", digest: large, lack, max: 8 },
  { kind: "piece", digest: large, index: pieces - 1 },
];

const refused = (read: () => unknown) => {
  try {
    read();
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(SwarmError);
  }
};

describe("the words of a blob stream", () => {
  it("mean the same on both sides", () => {
    for (const request of requests) expect(readRequest(encodeRequest(request))).toEqual(request);
    expect(readPieces(large, encodePieces(answer))).toEqual(answer);
    expect(readOffer(encodeOffer([0, 4, 2]), lack, 3)).toEqual([0, 4, 2]);
    for (const size of [0, 1, 2 ** 40, Number.MAX_SAFE_INTEGER])
      expect(readSize(encodeSize(size))).toBe(size);
  });

  it.each<[string, BlobRequest]>([
    ["a byte behind the end", { kind: "get", digest: large, offset: (9 << 20) + 6 }],
    ["pieces of what has none", { kind: "pieces", digest: digestOf(new Uint8Array(9)) }],
    ["pieces of what has too many", { kind: "pieces", digest: digestFrom("ab".repeat(32), 2 ** 50) }],
    ["a piece behind the last", { kind: "piece", digest: large, index: pieces }],
    ["a bitmap of another size", { kind: "offer", digest: large, lack: new Uint8Array(9), max: 1 }],
    ["an errand to nobody", { kind: "obtain", digest: large, from: [] }],
    ["an errand to too many", { kind: "obtain", digest: large, from: Array(17).fill(peer) }],
    ["the size of what is no hash", { kind: "size", hash: "../../etc/passwd" }],
  ])("refuse %s", (_, request) => {
    expect(() => readRequest(encodeRequest(request))).toThrow(expect.objectContaining({ code: "malformed" }));
  });

  it("refuse answers to what was not asked", () => {
    const wrong = { code: "malformed" };
    for (const offer of [[0, 2, 4, 6], [1], [0, 0], [pieces + 100]])
      expect(() => readOffer(encodeOffer(offer), lack, 3)).toThrow(expect.objectContaining(wrong));
    for (const bytes of [new Uint8Array(3), new Uint8Array(8).fill(255)])
      expect(() => readSize(bytes)).toThrow(expect.objectContaining(wrong));
    for (const list of [new Uint8Array(0), new Uint8Array(pieces * 32 + 1)])
      expect(() => readPieces(large, encodePieces({ ...answer, list }))).toThrow(
        expect.objectContaining(wrong),
      );
  });

  it("never do more harm than a refusal, whatever comes", () => {
    const whole = [...requests.map((request) => encodeRequest(request)), encodePieces(answer)];
    fc.assert(
      fc.property(
        fc.constantFrom(...whole),
        fc.array(fc.tuple(fc.nat(4096), fc.nat(255)), { minLength: 1, maxLength: 8 }),
        fc.nat(4096),
        (bytes, changes, cut) => {
          const mutated = Uint8Array.from(bytes);
          for (const [at, to] of changes) mutated[at % mutated.length] = to;
          for (const read of [mutated, mutated.subarray(0, cut % mutated.length)]) {
            refused(() => readRequest(read));
            refused(() => readPieces(large, read));
            refused(() => readOffer(read, lack, 8));
            refused(() => readSize(read));
          }
        },
      ),
      { numRuns: 3_000 },
    );
  });
});
