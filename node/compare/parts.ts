/** What a file is made of, told by its first bytes, whatever its name: members of an archive, sections of a program, what is packed in it. */
import { Readable } from "node:stream";
import { unpackTar } from "modern-tar";
import { fromBufferPromise } from "yauzl";
import { isElf } from "../../protocol/build/elf.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { compressionOf, decompressed } from "../build/decompress.ts";
import { guarded } from "../build/tar-guard.ts";
import { arParts, isAr } from "./ar.ts";
import { elfParts } from "./elf-sections.ts";
import { numbered, type Part, type Parts, partsMax } from "./part.ts";

/** Of all that one file unpacks to. */
const unpackedBytesMax = 256 << 20;

/** Undefined for what is of one piece, also for what begins like an archive and is none, or is too large. */
export async function partsOf(bytes: Uint8Array): Promise<Parts | undefined> {
  try {
    const packed = compressionOf(bytes);
    if (packed !== "none") return { kind: packed, parts: [await unpacked(bytes, packed)] };
    if (isAr(bytes)) return { kind: "ar", parts: arParts(bytes) };
    if (isElf(bytes)) return { kind: "elf", parts: elfParts(bytes) };
    if (begins(bytes, "ustar", 257)) return { kind: "tar", parts: await tarParts(bytes) };
    if (begins(bytes, "PK\x03\x04", 0) || begins(bytes, "PK\x05\x06", 0))
      return { kind: "zip", parts: await zipParts(bytes) };
    return undefined;
  } catch {
    // Whatever is wrong with it, its bytes can still be held against others.
    return undefined;
  }
}

const begins = (bytes: Uint8Array, text: string, at: number): boolean =>
  Buffer.from(bytes.subarray(at, at + text.length)).toString("latin1") === text;

async function unpacked(
  bytes: Uint8Array,
  by: Exclude<ReturnType<typeof compressionOf>, "none">,
): Promise<Part> {
  const plain = await collected(decompressed(Readable.from([bytes]), by));
  const facts: Record<string, string> = {};
  // What gzip says of itself: when it was packed.
  if (by === "gzip") facts.mtime = String(Buffer.from(bytes.subarray(4, 8)).readUInt32LE());
  return { name: "(unpacked)", bytes: plain, facts };
}

async function tarParts(bytes: Uint8Array): Promise<Part[]> {
  const source = guarded(Readable.from([bytes]) as AsyncIterable<Uint8Array>);
  const entries = await unpackTar(ReadableStream.from(source) as never, { strict: true });
  if (entries.length > partsMax) throw new SwarmError("too-large", "a tar of too many members");
  return numbered(
    entries.map(({ header, data }) => {
      const { mtime, mode, uid, gid, uname, gname, type, linkname } = header;
      const facts: Record<string, string> = {
        mtime: mtime ? String(mtime.getTime() / 1000) : "",
        mode: (mode ?? 0).toString(8),
        owner: `${uid ?? 0}:${gid ?? 0} ${uname ?? ""}:${gname ?? ""}`.trim(),
        kind: type ?? "file",
      };
      if (linkname) facts.link = linkname;
      return { name: header.name, bytes: data ?? new Uint8Array(), facts };
    }),
  );
}

async function zipParts(bytes: Uint8Array): Promise<Part[]> {
  const zip = await fromBufferPromise(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
  const parts: Part[] = [];
  let left = unpackedBytesMax;
  for await (const entry of zip.eachEntry()) {
    left -= entry.uncompressedSize;
    if (parts.length >= partsMax || left < 0) throw new SwarmError("too-large", "a zip of too many members");
    const name = String(entry.fileName);
    const facts = {
      mtime: entry.getLastModDate().toISOString(),
      mode: (entry.externalFileAttributes >>> 16).toString(8),
      method: String(entry.compressionMethod),
    };
    const content = name.endsWith("/")
      ? new Uint8Array()
      : await collected(await zip.openReadStreamPromise(entry));
    parts.push({ name, bytes: content, facts });
  }
  return numbered(parts);
}

async function collected(source: Readable): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of source as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > unpackedBytesMax) {
      source.destroy();
      throw new SwarmError("too-large", `it unpacks to more than ${unpackedBytesMax} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
