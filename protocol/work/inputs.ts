/** What an action reads: its input files by content, as the results its dependencies have, and the key that follows from them. */
import type { GraphAction, InputFile } from "../build/graph.ts";
import { through } from "../build/links.ts";
import { actionKey, buildTree, platformOf } from "../build/reapi.ts";
import { emptyDigest } from "../kernel/digest.ts";
import { type ActionName, byText, type Digest, type EntryId, type PeerId } from "../kernel/ids.ts";
import type { Claims } from "./claims.ts";
import { sumOf } from "./grounds.ts";
import type { Result } from "./results.ts";

/** Files below a Directory, by its digest, as far as they were read. */
export type Trees = ReadonlyMap<Digest, readonly InputFile[]>;

export type Inputs =
  | {
      readonly kind: "known";
      readonly files: readonly InputFile[];
      readonly root: Digest;
      readonly key: Digest;
      /** Where each file's bytes come from: a dependency's index, or -1 for a submitted input. */
      readonly origins: ReadonlyMap<Digest, number>;
    }
  /** These folders must be read first. */
  | {
      readonly kind: "trees";
      readonly needed: readonly { readonly digest: Digest; readonly from: readonly PeerId[] }[];
    }
  /** A dependency has no such result, or lacks a file that its spec promised. */
  | { readonly kind: "missing"; readonly reason: string };

/** `pins`: which result of a dependency was consumed, where a claim says so. */
export function inputsOf(
  claims: Claims,
  index: number,
  trees: Trees,
  inputFiles: ReadonlyMap<string, InputFile>,
  pins: readonly (readonly [ActionName, EntryId])[] = [],
): Inputs {
  const action = claims.action(index);
  const pinned = new Map(pins);
  const files = new Map<string, InputFile>();
  const origins = new Map<Digest, number>();
  const needed: { digest: Digest; from: PeerId[] }[] = [];
  const add = (file: InputFile, origin: number) => {
    files.set(file.path, file);
    if (file.link === undefined && !file.folder && !origins.has(file.digest))
      origins.set(file.digest, origin);
  };
  for (const setIndex of action.inputs) {
    const set = claims.graph.sets[setIndex]!;
    if (set.from === undefined) {
      for (const path of set.paths ?? []) add(inputFiles.get(path)!, -1);
      continue;
    }
    const dependency = claims.indexOf.get(set.from)!;
    const result = pick(claims, dependency, pinned.get(set.from));
    const output = result?.result.outputs.find((o) => o.path === set.output);
    if (!result || !output)
      return { kind: "missing", reason: `${set.from} has no result to take ${set.output} from` };
    if (output.kind === "file") {
      add({ path: output.path, digest: output.digest, executable: output.executable ?? false }, dependency);
      continue;
    }
    const tree = trees.get(output.digest);
    if (!tree) {
      needed.push({ digest: output.digest, from: claims.holdersOf(dependency, result) });
      continue;
    }
    const wanted = set.paths && new Set(set.paths);
    const entries = wanted && new Map(tree.map((file) => [file.path, file]));
    let found = 0;
    for (const file of tree) {
      const path = `${output.path}/${file.path}`;
      if (wanted && !wanted.has(path)) continue;
      // Taken alone a link would lead nowhere: what it leads to stands in its place.
      const taken = entries ? through(entries, file.path) : file;
      if (!taken || (entries && taken.folder)) continue;
      found++;
      add({ ...taken, path }, dependency);
    }
    if (!wanted && tree.length === 0)
      add({ path: output.path, digest: emptyDigest, executable: false, folder: true }, dependency);
    if (wanted && found < wanted.size)
      return {
        kind: "missing",
        reason: `${set.from} made ${set.output} without a file that ${action.name} takes`,
      };
  }
  if (needed.length > 0) return { kind: "trees", needed };
  const list = [...files.values()].sort((a, b) => byText(a.path, b.path));
  const { root } = buildTree(list);
  return { kind: "known", files: list, root, key: keyOf(action, root), origins };
}

const keyOf = (action: GraphAction, root: Digest): Digest =>
  actionKey(
    { ...action, platform: platformOf(action.toolchains, action.requires?.target, action.secrets) },
    root,
  ).key;

function pick(claims: Claims, dependency: number, pin: EntryId | undefined): Result | undefined {
  if (pin === undefined) return claims.resultOf(dependency);
  return claims.resultsOf(dependency).find((r) => r.hash === pin);
}

/** What a claim, or a result from the cache, says of the results it takes. */
export interface Grounds {
  /** Dependencies that have more than one result. With one, the sum says it all. */
  readonly pins?: [ActionName, EntryId][];
  readonly took?: string;
}

/** The grounds that a claim of an action must carry: as its inputs are found at this moment. */
export function groundsOf(claims: Claims, index: number): Grounds {
  const pins: [ActionName, EntryId][] = [];
  const taken: EntryId[] = [];
  for (const dependency of claims.dependencies[index]!) {
    const result = claims.resultOf(dependency);
    if (!result) return {};
    taken.push(result.hash);
    if (claims.resultsOf(dependency).length > 1) pins.push([claims.action(dependency).name, result.hash]);
  }
  if (taken.length === 0) return {};
  return { took: sumOf(taken), ...(pins.length > 0 ? { pins } : {}) };
}
