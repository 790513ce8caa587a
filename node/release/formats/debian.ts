/** A Debian archive: a pool under names of content, indices with by-hash copies, and one InRelease that all hangs on. */
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { kindOfPackage } from "../../../protocol/build/content.ts";
import { SwarmError } from "../../../protocol/kernel/errors.ts";
import { byText } from "../../../protocol/kernel/ids.ts";
import { type DebianEntry, debianEntry, packagesOf, poolPath, releaseText } from "./debian-index.ts";
import {
  type Format,
  type Generation,
  type Indexed,
  type IndexFile,
  type RefusedFile,
  refusalOf,
} from "./format.ts";
import type { Gpg } from "./gpg.ts";
import type { Readings } from "./readings.ts";
import { shown } from "./tar-members.ts";

export interface DebianSettings {
  /** Stands in Release for people; one line. */
  readonly origin: string;
  /** What clients name in their sources; the channel where nothing is said. */
  readonly suite?: string;
  /** Served even when no package is for them. */
  readonly architectures: readonly string[];
  /** The key of the moment. Without one no InRelease is written, and clients must be told to trust what is not signed. */
  readonly signing?: () => Promise<{ readonly gpg: Gpg; readonly key: string } | undefined>;
}

const component = "main";

export class DebianFormat implements Format {
  readonly name = "debian";
  private readonly readings: Readings;
  private readonly settings: DebianSettings;

  constructor(readings: Readings, settings: DebianSettings) {
    this.readings = readings;
    this.settings = settings;
  }

  /** Packages that are broken, or the second of a name, version and architecture with other content, are refused by name; the rest is indexed. */
  async index({ files, atMs, channel, epoch }: Generation): Promise<Indexed> {
    const refused: RefusedFile[] = [];
    const entries: DebianEntry[] = [];
    const out = new Map<string, IndexFile>();
    const taken = new Map<string, { readonly path: string; readonly at: string }>();
    for (const file of files) {
      if (kindOfPackage(file.path) !== "deb") continue;
      try {
        const reading = await this.readings.of(file);
        const at = poolPath(reading);
        const entry = debianEntry(reading, at);
        const name = `${entry.name} ${entry.version} for ${entry.architecture}`;
        const before = taken.get(name);
        if (before && before.at !== at)
          throw new SwarmError(
            "malformed",
            `it is ${name}, as is ${shown(before.path)}, with other content`,
            { remedy: "give one of them another version, or drop it" },
          );
        if (before) continue;
        taken.set(name, { path: file.path, at });
        entries.push(entry);
        out.set(at, { path: at, content: { sameAs: file } });
      } catch (error) {
        refused.push(refusalOf(file.path, error));
      }
    }
    const suite = this.settings.suite ?? channel;
    const above = `dists/${suite}`;
    const put = (path: string, content: Uint8Array) => out.set(path, { path, content });
    const own = entries.map(({ architecture }) => architecture).filter((one) => one !== "all");
    const architectures = [...new Set([...this.settings.architectures, ...own])].sort(byText);
    const named: { path: string; content: Uint8Array }[] = [];
    for (const architecture of architectures) {
      const folder = `${component}/binary-${architecture}`;
      const text = packagesOf(entries, architecture);
      const packed = gzipSync(text);
      packed[9] = 0xff;
      for (const [name, content] of [
        ["Packages", text],
        ["Packages.gz", packed],
      ] as const) {
        named.push({ path: `${folder}/${name}`, content });
        put(`${above}/${folder}/${name}`, content);
        const hash = createHash("sha256").update(content).digest("hex");
        put(`${above}/${folder}/by-hash/SHA256/${hash}`, content);
      }
    }
    const description = `epoch ${epoch} of ${channel}`;
    const { origin } = this.settings;
    const release = releaseText({ origin, suite, component, architectures, atMs, description }, named);
    put(`${above}/Release`, release);
    const signing = await this.settings.signing?.();
    if (signing) {
      put(`${above}/Release.gpg`, await signing.gpg.detached(release, signing.key, true));
      put(`${above}/InRelease`, await signing.gpg.clearsigned(release, signing.key));
    }
    return { files: [...out.values()].sort((a, b) => byText(a.path, b.path)), refused };
  }
}
