/** What is said on a blob stream: requests one way, answers the other, in the order of the requests. Formats in specs/network.md. */
import { z } from "zod";
import { decode, encode } from "../../protocol/kernel/codec.ts";
import { isDigest, sizeOf } from "../../protocol/kernel/digest.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { Digest } from "../../protocol/kernel/ids.ts";

export const blobsProtocol = "/swarmd/1/blobs";

/** Digests asked about at once. */
export const statMax = 10_000;
export const requestBytesMax = 1 << 20;
/** Payload of one data frame. */
export const pieceBytesMax = 256 << 10;
/** An answer up to this size is read in one go and may share a stream with many others. */
export const smallBytesMax = 256 << 10;
export const answerBytesMax = pieceBytesMax + 1;
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
} as const;

export type BlobRequest =
  | { readonly kind: "get"; readonly digest: Digest; readonly offset: number }
  | { readonly kind: "stat"; readonly digests: readonly Digest[] };

const digest = z.custom<Digest>((v) => typeof v === "string" && isDigest(v));
const requestSchema = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("get"), digest, offset: z.int().nonnegative() }),
  z.object({ kind: z.literal("stat"), digests: z.array(digest).max(statMax) }),
]);

export const encodeRequest = (request: BlobRequest): Uint8Array => encode(request);

/** Throws `malformed`, `too-large`. */
export function readRequest(bytes: Uint8Array): BlobRequest {
  const parsed = requestSchema.safeParse(decode(bytes, requestBytesMax));
  if (!parsed.success || (parsed.data.kind === "get" && parsed.data.offset > sizeOf(parsed.data.digest)))
    throw new SwarmError("malformed", "not a blob request");
  return parsed.data;
}

export function packBits(bits: readonly boolean[]): Uint8Array {
  const packed = new Uint8Array(Math.ceil(bits.length / 8));
  bits.forEach((bit, at) => {
    if (bit) packed[at >> 3]! |= 1 << (at & 7);
  });
  return packed;
}

export const bitAt = (packed: Uint8Array, at: number): boolean => ((packed[at >> 3]! >> (at & 7)) & 1) === 1;
