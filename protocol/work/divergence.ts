/** Actions of which members made unequal results of the same inputs: each result, and who came to it. A reading of facts; it changes nothing. */
import { byText, type PeerId } from "../kernel/ids.ts";
import type { Output } from "../timeline/events.ts";
import type { Claims } from "./claims.ts";

/** One of the results, and the members that came to it. */
export interface Side {
  /** Undefined: another build had it, and only its makers are known here. */
  readonly outputs: readonly Output[] | undefined;
  readonly by: readonly PeerId[];
}

/** The unequal results of an action, the one that dependents consume first; none where all agree. */
export function sidesOf(claims: Claims, index: number): Side[] {
  if (!claims.divergent.has(index)) return [];
  const used = claims.resultOf(index);
  const results = claims.resultsOf(index).toSorted((a, b) => Number(b === used) - Number(a === used));
  const sides: Side[] = results.map(({ result, sources }) => ({
    outputs: result.outputs,
    by: [...new Set(sources.values())].sort(byText),
  }));
  const others = claims.otherMakersOf(index);
  if (others.length > 0) sides.push({ outputs: undefined, by: others });
  return sides;
}
