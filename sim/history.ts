/** What a swarm knows from builds before: how long actions take, and how fast its nodes are. */
import { Random } from "../protocol/kernel/random.ts";
import { encodeHistory } from "../protocol/work/history.ts";
import type { History } from "./scenario.ts";
import type { Swarm } from "./swarm.ts";
import { gaussian } from "./synthetic.ts";
import type { Workload } from "./workload.ts";

/** The workload with what its submitter has to say of each action's duration: all of it, nothing, or off by a share (log-normal). */
export function remember(workload: Workload, history: History, seed: number): Workload {
  const random = Random.fromNumber(seed ^ 0x68697374);
  const { graph, costs } = workload;
  const actions = graph.actions.map((action) => {
    if (history === "none") return { ...action, estimateMs: undefined };
    const off = history === "exact" ? 1 : Math.exp(history * gaussian(random));
    return { ...action, estimateMs: (costs.get(action.name)?.workMs ?? 0) * off };
  });
  return { ...workload, graph: { ...graph, actions } };
}

/** Every host has on its disk how fast all of them are, as it would after some builds with all of them. To be called before they start. */
export function teach({ hosts }: Swarm): void {
  const speeds = new Map(
    hosts.map(({ peer, speed }) => [peer, { sum: weight * Math.log(speed), weight }] as const),
  );
  const history = encodeHistory({
    speeds,
    groups: new Map(),
    actions: new Map(),
    records: new Map(),
    learned: [],
  });
  for (const { disk } of hosts) disk.prepare([], history);
}

/** As much as eight runs that were foretold; `protocol/work/estimates.ts` believes from two on. */
const weight = 32;
