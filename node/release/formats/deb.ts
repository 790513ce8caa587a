/** Reads a Debian binary package (deb(5)): an ar archive of `debian-binary`, `control.tar.*` and `data.tar.*`. */
import { createReadStream } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import type { PackageContent } from "../../../protocol/build/content.ts";
import { type Compression, decompressed } from "../../build/decompress.ts";
import { inspectContent } from "./inspect.ts";
import { type PackageLimits, packageLimits, tarLimits, valueBytesMax } from "./package-limits.ts";
import { malformed, shown, tarMembers } from "./tar-members.ts";

export interface DebianPackage {
  readonly kind: "deb";
  /** The fields of its control file in their order; lines that go on are kept as they stand. */
  readonly control: ReadonlyMap<string, string>;
  readonly content: PackageContent;
}

interface ArMember {
  readonly name: string;
  readonly offset: number;
  readonly sizeBytes: number;
}

const arMagic = "!<arch>\n";
const headerBytes = 60;
const membersMax = 16;

const compressions: Readonly<Record<string, Compression>> = {
  "": "none",
  ".gz": "gzip",
  ".zst": "zstd",
  ".xz": "xz",
  ".bz2": "bzip2",
};

/** As `readGpkg`. */
export async function readDeb(
  file: string,
  scratch: string,
  limits: PackageLimits = packageLimits,
): Promise<DebianPackage> {
  const handle = await open(file, "r");
  let members: ArMember[];
  try {
    members = await arMembers(handle);
    const version = members[0];
    if (version?.name !== "debian-binary" || version.sizeBytes > 64)
      throw malformed("it does not begin with debian-binary, so it is no deb");
    const text = (await bytesAt(handle, version.offset, version.sizeBytes)).toString("latin1");
    if (!text.startsWith("2.")) throw malformed(`it is a deb of version ${shown(text.trim())}`);
  } finally {
    await handle.close();
  }
  // deb(5): readers pass over members whose names begin with an underscore.
  const [controlAr, dataAr, more] = members.slice(1).filter(({ name }) => !name.startsWith("_"));
  if (!controlAr?.name.startsWith("control.tar") || !dataAr?.name.startsWith("data.tar"))
    throw malformed("it does not hold control.tar and then data.tar");
  if (more) throw malformed(`${shown(more.name)} does not belong into a deb`);
  const inner = (member: ArMember, what: string) => {
    const compression = compressions[member.name.slice(what.length)];
    if (compression === undefined)
      throw malformed(
        `${shown(member.name)} is packed in a way that nothing here reads`,
        "pack it with zstd, xz or gzip",
      );
    const { offset, sizeBytes } = member;
    if (sizeBytes === 0) throw malformed(`${member.name} is empty`);
    const packed = createReadStream(file, {
      start: offset,
      end: offset + sizeBytes - 1,
      highWaterMark: 1 << 18,
    });
    return tarMembers(decompressed(packed, compression), tarLimits(limits, sizeBytes));
  };
  let control: Map<string, string> | undefined;
  for await (const member of inner(controlAr, "control.tar")) {
    if (member.name !== "control") continue;
    if (control) throw malformed("it has two control files");
    if (member.kind !== "file" || member.sizeBytes > valueBytesMax)
      throw malformed(`its control file is a ${member.kind} of ${member.sizeBytes} bytes`);
    const chunks: Uint8Array[] = [];
    for await (const chunk of member.body) chunks.push(chunk);
    control = readControl(Buffer.concat(chunks).toString("utf8"));
  }
  if (!control) throw malformed("it has no control file");
  const content = await inspectContent(inner(dataAr, "data.tar"), { scratch });
  return { kind: "deb", control, content };
}

const name = /^[a-z0-9][a-z0-9+.-]{1,127}$/;
const version = /^(\d{1,9}:)?\d[A-Za-z0-9.+~-]{0,255}$/;
const architecture = /^[a-z0-9][a-z0-9-]{0,63}$/;

/** The one paragraph of a control file (deb-control(5)), its mandatory fields checked. Throws `malformed`. */
export function readControl(text: string): Map<string, string> {
  const fields = new Map<string, string>();
  const names = new Set<string>();
  let last: string | undefined;
  for (const line of text.replace(/\n+$/, "").split("\n")) {
    if (line.includes("\0") || line.includes("\r")) throw malformed("its control file is no text");
    if (/^[ \t]/.test(line)) {
      if (last === undefined || line.trim() === "") throw malformed("its control file goes on from nothing");
      fields.set(last, `${fields.get(last)}\n${line}`);
      continue;
    }
    const found = /^([!-9;-~]{1,128}):[ \t]*(.*)$/.exec(line);
    if (!found || found[1]!.startsWith("#") || found[1]!.startsWith("-"))
      throw malformed(`its control file has a line that is no field: ${shown(line)}`);
    last = found[1]!;
    if (names.has(last.toLowerCase())) throw malformed(`its control file says ${shown(last)} twice`);
    names.add(last.toLowerCase());
    fields.set(last, found[2]!.trimEnd());
  }
  for (const [field, shape] of [
    ["Package", name],
    ["Version", version],
    ["Architecture", architecture],
  ] as const) {
    const value = fields.get(field);
    if (value === undefined || !shape.test(value))
      throw malformed(value === undefined ? `it has no ${field}` : `its ${field} is ${shown(value)}`);
  }
  return fields;
}

async function arMembers(handle: FileHandle): Promise<ArMember[]> {
  const { size } = await handle.stat();
  if (size < 8 || (await bytesAt(handle, 0, 8)).toString("latin1") !== arMagic)
    throw malformed("it is no ar archive, so it is no deb");
  const members: ArMember[] = [];
  for (let at = 8; at < size; ) {
    if (members.length >= membersMax) throw malformed(`it has more than ${membersMax} members`);
    if (at + headerBytes > size) throw malformed("it is cut");
    const header = (await bytesAt(handle, at, headerBytes)).toString("latin1");
    const sizeText = header.slice(48, 58).trim();
    if (header.slice(58) !== "`\n" || !/^\d{1,10}$/.test(sizeText)) throw malformed("it is damaged");
    const sizeBytes = Number(sizeText);
    const offset = at + headerBytes;
    if (offset + sizeBytes > size) throw malformed("it is cut");
    const called = header.slice(0, 16).trimEnd().replace(/\/$/, "");
    if (members.some((member) => member.name === called)) throw malformed(`${shown(called)} is in it twice`);
    members.push({ name: called, offset, sizeBytes });
    at = offset + sizeBytes + (sizeBytes % 2);
  }
  return members;
}

async function bytesAt(handle: FileHandle, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  const { bytesRead } = await handle.read(bytes, 0, length, offset);
  if (bytesRead < length) throw malformed("it is cut");
  return bytes;
}
