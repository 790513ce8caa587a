/** Toolchains of a graph that exists, resolved anew: what it asks for, and the same graph pinned to something else. */
import { byText } from "../kernel/ids.ts";
import type { Graph, GraphAction } from "./graph.ts";
import type { ToolSet } from "./tool-sets.ts";
import { demandText, readOffer } from "./toolchain.ts";

/** A demand that is pinned to another fingerprint than it was. */
export interface Repinned {
  readonly demand: string;
  readonly from: string;
  readonly to: string;
}

/** What the spec demanded, as far as the graph says it; else the name, and what can be read from what it was pinned to. */
function demandOf(action: GraphAction, name: string): string {
  const written = action.demands?.[name];
  if (written !== undefined) return written;
  const { target, exact } = readOffer(action.toolchains[name]!);
  return demandText({
    name,
    bounds: [],
    ...(target === undefined ? {} : { target }),
    exact: exact !== undefined,
  });
}

/** The tool sets that the actions of a graph need, each once, in their order. */
export function toolSetsOfGraph(graph: Graph): ToolSet[] {
  const sets = new Map<string, ToolSet>();
  for (const action of graph.actions) {
    const names = Object.keys(action.toolchains);
    if (names.length === 0) continue;
    const demands = names.map((name) => demandOf(action, name)).sort(byText);
    const set = { demands, ...(action.requires ? { requires: action.requires } : {}) };
    const key = JSON.stringify(set);
    if (!sets.has(key)) sets.set(key, { ...set, action: action.group });
  }
  return [...sets.values()];
}

/** The graph with other fingerprints, one for each demand of its sets, and what is different, sorted by demand. */
export function repinned(
  graph: Graph,
  fingerprints: Readonly<Record<string, string>>,
): { graph: Graph; changes: Repinned[] } {
  const changes = new Map<string, Repinned>();
  const actions = graph.actions.map((action) => {
    const toolchains: Record<string, string> = {};
    for (const [name, from] of Object.entries(action.toolchains)) {
      const demand = demandOf(action, name);
      const to = fingerprints[demand] ?? from;
      if (to !== from) changes.set(`${demand}\0${from}`, { demand, from, to });
      toolchains[name] = to;
    }
    return { ...action, toolchains };
  });
  return {
    graph: { ...graph, actions },
    changes: [...changes.values()].sort((a, b) => byText(a.demand, b.demand)),
  };
}
