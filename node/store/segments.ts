/**
 * Segments: entries of one chain in one archived build, packed into one value. Its key says which stretch of the chain it covers, so that a range
 * finds it without reading it (specs/store.md).
 */
import { constants, zstdCompress, zstdDecompressSync } from "node:zlib";
import { decode, encode } from "../../protocol/kernel/codec.ts";
import type { BuildId, Incarnation, PeerId } from "../../protocol/kernel/ids.ts";
import { readEntry, type SignedEntry } from "../../protocol/timeline/entry.ts";
import { checked, summed } from "./checked.ts";
import { chainPlace, entryAt, orderedNumber, orderedText } from "./places.ts";

/** In one segment: what a range has to unpack for a single entry. */
export const segmentEntriesMax = 4096;
export const segmentBytesMax = 4 << 20;
/** Measured: the levels above shrink it by less than 2 %, and cost several times as much. */
const level = 9;

/** The stretch that a segment covers; others may speak in it too. */
export interface Segment {
  readonly key: string;
  readonly fromSeq: number;
  readonly toSeq: number;
  readonly build: BuildId;
}

const shelf = "s";

export const segmentPlace = (
  author: PeerId,
  inc: Incarnation,
  { fromSeq, toSeq, build }: Omit<Segment, "key">,
): string => `${chainPlace(shelf, author, inc)}/${orderedText(fromSeq)}/${orderedText(toSeq)}/${build}`;

/** Keys of the segments of one chain that begin at `toSeq` or before, as a half-open range. */
export const segmentPlacesOf = (author: PeerId, inc: Incarnation, toSeq: number) =>
  [`${chainPlace(shelf, author, inc)}/`, `${chainPlace(shelf, author, inc)}/${orderedText(toSeq)}0`] as const;

export function segmentAt(key: string): Segment & { readonly author: PeerId; readonly inc: Incarnation } {
  const [, , , from, to, build] = key.split("/");
  const { author, inc } = entryAt(key);
  return {
    key,
    author,
    inc,
    fromSeq: orderedNumber(from!),
    toSeq: orderedNumber(to!),
    build: build as BuildId,
  };
}

/** The value of a segment of these entries, made smaller off this thread. */
export async function packed(entries: readonly SignedEntry[]): Promise<Uint8Array> {
  const bytes = encode(entries.map((entry) => entry.bytes));
  const params = { [constants.ZSTD_c_compressionLevel]: level };
  const small = await new Promise<Buffer>((resolve, reject) =>
    zstdCompress(bytes, { params }, (error, result) => (error ? reject(error) : resolve(result))),
  );
  return summed(small);
}

/** The entries of a segment, by their places; undefined when it is not what was written. */
export function unpacked(value: Uint8Array): SignedEntry[] | undefined {
  const small = checked(value);
  if (!small) return undefined;
  try {
    const bytes = zstdDecompressSync(small, { maxOutputLength: 4 * segmentBytesMax });
    const list = decode(new Uint8Array(bytes), 4 * segmentBytesMax, Number.POSITIVE_INFINITY);
    return (list as Uint8Array[]).map(readEntry);
  } catch {
    return undefined;
  }
}
