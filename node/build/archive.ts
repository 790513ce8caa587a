/**
 * Archives as inputs: unpacked into a folder of their own, from text of anyone. Nothing is written outside of it, links come last so that
 * nothing is written through one, and what an archive may come to is bounded by its own size.
 */
import { constants, createReadStream, createWriteStream } from "node:fs";
import { chmod, link, mkdir, open, rm, symlink } from "node:fs/promises";
import path from "node:path";
import { Readable } from "node:stream";
import { finished, pipeline } from "node:stream/promises";
import { createTarDecoder, type ParsedTarEntry } from "modern-tar";
import { type Entry, openPromise } from "yauzl";
import { isPath } from "../../protocol/build/path.ts";
import type { Trouble } from "../../protocol/build/problem.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { type Compression, compressionOf, decompressed } from "./decompress.ts";
import { guarded, OddMember } from "./tar-guard.ts";

export interface ArchiveLimits {
  readonly entriesMax: number;
  /** Of all that is unpacked. */
  readonly bytesMax: number;
  /** Bytes unpacked for each byte of the archive … */
  readonly ratioMax: number;
  /** … once there are more than these: a small tar is mostly padding. */
  readonly freeBytes: number;
}

const archiveLimits: ArchiveLimits = {
  entriesMax: 1_000_000,
  bytesMax: 16 * 2 ** 30,
  ratioMax: 200,
  freeBytes: 1 << 20,
};

const linkCharsMax = 4096;

/** What is wrong with an archive, and what to do. */
export class ArchiveFault extends Error {
  readonly trouble: Trouble;
  constructor(message: string, hint: string) {
    super(message);
    this.trouble = { message, hint };
  }
}

/**
 * Unpacks a tar (plain, gzip, xz, zstd) or zip file into `dir`, which is there and empty, without the first `strip` parts of each path. Throws
 * `ArchiveFault`, and what stands in `dir` is worth nothing then.
 */
export async function unpackArchive(
  file: string,
  dir: string,
  strip: number,
  limits: ArchiveLimits = archiveLimits,
): Promise<void> {
  const { kind, sizeBytes } = await look(file);
  const allowed = Math.min(limits.bytesMax, Math.max(limits.freeBytes, limits.ratioMax * sizeBytes));
  const target = new Target(dir, strip, limits.entriesMax);
  try {
    if (kind === "zip") await unpackZip(file, target, allowed);
    else await unpackTar(file, kind, target, allowed);
  } catch (cause) {
    if (cause instanceof ArchiveFault) throw cause;
    if (cause instanceof SwarmError)
      throw new ArchiveFault(cause.message, cause.remedy ?? "pack it otherwise");
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === "ENOSPC" || code === "EDQUOT")
      throw new ArchiveFault("no room to unpack it", "free some disk, or set TMPDIR to a folder with room");
    throw new ArchiveFault(`it is damaged: ${message.split("\n")[0]!.slice(0, 200)}`, "fetch it again");
  }
  await target.finish();
}

type Kind = "tar" | Exclude<Compression, "none" | "bzip2"> | "zip";

/** Its kind, told by its first bytes, whatever its name. */
async function look(file: string): Promise<{ kind: Kind; sizeBytes: number }> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const status = await handle.stat();
    if (!status.isFile()) throw new ArchiveFault("it is no regular file", "name a tar or zip file");
    const head = Buffer.alloc(512);
    await handle.read(head, 0, head.length, 0);
    const begins = (...bytes: number[]) => bytes.every((byte, i) => head[i] === byte);
    const packed = compressionOf(head);
    const kind: Kind | undefined =
      packed !== "none" && packed !== "bzip2"
        ? packed
        : begins(0x50, 0x4b, 3, 4) || begins(0x50, 0x4b, 5, 6)
          ? "zip"
          : head.toString("latin1", 257, 262) === "ustar"
            ? "tar"
            : undefined;
    if (!kind)
      throw new ArchiveFault("it is no tar (plain, gzip, xz, zstd) and no zip", "pack it as one of these");
    return { kind, sizeBytes: status.size };
  } finally {
    await handle.close();
  }
}

/** Lets bytes through until there are too many. */
async function* bounded(source: Readable, bytesMax: number): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of source as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bytesMax) throw tooLarge();
    yield chunk;
  }
}

const tooLarge = () =>
  new ArchiveFault(
    "it unpacks to more than an honest archive of its size would",
    "unpack it yourself and name the folder",
  );

async function unpackTar(file: string, kind: Exclude<Kind, "zip">, target: Target, bytesMax: number) {
  const packed = createReadStream(file, { highWaterMark: 1 << 18 });
  const unpacked = decompressed(packed, kind === "tar" ? "none" : kind);
  const decoder = createTarDecoder({ strict: true });
  const writer = decoder.writable.getWriter();
  writer.closed.catch(() => {}); // told by what is read
  const feed = async () => {
    try {
      for await (const chunk of guarded(bounded(unpacked, bytesMax))) await writer.write(chunk);
      await writer.close();
    } catch (thrown) {
      const cause =
        thrown instanceof OddMember
          ? new ArchiveFault(
              `${shown(thrown.member)} is ${thrown.what}`,
              "pack plain files: without --sparse and the like",
            )
          : thrown;
      await writer.abort(cause).catch(() => {});
      return cause;
    }
  };
  const fed = feed();
  const entries = decoder.readable as unknown as AsyncIterable<ParsedTarEntry>;
  try {
    for await (const { header, body } of entries) {
      const { name, type = "file", linkname = "", mode = 0 } = header;
      if (Object.keys(header.pax ?? {}).some((key) => key.startsWith("GNU.sparse")))
        throw new ArchiveFault(
          `${shown(name)} is a sparse file`,
          "pack plain files: without --sparse and the like",
        );
      if (type === "file") await target.file(name, (mode & 0o100) !== 0, Readable.fromWeb(body as never));
      else {
        await body.cancel();
        if (type === "directory") await target.folder(name);
        else if (type === "symlink") target.link(name, linkname);
        else if (type === "link") await target.again(name, linkname);
        else
          throw new ArchiveFault(
            `${shown(name)} is a ${type.replace("-", " ")}`,
            "leave it out of the archive",
          );
      }
    }
  } catch (cause) {
    await writer.abort(cause).catch(() => {});
    const first = await fed;
    throw first instanceof ArchiveFault ? first : cause;
  }
  const cause = await fed;
  if (cause !== undefined) throw cause;
}

async function unpackZip(file: string, target: Target, bytesMax: number) {
  const zip = await openPromise(file, { autoClose: false });
  let left = bytesMax;
  try {
    for await (const entry of zip.eachEntry() as AsyncIterable<Entry>) {
      const { fileName, uncompressedSize, externalFileAttributes } = entry;
      left -= uncompressedSize;
      if (left < 0) throw tooLarge();
      const mode = externalFileAttributes >>> 16;
      const format = mode & 0o170000;
      if (fileName.endsWith("/")) {
        await target.folder(fileName);
        continue;
      }
      if (entry.isEncrypted())
        throw new ArchiveFault(`${shown(fileName)} is encrypted`, "pack it without a password");
      if (format !== 0 && format !== 0o100000 && format !== 0o120000)
        throw new ArchiveFault(
          `${shown(fileName)} is no file, folder or link`,
          "leave it out of the archive",
        );
      const content = await zip.openReadStreamPromise(entry);
      if (format !== 0o120000) {
        await target.file(fileName, (mode & 0o100) !== 0, content);
        continue;
      }
      let to = "";
      for await (const chunk of content) {
        to += chunk;
        if (to.length > linkCharsMax) break;
      }
      target.link(fileName, to);
    }
  } finally {
    zip.close();
  }
}

const shown = (name: string) => JSON.stringify(name.slice(0, 200)).slice(1, -1);

/** The folder that is filled. */
class Target {
  private readonly dir: string;
  private readonly strip: number;
  private readonly entriesMax: number;
  private readonly kinds = new Map<string, "file" | "folder">();
  private readonly links = new Map<string, string>();
  private entries = 0;

  constructor(dir: string, strip: number, entriesMax: number) {
    this.dir = dir;
    this.strip = strip;
    this.entriesMax = entriesMax;
  }

  async folder(name: string): Promise<void> {
    const place = this.place(name);
    if (place !== undefined) await this.makeFolder(place);
  }

  async file(name: string, executable: boolean, content: Readable): Promise<void> {
    // An error may come before anyone reads, and is kept for whoever reads: yauzl tells it once, and leaves the stream open.
    content.on("error", (cause) => content.destroy(cause));
    const place = this.place(name);
    if (place === undefined) {
      content.resume();
      await finished(content);
      return;
    }
    const at = await this.room(place);
    await pipeline(content, createWriteStream(at, { flags: "wx", mode: 0o600 }));
    await chmod(at, executable ? 0o755 : 0o644);
  }

  /** Another name for a file that came before. */
  async again(name: string, of: string): Promise<void> {
    const place = this.place(name);
    const first = this.place(of);
    if (place === undefined || place === first) return;
    if (first === undefined || this.kinds.get(first) !== "file")
      throw new ArchiveFault(
        `${shown(name)} is another name for ${shown(of)}, which does not come before it`,
        "pack it again, whole",
      );
    await link(path.join(this.dir, first), await this.room(place));
  }

  link(name: string, to: string): void {
    const place = this.place(name);
    if (place === undefined) return;
    if (to === "" || to.length > linkCharsMax || to.includes("\0"))
      throw new ArchiveFault(`the link ${shown(name)} leads nowhere`, "leave it out of the archive");
    this.links.set(place, to);
  }

  /** Links last: nothing is written through one. */
  async finish(): Promise<void> {
    for (const [place, to] of this.links) {
      if (this.kinds.has(place))
        throw new ArchiveFault(`${shown(place)} is both a link and something else`, "pack it again");
      const above = path.posix.dirname(place);
      if (above !== ".") await this.makeFolder(above);
      await symlink(to, path.join(this.dir, place));
    }
    if (this.kinds.size === 0 && this.links.size === 0)
      throw new ArchiveFault(
        this.entries > 0 ? `strip: ${this.strip} leaves nothing of it` : "it is empty",
        "look into it: tar -tf or unzip -l",
      );
  }

  /** Its place in the folder; undefined for what `strip` takes away. */
  private place(name: string): string | undefined {
    if (++this.entries > this.entriesMax)
      throw new ArchiveFault(`it has more than ${this.entriesMax} entries`, "split it");
    if (name.startsWith("/"))
      throw new ArchiveFault(`the path ${shown(name)} in it is absolute`, "pack it with relative paths");
    const segments = name.split("/").filter((segment) => segment !== "" && segment !== ".");
    if (segments.includes(".."))
      throw new ArchiveFault(`the path ${shown(name)} in it leads out of it`, "pack it without ..");
    const rest = segments.slice(this.strip).join("/");
    if (rest === "") return undefined;
    if (!isPath(rest) || rest.includes("\ufffd"))
      throw new ArchiveFault(
        `${shown(name)} in it is no path`,
        "names are UTF-8, of at most 4096 characters in all",
      );
    return rest;
  }

  /** The disk path for a new file: folders above it are made, an earlier one of its name goes. */
  private async room(place: string): Promise<string> {
    const above = path.posix.dirname(place);
    if (above !== ".") await this.makeFolder(above);
    const at = path.join(this.dir, place);
    const kind = this.kinds.get(place);
    if (kind === "folder" || this.links.has(place))
      throw new ArchiveFault(`${shown(place)} is there twice, and not as a file alone`, "pack it again");
    if (kind === "file") await rm(at);
    this.kinds.set(place, "file");
    return at;
  }

  private async makeFolder(place: string): Promise<void> {
    const kind = this.kinds.get(place);
    if (kind === "folder") return;
    if (kind === "file" || this.links.has(place))
      throw new ArchiveFault(`${shown(place)} is both a folder and something else`, "pack it again");
    const above = path.posix.dirname(place);
    if (above !== ".") await this.makeFolder(above);
    await mkdir(path.join(this.dir, place), { mode: 0o755 });
    this.kinds.set(place, "folder");
  }
}
