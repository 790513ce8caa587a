/** Looks at every member of a package's image: hashes it, reads what ELF files say, notes what is out of the ordinary. Holds at most a few MiB of any file. */
import { createHash, randomBytes } from "node:crypto";
import { closeSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import path from "node:path";
import {
  type ElfFile,
  type OddFile,
  odditiesOf,
  type PackageContent,
} from "../../../protocol/build/content.ts";
import { type ElfFacts, isElf, type ReadAt, readElf } from "../../../protocol/build/elf.ts";
import { SwarmError } from "../../../protocol/kernel/errors.ts";
import { byText } from "../../../protocol/kernel/ids.ts";
import { type Member, malformed, shown } from "./tar-members.ts";

/** Larger ELF files wait in a scratch file. */
const memoryBytesMax = 4 << 20;

/**
 * `below`: the folder in the tar that is the image's root; all members must lie in it. `also`: further lines that the sameness covers.
 * `scratch` is a folder for large ELF files; nothing stays in it. Throws `malformed` for a path that is there twice.
 */
export async function inspectContent(
  members: AsyncIterable<Member>,
  { below = "", also = [], scratch }: { below?: string; also?: readonly string[]; scratch: string },
): Promise<PackageContent> {
  const seen = new Set<string>();
  const lines: string[] = [];
  const elves: ElfFile[] = [];
  const odd: OddFile[] = [];
  let unpackedBytes = 0;
  for await (const member of members) {
    const inner = (name: string): string => {
      if (below === "") return name;
      if (name === below) return "";
      if (!name.startsWith(`${below}/`)) throw malformed(`${shown(name)} does not lie in ${below}/`);
      return name.slice(below.length + 1);
    };
    const name = inner(member.name);
    const { kind, mode, sizeBytes } = member;
    if (name === "") continue;
    if (seen.has(name)) throw malformed(`${shown(name)} is in it twice`);
    seen.add(name);
    const to = kind === "link" ? inner(member.to ?? "") : member.to;
    if (kind === "link" && !seen.has(to!))
      throw malformed(`${shown(name)} is another name for ${shown(to!)}, which does not come before it`);
    odd.push(...odditiesOf({ path: name, kind, mode, ...(to !== undefined && { to }) }));
    let says = to ?? "";
    if (kind === "file") {
      unpackedBytes += sizeBytes;
      const { hash, elf, broken } = await lookInto(member, scratch);
      says = hash;
      if (elf) elves.push({ path: name, elf });
      if (broken !== undefined) odd.push({ path: name, what: "broken-elf", detail: broken });
    }
    lines.push(`${name}\0${kind}\0${kind === "symlink" ? "" : mode.toString(8)}\0${says}\n`);
  }
  const byPath = (a: { path: string }, b: { path: string }) => byText(a.path, b.path);
  const sameness = createHash("sha256");
  for (const line of [...also, ...lines.sort(byText)]) sameness.update(line);
  return {
    files: seen.size,
    unpackedBytes,
    elves: elves.sort(byPath),
    odd: odd.sort(byPath),
    sameness: sameness.digest("hex"),
  };
}

async function lookInto({ body }: Member, scratch: string) {
  const hash = createHash("sha256");
  let spool: Spool | undefined;
  let head: Buffer = Buffer.alloc(0);
  try {
    for await (const chunk of body) {
      hash.update(chunk);
      if (spool) spool.add(chunk);
      else if (head.length < 4) {
        head = Buffer.concat([head, chunk]);
        if (head.length >= 4 && isElf(head)) {
          spool = new Spool(scratch);
          spool.add(head);
        }
      }
    }
    const found: { elf?: ElfFacts; broken?: string } = spool ? elfOf(spool) : {};
    return { hash: hash.digest("hex"), ...found };
  } finally {
    spool?.close();
  }
}

function elfOf(spool: Spool): { elf?: ElfFacts; broken?: string } {
  try {
    return { elf: readElf(spool.readAt, spool.sizeBytes) };
  } catch (error) {
    if (error instanceof SwarmError) return { broken: error.message };
    throw error;
  }
}

/** The bytes of one file, to be read anywhere: in memory, or in a file without a name once they are many. */
class Spool {
  sizeBytes = 0;
  private readonly folder: string;
  private chunks: Uint8Array[] = [];
  private file: number | undefined;

  constructor(folder: string) {
    this.folder = folder;
  }

  add(chunk: Uint8Array): void {
    this.sizeBytes += chunk.length;
    this.chunks.push(chunk);
    if (this.file === undefined && this.sizeBytes <= memoryBytesMax) return;
    if (this.file === undefined) {
      const name = path.join(this.folder, `.elf-${randomBytes(8).toString("hex")}`);
      this.file = openSync(name, "wx+", 0o600);
      rmSync(name);
    }
    for (const one of this.chunks)
      for (let at = 0; at < one.length; ) at += writeSync(this.file, one, at, one.length - at);
    this.chunks = [];
  }

  readonly readAt: ReadAt = (offset, length) => {
    if (this.file === undefined) {
      if (this.chunks.length > 1) this.chunks = [Buffer.concat(this.chunks)];
      return (this.chunks[0] ?? new Uint8Array()).subarray(offset, offset + length);
    }
    const bytes = Buffer.alloc(Math.max(0, Math.min(length, this.sizeBytes - offset)));
    return bytes.subarray(0, readSync(this.file, bytes, 0, bytes.length, offset));
  };

  close(): void {
    if (this.file !== undefined) closeSync(this.file);
    this.chunks = [];
  }
}
