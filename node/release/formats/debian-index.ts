/** The texts of a Debian archive (deb-repository format): Packages for each architecture, and the Release that names them by sum. */
import { createHash } from "node:crypto";
import { byText } from "../../../protocol/kernel/ids.ts";
import type { Reading } from "./readings.ts";
import { malformed } from "./tar-members.ts";

export interface DebianEntry {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  readonly paragraph: string;
}

/** Fields that only the archive says. */
const ours = new Set(["filename", "size", "md5sum", "sha1", "sha256", "sha512"]);

/** Where a package lies: under its content, so that no other file ever takes its place. */
export function poolPath({ fields, hashes }: Pick<Reading, "fields" | "hashes">): string {
  const field = new Map(fields);
  const version = (field.get("Version") ?? "").replace(/^\d+:/, "");
  const name = `${field.get("Package")}_${version}_${field.get("Architecture")}.deb`;
  return `pool/${hashes.sha256.slice(0, 2)}/${hashes.sha256}/${name}`;
}

/** The paragraph of a package. Throws `malformed` where the package says of itself what only the archive may say. */
export function debianEntry(reading: Pick<Reading, "fields" | "hashes">, path: string): DebianEntry {
  const field = new Map(reading.fields);
  for (const [name] of reading.fields)
    if (ours.has(name.toLowerCase()))
      throw malformed(`its control file says ${name}, which only the archive may`);
  const { md5, sha1, sha256, sizeBytes } = reading.hashes;
  const said = reading.fields.map(([name, value]) => `${name}: ${value}\n`).join("");
  const added = `Filename: ${path}\nSize: ${sizeBytes}\nMD5sum: ${md5}\nSHA1: ${sha1}\nSHA256: ${sha256}\n`;
  return {
    name: field.get("Package")!,
    version: field.get("Version")!,
    architecture: field.get("Architecture")!,
    paragraph: said + added,
  };
}

/** Packages of one architecture: its own and those for all. */
export function packagesOf(entries: readonly DebianEntry[], architecture: string): Buffer {
  const chosen = entries
    .filter((entry) => entry.architecture === architecture || entry.architecture === "all")
    .sort(
      (a, b) => byText(a.name, b.name) || byText(a.version, b.version) || byText(a.paragraph, b.paragraph),
    );
  return Buffer.concat(chosen.map(({ paragraph }) => Buffer.from(`${paragraph}\n`)));
}

export interface ReleaseHeader {
  readonly origin: string;
  readonly suite: string;
  readonly component: string;
  readonly architectures: readonly string[];
  readonly atMs: number;
  readonly description: string;
}

/** The Release over these index files; paths as below `dists/SUITE/`. */
export function releaseText(
  header: ReleaseHeader,
  files: readonly { readonly path: string; readonly content: Uint8Array }[],
): Buffer {
  const sums = (algorithm: string) =>
    [...files]
      .sort((a, b) => byText(a.path, b.path))
      .map(
        ({ path, content }) =>
          ` ${createHash(algorithm).update(content).digest("hex")} ${content.length} ${path}\n`,
      )
      .join("");
  return Buffer.from(
    [
      `Origin: ${header.origin}\n`,
      `Label: ${header.origin}\n`,
      `Suite: ${header.suite}\n`,
      `Codename: ${header.suite}\n`,
      `Date: ${new Date(header.atMs).toUTCString().replace("GMT", "UTC")}\n`,
      "Acquire-By-Hash: yes\n",
      `Architectures: ${header.architectures.join(" ")}\n`,
      `Components: ${header.component}\n`,
      `Description: ${header.description}\n`,
      `MD5Sum:\n${sums("md5")}`,
      `SHA256:\n${sums("sha256")}`,
    ].join(""),
  );
}
