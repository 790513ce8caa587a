/** What an epoch holds, and what a build stages: lists of artifacts, each one canonical blob that all members read alike. Formats in specs/release.md. */
import { z } from "zod";
import { leadsTo } from "../build/links.ts";
import { isPath } from "../build/path.ts";
import { headerSchema, type IndexHeader, reservedBecause } from "../build/released.ts";
import { decode, encode } from "../kernel/codec.ts";
import { isDigest, sha256Hex } from "../kernel/digest.ts";
import { SwarmError } from "../kernel/errors.ts";
import {
  type ActionName,
  type BuildId,
  byText,
  type Digest,
  type EntryId,
  isBuildId,
  isHash,
  isPeerId,
  type PeerId,
  type SwarmId,
} from "../kernel/ids.ts";
import { channelPattern } from "../timeline/events.ts";

const listBytesMax = 64 << 20;
export const itemsMax = 200_000;
/** Builds that were ever released in a channel: the latest count, older ones are not staged again anyway. */
const buildsMax = 100_000;
const valuesMax = 8_000_000;

const path = z.string().max(1024).refine(isPath);
const digest = z.custom<Digest>((v) => typeof v === "string" && isDigest(v));
const build = z.custom<BuildId>((v) => typeof v === "string" && isBuildId(v));

/** A file of a release at its place in the channel, and where it comes from. */
const itemSchema = z.strictObject({
  path,
  /** Of a link: that of nothing. */
  digest,
  executable: z.literal(true).optional(),
  /** The text of a link, which leads to something in the same release. */
  link: z.string().max(1024).optional(),
  build,
  action: z.string().min(1).max(512) as unknown as z.ZodType<ActionName>,
  /** Members whose results were equal when it was staged. */
  nodes: z
    .array(z.custom<PeerId>((v) => typeof v === "string" && isPeerId(v)))
    .max(16)
    .optional(),
  /** Members that made something else of the same inputs. */
  dissenters: z
    .array(z.custom<PeerId>((v) => typeof v === "string" && isPeerId(v)))
    .min(1)
    .max(16)
    .optional(),
});
export type ReleaseItem = z.infer<typeof itemSchema>;

const channel = z.string().regex(channelPattern);
const format = z.string().min(1).max(32);

const stagedSchema = z.strictObject({
  v: z.literal(1),
  channel,
  build,
  format,
  header: headerSchema.optional(),
  items: z.array(itemSchema).max(itemsMax),
});
/** What one build releases. */
export type StagedSet = z.infer<typeof stagedSchema>;

const manifestSchema = z.strictObject({
  v: z.literal(1),
  swarm: z.custom<SwarmId>((v) => typeof v === "string" && isHash(v)),
  channel,
  epoch: z.int().positive(),
  /** The name of the proposal that made the epoch before; null for the first. */
  parent: z.custom<EntryId>((v) => typeof v === "string" && isHash(v)).nullable(),
  /** By the coordinator's clock, and at least six seconds after the epoch before. */
  atMs: z.int().nonnegative(),
  format,
  /** Fields at the head of the format's index. */
  header: headerSchema.optional(),
  /** By path. */
  items: z.array(itemSchema).max(itemsMax),
  /** All builds whose artifacts this epoch or one before it took in. */
  builds: z.array(build).max(buildsMax),
  /** It holds what this epoch held. */
  rollback: z.int().positive().optional(),
  /** What was held against it when it was proposed, in parts (specs/verify.md); absent for nothing. */
  risk: z
    .strictObject({
      score: z.int().min(0).max(100),
      parts: z
        .array(
          z.strictObject({
            kind: z.string().min(1).max(32),
            points: z.int().min(0).max(100),
            count: z.int().positive(),
          }),
        )
        .min(1)
        .max(64),
    })
    .optional(),
  /** So many members must have built alike what the next epoch brings; absent for one. */
  builders: z.int().min(2).max(16).optional(),
  /** Why it was made; where its risk refuses it, why it is right all the same. */
  reason: z.string().max(256).optional(),
});
export type Manifest = z.infer<typeof manifestSchema>;

/** A client asks for what is newer than it has by five seconds. */
export const epochStepMs = 6000;

export const encodeSet = (set: StagedSet): Uint8Array => encode(set);
export const encodeManifest = (manifest: Manifest): Uint8Array => encode(manifest);

/** Throws `malformed` for bytes that are no list of what a build stages, `too-large`. */
export function decodeSet(bytes: Uint8Array): StagedSet {
  const parsed = stagedSchema.safeParse(decode(bytes, listBytesMax, valuesMax));
  if (!parsed.success) throw new SwarmError("malformed", "not a list of what a build stages");
  checkItems(parsed.data.items);
  return parsed.data;
}

/** Throws `malformed` for bytes that are no manifest, or one that contradicts itself; `too-large`. */
export function decodeManifest(bytes: Uint8Array): Manifest {
  const parsed = manifestSchema.safeParse(decode(bytes, listBytesMax, valuesMax));
  if (!parsed.success) throw new SwarmError("malformed", "not the manifest of a release");
  checkItems(parsed.data.items);
  return parsed.data;
}

/** Paths stand in order, each once, none below a file nor where an index stands; links lead to something inside. */
function checkItems(items: readonly ReleaseItem[]): void {
  for (const { path } of items) {
    const why = reservedBecause(path);
    if (why !== undefined) throw new SwarmError("malformed", `${path} cannot be released: ${why}`);
  }
  const places = new Set(items.map((item) => item.path));
  for (const [at, item] of items.entries()) {
    const before = items[at - 1];
    if (before && byText(before.path, item.path) >= 0)
      throw new SwarmError("malformed", `${item.path} does not stand in order`);
    for (let cut = item.path.lastIndexOf("/"); cut > 0; cut = item.path.lastIndexOf("/", cut - 1))
      if (places.has(item.path.slice(0, cut)))
        throw new SwarmError("malformed", `${item.path} lies below a file`);
    if (item.link !== undefined && leadsTo(item.path, item.link) === undefined)
      throw new SwarmError("malformed", `the link ${item.path} leads out of the release`);
  }
}

/** The name of the spec that a build was submitted under. */
const nameOfBuild = (id: BuildId): string => id.slice(0, -11);

/**
 * What a channel holds once these sets, the oldest first, were added: the set of a build takes the place of all that an earlier build of its
 * name released, and a path belongs to who released it last.
 */
export function merged(base: readonly ReleaseItem[], sets: readonly StagedSet[]): ReleaseItem[] {
  let items = new Map(base.map((item) => [item.path, item]));
  for (const set of sets) {
    const name = nameOfBuild(set.build);
    items = new Map([...items].filter(([, item]) => nameOfBuild(item.build) !== name));
    for (const item of set.items) items.set(item.path, item);
  }
  return [...items.values()].sort((a, b) => byText(a.path, b.path));
}

/** What the head of a channel's index says: each field as the last build that says it. */
export const mergedHeader = (
  base: IndexHeader | undefined,
  sets: readonly StagedSet[],
): IndexHeader | undefined => {
  const fields = [base, ...sets.map((set) => set.header)].flatMap((one) => Object.entries(one ?? {}));
  return fields.length > 0 ? Object.fromEntries(fields) : undefined;
};

/** Also in where they come from, and who made them. */
export const isSameItem = (a: ReleaseItem, b: ReleaseItem): boolean =>
  sha256Hex(encode(a)) === sha256Hex(encode(b));

/** The blobs that a mirror must have before it serves these, each once. */
export const blobsOf = (items: readonly ReleaseItem[]): Digest[] => [
  ...new Set(items.filter((item) => item.link === undefined).map((item) => item.digest)),
];

export interface Difference {
  readonly added: readonly ReleaseItem[];
  readonly removed: readonly ReleaseItem[];
  readonly changed: readonly { readonly from: ReleaseItem; readonly to: ReleaseItem }[];
}

/** What changes from one list to another; who built it does not count. */
export function differenceOf(from: readonly ReleaseItem[], to: readonly ReleaseItem[]): Difference {
  const old = new Map(from.map((item) => [item.path, item]));
  const kept = new Set(to.map((item) => item.path));
  const same = (a: ReleaseItem, b: ReleaseItem) =>
    a.digest === b.digest && a.executable === b.executable && a.link === b.link;
  return {
    added: to.filter((item) => !old.has(item.path)),
    removed: from.filter((item) => !kept.has(item.path)),
    changed: to.flatMap((item) => {
      const before = old.get(item.path);
      return before && !same(before, item) ? [{ from: before, to: item }] : [];
    }),
  };
}
