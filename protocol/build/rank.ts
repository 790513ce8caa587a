/** Upward ranks (HEFT, Topcuoglu 2002): how long the longest chain from an action to the end of the build takes. */
import type { ActionName } from "../kernel/ids.ts";
import type { Graph, GraphAction } from "./graph.ts";
import { dependencyIndexes } from "./order.ts";

/** The rank of each action in milliseconds, in the order of `graph.actions`. Estimates that are no positive number count as 1 ms. */
export function upwardRanks(graph: Graph, estimateMs: (action: GraphAction) => number): Float64Array {
  return ranksOver(graph.actions, dependencyIndexes(graph.actions, graph.sets), estimateMs);
}

function ranksOver(
  actions: readonly GraphAction[],
  dependencies: readonly (readonly number[])[],
  estimateMs: (action: GraphAction) => number,
): Float64Array {
  const ranks = new Float64Array(actions.length);
  for (let i = actions.length - 1; i >= 0; i--) {
    const ms = estimateMs(actions[i]!);
    ranks[i]! += ms > 0 && Number.isFinite(ms) ? ms : 1;
    for (const dependency of dependencies[i]!) ranks[dependency] = Math.max(ranks[dependency]!, ranks[i]!);
  }
  return ranks;
}

export interface PlanStep {
  readonly action: GraphAction;
  readonly rankMs: number;
  readonly dependsOn: readonly ActionName[];
}

/** All actions in the order in which one node would take them: highest rank first, which keeps dependency order. */
export function planOf(graph: Graph, estimateMs: (action: GraphAction) => number): PlanStep[] {
  const dependencies = dependencyIndexes(graph.actions, graph.sets);
  const ranks = ranksOver(graph.actions, dependencies, estimateMs);
  return graph.actions
    .map((action, i) => ({
      action,
      rankMs: ranks[i]!,
      dependsOn: dependencies[i]!.map((dependency) => graph.actions[dependency]!.name),
      place: i,
    }))
    .sort((a, b) => b.rankMs - a.rankMs || a.place - b.place)
    .map(({ action, rankMs, dependsOn }) => ({ action, rankMs, dependsOn }));
}
