/** One range of bytes of a text whose length nobody knows before its end, as `Range: bytes=` asks for it (RFC 9110, section 14). */

/** From `first` to `last`, both included; or the last so many. */
export type Wanted = { readonly first: number; readonly last?: number } | { readonly lastBytes: number };

export interface Cut {
  readonly bytes: Uint8Array;
  readonly first: number;
  /** Of the whole; absent: its end was not reached. */
  readonly totalBytes?: number;
}

/** Of one answer: more is asked for with the next range. */
const rangeBytesMax = 4 << 20;

/** Undefined: no range, or one of a kind that may be passed over (several ranges, other units). */
export function wantedOf(header: string | undefined): Wanted | undefined {
  const asked = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? "");
  if (!asked) return undefined;
  const [, first = "", last = ""] = asked;
  if (first === "") return last === "" ? undefined : { lastBytes: Number(last) };
  if (last === "") return { first: Number(first) };
  return Number(last) < Number(first) ? undefined : { first: Number(first), last: Number(last) };
}

/** Holds what is wanted and no more; undefined: there is nothing there. */
export async function cutOf(pieces: AsyncIterable<Uint8Array>, wanted: Wanted): Promise<Cut | undefined> {
  return "lastBytes" in wanted
    ? endOf(pieces, Math.min(wanted.lastBytes, rangeBytesMax))
    : middleOf(pieces, wanted.first, wanted.last);
}

async function middleOf(
  pieces: AsyncIterable<Uint8Array>,
  first: number,
  last = Number.MAX_SAFE_INTEGER,
): Promise<Cut | undefined> {
  const end = Math.min(last + 1, first + rangeBytesMax);
  const kept: Uint8Array[] = [];
  let at = 0;
  for await (const piece of pieces) {
    if (at >= end) return { bytes: Buffer.concat(kept), first };
    const part = piece.subarray(Math.max(0, first - at), Math.max(0, end - at));
    if (part.length > 0) kept.push(part);
    at += piece.length;
  }
  if (at <= first) return undefined;
  return { bytes: Buffer.concat(kept), first, totalBytes: at };
}

async function endOf(pieces: AsyncIterable<Uint8Array>, bytes: number): Promise<Cut | undefined> {
  const kept: Uint8Array[] = [];
  let [held, totalBytes] = [0, 0];
  for await (const piece of pieces) {
    kept.push(piece);
    held += piece.length;
    totalBytes += piece.length;
    while (kept.length > 0 && held - kept[0]!.length >= bytes) held -= kept.shift()!.length;
  }
  const first = Math.max(0, totalBytes - bytes);
  if (first === totalBytes) return undefined;
  return { bytes: Buffer.concat(kept).subarray(held - (totalBytes - first)), first, totalBytes };
}
