/**
 * Checking a build by rebuilding: which of its executed actions run again, as a build of their own whose inputs are those that were taken
 * the first time, on members that did not come to the results. Specified in specs/explain.md.
 */
import {
  dependenciesOf,
  type FileSet,
  type Graph,
  type GraphAction,
  type InputFile,
  type Picking,
} from "../build/graph.ts";
import { sha256Hex } from "../kernel/digest.ts";
import { type ActionName, type BuildId, byText, type Digest, type PeerId } from "../kernel/ids.ts";
import type { Claim } from "./claim.ts";
import type { Claims } from "./claims.ts";
import { inputsOf, type Trees } from "./inputs.ts";

/** Names of builds have at most 53 characters. */
const nameCharsMax = 53;

export interface RebuildQuestion {
  readonly build: BuildId;
  readonly claims: Claims;
  readonly inputFiles: ReadonlyMap<string, InputFile>;
  readonly trees: Trees;
  /** Above 0, at most 1. */
  readonly share: number;
  /** Nobody who made a result could know it. */
  readonly salt: string;
  /** This action alone, whatever the share. */
  readonly only?: ActionName;
  /** Bytes that can be had from nobody. */
  readonly gone: ReadonlySet<Digest>;
  /** Why no member but these may build an action; undefined when one may. */
  readonly nobody: (action: GraphAction) => string | undefined;
}

export type RebuildPlan =
  /** These folders must be read first. */
  | {
      readonly kind: "trees";
      readonly needed: readonly { readonly digest: Digest; readonly from: readonly PeerId[] }[];
    }
  /** `graph.checks` says what was left out; with no action in it there is nothing to submit. */
  | { readonly kind: "planned"; readonly graph: Graph & { readonly checks: Picking } };

/** The runs of an action that came to the result which stands; none when it came from the cache. */
export function makersOf(claims: Claims, index: number): Claim[] {
  const result = claims.resultOf(index);
  return claims.claimsOf(index).filter((c) => c.done !== undefined && c.done.resultHash === result?.hash);
}

/** Indexes of actions that were executed and have a result, in the order of the graph. */
export function executedIn(claims: Claims): number[] {
  return claims.graph.actions.flatMap((_, index) => (makersOf(claims, index).length > 0 ? [index] : []));
}

/** A share of them: those with the lowest hashes of salt and name, at least one. */
function picked(names: readonly ActionName[], share: number, salt: string): Set<ActionName> {
  const drawn = names
    .map((name) => ({ name, lot: sha256Hex(`swarmd-rebuild-1 ${salt} ${name}`) }))
    .sort((a, b) => byText(a.lot, b.lot));
  return new Set(drawn.slice(0, Math.max(1, Math.ceil(share * names.length - 1e-9))).map(({ name }) => name));
}

/** The build that checks a build. */
export function planRebuild(question: RebuildQuestion): RebuildPlan {
  const planning = planningRebuild(question);
  for (;;) {
    const { value, done } = planning.next();
    if (done) return value;
  }
}

/** The same, action by action: the tree of files of each is laid out and summed, which takes a while for thousands. */
export function* planningRebuild(question: RebuildQuestion): Generator<undefined, RebuildPlan> {
  const { claims, share, salt, only } = question;
  const executed = executedIn(claims);
  const names = executed.map((index) => claims.action(index).name);
  const chosen = only === undefined ? picked(names, share, salt) : new Set([only]);
  const indexes = executed.filter((index) => chosen.has(claims.action(index).name));
  const needed = new Map<Digest, readonly PeerId[]>();
  const draft = new Draft(question);
  for (const index of indexes) {
    for (const { digest, from } of draft.add(index)) needed.set(digest, from);
    yield;
  }
  if (needed.size > 0)
    return { kind: "trees", needed: [...needed].map(([digest, from]) => ({ digest, from })) };
  return { kind: "planned", graph: draft.graph(executed.length) };
}

/** The name of the build that checks one of this name. */
export const checkNameOf = (name: string): string => `check-${name}`.slice(0, nameCharsMax);

class Draft {
  private readonly question: RebuildQuestion;
  private readonly files = new Map<string, InputFile>();
  private readonly sets: FileSet[] = [];
  /** By the paths in them. */
  private readonly setOf = new Map<string, number>();
  private readonly actions: GraphAction[] = [];
  private readonly left: { action: ActionName; why: string }[] = [];

  constructor(question: RebuildQuestion) {
    this.question = question;
  }

  /** Takes an action in, or notes why not; folders that must be read before that can be told. */
  add(index: number): readonly { digest: Digest; from: readonly PeerId[] }[] {
    const { claims, inputFiles, trees, gone, nobody } = this.question;
    const action = claims.action(index);
    const makers = makersOf(claims, index);
    const leave = (why: string) => {
      this.left.push({ action: action.name, why: why.slice(0, 1024) });
      return [];
    };
    const by = [...new Set(makers.map(({ holder }) => holder))].sort(byText);
    const again = { ...action, checks: { by, outputs: claims.resultOf(index)!.result.outputs } };
    const why = nobody(again);
    if (why !== undefined) return leave(why);
    for (const { key, pins } of makers) {
      const inputs = inputsOf(claims, index, trees, inputFiles, pins);
      if (inputs.kind === "trees") {
        const lost = inputs.needed.find(({ digest }) => gone.has(digest));
        if (lost) return leave(`${takenFrom(claims, index)} can be had from nobody any more`);
        return inputs.needed;
      }
      // Of several results that its dependencies have, those were others.
      if (inputs.kind === "missing" || inputs.key !== key) continue;
      const lost = inputs.files.find((f) => f.link === undefined && !f.folder && gone.has(f.digest));
      if (lost) return leave(`its input ${lost.path} can be had from nobody any more`);
      const other = inputs.files.find((file) => !this.stands(file));
      if (other) return leave(`it took another ${other.path} than others that are checked: check it alone`);
      for (const file of inputs.files) this.files.set(file.path, file);
      this.actions.push({ ...again, inputs: this.setsFor(action, inputs.files) });
      return [];
    }
    return leave("what it was made from cannot be told any more");
  }

  graph(of: number): Graph & { readonly checks: Picking } {
    const { build, claims, share, salt } = this.question;
    const { name } = claims.graph;
    const files = [...this.files.values()].sort((a, b) => byText(a.path, b.path));
    const checks = { build, share, salt, of, left: this.left };
    return { version: 2, name, files, sets: this.sets, actions: this.actions, checks };
  }

  private stands(file: InputFile): boolean {
    const known = this.files.get(file.path);
    return !known || sameFile(known, file);
  }

  /** Sets of submitted files are shared as they were; all else that it takes is one set. */
  private setsFor(action: GraphAction, files: readonly InputFile[]): number[] {
    const { claims } = this.question;
    const rest = new Set(files.map(({ path }) => path));
    const sets: number[] = [];
    for (const index of action.inputs) {
      const { from, paths } = claims.graph.sets[index]!;
      if (from !== undefined || !paths) continue;
      sets.push(this.setWith(paths));
      for (const path of paths) rest.delete(path);
    }
    if (rest.size > 0) sets.push(this.setWith([...rest]));
    return sets;
  }

  private setWith(paths: readonly string[]): number {
    const key = paths.join("\0");
    const index = this.setOf.get(key) ?? this.sets.push({ paths }) - 1;
    this.setOf.set(key, index);
    return index;
  }
}

function takenFrom(claims: Claims, index: number): string {
  const [first, ...others] = dependenciesOf(claims.graph, claims.action(index));
  return others.length === 0 ? `what ${first} made` : "a folder that it takes";
}

const sameFile = (a: InputFile, b: InputFile): boolean =>
  a.digest === b.digest &&
  a.executable === b.executable &&
  a.link === b.link &&
  (a.folder ?? false) === (b.folder ?? false);
