/**
 * The blob store: content-addressed files on disk, `<2 hex>/<62 hex>`, complete and never changed. Whatever comes in is written
 * beside its place, verified, then renamed there. Its format is specified in specs/execution.md.
 */
import { createHash, randomBytes } from "node:crypto";
import {
  chmodSync,
  closeSync,
  constants,
  createReadStream,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import {
  chmod,
  copyFile,
  type FileHandle,
  open,
  readdir,
  readFile,
  rename,
  rm,
  utimes,
  writeFile,
} from "node:fs/promises";
import path from "node:path";
import {
  digestFrom,
  digestOf,
  emptyDigest,
  hashOf,
  sha256Hex,
  sizeOf,
} from "../../protocol/kernel/digest.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { Digest } from "../../protocol/kernel/ids.ts";
import type { Held } from "../../protocol/work/collection.ts";
import { codeOf } from "../files.ts";
import type { BlobStore, PiecedBlob } from "../ports.ts";
import { Gathering, readAt } from "./gathering.ts";
import { hashOfPiece, isListOf, isPieced, ListMaker, pieceAt, pieceCountOf } from "./pieces.ts";
import { readThrough } from "./read-through.ts";

/**
 * The modification time of every stored blob (1980-01-02 UTC, the first day that every archive format can name). Actions see equal
 * times wherever they run, and a file whose time is another one has been written to.
 */
export const blobTimeSeconds = 315_619_200;

/** Up to here a blob is read, hashed and written in one go on the calling thread: cheaper than handing it to another one. */
const smallBytesMax = 256 << 10;
const partialDaysMax = 7;
/** Use within this time of the last is not noted again. */
const usedMsMin = 60_000;
/** Lists of pieces kept in memory, at most 1 MiB each. */
const listsMax = 16;

export interface BlobStoreOptions {
  /** fsync each blob before it appears: survives a power cut, not only a crash of the daemon. Default false. */
  readonly fsync?: boolean;
}

/** The store as the node that owns the disk sees it. */
export interface DiskBlobs extends BlobStore {
  /** Like `path`, for a file of mode 0555. A hard link shares its mode, so it is a second file, copied when first asked for. */
  executablePath(digest: Digest): Promise<string>;
  /**
   * Like `path` or `executablePath`, for an action to read: what is small is read once more before, so that what rotted makes no wrong result:
   * `blob-corrupt`, and it is set aside.
   */
  soundPath(digest: Digest, executable: boolean): Promise<string>;
  /**
   * Moves a regular file that nobody writes any more into the store; where its bytes are there already it stays, for its owner to remove
   * with all the rest (one by one costs more than hashing). Throws `refused` for anything but a regular file.
   */
  takeFile(file: string): Promise<Digest>;
  /** Removes what was kept of transfers that nobody went on with for a week, and what was set aside as long ago; how many files went. */
  clearLeftovers(nowMs: number): number;
  /** All that is whole here, with what is made of it. */
  list(): Promise<Held[]>;
  /** Removes one, unless it was used since it was listed; whether it went. */
  drop(held: Held): boolean;
  /** Bytes stored since the start. */
  readonly writtenBytes: number;
  /** Reads it all again: false when it is not here, or was not what its name says and is set aside. */
  recheck(digest: Digest): Promise<boolean>;
  /**
   * Begins, or goes on with, a large blob that comes in pieces; others may read those at once through `pieced`. `use` puts them; when it
   * returns with all of them there the whole is verified and stored: `blob-corrupt` when the list was a lie, and nothing stays. Otherwise
   * what came is kept. One at a time for a digest.
   */
  gather<T>(digest: Digest, list: Uint8Array, use: (gathering: Gathering) => Promise<T>): Promise<T>;
}

/** Opens (or makes) the store in `dir`. What an interrupted write left is cleared; partial transfers stay for a week. */
export async function openBlobStore(dir: string, options: BlobStoreOptions = {}): Promise<DiskBlobs> {
  const root = path.resolve(dir);
  const partials = path.join(root, "partial");
  const drafts = path.join(root, "tmp");
  const aside = path.join(root, "bad");
  const lists = path.join(root, "lists");
  const fsync = options.fsync ?? false;
  rmSync(drafts, { recursive: true, force: true });
  for (const folder of [partials, drafts, aside, lists]) mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (let i = 0; i < 256; i++)
    mkdirSync(path.join(root, i.toString(16).padStart(2, "0")), { recursive: true });
  for (const name of readdirSync(lists))
    if (!statSync(path.join(root, name.slice(0, 2), name.slice(2, 64)), { throwIfNoEntry: false }))
      rmSync(path.join(lists, name), { force: true });

  const placeOf = (digest: Digest) => `${root}/${digest.slice(0, 2)}/${digest.slice(2, 64)}`;
  const partialOf = (digest: Digest) => path.join(partials, `${hashOf(digest)}-${sizeOf(digest)}`);
  const draft = () => path.join(drafts, randomBytes(9).toString("hex"));
  /** Digests whose partial file a transfer of this process is writing. */
  const incoming = new Set<Digest>();
  const gatherings = new Map<Digest, Gathering>();
  let writtenBytes = 0;
  /** Lists of what was asked for last, or that are being made. */
  const known = new Map<Digest, Promise<Uint8Array>>();

  clearLeftovers(Date.now());
  if (!intact(placeOf(emptyDigest), emptyDigest)) await store(new Uint8Array(), emptyDigest);

  function clearLeftovers(nowMs: number): number {
    const names = readdirSync(partials);
    const writtenMs = (name: string) =>
      statSync(path.join(partials, name), { throwIfNoEntry: false })?.mtimeMs ?? 0;
    const busy = new Set([...incoming].map((digest) => path.basename(partialOf(digest))));
    // a list is written once, and kept as long as its pieces
    const transferOf = (name: string) => name.replace(/\.list$/, "");
    const old = names.filter(
      (name) =>
        nowMs - writtenMs(transferOf(name)) > partialDaysMax * 86_400_000 &&
        !busy.has(name.replace(/\.pieces(\.list)?$/, "")),
    );
    for (const name of old) rmSync(path.join(partials, name), { force: true });
    const wrong = readdirSync(aside).filter((name) => {
      const found = statSync(path.join(aside, name), { throwIfNoEntry: false });
      return found !== undefined && nowMs - found.ctimeMs > partialDaysMax * 86_400_000;
    });
    for (const name of wrong) rmSync(path.join(aside, name), { force: true });
    return old.length + wrong.length;
  }

  function intact(file: string, digest: Digest): boolean {
    const found = statSync(file, { throwIfNoEntry: false });
    if (!found?.isFile()) return false;
    if (found.size === sizeOf(digest) && found.mtimeMs === blobTimeSeconds * 1000) return true;
    return recheck(file, found, digest);
  }

  /** Rare: the file was written to, or its times were lost when a home was copied. The bytes decide. */
  function recheck(file: string, found: Stats, digest: Digest): boolean {
    if (found.size === sizeOf(digest) && hashFileNow(file) === hashOf(digest)) {
      utimesSync(file, blobTimeSeconds, blobTimeSeconds);
      return true;
    }
    setAside(file, digest);
    return false;
  }

  /** With what was made of it. */
  function setAside(file: string, digest: Digest) {
    renameSync(file, path.join(aside, hashOf(digest)));
    known.delete(digest);
    for (const made of [`${file}.x`, listOf(digest)]) rmSync(made, { force: true });
  }

  function rotten(file: string, digest: Digest): SwarmError {
    setAside(file, digest);
    return new SwarmError("blob-corrupt", `${digest} no longer matches its bytes on this disk`, {
      remedy: "it was set aside and will be fetched or made again; check the disk",
    });
  }

  function existing(digest: Digest): string {
    const file = placeOf(digest);
    if (!intact(file, digest)) throw missing(digest);
    use(file);
    return file;
  }

  /** The time of the last change of its inode is when it was used last: to link it is a use, to read it (as backups do) is none. */
  function use(file: string) {
    try {
      if (Date.now() - statSync(file).ctimeMs > usedMsMin) utimesSync(file, blobTimeSeconds, blobTimeSeconds);
    } catch {
      // it can be used all the same
    }
  }

  async function list(): Promise<Held[]> {
    const held: Held[] = [];
    for (let i = 0; i < 256; i++) {
      const first = i.toString(16).padStart(2, "0");
      for (const name of await readdir(path.join(root, first))) {
        if (!/^[0-9a-f]{62}$/.test(name)) continue;
        const file = `${root}/${first}/${name}`;
        const found = statSync(file, { throwIfNoEntry: false });
        // the empty blob takes no room, and is always there
        if (!found?.isFile() || found.size === 0) continue;
        const digest = digestFrom(first + name, found.size);
        const bytes = [file, `${file}.x`, listOf(digest)].reduce((sum, part) => sum + bytesOn(part), 0);
        held.push({ digest, bytes, usedMs: found.ctimeMs });
      }
    }
    return held;
  }

  /** The name goes first: whoever reads the file still, or has it linked, goes on with it. */
  function drop({ digest, usedMs }: Held): boolean {
    const file = placeOf(digest);
    const found = statSync(file, { throwIfNoEntry: false });
    if (found?.ctimeMs !== usedMs) return false;
    rmSync(file);
    known.delete(digest);
    for (const made of [`${file}.x`, listOf(digest)]) rmSync(made, { force: true });
    return true;
  }

  /** The last steps of every way in: mode, time, durability, then the name. */
  async function settle(file: string, digest: Digest, mode = 0o444, place = placeOf(digest)) {
    writtenBytes += sizeOf(digest);
    if (sizeOf(digest) <= smallBytesMax && !fsync) {
      // Three trips to another thread cost a small file more than all else that is done with it.
      chmodSync(file, mode);
      utimesSync(file, blobTimeSeconds, blobTimeSeconds);
      return renameSync(file, place);
    }
    await chmod(file, mode);
    await utimes(file, blobTimeSeconds, blobTimeSeconds);
    if (fsync) await syncPath(file);
    await rename(file, place);
    if (fsync) await syncPath(path.dirname(place));
  }

  async function store(bytes: Uint8Array, digest: Digest): Promise<void> {
    const file = draft();
    try {
      if (bytes.length <= smallBytesMax && !fsync) {
        writtenBytes += bytes.length;
        writeFileSync(file, bytes, { flag: "wx", mode: 0o444 });
        utimesSync(file, blobTimeSeconds, blobTimeSeconds);
        renameSync(file, placeOf(digest));
        return;
      }
      const handle = await open(file, "wx", 0o444);
      try {
        await handle.writeFile(bytes);
      } finally {
        await handle.close();
      }
      await settle(file, digest);
    } catch (cause) {
      rmSync(file, { force: true });
      throw refusal(cause, digest);
    }
  }

  async function copyIn(file: string): Promise<Digest> {
    const copy = draft();
    try {
      await copyFile(file, copy, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
      const digest = await hashFile(copy);
      if (intact(placeOf(digest), digest)) {
        use(placeOf(digest));
        await rm(copy);
      } else await settle(copy, digest);
      return digest;
    } catch (cause) {
      await rm(copy, { force: true });
      throw refusal(cause, file);
    }
  }

  /** Appends what comes to `handle`; throws `too-large` beyond the size that the digest names. */
  async function receive(handle: FileHandle, digest: Digest, bytes: AsyncIterable<Uint8Array>, from: number) {
    const hash = createHash("sha256");
    // whoever asks for it later need not wait until it has been read once more
    const maker = isPieced(digest) ? new ListMaker(digest) : undefined;
    let size = 0;
    await readThrough(
      handle,
      (chunk) => {
        hash.update(chunk);
        maker?.update(chunk);
        size += chunk.length;
      },
      from,
    );
    if (size !== from)
      throw new SwarmError("refused", `the kept part of ${digest} has ${size} bytes, not ${from}`);
    for await (const chunk of bytes) {
      if (size + chunk.length > sizeOf(digest))
        throw new SwarmError("too-large", `more bytes came than ${digest} has`);
      hash.update(chunk);
      maker?.update(chunk);
      let at = 0;
      while (at < chunk.length)
        at += (await handle.write(chunk, at, chunk.length - at, size + at)).bytesWritten;
      size += chunk.length;
    }
    if (size !== sizeOf(digest) || hash.digest("hex") !== hashOf(digest))
      throw new SwarmError("blob-corrupt", `what came is not ${digest}`);
    if (maker) await keepList(digest, maker.list());
  }

  const listOf = (digest: Digest) => path.join(lists, `${hashOf(digest)}-${sizeOf(digest)}`);

  /** The pieces' hashes of a blob that is here: as they were kept, with a hash of their own against decay, or made now. */
  async function pieceList(digest: Digest): Promise<Uint8Array> {
    const kept = await readFile(listOf(digest)).catch(() => undefined);
    if (kept !== undefined) {
      const list = kept.subarray(0, -32);
      if (isListOf(digest, list) && Buffer.compare(hashOfPiece(list), kept.subarray(-32)) === 0) return list;
    }
    const maker = new ListMaker(digest);
    await readThrough(existing(digest), (chunk) => maker.update(chunk));
    const list = maker.list();
    await keepList(digest, list);
    return list;
  }

  /** It can be made anew: that it cannot be written is no trouble. */
  async function keepList(digest: Digest, list: Uint8Array) {
    const file = draft();
    await writeFile(file, Buffer.concat([list, hashOfPiece(list)]), { mode: 0o600 })
      .then(() => rename(file, listOf(digest)))
      .catch(() => rm(file, { force: true }));
  }

  async function wholeInPieces(digest: Digest): Promise<PiecedBlob> {
    let list = known.get(digest);
    if (!list) {
      list = pieceList(digest);
      known.set(digest, list);
      list.catch(() => known.delete(digest));
      if (known.size > listsMax) known.delete(known.keys().next().value!);
    }
    return {
      list: await list,
      whole: true,
      has: (index) => index < pieceCountOf(digest),
      async read(index) {
        const handle = await open(existing(digest), "r");
        try {
          const { offset, bytes } = pieceAt(digest, index);
          return await readAt(handle, offset, bytes);
        } finally {
          await handle.close();
        }
      },
      more: () => Promise.resolve(),
    };
  }

  async function gather<T>(digest: Digest, list: Uint8Array, use: (gathering: Gathering) => Promise<T>) {
    if (!isPieced(digest) || !isListOf(digest, list))
      throw new SwarmError("malformed", `that is no list of pieces of ${digest}`);
    if (incoming.has(digest)) throw new SwarmError("refused", `${digest} is on its way already`);
    incoming.add(digest);
    const file = `${partialOf(digest)}.pieces`;
    let gathering: Gathering | undefined;
    try {
      gathering = await Gathering.open(digest, list, file);
      gatherings.set(digest, gathering);
      const outcome = await use(gathering);
      if (gathering.left > 0) throw new SwarmError("blob-missing", `${digest} has not come whole`);
      await gathering.finish();
      await settle(file, digest);
      await keepList(digest, list);
      return outcome;
    } catch (cause) {
      await gathering?.close().catch(() => {});
      const error = refusal(cause, digest);
      if (error instanceof SwarmError && endsTransfer.has(error.code))
        for (const part of [file, `${file}.list`]) await rm(part, { force: true });
      throw error;
    } finally {
      gatherings.delete(digest);
      incoming.delete(digest);
    }
  }

  function keptBytes(digest: Digest): number {
    if (incoming.has(digest)) return 0;
    const kept = statSync(partialOf(digest), { throwIfNoEntry: false })?.size ?? 0;
    return kept < sizeOf(digest) ? kept : 0;
  }

  async function executablePath(digest: Digest): Promise<string> {
    const source = existing(digest);
    const place = `${source}.x`;
    const found = statSync(place, { throwIfNoEntry: false });
    if (found && found.size === sizeOf(digest) && found.mtimeMs === blobTimeSeconds * 1000) return place;
    const copy = draft();
    try {
      await copyFile(source, copy, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
      await settle(copy, digest, 0o555, place);
    } catch (cause) {
      await rm(copy, { force: true });
      throw refusal(cause, digest);
    }
    return place;
  }

  return {
    has(digest) {
      const here = intact(placeOf(digest), digest);
      if (here) use(placeOf(digest));
      return here;
    },
    path: existing,
    list,
    drop,
    get writtenBytes() {
      return writtenBytes;
    },
    executablePath,
    async soundPath(digest, executable) {
      const sound = (file: string) =>
        sizeOf(digest) > smallBytesMax || sha256Hex(readFileSync(file)) === hashOf(digest);
      const file = existing(digest);
      if (!sound(file)) throw rotten(file, digest);
      if (!executable) return file;
      const copy = await executablePath(digest);
      if (sound(copy)) return copy;
      rmSync(copy, { force: true });
      return executablePath(digest);
    },
    async read(digest) {
      const file = existing(digest);
      let bytes: Uint8Array;
      if (sizeOf(digest) <= smallBytesMax) bytes = readFileSync(file);
      else {
        const handle = await open(file, "r");
        try {
          bytes = await handle.readFile();
        } finally {
          await handle.close();
        }
      }
      if (bytes.length === sizeOf(digest) && sha256Hex(bytes) === hashOf(digest)) return bytes;
      throw rotten(file, digest);
    },
    async *stream(digest, offset = 0) {
      const file = existing(digest);
      if (!Number.isSafeInteger(offset) || offset < 0 || offset > sizeOf(digest))
        throw new SwarmError("refused", `${digest} has no offset ${offset}`);
      yield* createReadStream(file, { start: offset, highWaterMark: smallBytesMax });
    },
    async put(bytes) {
      const digest = digestOf(bytes);
      if (intact(placeOf(digest), digest)) use(placeOf(digest));
      else await store(bytes, digest);
      return digest;
    },
    async putStream(digest, bytes, from = 0) {
      if (intact(placeOf(digest), digest)) return use(placeOf(digest));
      const shared = incoming.has(digest);
      if (from !== 0 && (shared || from !== keptBytes(digest)))
        throw new SwarmError("refused", `nothing of ${digest} is kept up to byte ${from}`);
      const file = shared ? draft() : partialOf(digest);
      if (!shared) incoming.add(digest);
      try {
        const handle = await open(file, from > 0 ? "r+" : "w+", 0o600);
        try {
          await receive(handle, digest, bytes, from);
        } finally {
          await handle.close();
        }
        await settle(file, digest);
      } catch (cause) {
        const error = refusal(cause, digest);
        const wrong = error instanceof SwarmError && endsTransfer.has(error.code);
        if (shared || wrong) await rm(file, { force: true });
        throw error;
      } finally {
        if (!shared) incoming.delete(digest);
      }
    },
    resumeAt: keptBytes,
    sizeOfHash(hash) {
      const size = statSync(`${root}/${hash.slice(0, 2)}/${hash.slice(2)}`, { throwIfNoEntry: false })?.size;
      return size !== undefined && intact(placeOf(digestFrom(hash, size)), digestFrom(hash, size))
        ? size
        : undefined;
    },
    bytesHere(digest) {
      if (intact(placeOf(digest), digest)) return sizeOf(digest);
      const coming = gatherings.get(digest);
      if (coming) return coming.bytes;
      const kept = statSync(partialOf(digest), { throwIfNoEntry: false })?.size ?? 0;
      // pieces come in any order: between them the file has holes, which take no room
      const blocks = statSync(`${partialOf(digest)}.pieces`, { throwIfNoEntry: false })?.blocks ?? 0;
      return Math.min(Math.max(kept, blocks * 512), sizeOf(digest));
    },
    async pieced(digest) {
      const coming = gatherings.get(digest);
      if (coming) return coming;
      return isPieced(digest) && intact(placeOf(digest), digest) ? await wholeInPieces(digest) : undefined;
    },
    clearLeftovers,
    async recheck(digest) {
      const file = placeOf(digest);
      if (!intact(file, digest)) return false;
      if ((await hashFile(file)) === digest) return true;
      setAside(file, digest);
      return false;
    },
    gather,
    async putFile(file) {
      requireRegular(file);
      return copyIn(file);
    },
    async takeFile(file) {
      // A second name of the inode would stay writable for whoever has it.
      if (requireRegular(file).nlink !== 1) return copyIn(file);
      try {
        const digest = await hashFile(file);
        if (intact(placeOf(digest), digest)) use(placeOf(digest));
        else await settle(file, digest);
        return digest;
      } catch (cause) {
        // Another disk, or a folder that nothing may be taken out of.
        if (codeOf(cause) === "EXDEV" || codeOf(cause) === "EACCES") return copyIn(file);
        throw refusal(cause, file);
      }
    },
  };
}

/** What a file takes of the disk; 0 for none. */
function bytesOn(file: string): number {
  const found = statSync(file, { throwIfNoEntry: false });
  return found ? Math.max(found.size, found.blocks * 512) : 0;
}

/** After these nothing of a transfer is worth keeping. */
const endsTransfer = new Set(["blob-corrupt", "too-large", "disk-full"]);

const missing = (digest: Digest) => new SwarmError("blob-missing", `${digest} is not on this disk`);

function requireRegular(file: string): Stats {
  const found = lstatSync(file, { throwIfNoEntry: false });
  if (!found?.isFile()) throw new SwarmError("refused", `${file} is not a regular file`);
  return found;
}

function refusal(cause: unknown, what: string): unknown {
  const code = codeOf(cause);
  if (code !== "ENOSPC" && code !== "EDQUOT") return cause;
  return new SwarmError("disk-full", `no room on the disk to store ${what}`, {
    cause,
    remedy: "free disk space, or give the node another home",
  });
}

async function hashFile(file: string): Promise<Digest> {
  if (statSync(file).size <= smallBytesMax) return digestOf(readFileSync(file));
  const hash = createHash("sha256");
  let size = 0;
  await readThrough(file, (chunk) => {
    hash.update(chunk);
    size += chunk.length;
  });
  return digestFrom(hash.digest("hex"), size);
}

function hashFileNow(file: string): string {
  const hash = createHash("sha256");
  const chunk = new Uint8Array(1 << 20);
  const fd = openSync(file, "r");
  try {
    for (let n = readSync(fd, chunk); n > 0; n = readSync(fd, chunk)) hash.update(chunk.subarray(0, n));
  } finally {
    closeSync(fd);
  }
  return hash.digest("hex");
}

async function syncPath(file: string) {
  const handle = await open(file, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
