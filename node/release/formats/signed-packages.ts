/**
 * Packages signed by this node, kept so that none is signed twice. A signature is dated by the package, not by the clock: mirrors with one key make
 * the same bytes of it.
 */
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { digestFrom, hashOf } from "../../../protocol/kernel/digest.ts";
import { type FileHashes, hashesOf } from "./file-hashes.ts";
import type { ReleasedFile } from "./format.ts";
import type { PackageSigner } from "./gentoo.ts";
import type { Gpg, SigningKey } from "./gpg.ts";
import { signGpkg } from "./gpkg-signing.ts";
import type { Reading } from "./readings.ts";

export class SignedPackages {
  private readonly folder: string;

  /** `folder` is made when it is needed; it may be removed at any time. */
  constructor(folder: string) {
    this.folder = folder;
  }

  /** Signs for one index. */
  by({ gpg, key, madeS }: Pick<SigningKey, "key" | "madeS"> & { readonly gpg: Gpg }): PackageSigner {
    const used = new Set<string>();
    return {
      sign: async (file, reading) => {
        const name = `${hashOf(file.digest)}.${key}`;
        used.add(name);
        const place = path.join(this.folder, name);
        const kept = await readFile(`${place}.json`, "utf8").catch(() => undefined);
        const here = kept !== undefined && (await stat(place).catch(() => undefined));
        const hashes = here
          ? (JSON.parse(kept) as FileHashes)
          : await this.make(file, place, { gpg, key, atS: Math.max(madeS, builtS(reading)) });
        const digest = digestFrom(hashes.sha256, hashes.sizeBytes);
        return { file: { path: file.path, digest, file: place }, hashes };
      },
      end: () => this.sweep(used),
    };
  }

  private async make(
    file: ReleasedFile,
    place: string,
    by: { readonly gpg: Gpg; readonly key: string; readonly atS: number },
  ): Promise<FileHashes> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    const draft = `${place}.new`;
    await rm(draft, { force: true });
    await signGpkg(file.file, draft, { ...by, scratch: this.folder });
    const hashes = await hashesOf(draft);
    await rename(draft, place);
    await writeFile(`${place}.json`, JSON.stringify(hashes), { mode: 0o600 });
    return hashes;
  }

  /** What no epoch has any more, nor this index, goes. */
  private async sweep(used: ReadonlySet<string>): Promise<void> {
    const names: readonly string[] = await readdir(this.folder).catch(() => []);
    for (const name of names) {
      if (name.endsWith(".json") || used.has(name)) continue;
      const place = path.join(this.folder, name);
      const { nlink } = await stat(place);
      // Epochs share the file by a second name.
      if (nlink < 2) for (const gone of [place, `${place}.json`]) await rm(gone, { force: true });
    }
  }
}

const builtS = ({ fields }: Reading): number =>
  Number(fields.find(([field]) => field === "BUILD_TIME")?.[1] ?? 0) || 0;
