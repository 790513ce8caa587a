/** What a workload takes on a cluster at best: the plan of somebody who knows everything (HEFT), and the bound that nobody can beat. */

import type { GraphAction } from "../protocol/build/graph.ts";
import { dependencyIndexes } from "../protocol/build/order.ts";
import { lowerBoundMs } from "./bound.ts";
import { type Cluster, type ClusterNode, diskOf, memoryOf, targetOf } from "./cluster.ts";
import { type Edge, heft, type Plan, type Shop } from "./heft.ts";
import type { Workload } from "./workload.ts";

export interface Yardstick {
  readonly plan: Plan;
  readonly heftMs: number;
  readonly boundMs: number;
}

/**
 * HEFT and the lower bound. Nodes differ by speed, slots and what requirements name; a way costs the latency and the output's bytes at the slower of both
 * bandwidths. Submitted files are taken to be everywhere, throttling by heat is ignored: the plan is better than any real one could be.
 * Throws `RangeError` when an action fits no node.
 */
export function yardstickOf(workload: Workload, cluster: Cluster): Yardstick {
  const shop = shopOf(workload, cluster);
  const plan = heft(shop);
  return { plan, heftMs: plan.makespanMs, boundMs: lowerBoundMs(shop) };
}

function shopOf({ graph, costs }: Workload, cluster: Cluster): Shop {
  const kinds = new Map<string, { readonly place: number; readonly node: ClusterNode }>();
  const kindOf = cluster.nodes.map((node) => {
    const { id: _, ...traits } = node;
    const key = JSON.stringify(traits);
    const kind = kinds.get(key) ?? { place: kinds.size, node };
    kinds.set(key, kind);
    return kind.place;
  });
  const nodes = [...kinds.values()].map(({ node }) => node);
  const latencyMs = cluster.latency_s * 1000;
  const bandwidth =
    cluster.nodes.reduce((sum, node) => sum + node.bandwidth_Bps, 0) / Math.max(1, cluster.nodes.length);
  const takes = graph.actions.map((action) => {
    const taken = new Map<string, number>();
    for (const index of action.inputs) {
      const { from, paths } = graph.sets[index]!;
      if (from === undefined) continue;
      const bytes = costs.get(from)?.outputBytes ?? 0;
      taken.set(from, (taken.get(from) ?? 0) + bytes * Math.max(1, paths?.length ?? 1));
    }
    return taken;
  });
  return {
    slots: cluster.nodes.map((node) => node.slots),
    kinds: kindOf,
    needs: dependencyIndexes(graph.actions, graph.sets).map((dependencies, task) =>
      dependencies.map((from): Edge => {
        const bytes = takes[task]!.get(graph.actions[from]!.name) ?? 0;
        return { from, bytes, meanMs: latencyMs + (1000 * bytes) / bandwidth };
      }),
    ),
    width: (task) => graph.actions[task]!.requires?.cpus ?? 1,
    cost: (task, kind) => {
      const action = graph.actions[task]!;
      const node = nodes[kind]!;
      return fits(node, action)
        ? (costs.get(action.name)?.workMs ?? 0) / node.speed
        : Number.POSITIVE_INFINITY;
    },
    transfer: ({ bytes = 0 }, from, to) =>
      latencyMs + (1000 * bytes) / Math.min(nodes[from]!.bandwidth_Bps, nodes[to]!.bandwidth_Bps),
  };
}

/** Whether a node has what an action asks for. */
function fits(node: ClusterNode, { requires }: GraphAction): boolean {
  if (!requires) return node.slots > 0;
  const { cpus = 1, memoryBytes = 0, diskBytes = 0, labels = [], target } = requires;
  return (
    node.slots >= cpus &&
    memoryOf(node) >= memoryBytes &&
    diskOf(node) >= diskBytes &&
    labels.every((label) => node.labels.includes(label)) &&
    (target === undefined || targetOf(node) === target)
  );
}
