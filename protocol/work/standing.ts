/** Whether what was released, or waits for it, is still what its build's facts say: whoever made it may be disowned or tainted by now. */
import type { ReleaseItem } from "../release/manifest.ts";
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
