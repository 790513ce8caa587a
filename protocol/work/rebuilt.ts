/** What a check by rebuilding came to: of each action whether the same came out elsewhere. A reading of the facts of the build that checks; it changes nothing. */
import type { CheckedResult, Picking } from "../build/graph.ts";
import { type ActionName, type BuildId, byText, type Digest, type PeerId } from "../kernel/ids.ts";
import type { Output } from "../timeline/events.ts";
import type { Build } from "./build.ts";
import type { Claims } from "./claims.ts";
import { hashOf } from "./results.ts";

/** pending: it has not run again yet; unchecked: it will not, and why. */
export type RebuildVerdict = "equal" | "different" | "unchecked" | "pending";

/** An output that came out otherwise. */
export interface DifferentOutput {
  readonly path: string;
  readonly kind: "file" | "folder";
  readonly before: Digest;
  readonly after: Digest;
  /** Of a file: may be run, before and after; absent where that is equal. */
  readonly executable?: readonly [boolean, boolean];
}

export interface RebuiltAction {
  readonly action: ActionName;
  readonly verdict: RebuildVerdict;
  /** Who came to the result that stands, and who ran it again. */
  readonly by: readonly PeerId[];
  readonly again: readonly PeerId[];
  readonly outputs: readonly DifferentOutput[];
  readonly why?: string;
}

export interface Rebuilt extends Picking {
  readonly actions: readonly RebuiltAction[];
}

/**
 * Of a build that checks another and whose graph is here. `checked`: the other one's facts, where they are at hand: what the check says of it must be
 * so, for whoever asked for the check could say anything.
 */
export function rebuiltOf(
  { claims, submission }: Build,
  nameOf: (peer: PeerId) => string,
  checked: Claims | undefined,
): Rebuilt | undefined {
  const checks = claims?.graph.checks;
  if (!claims || !checks || submission?.event.checks !== checks.build) return undefined;
  const ran = claims.graph.actions.map((_, index) => rebuiltAction(claims, index, nameOf, checked));
  const left = checks.left.map(
    ({ action, why }): RebuiltAction => ({
      action,
      verdict: "unchecked",
      by: [],
      again: [],
      outputs: [],
      why,
    }),
  );
  return { ...checks, actions: [...ran, ...left] };
}

/** An action that came out otherwise in a build that checked its own. */
export interface Differing {
  readonly check: BuildId;
  readonly action: ActionName;
  readonly by: readonly string[];
  readonly again: readonly string[];
  readonly text: string;
}

/** What checks found of one action, or of all: the first check first. Names in place of members. */
export function foundBy(
  checks: readonly Build[],
  nameOf: (peer: PeerId) => string,
  checked: Claims | undefined,
  only?: ActionName,
): { readonly differing: Differing[]; readonly equal: Differing[] } {
  const found = { differing: [] as Differing[], equal: [] as Differing[] };
  for (const check of checks)
    for (const { action, verdict, ...one } of rebuiltOf(check, nameOf, checked)?.actions ?? []) {
      if ((only !== undefined && action !== only) || (verdict !== "different" && verdict !== "equal"))
        continue;
      const [by, again] = [one.by.map(nameOf), one.again.map(nameOf)];
      const same = verdict === "equal" ? "the same" : "something else";
      const text = `made by ${by.join(", ")}; run again on ${again.join(", ")} for ${check.id} it came to ${same}`;
      found[verdict === "equal" ? "equal" : "differing"].push({ check: check.id, action, by, again, text });
    }
  return found;
}

/** Of one action of the check. */
export function rebuiltAction(
  claims: Claims,
  index: number,
  nameOf: (peer: PeerId) => string,
  checked: Claims | undefined,
): RebuiltAction {
  const { name, checks } = claims.action(index);
  const { outputs = [] } = checks ?? {};
  const before = checks ? hashOf(checks) : undefined;
  const there = checked?.indexOf.get(name);
  const known =
    there === undefined ? undefined : checked!.resultsOf(there).find(({ hash }) => hash === before);
  if (checked && !known)
    return { action: name, verdict: "unchecked", by: [], again: [], outputs: [], why: misquoted };
  const makers = known ? checked!.claimsOf(there!).filter((c) => c.done?.resultHash === before) : undefined;
  const by = makers ? [...new Set(makers.map(({ holder }) => holder))].sort(byText) : (checks?.by ?? []);
  // The word of whoever made it the first time, or one from a cache, says nothing new; nor does a run on other inputs.
  const others = claims
    .claimsOf(index)
    .filter((c) => c.done && !by.includes(c.holder) && (!known || c.key === known.key));
  const again = [...new Set(others.map(({ holder }) => holder))].sort(byText);
  const told = { action: name, by, again };
  const different = others.find(({ done }) => done!.resultHash !== before);
  if (different) {
    const result = claims.resultsOf(index).find(({ hash }) => hash === different.done!.resultHash);
    // Who came to the other result is named, not who confirmed the first.
    const dissenters = others.filter(({ done }) => done!.resultHash !== before).map(({ holder }) => holder);
    return {
      ...told,
      again: [...new Set(dissenters)].sort(byText),
      verdict: "different",
      outputs: unequal(outputs, result?.result.outputs ?? []),
    };
  }
  if (others.length > 0) return { ...told, verdict: "equal", outputs: [] };
  const why = whyUnchecked(claims, index, nameOf);
  return {
    ...told,
    verdict: why === undefined ? "pending" : "unchecked",
    outputs: [],
    ...(why ? { why } : {}),
  };
}

const misquoted = "what the check calls its result is none of the build that is checked";

function whyUnchecked(claims: Claims, index: number, nameOf: (peer: PeerId) => string): string | undefined {
  const state = claims.actions.get(index);
  const failed = claims.claimsOf(index).filter(({ fail }) => fail?.cause === "deterministic");
  if (state === "blocked" && failed.length > 0)
    return `it failed there: ${failed.map((c) => `${nameOf(c.holder)}: ${c.fail!.reason}`).join("; ")}`.slice(
      0,
      1024,
    );
  if (state === "done") return "nobody but whoever came to it before ran it again";
  if (claims.cancelled) return "the check was cancelled before it ran";
  if (claims.sealed) return "the check ended before it ran";
  return undefined;
}

function unequal(before: CheckedResult["outputs"], after: readonly Output[]): DifferentOutput[] {
  const others = new Map(after.map((output) => [output.path, output]));
  return before.flatMap(({ path, kind, digest, executable = false }): DifferentOutput[] => {
    const other = others.get(path);
    const may = other?.executable ?? false;
    if (!other || (other.digest === digest && may === executable)) return [];
    const modes = may === executable ? {} : { executable: [executable, may] as const };
    return [{ path, kind, before: digest, after: other.digest, ...modes }];
  });
}
