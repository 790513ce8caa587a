/** A Gentoo binhost: one index over the packages of a release, each under a name of its content. */

import { kindOfPackage } from "../../../protocol/build/content.ts";
import { hashOf } from "../../../protocol/kernel/digest.ts";
import { SwarmError } from "../../../protocol/kernel/errors.ts";
import { byText } from "../../../protocol/kernel/ids.ts";
import {
  type Format,
  type Generation,
  type Indexed,
  type IndexFile,
  type RefusedFile,
  type ReleasedFile,
  refusalOf,
} from "./format.ts";
import { type GentooEntry, gentooEntry, gentooIndex, packedIndex } from "./gentoo-index.ts";
import type { Reading, Readings } from "./readings.ts";
import { shown } from "./tar-members.ts";

export interface GentooSettings {
  /** Judges the signature of a signed Manifest; throws a `SwarmError` for one that is foreign or no longer holds. Absent: signatures are left to clients. */
  readonly judge?: (signedManifest: string) => Promise<void>;
  /** Signs packages that are not signed, with the key of the moment; undefined when there is none. */
  readonly signer?: () => Promise<PackageSigner | undefined>;
}

export interface PackageSigner {
  /** The package signed, and its own hashes. */
  sign(file: ReleasedFile, reading: Reading): Promise<{ file: ReleasedFile; hashes: Reading["hashes"] }>;
  /** Nothing else is signed for this index: what was made for others may go. */
  end(): Promise<void>;
}

/** Where a package lies: under the name of its content, with the ending that clients tell its kind by. */
const gentooPath = (hash: string, kind: Reading["kind"]): string =>
  `blobs/${hash}${kind === "gpkg" ? ".gpkg.tar" : ".xpak"}`;

export class GentooFormat implements Format {
  readonly name = "gentoo";
  private readonly readings: Readings;
  private readonly settings: GentooSettings;

  constructor(readings: Readings, settings: GentooSettings = {}) {
    this.readings = readings;
    this.settings = settings;
  }

  /** Packages that are broken, or the second of a name and build id with other content, are refused by name; the rest is indexed. */
  async index({ files, atMs, header = {} }: Generation): Promise<Indexed> {
    const refused: RefusedFile[] = [];
    const entries: GentooEntry[] = [];
    const blobs = new Map<string, IndexFile>();
    const taken = new Map<string, { readonly path: string; readonly sha256: string }>();
    const signer = await this.settings.signer?.();
    for (const file of files) {
      const kind = kindOfPackage(file.path);
      if (kind !== "gpkg" && kind !== "xpak") continue;
      try {
        const reading = await this.readings.of(file);
        if (reading.signed !== undefined) await this.settings.judge?.(reading.signed);
        const { hashes } = reading;
        // What the package says of itself is looked at before it is worth a signature.
        gentooEntry(reading, file.path);
        const served =
          signer && kind === "gpkg" && reading.signed === undefined
            ? await signer.sign(file, reading)
            : { file, hashes };
        const hash = hashOf(served.file.digest);
        const entry = gentooEntry({ ...reading, hashes: served.hashes }, gentooPath(hash, kind));
        const name = `${entry.cpv} ${entry.buildId}`;
        const before = taken.get(name);
        if (before && before.sha256 !== hash)
          throw new SwarmError(
            "malformed",
            `it is ${entry.cpv} of build id ${entry.buildId}, as is ${shown(before.path)}, with other content`,
            { remedy: "give one of them another BUILD_ID, or drop it" },
          );
        if (before) continue;
        taken.set(name, { path: file.path, sha256: hash });
        entries.push(entry);
        blobs.set(entry.path, { path: entry.path, content: { sameAs: served.file } });
      } catch (error) {
        refused.push(refusalOf(file.path, error));
      }
    }
    await signer?.end();
    const timestampS = Math.floor(atMs / 1000);
    const index = gentooIndex(entries, timestampS, new Map(Object.entries(header)));
    return {
      files: [
        { path: "Packages", content: index },
        { path: "Packages.gz", content: packedIndex(index, timestampS) },
        ...[...blobs.values()].sort((a, b) => byText(a.path, b.path)),
      ],
      refused,
    };
  }
}
