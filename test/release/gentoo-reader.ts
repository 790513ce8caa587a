/** A client of a Gentoo binhost that is stricter than the real one: every rule that emerge keeps, silently passes over, or crashes on is an error here. */
import { createHash } from "node:crypto";
import { gunzipSync } from "node:zlib";

export interface Fetched {
  readonly body: Buffer;
  readonly lastModifiedMs: number | undefined;
}
export type Fetch = (path: string) => Promise<Fetched | undefined>;

export interface GentooView {
  readonly timestampS: number;
  readonly header: ReadonlyMap<string, string>;
  readonly packages: readonly ReadonlyMap<string, string>[];
}

const required = ["CPV", "PATH", "SLOT", "EAPI", "KEYWORDS", "MTIME", "SIZE", "MD5", "SHA1", "BUILD_ID"];

/** Reads the index and every package of it. `cached`: the date of the index that this client has. Throws by what is wrong. */
export async function readBinhost(fetch: Fetch, cached?: number): Promise<GentooView> {
  const packed = await fetch("Packages.gz");
  const plain = await fetch("Packages");
  if (!packed || !plain) throw new Error("Packages or Packages.gz is not there");
  const text = gunzipSync(packed.body);
  if (!text.equals(plain.body)) throw new Error("Packages and Packages.gz are of two generations");
  const blocks = text.toString("utf8").split("\n\n");
  if (blocks.pop() !== "") throw new Error("the index does not end with an empty line: it may be cut");
  const [header, ...packages] = blocks.map(fieldsOf);
  if (!header) throw new Error("the index has no header");
  if (header.get("VERSION") !== "0") throw new Error("index version is not supported");
  const timestampS = Number(header.get("TIMESTAMP"));
  if (!Number.isSafeInteger(timestampS) || timestampS <= 0) throw new Error("no TIMESTAMP");
  for (const { lastModifiedMs } of [packed, plain])
    if (lastModifiedMs !== timestampS * 1000) throw new Error("Last-Modified is not TIMESTAMP");
  if (packed.body.readUInt32LE(4) !== timestampS)
    throw new Error("the packed index is not dated as the index");
  if (cached !== undefined && timestampS < cached + 6)
    throw new Error("a client that has the last index does not see this one");
  if (Number(header.get("PACKAGES")) !== packages.length)
    throw new Error("PACKAGES is not how many there are");
  const seen = new Set<string>();
  for (const fields of packages) {
    const cpv = fields.get("CPV");
    for (const key of required) if (!fields.get(key)) throw new Error(`${cpv} has no ${key}`);
    const name = `${cpv} ${fields.get("BUILD_ID")}`;
    if (seen.has(name)) throw new Error(`${name} is there twice`);
    seen.add(name);
    const path = fields.get("PATH")!;
    if (!/\.(gpkg\.tar|xpak)$/.test(path)) throw new Error(`${path}: the ending tells the format`);
    if (path.startsWith("/") || path.split("/").includes("..")) throw new Error(`${path} leads out`);
    const body = (await fetch(path))?.body;
    if (!body) throw new Error(`${path} is not there`);
    if (body.length !== Number(fields.get("SIZE"))) throw new Error(`${path} has another size`);
    for (const [key, algorithm] of [
      ["MD5", "md5"],
      ["SHA1", "sha1"],
    ] as const)
      if (createHash(algorithm).update(body).digest("hex") !== fields.get(key))
        throw new Error(`${path} has another ${key}`);
    if (!path.includes(createHash("sha256").update(body).digest("hex")))
      throw new Error(`${path} is not named by its content`);
    for (const key of ["DEPEND", "RDEPEND", "BDEPEND", "PDEPEND", "IDEPEND", "LICENSE", "RESTRICT"])
      if (/\?/.test((fields.get(key) ?? "").replaceAll(/\[[^\]]*\]|\?\?/g, "")))
        throw new Error(`${cpv}: ${key} is not settled`);
  }
  return { timestampS, header, packages };
}

function fieldsOf(block: string): Map<string, string> {
  const fields = new Map<string, string>();
  let last = "";
  for (const line of block.split("\n")) {
    const found = /^([A-Za-z0-9_]+): (.+)$/.exec(line);
    if (!found) throw new Error(`a line that is no field: ${line}`);
    const key = found[1]!;
    if (fields.has(key)) throw new Error(`${key} twice`);
    const late = ["DESC", "MTIME", "REPO"].includes(key) ? 1 : 0;
    if (`${late}${key}` < last) throw new Error(`${key} does not stand in order`);
    last = `${late}${key}`;
    fields.set(key, found[2]!);
  }
  return fields;
}
