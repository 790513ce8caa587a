/** A build that really ran, made ready to run again: its graph with measured durations, on nodes as fast as they turned out to be. */
import type { Graph } from "../protocol/build/graph.ts";
import type { ActionName } from "../protocol/kernel/ids.ts";
import { type Cluster, type ClusterNode, clusterSchema } from "./cluster.ts";
import { type Workload, workloadOfGraph } from "./workload.ts";

export interface Recorded {
  readonly graph: Graph;
  /** Executions that brought a result; an action served from the cache has none. */
  readonly ran: readonly {
    readonly action: ActionName;
    readonly node: string;
    readonly wallMs: number;
  }[];
  readonly outputBytes: ReadonlyMap<ActionName, number>;
  /** Nodes that could have taken part, as they are now. */
  readonly nodes: readonly {
    readonly name: string;
    readonly slots: number;
    readonly labels: readonly string[];
    readonly memoryBytes: number;
  }[];
}

/** This many runs of a node weigh as much as the guess that it is like all others. */
const speedRunsHalf = 4;
/** Speeds and mean durations are found in turn; further rounds change nothing that could be measured. */
const rounds = 4;

/**
 * The workload at speed 1 and the cluster. A node's speed is how much shorter its runs were than the mean of their group, drawn
 * towards 1 where there are few of them. What came from the cache takes no time again.
 */
export function recordedOf(recorded: Recorded): { readonly workload: Workload; readonly cluster: Cluster } {
  const speeds = speedsOf(recorded);
  const workMs = new Map(
    recorded.ran.map(({ action, node, wallMs }) => [action, wallMs * (speeds.get(node) ?? 1)] as const),
  );
  const known = new Map(recorded.nodes.map((node) => [node.name, node]));
  const names = [...new Set([...known.keys(), ...recorded.ran.map(({ node }) => node)])];
  const nodes = names.map((id): Partial<ClusterNode> & Pick<ClusterNode, "id"> => {
    const node = known.get(id);
    const slots = node?.slots ?? 1;
    return {
      id,
      slots,
      speed: speeds.get(id) ?? 1,
      labels: [...(node?.labels ?? [])],
      ...(node ? { memory_bytes: Math.max(1, node.memoryBytes) } : {}),
    };
  });
  return {
    workload: workloadOfGraph(recorded.graph, ({ name }) => ({
      workMs: workMs.get(name) ?? 0,
      outputBytes: recorded.outputBytes.get(name) ?? 0,
    })),
    cluster: clusterSchema.parse({ name: "as it was", nodes }),
  };
}

function speedsOf({ graph, ran }: Recorded): Map<string, number> {
  const groupOf = new Map(graph.actions.map(({ name, group }) => [name, group]));
  let speeds = new Map<string, number>();
  for (let round = 0; round < rounds; round++) {
    const means = new Map<string, { sum: number; count: number }>();
    for (const { action, node, wallMs } of ran) {
      const group = groupOf.get(action) ?? "";
      const mean = means.get(group) ?? { sum: 0, count: 0 };
      means.set(group, mean);
      mean.sum += wallMs * (speeds.get(node) ?? 1);
      mean.count++;
    }
    const logs = new Map<string, { sum: number; count: number }>();
    for (const { action, node, wallMs } of ran) {
      const mean = means.get(groupOf.get(action) ?? "")!;
      if (mean.count < 2 || wallMs < 1) continue;
      const log = logs.get(node) ?? { sum: 0, count: 0 };
      logs.set(node, log);
      log.sum += Math.log(Math.max(1, mean.sum / mean.count) / wallMs);
      log.count++;
    }
    speeds = new Map(
      [...logs].map(([node, { sum, count }]) => [
        node,
        Math.min(20, Math.max(0.05, Math.exp(sum / (count + speedRunsHalf)))),
      ]),
    );
  }
  return speeds;
}
