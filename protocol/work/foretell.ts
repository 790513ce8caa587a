/** A graph with the durations that its submitter has seen before: one guess for everybody, so that all lay the same plan. */
import type { Graph } from "../build/graph.ts";
import type { Estimates } from "./estimates.ts";

/** A graph may not say more. */
const estimateMsMax = 30 * 86_400_000;

/**
 * Actions that ran before in a build of this name get what their own last runs took, in milliseconds at speed 1; what a graph says already
 * stands. Keys of actions do not depend on it. The very graph where nothing is known.
 */
export function foretold(graph: Graph, estimates: Estimates): Graph {
  let known = false;
  const actions = graph.actions.map((action) => {
    const ms = estimates.ranBefore(graph.name, action);
    if (ms === undefined || action.estimateMs !== undefined) return action;
    known = true;
    return { ...action, estimateMs: Math.min(estimateMsMax, ms) };
  });
  return known ? { ...graph, actions } : graph;
}
