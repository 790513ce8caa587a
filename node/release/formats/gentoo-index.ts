/**
 * The text of Gentoo's binary package index, `Packages` of version 0, and its packed twin. What clients need of it was tried with the real
 * ones: see specs/binhost.md.
 */
import { gzipSync } from "node:zlib";
import { byText } from "../../../protocol/kernel/ids.ts";
import type { Reading } from "./readings.ts";
import { malformed, shown } from "./tar-members.ts";
import { settled } from "./use-conditions.ts";

/** One package of an index: its fields by the index's own names. */
export interface GentooEntry {
  readonly cpv: string;
  readonly buildId: string;
  readonly path: string;
  readonly fields: ReadonlyMap<string, string>;
}

const dependencies = ["BDEPEND", "DEPEND", "IDEPEND", "PDEPEND", "RDEPEND"];
const settledToo = [...dependencies, "LICENSE", "PROPERTIES", "RESTRICT"];
const plain = [
  "BUILD_ID",
  "BUILD_TIME",
  "CBUILD",
  "CHOST",
  "DEFINED_PHASES",
  "EAPI",
  "IUSE",
  "KEYWORDS",
  "PROVIDES",
  "REPO_REVISIONS",
  "REQUIRED_USE",
  "REQUIRES",
  "USE",
];
/** Names in the index of what packages call otherwise; these stand last. */
const translated: Readonly<Record<string, string>> = { DESCRIPTION: "DESC", repository: "REPO" };
const last = ["DESC", "MTIME", "REPO"];
/** A field that all packages share is said once, in the header. */
const inherited = ["CHOST", "REPO"];

const category = /^[A-Za-z0-9_][A-Za-z0-9+_.-]{0,127}$/;
const nameAndVersion = /^[A-Za-z0-9_][A-Za-z0-9+_-]*?-\d+(\.\d+)*[a-z]?(_(alpha|beta|pre|rc|p)\d*)*(-r\d+)?$/;
const slot = /^[A-Za-z0-9_][A-Za-z0-9+_.-]*(\/[A-Za-z0-9_][A-Za-z0-9+_.-]*)?$/;
const eapi = /^[A-Za-z0-9_][A-Za-z0-9+_.-]{0,31}$/;

/** The entry of a package that lies at `path`. Throws `malformed` by what it lacks. */
export function gentooEntry(
  { fields, hashes }: Pick<Reading, "fields" | "hashes">,
  path: string,
): GentooEntry {
  const metadata = new Map(fields);
  const need = (key: string, shape: RegExp, otherwise?: string): string => {
    const value = metadata.get(key) || otherwise;
    if (value === undefined) throw malformed(`its metadata lack ${key}`);
    if (!shape.test(value)) throw malformed(`its ${key} is ${shown(value)}`);
    return value;
  };
  const cpv = `${need("CATEGORY", category)}/${need("PF", nameAndVersion)}`;
  const buildId = need("BUILD_ID", /^[1-9]\d{0,8}$/, "1");
  const builtS = need("BUILD_TIME", /^\d{1,12}$/, "1");
  const slotText = need("SLOT", slot);
  const use = new Set((metadata.get("USE") ?? "").split(" "));
  const entry = new Map<string, string>();
  for (const key of plain) entry.set(key, metadata.get(key) ?? "");
  for (const key of settledToo) entry.set(key, settled(metadata.get(key) ?? "", use));
  for (const [key, name] of Object.entries(translated)) entry.set(name, metadata.get(key) ?? "");
  entry.set("BUILD_ID", buildId);
  entry.set("EAPI", need("EAPI", eapi, "0"));
  // Without it a client masks the package.
  if (entry.get("KEYWORDS") === "") throw malformed("its metadata lack KEYWORDS", "give the ebuild KEYWORDS");
  entry.set("SLOT", slotText);
  entry.set("CPV", cpv);
  entry.set("PATH", path);
  entry.set("SIZE", String(hashes.sizeBytes));
  entry.set("MD5", hashes.md5);
  entry.set("SHA1", hashes.sha1);
  entry.set("MTIME", builtS);
  for (const [key, value] of entry) {
    if (value === "") entry.delete(key);
    else if (/[\0\r\n]/.test(value)) throw malformed(`its ${key} has more than one line`);
  }
  return { cpv, buildId, path, fields: entry };
}

/**
 * The index of these, in the order of names and build ids. `header`: further fields of the first block (ARCH, PROFILE …). `timestampS`: the date
 * of the epoch in seconds, which HTTP must give as Last-Modified.
 */
export function gentooIndex(
  entries: readonly GentooEntry[],
  timestampS: number,
  header: ReadonlyMap<string, string> = new Map(),
): Uint8Array {
  const sorted = [...entries].sort(
    (a, b) => byText(a.cpv, b.cpv) || Number(a.buildId) - Number(b.buildId) || byText(a.path, b.path),
  );
  const head = new Map(header);
  for (const key of inherited) {
    const values = new Set(sorted.map(({ fields }) => fields.get(key)));
    const [value] = values;
    if (values.size === 1 && value !== undefined) head.set(key, value);
  }
  head.set("PACKAGES", String(sorted.length));
  head.set("TIMESTAMP", String(timestampS));
  head.set("VERSION", "0");
  const renamed = head.get("REPO");
  if (renamed !== undefined) head.set("repository", renamed);
  head.delete("REPO");
  const inheritedBy = (key: string) => (key === "REPO" ? head.get("repository") : head.get(key));
  const blocks = [block(head, [...head.keys()].sort(byText))];
  for (const { fields } of sorted) {
    const keys = [...fields.keys()].filter(
      (key) => !inherited.includes(key) || inheritedBy(key) !== fields.get(key),
    );
    blocks.push(
      block(fields, [
        ...keys.filter((key) => !last.includes(key)).sort(byText),
        ...last.filter((key) => keys.includes(key)),
      ]),
    );
  }
  return Buffer.concat(blocks);
}

const block = (fields: ReadonlyMap<string, string>, keys: readonly string[]): Buffer =>
  Buffer.from(`${keys.map((key) => `${key}: ${fields.get(key)}\n`).join("")}\n`);

/** The same bytes packed, the same on every machine: dated with the index. */
export function packedIndex(index: Uint8Array, timestampS: number): Uint8Array {
  const packed = gzipSync(index);
  packed.writeUInt32LE(timestampS >>> 0, 4);
  packed[9] = 0xff;
  return packed;
}
