/** A large blob in pieces: how it is cut, and the list of the pieces' hashes that travels with it. Specified in specs/network.md. */
import { createHash } from "node:crypto";
import { sizeOf } from "../../protocol/kernel/digest.ts";
import type { Digest } from "../../protocol/kernel/ids.ts";

const piecedBytesMin = 4 << 20;
const pieceBytesMin = 512 << 10;
const pieceBytesMax = 4 << 20;
/** Above this a longer list is better spared by larger pieces. */
const piecesWanted = 8192;
export const piecesMax = 32_768;
const hashBytes = 32;

/** Whether a blob moves in pieces: smaller ones are not worth a list, larger ones have too long a list. */
export const isPieced = (digest: Digest): boolean =>
  sizeOf(digest) >= piecedBytesMin && sizeOf(digest) <= piecesMax * pieceBytesMax;

/** Bytes of every piece but the last. */
export function pieceBytesOf(digest: Digest): number {
  let bytes = pieceBytesMin;
  while (bytes < pieceBytesMax && sizeOf(digest) > bytes * piecesWanted) bytes *= 2;
  return bytes;
}

export const pieceCountOf = (digest: Digest): number => Math.ceil(sizeOf(digest) / pieceBytesOf(digest));

/** Where a piece lies in its blob, in bytes. */
export function pieceAt(digest: Digest, index: number): { readonly offset: number; readonly bytes: number } {
  const each = pieceBytesOf(digest);
  const offset = index * each;
  return { offset, bytes: Math.min(each, sizeOf(digest) - offset) };
}

/** Whether it could be the list of that blob: a hash for every piece. */
export const isListOf = (digest: Digest, list: Uint8Array): boolean =>
  list.length === pieceCountOf(digest) * hashBytes;

/** Whether these are the bytes that the list names. */
export function fitsList(list: Uint8Array, index: number, bytes: Uint8Array): boolean {
  const named = list.subarray(index * hashBytes, (index + 1) * hashBytes);
  return Buffer.compare(hashOfPiece(bytes), named) === 0;
}

export const hashOfPiece = (bytes: Uint8Array): Uint8Array => createHash("sha256").update(bytes).digest();

/** Makes the list of a blob whose bytes pass by in order. */
export class ListMaker {
  readonly #each: number;
  readonly #hashes: Uint8Array[] = [];
  #hash = createHash("sha256");
  #filled = 0;

  constructor(digest: Digest) {
    this.#each = pieceBytesOf(digest);
  }

  update(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + this.#each - this.#filled);
      this.#hash.update(part);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled === this.#each) this.#next();
    }
  }

  /** All bytes have passed. */
  list(): Uint8Array {
    if (this.#filled > 0) this.#next();
    return Buffer.concat(this.#hashes);
  }

  #next() {
    this.#hashes.push(this.#hash.digest());
    this.#hash = createHash("sha256");
    this.#filled = 0;
  }
}
