/** The critical path of a build as it went: from the result that came last, back through the input it waited for longest. */
import type { ActionName, PeerId } from "../kernel/ids.ts";
import type { Claim, Claims } from "../work/claims.ts";

export interface FactualPath {
  /** Milliseconds of execution along the path; waits between are not in it. */
  readonly totalMs: number;
  readonly steps: readonly { readonly action: ActionName; readonly node: string; readonly ms: number }[];
}

/** Longest chain of measured durations through the dependencies; what was cached took no time. */
export function factualPath(claims: Claims, nameOf: (peer: PeerId) => string): FactualPath {
  const { size } = claims.actions;
  const ran: (Claim | undefined)[] = [];
  const endMs = new Float64Array(size);
  const before = new Int32Array(size).fill(-1);
  let last = -1;
  // Actions stand in dependency order, so one pass forward sees every dependency before what needs it.
  for (let index = 0; index < size; index++) {
    const claim = claims.claimsOf(index).find((c) => c.done);
    ran.push(claim);
    let startMs = 0;
    for (const dependency of claims.dependencies[index]!)
      if (endMs[dependency]! > startMs) {
        startMs = endMs[dependency]!;
        before[index] = dependency;
      }
    endMs[index] = startMs + (claim?.done?.usage?.wallMs ?? 0);
    if (last < 0 || endMs[index]! > endMs[last]!) last = index;
  }
  const steps: FactualPath["steps"][number][] = [];
  for (let at = last; at >= 0; at = before[at]!) {
    const claim = ran[at];
    if (claim)
      steps.unshift({
        action: claims.action(at).name,
        node: nameOf(claim.holder),
        ms: claim.done?.usage?.wallMs ?? 0,
      });
  }
  return { totalMs: last < 0 ? 0 : Math.round(endMs[last]!), steps };
}
