/**
 * A blob that comes in pieces, in any order: each is checked against the list before it is written, and can be read at once by others
 * that want it. The whole is hashed alongside, for the list itself is only somebody's word. What came survives a restart.
 */
import { createHash } from "node:crypto";
import { type FileHandle, open, readFile, rm, writeFile } from "node:fs/promises";
import { hashOf } from "../../protocol/kernel/digest.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { Digest } from "../../protocol/kernel/ids.ts";
import type { PiecedBlob } from "../ports.ts";
import { fitsList, pieceAt, pieceCountOf } from "./pieces.ts";

export class Gathering implements PiecedBlob {
  readonly whole = false;
  readonly list: Uint8Array;
  readonly #digest: Digest;
  readonly #file: string;
  readonly #handle: FileHandle;
  readonly #have: Uint8Array;
  readonly #hash = createHash("sha256");
  #left: number;
  /** Pieces that the hash of the whole has seen. */
  #hashed = 0;
  #hashing: Promise<void> | undefined;
  #news = Promise.withResolvers<void>();

  private constructor(digest: Digest, list: Uint8Array, file: string, handle: FileHandle) {
    this.#digest = digest;
    this.list = list;
    this.#file = file;
    this.#handle = handle;
    this.#left = pieceCountOf(digest);
    this.#have = new Uint8Array(this.#left);
  }

  /** Goes on with what is kept in `file`, every piece verified, if it was kept for the same list. */
  static async open(digest: Digest, list: Uint8Array, file: string): Promise<Gathering> {
    const kept = await readFile(`${file}.list`).catch(() => undefined);
    const same = kept !== undefined && Buffer.compare(kept, list) === 0;
    if (!same) await writeFile(`${file}.list`, list, { mode: 0o600 });
    const fresh = () => open(file, "w+", 0o600);
    const handle = same ? await open(file, "r+").catch(fresh) : await fresh();
    const gathering = new Gathering(digest, list, file, handle);
    if (same) await gathering.#recall();
    return gathering;
  }

  has(index: number): boolean {
    return this.#have[index] === 1;
  }

  /** Pieces that are yet to come. */
  get left(): number {
    return this.#left;
  }

  /** Bytes that are here. */
  get bytes(): number {
    let bytes = 0;
    this.#have.forEach((have, index) => {
      if (have) bytes += pieceAt(this.#digest, index).bytes;
    });
    return bytes;
  }

  async read(index: number): Promise<Uint8Array> {
    if (!this.has(index)) throw new SwarmError("blob-missing", `piece ${index} is not here yet`);
    return await this.#load(index);
  }

  /** Resolves once another piece is here, or nothing more will come. */
  more(): Promise<void> {
    return this.#news.promise;
  }

  /** Throws `blob-corrupt` when the list says otherwise; a piece that is here already is left alone. */
  async put(index: number, bytes: Uint8Array): Promise<void> {
    if (this.has(index)) return;
    const { offset, bytes: due } = pieceAt(this.#digest, index);
    if (bytes.length !== due || !fitsList(this.list, index, bytes))
      throw new SwarmError("blob-corrupt", `piece ${index} of ${this.#digest} is not what its list says`);
    for (let at = 0; at < bytes.length; )
      at += (await this.#handle.write(bytes, at, bytes.length - at, offset + at)).bytesWritten;
    if (this.has(index)) return;
    this.#have[index] = 1;
    this.#left--;
    if (index === this.#hashed && !this.#hashing) {
      this.#hash.update(bytes);
      this.#hashed++;
    }
    this.#hashing ??= this.#hashOn().finally(() => {
      this.#hashing = undefined;
    });
    this.#hashing.catch(() => {});
    this.#tell();
  }

  /** All pieces are here: the whole must be what the digest says. Throws `blob-corrupt` when the list was a lie; the file is the caller's then. */
  async finish(): Promise<void> {
    await this.#hashing;
    await this.#hashOn();
    await this.close();
    if (this.#hash.digest("hex") !== hashOf(this.#digest))
      throw new SwarmError("blob-corrupt", `the list of ${this.#digest} names pieces of something else`);
    await rm(`${this.#file}.list`, { force: true });
  }

  async close(): Promise<void> {
    await this.#hashing?.catch(() => {});
    await this.#handle.close();
    this.#tell();
  }

  #tell() {
    this.#news.resolve();
    this.#news = Promise.withResolvers<void>();
  }

  async #recall() {
    const { size } = await this.#handle.stat();
    for (let index = 0; index < this.#have.length; index++) {
      const { offset, bytes } = pieceAt(this.#digest, index);
      if (offset + bytes > size) break;
      if (!fitsList(this.list, index, await this.#load(index))) continue;
      this.#have[index] = 1;
      this.#left--;
    }
  }

  /** Hashes what follows on what was hashed, as far as it is here. */
  async #hashOn() {
    for (; this.#hashed < this.#have.length && this.has(this.#hashed); this.#hashed++)
      this.#hash.update(await this.#load(this.#hashed));
  }

  async #load(index: number): Promise<Uint8Array> {
    const { offset, bytes } = pieceAt(this.#digest, index);
    return await readAt(this.#handle, offset, bytes);
  }
}

/** Exactly `bytes` from `offset` on. Throws `blob-missing` where the file ends early. */
export async function readAt(handle: FileHandle, offset: number, bytes: number): Promise<Uint8Array> {
  const buffer = Buffer.allocUnsafe(bytes);
  for (let at = 0; at < bytes; ) {
    const { bytesRead } = await handle.read(buffer, at, bytes - at, offset + at);
    if (bytesRead === 0) throw new SwarmError("blob-missing", "the file is shorter than its name says");
    at += bytesRead;
  }
  return buffer;
}
