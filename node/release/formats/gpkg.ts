/**
 * Reads a Gentoo binary package (GLEP 78): a tar of `gpkg-1`, `metadata.tar.*`, `image.tar.*` and `Manifest`, with signatures beside them or
 * without. The Manifest is checked before anything is unpacked.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { Readable } from "node:stream";
import type { PackageContent } from "../../../protocol/build/content.ts";
import { byText } from "../../../protocol/kernel/ids.ts";
import { type Compression, decompressed } from "../../build/decompress.ts";
import { inspectContent } from "./inspect.ts";
import {
  metadataBytesMax,
  type PackageLimits,
  packageLimits,
  tarLimits,
  valueBytesMax,
} from "./package-limits.ts";
import { type Member, malformed, shown, tarMembers } from "./tar-members.ts";

export interface GentooPackage {
  readonly kind: "gpkg" | "xpak";
  /** The keys of its metadata, white space folded; `environment.bz2` and the ebuild are left out. */
  readonly metadata: ReadonlyMap<string, string>;
  readonly content: PackageContent;
  /** The Manifest as it stands in a package that is signed: clear text between armour. */
  readonly signed?: Uint8Array;
}

const compressions: Readonly<Record<string, Compression>> = {
  "": "none",
  ".gz": "gzip",
  ".zst": "zstd",
  ".xz": "xz",
  ".bz2": "bzip2",
};
export const manifestBytesMax = 1 << 20;
/** gpkg-1, two archives, two signatures, Manifest; one more to be told of. */
const outerMembersMax = 8;

interface Listed {
  readonly sizeBytes: number;
  readonly hashes: ReadonlyMap<string, string>;
}

interface Outer {
  /** Members by the last part of their name, with their hashes. */
  readonly found: ReadonlyMap<string, Listed>;
  readonly manifest: Buffer;
}

/** `scratch`: a folder for what is too large to hold. Throws `malformed` by what is wrong with it, `tool-missing` where it takes xz or bzip2. */
export async function readGpkg(
  file: string,
  scratch: string,
  limits: PackageLimits = packageLimits,
): Promise<GentooPackage> {
  const { size } = await stat(file);
  const { found, manifest } = await readOuter(file, size);
  const armoured = manifest.subarray(0, 5).equals(Buffer.from("-----"));
  checkManifest(found, manifestLines(manifest), armoured);
  const nameOf = (what: string) => {
    const names = [...found.keys()].filter((name) => isArchive(name, what));
    if (names.length !== 1) throw malformed(`it holds ${names.length || "no"} ${what}.tar`);
    return names[0]!;
  };
  const [metadataName, imageName] = [nameOf("metadata"), nameOf("image")];
  let read: ReadMetadata | undefined;
  let content: PackageContent | undefined;
  for await (const member of outerMembers(file, size)) {
    const name = lastPart(member.name);
    if (name !== metadataName && name !== imageName) continue;
    const what = name === metadataName ? "metadata" : "image";
    const compression = compressions[name.slice(`${what}.tar`.length)];
    if (compression === undefined)
      throw malformed(
        `${shown(name)} is packed in a way that nothing here reads`,
        "pack it with zstd, xz, gzip or bzip2",
      );
    const inner = tarMembers(
      decompressed(Readable.from(member.body), compression),
      tarLimits(limits, member.sizeBytes),
    );
    if (what === "metadata") read = await readMetadata(inner);
    else if (!read) throw malformed("its image stands before its metadata");
    else content = await inspectContent(inner, { below: "image", also: read.lines, scratch });
  }
  if (!read || !content) throw malformed("it changed while it was read", "put it there again");
  return { kind: "gpkg", metadata: read.metadata, content, ...(armoured && { signed: manifest }) };
}

/** The members of a gpkg as they stand in it, folders too. */
export const outerMembers = (file: string, sizeBytes: number): AsyncGenerator<Member> =>
  tarMembers(createReadStream(file, { highWaterMark: 1 << 18 }), {
    membersMax: outerMembersMax + 1,
    bytesMax: sizeBytes,
  });

export const lastPart = (name: string): string => name.slice(name.lastIndexOf("/") + 1);

/** Whether a name is that of the metadata or the image, packed or not; never of a signature. */
export const isInner = (name: string): boolean => isArchive(name, "metadata") || isArchive(name, "image");

const isArchive = (name: string, what: string): boolean =>
  name === `${what}.tar` || (name.startsWith(`${what}.tar.`) && !name.endsWith(".sig"));

async function readOuter(file: string, sizeBytes: number): Promise<Outer> {
  const found = new Map<string, Listed>();
  let manifest: Buffer | undefined;
  let folder: string | undefined;
  for await (const member of outerMembers(file, sizeBytes)) {
    if (member.kind === "folder" && !member.name.includes("/")) continue;
    const name = lastPart(member.name);
    const above = member.name.slice(0, -name.length);
    if (member.kind !== "file") throw malformed(`${shown(member.name)} in it is a ${member.kind}`);
    if (found.size === 0 && name !== "gpkg-1")
      throw malformed("it does not begin with gpkg-1, so it is no gpkg");
    folder ??= above;
    if (above !== folder || above.split("/").length > 2)
      throw malformed(`${shown(member.name)} does not lie beside the rest`);
    if (found.has(name)) throw malformed(`${shown(name)} is in it twice`);
    const known =
      name === "gpkg-1" ||
      name === "Manifest" ||
      ["metadata", "image"].some((what) => isArchive(name.replace(/\.sig$/, ""), what));
    if (!known) throw malformed(`${shown(name)} does not belong into a gpkg`);
    if (name === "Manifest") {
      manifest = await held(member, manifestBytesMax);
      found.set(name, { sizeBytes: manifest.length, hashes: new Map() });
    } else found.set(name, await hashed(member));
  }
  if (!manifest) throw malformed("it has no Manifest");
  return { found, manifest };
}

const hashNames = { SHA512: "sha512", BLAKE2B: "blake2b512", SHA256: "sha256" } as const;

async function hashed(member: Member): Promise<Listed> {
  const hashes = Object.entries(hashNames).map(([name, algorithm]) => [name, createHash(algorithm)] as const);
  let sizeBytes = 0;
  for await (const chunk of member.body) {
    sizeBytes += chunk.length;
    for (const [, hash] of hashes) hash.update(chunk);
  }
  return { sizeBytes, hashes: new Map(hashes.map(([name, hash]) => [name, hash.digest("hex")])) };
}

/** The bytes of a member that is small. Throws `malformed` for a larger one. */
export async function held(member: Member, maxBytes: number): Promise<Buffer> {
  if (member.sizeBytes > maxBytes) throw malformed(`${shown(member.name)} has ${member.sizeBytes} bytes`);
  const chunks: Uint8Array[] = [];
  for await (const chunk of member.body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** The lines of a Manifest, out of its armour if there is one (RFC 4880, 7). */
export function manifestLines(manifest: Uint8Array): string[] {
  const lines = Buffer.from(manifest).toString("latin1").split(/\r?\n/);
  if (lines[0] !== "-----BEGIN PGP SIGNED MESSAGE-----") return lines.filter((line) => line !== "");
  const from = lines.indexOf("");
  const to = lines.indexOf("-----BEGIN PGP SIGNATURE-----");
  if (from < 0 || to < from || lines.lastIndexOf("-----BEGIN PGP SIGNATURE-----") !== to)
    throw malformed("its Manifest begins as a signed one and does not end so");
  return lines
    .slice(from + 1, to)
    .map((line) => (line.startsWith("- ") ? line.slice(2) : line))
    .filter((line) => line !== "");
}

function checkManifest(
  found: ReadonlyMap<string, Listed>,
  lines: readonly string[],
  armoured: boolean,
): void {
  const listed = new Set<string>();
  for (const line of lines) {
    const [tag, name = "", size = "", ...rest] = line.trim().split(/\s+/);
    if (tag !== "DATA" || rest.length % 2 !== 0 || !/^\d{1,15}$/.test(size))
      throw malformed(`its Manifest has a line that says nothing: ${shown(line)}`);
    if (listed.has(name)) throw malformed(`its Manifest lists ${shown(name)} twice`);
    listed.add(name);
    const is = found.get(name);
    if (!is) throw malformed(`its Manifest lists ${shown(name)}, which is not in it`);
    if (is.sizeBytes !== Number(size))
      throw malformed(`${shown(name)} has another size than its Manifest says`);
    let strong = 0;
    for (let at = 0; at < rest.length; at += 2) {
      const hash = is.hashes.get(rest[at]!);
      if (hash === undefined) continue;
      if (hash !== rest[at + 1]!.toLowerCase())
        throw malformed(`${shown(name)} has another ${rest[at]} than its Manifest says`);
      strong++;
    }
    if (strong === 0) throw malformed(`its Manifest lists ${shown(name)} without SHA512 and BLAKE2B`);
  }
  for (const name of found.keys()) {
    const free = name === "gpkg-1" || name === "Manifest" || (!armoured && name.endsWith(".sig"));
    if (!free && !listed.has(name)) throw malformed(`its Manifest does not list ${shown(name)}`);
  }
}

interface ReadMetadata {
  readonly metadata: Map<string, string>;
  /** For the sameness of two packages: everything but when it was built. */
  readonly lines: string[];
}

async function readMetadata(members: AsyncIterable<Member>): Promise<ReadMetadata> {
  const values = new Map<string, Buffer>();
  let bytes = 0;
  for await (const member of members) {
    if (member.kind === "folder") continue;
    const name = lastPart(member.name);
    if (member.kind !== "file" || member.name !== `metadata/${name}`)
      throw malformed(`${shown(member.name)} is no piece of metadata`);
    if (values.has(name)) throw malformed(`${shown(member.name)} is in it twice`);
    bytes += member.sizeBytes;
    if (bytes > metadataBytesMax) throw malformed("its metadata are beyond all measure");
    values.set(name, await held(member, metadataBytesMax));
  }
  return metadataOf(values);
}

/** What the raw values of a package's metadata say. Throws `malformed` for a value that no text is that long. */
export function metadataOf(values: ReadonlyMap<string, Uint8Array>): ReadMetadata {
  const metadata = new Map<string, string>();
  const lines: string[] = [];
  for (const [name, value] of values) {
    if (name !== "BUILD_TIME")
      lines.push(`metadata ${name} ${createHash("sha256").update(value).digest("hex")}\n`);
    if (!/^[A-Za-z][A-Za-z0-9_]{0,63}$/.test(name)) continue;
    if (value.length > valueBytesMax)
      throw malformed(`${shown(name)} of its metadata has ${value.length} bytes`);
    metadata.set(name, Buffer.from(value).toString("utf8").split(/\s+/).filter(Boolean).join(" "));
  }
  return { metadata, lines: lines.sort(byText) };
}
