/** Holds one content against another: where they differ, down to members of archives, sections of programs and lines of text. */
import { createHash } from "node:crypto";
import type { Part, Parts } from "./part.ts";
import { partsOf } from "./parts.ts";
import { textDifference } from "./text.ts";

/** An archive in an archive in an archive. */
const depthMax = 6;
/** Differing parts that are told of one file, and opened. */
const toldMax = 50;

/** One side of a difference. */
export interface Side {
  readonly bytes: number;
  /** Hexadecimal. */
  readonly sha256: string;
}

export interface Difference {
  /** Of the part; "" for the whole. */
  readonly name: string;
  /** Absent: it is only in the other. */
  readonly before?: Side;
  readonly after?: Side;
  /** The first byte that differs, where both have content that does. */
  readonly offset?: number;
  /** What else is said of it, and differs: name → before, after. */
  readonly facts?: Readonly<Record<string, readonly [string, string]>>;
  /** What it is made of. */
  readonly kind?: Parts["kind"];
  /** Of these parts the content, or what is said of them, differs; at most 50 of `inside.length + more`. */
  readonly inside?: readonly Difference[];
  readonly more?: number;
  /** The same parts in another order. */
  readonly reordered?: true;
  /** Lines of a unified diff. */
  readonly text?: readonly string[];
}

/** Undefined where both are equal. */
export function compare(before: Uint8Array, after: Uint8Array): Promise<Difference | undefined> {
  return compareParts({ name: "", bytes: before, facts: {} }, { name: "", bytes: after, facts: {} }, 0);
}

/** What is in one, and what is in the other, part by part: those that differ. */
async function compareLists(
  before: readonly Part[],
  after: readonly Part[],
  depth: number,
): Promise<Pick<Difference, "inside" | "more" | "reordered">> {
  const old = new Map(before.map((part) => [part.name, part]));
  const fresh = new Map(after.map((part) => [part.name, part]));
  const inside: Difference[] = [];
  let more = 0;
  for (const name of new Set([...old.keys(), ...fresh.keys()])) {
    const [one, other] = [old.get(name), fresh.get(name)];
    if (one && other && same(one.bytes, other.bytes) && !factsOf(one, other)) continue;
    if (inside.length >= toldMax) more++;
    else if (one && other) inside.push((await compareParts(one, other, depth + 1))!);
    else inside.push({ name, ...(one ? { before: sideOf(one.bytes) } : { after: sideOf(other!.bytes) }) });
  }
  const order = [...old.keys()].filter((name) => fresh.has(name));
  const reordered = [...fresh.keys()].filter((name) => old.has(name)).some((name, at) => name !== order[at]);
  return {
    ...(inside.length > 0 ? { inside } : {}),
    ...(more > 0 ? { more } : {}),
    ...(reordered ? { reordered } : {}),
  };
}

async function compareParts(before: Part, after: Part, depth: number): Promise<Difference | undefined> {
  const facts = factsOf(before, after);
  const equal = same(before.bytes, after.bytes);
  if (equal && !facts) return undefined;
  const known: Difference = {
    name: before.name,
    before: sideOf(before.bytes),
    after: sideOf(after.bytes),
    ...(facts ? { facts } : {}),
  };
  if (equal) return known;
  const offset = firstDifference(before.bytes, after.bytes);
  const [old, fresh] =
    depth < depthMax ? await Promise.all([partsOf(before.bytes), partsOf(after.bytes)]) : [];
  if (old && fresh && old.kind === fresh.kind)
    return { ...known, offset, kind: old.kind, ...(await compareLists(old.parts, fresh.parts, depth)) };
  const text = textDifference(before.bytes, after.bytes);
  return { ...known, offset, ...(text ? { text } : {}) };
}

function factsOf(before: Part, after: Part): Difference["facts"] {
  const differing = [...new Set([...Object.keys(before.facts), ...Object.keys(after.facts)])].flatMap(
    (name) => {
      const [one = "", other = ""] = [before.facts[name], after.facts[name]];
      return one === other ? [] : [[name, [one, other]] as const];
    },
  );
  return differing.length > 0 ? Object.fromEntries(differing) : undefined;
}

const sideOf = (bytes: Uint8Array): Side => ({
  bytes: bytes.length,
  sha256: createHash("sha256").update(bytes).digest("hex"),
});

const same = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && Buffer.compare(a, b) === 0;

function firstDifference(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) if (a[at] !== b[at]) return at;
  return length;
}
