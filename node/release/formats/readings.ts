/** What packages say, kept by digest: a package is read once however many epochs hold it. */
import { mkdirSync } from "node:fs";
import { readFile, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import { kindOfPackage, type PackageContent, type PackageKind } from "../../../protocol/build/content.ts";
import { hashOf, sizeOf } from "../../../protocol/kernel/digest.ts";
import { SwarmError } from "../../../protocol/kernel/errors.ts";
import { readDeb } from "./deb.ts";
import { type FileHashes, hashesOf } from "./file-hashes.ts";
import type { ReleasedFile } from "./format.ts";
import { readGpkg } from "./gpkg.ts";
import { readXpak } from "./xpak.ts";

/** One package, read and hashed. */
export interface Reading {
  readonly kind: PackageKind;
  /** Metadata or control fields, in their order. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly content: PackageContent;
  readonly hashes: FileHashes;
  /** The signed Manifest of a gpkg, as text. */
  readonly signed?: string;
}

/** Counts up when what is kept changes its meaning. */
const version = 1;

export class Readings {
  private readonly folder: string;

  /** `folder` is made; it may be removed at any time. */
  constructor(folder: string) {
    this.folder = folder;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  /** Throws `malformed` for what is no sound package, `blob-corrupt` when the file is not what its digest says. */
  async of({ path: name, digest, file }: ReleasedFile): Promise<Reading> {
    const kind = kindOfPackage(name);
    if (kind === undefined) throw new SwarmError("malformed", `${name} is no package of a known kind`);
    const place = path.join(this.folder, `${hashOf(digest)}.${kind}.${version}.json`);
    const kept = await readFile(place, "utf8").catch(() => undefined);
    if (kept !== undefined) return JSON.parse(kept) as Reading;
    const hashes = await hashesOf(file);
    if (hashes.sha256 !== hashOf(digest) || hashes.sizeBytes !== sizeOf(digest))
      throw new SwarmError("blob-corrupt", `${name} is not what its digest says`);
    const reading = { ...(await this.read(kind, file)), hashes };
    const draft = `${place}.${process.pid}`;
    await writeFile(draft, JSON.stringify(reading), { mode: 0o600 });
    await rename(draft, place);
    return reading;
  }

  private async read(kind: Reading["kind"], file: string): Promise<Omit<Reading, "hashes">> {
    if (kind === "deb") {
      const { control, content } = await readDeb(file, this.folder);
      return { kind, fields: [...control], content };
    }
    const { metadata, content, signed } = await (kind === "gpkg" ? readGpkg : readXpak)(file, this.folder);
    return {
      kind,
      fields: [...metadata],
      content,
      ...(signed && { signed: Buffer.from(signed).toString() }),
    };
  }
}
