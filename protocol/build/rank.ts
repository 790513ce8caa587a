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

/**
 * Indexes of all actions, the ones to begin first in front: by priority, then by rank. An action has at least the priority of what waits
 * for it, so that dependency order holds.
 */
export function byUrgency(graph: Graph, ranks: Float64Array): Int32Array {
  const order = Int32Array.from(graph.actions, (_, i) => i);
  if (graph.actions.every((action) => (action.priority ?? 0) === 0))
    return order.sort((a, b) => ranks[b]! - ranks[a]! || a - b);
  const dependencies = dependencyIndexes(graph.actions, graph.sets);
  const priorities = Int32Array.from(graph.actions, (action) => action.priority ?? 0);
  for (let i = priorities.length - 1; i >= 0; i--)
    for (const dependency of dependencies[i]!)
      priorities[dependency] = Math.max(priorities[dependency]!, priorities[i]!);
  return order.sort((a, b) => priorities[b]! - priorities[a]! || ranks[b]! - ranks[a]! || a - b);
}

export interface PlanStep {
  readonly action: GraphAction;
  readonly rankMs: number;
  readonly dependsOn: readonly ActionName[];
}

/** All actions in the order in which one node would take them, which keeps dependency order. */
export function planOf(graph: Graph, estimateMs: (action: GraphAction) => number): PlanStep[] {
  const dependencies = dependencyIndexes(graph.actions, graph.sets);
  const ranks = ranksOver(graph.actions, dependencies, estimateMs);
  return Array.from(byUrgency(graph, ranks), (i) => ({
    action: graph.actions[i]!,
    rankMs: ranks[i]!,
    dependsOn: dependencies[i]!.map((dependency) => graph.actions[dependency]!.name),
  }));
}
