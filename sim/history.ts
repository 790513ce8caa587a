/** What a swarm knows from builds before: how long actions take, and how fast its nodes are. */

import type { Core } from "../protocol/core.ts";
import type { ActionName } from "../protocol/kernel/ids.ts";
import { Random } from "../protocol/kernel/random.ts";
import type { History } from "./scenario.ts";
import type { Swarm } from "./swarm.ts";
import { gaussian } from "./synthetic.ts";
import type { Workload } from "./workload.ts";

/** The workload with what its submitter has to say of each action's duration: all of it, nothing, or off by a share (log-normal). */
export function remember(workload: Workload, history: History, seed: number): Workload {
  if (history === "none") return workload;
  const random = Random.fromNumber(seed ^ 0x68697374);
  const { graph, costs } = workload;
  const actions = graph.actions.map((action) => {
    const off = history === "exact" ? 1 : Math.exp(history * gaussian(random));
    return { ...action, estimateMs: (costs.get(action.name)?.workMs ?? 0) * off };
  });
  return { ...workload, graph: { ...graph, actions } };
}

/** Every core of the swarm, at each of its starts, knows how fast all hosts are, as it would after some builds with all of them. */
export function teach(swarm: Swarm): void {
  const taught = new WeakSet<Core>();
  swarm.watch((host) => {
    if (!host.up || taught.has(host.core)) return;
    taught.add(host.core);
    const { estimates } = host.core.desk;
    const action = { name: "anything" as ActionName, group: "anything", estimateMs: 10_000 };
    for (const other of swarm.hosts)
      for (let i = 0; i < samples; i++)
        estimates.note("builds before", action, other.peer, 10_000 / other.speed);
  });
}

/** As many as `protocol/work/estimates.ts` wants to see before it believes. */
const samples = 8;
