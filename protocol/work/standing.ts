/** How far what was sealed or released is what a build's facts say here: they may be on their way still, and whoever made it may be disowned or tainted by now. */
import type { ReleaseItem } from "../release/manifest.ts";
import type { Judge } from "../swarm/members.ts";
import type { Build } from "./build.ts";
import { taintedBecause } from "./claim.ts";
import type { Claims } from "./claims.ts";
import type { Result } from "./results.ts";

/** Whether some result that counts of the item's action brings it. Of files in a folder the folder alone is looked at. */
export function stands(claims: Claims, item: ReleaseItem): boolean {
  const index = claims.indexOf.get(item.action);
  if (index === undefined) return false;
  return claims.resultsOf(index).some((result) => brings(result, item));
}

/** Whether an item is among the outputs of a result. */
export const brings = ({ result }: Result, { path, digest }: Pick<ReleaseItem, "path" | "digest">): boolean =>
  result.outputs.some((output) =>
    output.kind === "file"
      ? output.path === path && output.digest === digest
      : path.startsWith(`${output.path}/`),
  );

/** Actions that had a result, and have none any more that counts: made by whom nobody trusts now, or made of that. */
export function withdrawn(claims: Claims): number[] {
  const isComplete = claims.sealed?.event.state === "complete";
  const had = (index: number): boolean =>
    claims.resultsOf(index).length === 0 &&
    (isComplete ||
      claims
        .claimsOf(index)
        .some(({ done, abandoned }) => done !== undefined || abandoned === taintedBecause));
  return claims.graph.actions.flatMap((_, index) => (had(index) ? [index] : []));
}

/** By the fold and the number of its facts: it is asked at every step, of every item. Whenever others count the fold is another. */
const known = new WeakMap<Claims, { readonly facts: number; readonly awaited: number }>();

/**
 * How many actions a seal calls done of which nothing known here says so: the entries that do are on their way. None where somebody's word
 * counts no more: what he said is not folded, and will not be.
 */
export function awaited(build: Build, members: Judge): number {
  const { claims } = build;
  if (claims?.sealed?.event.state !== "complete" || claims.actions.counts.done === claims.actions.size)
    return 0;
  const facts = build.facts().length;
  let last = known.get(claims);
  if (last?.facts !== facts) {
    last = { facts, awaited: countAwaited(build, claims, members) };
    known.set(claims, last);
  }
  return last.awaited;
}

function countAwaited(build: Build, claims: Claims, members: Judge): number {
  if (!build.facts().every((entry) => members.counts(entry))) return 0;
  return claims.graph.actions.filter((_, index) => !wasSaidDone(claims, index)).length;
}

/** Whether somebody said it done, as far as is known here; it may count no more. */
const wasSaidDone = (claims: Claims, index: number): boolean =>
  claims.resultsOf(index).length > 0 ||
  claims.wasCached(index) ||
  claims.unvouched.has(index) ||
  claims.claimsOf(index).some(({ done, abandoned }) => done !== undefined || abandoned === taintedBecause);
