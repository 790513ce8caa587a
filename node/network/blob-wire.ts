/** What is said on a blob stream: requests one way, answers the other, in the order of the requests. Formats in specs/network.md. */
import { z } from "zod";
import { decode, encode } from "../../protocol/kernel/codec.ts";
import { isDigest, sizeOf } from "../../protocol/kernel/digest.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { type Digest, isPeerId, type PeerId } from "../../protocol/kernel/ids.ts";
import type { PiecesAnswer } from "../ports.ts";
import { isListOf, isPieced, pieceCountOf, piecesMax } from "../store/pieces.ts";

export const blobsProtocol = "/swarmd/1/blobs";

/** Digests asked about at once. */
export const statMax = 10_000;
export const requestBytesMax = 1 << 20;
/** Payload of one data frame. */
export const frameBytesMax = 256 << 10;
/** An answer up to this size is read in one go and may share a stream with many others. */
export const smallBytesMax = 256 << 10;
export const answerBytesMax = frameBytesMax + 1;
/** What is said of a blob's pieces: their list, and who else may have some. */
export const piecesBytesMax = piecesMax * 32 + (16 << 10);
export const othersMax = 16;
/** Pieces offered at once. */
const offerMax = 64;
/** Who has nothing to offer waits so long for something. */
export const offerMsMax = 500;
/** Who is asked to bring a blob from elsewhere has so long to begin. */
export const obtainMsMax = 20_000;
/** Blob streams of one peer at once. */
export const streamsMax = 16;
/** Nothing moves on a stream that has something to do: broken. */
export const idleMsMax = 30_000;

/** First byte of an answer frame. */
export const answers = {
  /** Bytes of the blob; more follow until its size is reached. */
  data: 0,
  /** Not here. */
  missing: 1,
  /** It was here, but cannot be read to the end. */
  broken: 2,
  /** One bit per digest asked about, lowest first. */
  stat: 3,
  /** What there is to say of a blob's pieces. */
  pieces: 4,
  /** Numbers of pieces, four bytes each, big endian. */
  offer: 5,
  /** Eight bytes, big endian: the size of the blob with that hash. */
  size: 6,
  /** The blob was brought here, or its first pieces are on their way. */
  obtained: 7,
  /** Read again, or not long ago, and right. */
  right: 8,
} as const;

export type BlobRequest =
  | { readonly kind: "get"; readonly digest: Digest; readonly offset: number }
  | { readonly kind: "stat"; readonly digests: readonly Digest[] }
  | { readonly kind: "size"; readonly hash: string }
  | { readonly kind: "obtain"; readonly digest: Digest; readonly from: readonly PeerId[] }
  | { readonly kind: "doubt"; readonly digest: Digest }
  | { readonly kind: "pieces"; readonly digest: Digest }
  | { readonly kind: "offer"; readonly digest: Digest; readonly lack: Uint8Array; readonly max: number }
  | { readonly kind: "piece"; readonly digest: Digest; readonly index: number };

const digest = z.custom<Digest>((v) => typeof v === "string" && isDigest(v));
const peer = z.custom<PeerId>((v) => typeof v === "string" && isPeerId(v));
const pieced = digest.refine(isPieced);
const lack = z.custom<Uint8Array>((v) => v instanceof Uint8Array && v.length <= piecesMax / 8);
const requestSchema = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("get"), digest, offset: z.int().nonnegative() }),
  z.object({ kind: z.literal("stat"), digests: z.array(digest).max(statMax) }),
  z.object({ kind: z.literal("size"), hash: z.string().regex(/^[0-9a-f]{64}$/) }),
  z.object({ kind: z.literal("obtain"), digest, from: z.array(peer).min(1).max(othersMax) }),
  z.object({ kind: z.literal("doubt"), digest }),
  z.object({ kind: z.literal("pieces"), digest: pieced }),
  z.object({ kind: z.literal("offer"), digest: pieced, lack, max: z.int().min(1).max(offerMax) }),
  z.object({ kind: z.literal("piece"), digest: pieced, index: z.int().nonnegative().max(piecesMax) }),
]);

export const encodeRequest = (request: BlobRequest): Uint8Array => encode(request);

/** Throws `malformed`, `too-large`. */
export function readRequest(bytes: Uint8Array): BlobRequest {
  const parsed = requestSchema.safeParse(decode(bytes, requestBytesMax));
  if (!parsed.success || !isInside(parsed.data)) throw new SwarmError("malformed", "not a blob request");
  return parsed.data;
}

function isInside(request: BlobRequest): boolean {
  switch (request.kind) {
    case "get":
      return request.offset <= sizeOf(request.digest);
    case "offer":
      return request.lack.length === Math.ceil(pieceCountOf(request.digest) / 8);
    case "piece":
      return request.index < pieceCountOf(request.digest);
    default:
      return true;
  }
}

const piecesSchema = z.object({
  list: z.custom<Uint8Array>((v) => v instanceof Uint8Array),
  whole: z.boolean(),
  others: z.array(peer).max(othersMax),
});

export const encodePieces = (answer: PiecesAnswer): Uint8Array => encode(answer);

/** Throws `malformed`, also for a list that cannot be that of the blob. */
export function readPieces(digest: Digest, bytes: Uint8Array): PiecesAnswer {
  const parsed = piecesSchema.safeParse(decode(bytes, piecesBytesMax));
  if (!parsed.success || !isListOf(digest, parsed.data.list))
    throw new SwarmError("malformed", "not what can be said of pieces");
  return parsed.data;
}

export function encodeOffer(indexes: readonly number[]): Uint8Array {
  const bytes = Buffer.alloc(indexes.length * 4);
  for (const [at, index] of indexes.entries()) bytes.writeUInt32BE(index, at * 4);
  return bytes;
}

export function encodeSize(sizeBytes: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(sizeBytes));
  return bytes;
}

/** Throws `malformed`. */
export function readSize(bytes: Uint8Array): number {
  const size = bytes.length === 8 ? Number(Buffer.from(bytes).readBigUInt64BE()) : -1;
  if (!Number.isSafeInteger(size) || size < 0) throw new SwarmError("malformed", "not a size");
  return size;
}

/** Throws `malformed`: more than were asked for, twice the same, or none of those that were asked for. */
export function readOffer(bytes: Uint8Array, lack: Uint8Array, max: number): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const indexes = Array.from({ length: Math.floor(bytes.length / 4) }, (_, at) => view.getUint32(at * 4));
  if (
    bytes.length % 4 !== 0 ||
    indexes.length > max ||
    new Set(indexes).size !== indexes.length ||
    indexes.some((index) => index >= lack.length * 8 || !bitAt(lack, index))
  )
    throw new SwarmError("malformed", "not an offer of what was asked for");
  return indexes;
}

export function packBits(bits: readonly boolean[]): Uint8Array {
  const packed = new Uint8Array(Math.ceil(bits.length / 8));
  bits.forEach((bit, at) => {
    if (bit) packed[at >> 3]! |= 1 << (at & 7);
  });
  return packed;
}

export const bitAt = (packed: Uint8Array, at: number): boolean => ((packed[at >> 3]! >> (at & 7)) & 1) === 1;
