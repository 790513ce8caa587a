/** Results of actions: when two are one, who vouched for them, and what a member says of one. */
import { encode } from "../kernel/codec.ts";
import { sha256Hex } from "../kernel/digest.ts";
import { byText, type Digest, type EntryId, type PeerId } from "../kernel/ids.ts";
import type { ActionResult } from "../timeline/events.ts";
import type { Claim } from "./claim.ts";

/** One result of an action and who vouched for it. It never changes: another takes its place. */
export interface Result {
  readonly hash: EntryId;
  readonly result: ActionResult;
  readonly key: Digest;
  /** Source (claim id, or entry key of a `cached`) → the member that held the bytes then. */
  readonly sources: ReadonlyMap<string, PeerId>;
}

/** A result that somebody spoke of, and what it was made from. */
export interface Spoken {
  readonly key: Digest;
  readonly result: ActionResult;
  readonly source: string;
  readonly holder: PeerId;
  readonly grounds: Pick<Claim, "pins" | "took">;
  /** Absent for what came from the cache. */
  readonly claim?: Claim;
}

/** What alone decides whether two results are one. */
type Outputs = {
  readonly outputs: readonly {
    readonly path: string;
    readonly digest: Digest;
    readonly kind: "file" | "folder";
    readonly executable?: boolean | undefined;
  }[];
};

const hashes = new WeakMap<Outputs, EntryId>();

/** Two results are equal when their outputs are. A result never changes: its hash is found once. */
export function hashOf(result: Outputs): EntryId {
  let hash = hashes.get(result);
  if (hash === undefined) {
    hash = hashOfOutputs(result);
    hashes.set(result, hash);
  }
  return hash;
}

/** By what an action made, as it was first said: in a world of many hosts all fold the same words. */
const firstOf = new WeakMap<ActionResult, Result>();

/** A result for which one member vouches. */
export function resultBy(result: ActionResult, key: Digest, source: string, holder: PeerId): Result {
  const known = firstOf.get(result);
  if (known?.key === key && known.sources.get(source) === holder) return known;
  const made = { hash: hashOf(result), result, key, sources: new Map([[source, holder]]) };
  if (!known) firstOf.set(result, made);
  return made;
}

/** Lists of one, by what is in them: most actions have one result, and all who know of it have the same. */
const alone = new WeakMap<Result, readonly Result[]>();

/** The results of an action with one more, which is not among them. */
export function withResult(before: readonly Result[], result: Result): readonly Result[] {
  if (before.length > 0) return before.concat(result);
  let list = alone.get(result);
  if (!list) {
    list = [result];
    alone.set(result, list);
  }
  return list;
}

const hashOfOutputs = (result: Outputs): EntryId =>
  sha256Hex(
    encode(
      [...result.outputs]
        .sort((a, b) => byText(a.path, b.path))
        .map((o) => [o.path, o.digest, o.kind, o.executable ?? false]),
    ),
  ) as EntryId;

/** How many members say that they came to a result, or found it in their cache. Whom a `cached` names as holder has said nothing. */
export function votesFor({ sources }: Result): number {
  const members = new Set<string>();
  for (const [source, holder] of sources)
    members.add(source.includes("#") ? source.slice(0, source.indexOf(".")) : holder);
  return members.size;
}
