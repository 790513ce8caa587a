/**
 * A scenario run through: one swarm in a box per variant and seed, each measured against HEFT and the bound. It goes on step by step, so that who
 * drives it can show progress and stop.
 */
import { SwarmError } from "../protocol/kernel/errors.ts";
import type { Scheduling } from "../protocol/swarm/policy.ts";
import { type Cluster, diskOf, memoryOf, targetOf } from "./cluster.ts";
import { remember, teach } from "./history.ts";
import type { HostOptions } from "./host.ts";
import { Meter } from "./meter.ts";
import { handsOf } from "./rivals/rivals.ts";
import type { History, Variant } from "./scenario.ts";
import { Swarm } from "./swarm.ts";
import type { Tally } from "./tally.ts";
import { apply } from "./trouble.ts";
import type { Workload } from "./workload.ts";
import { type Yardstick, yardstickOf } from "./yardstick.ts";

/** Virtual time between two looks at how far it is. */
const sliceMs = 250;
/** Until all nodes have heard of each other; then it goes on without. */
const meetingMsMax = 60_000;
const jitterMsMax = 0.2;

export interface Experiment {
  readonly name: string;
  readonly about: string;
  readonly cluster: Cluster;
  /** How single nodes take work. */
  readonly nodes: Readonly<Record<string, Pick<Partial<Scheduling>, "policy" | "fenced">>>;
  readonly workloadOf: (seed: number) => Workload;
  readonly variants: readonly Variant[];
  readonly seeds: readonly number[];
  readonly history: History;
  readonly limitMs: number;
}

export interface Progress {
  readonly variant: string;
  readonly seed: number;
  readonly settled: number;
  readonly actions: number;
  readonly virtualMs: number;
}

/** Every variant with every seed; yields how far it is, and each run as it ends. Throws `spec-invalid` where an action fits no node. */
export function* talliesOf(experiment: Experiment): Generator<Progress | Tally> {
  const yardsticks = new Map<string, Yardstick>();
  for (const variant of experiment.variants)
    for (const seed of experiment.seeds) yield yield* simulate(experiment, variant, seed, yardsticks);
}

function* simulate(
  experiment: Experiment,
  variant: Variant,
  seed: number,
  yardsticks: Map<string, Yardstick>,
): Generator<Progress, Tally> {
  const latencyMs = variant.latencyMs ?? experiment.cluster.latency_s * 1000;
  const cluster: Cluster = { ...experiment.cluster, latency_s: latencyMs / 1000 };
  const workload = remember(experiment.workloadOf(seed), experiment.history, seed);
  const key = `${seed} ${latencyMs}`;
  const yardstick = yardsticks.get(key) ?? measureBest(workload, cluster);
  yardsticks.set(key, yardstick);

  const swarm = new Swarm({
    seed,
    hosts: hostsOf(cluster, experiment, variant),
    network: {
      conditions: {
        delayMs: latencyMs,
        jitterMs: Math.min(jitterMsMax, latencyMs / 10),
        gossipDelayMs: variant.gossipAgeMs,
      },
    },
  });
  const { world } = swarm;
  const submitter = swarm.hosts[0]!;
  const meter = new Meter(swarm, submitter);
  if (experiment.history !== "none") teach(swarm);
  swarm.start();
  const actions = workload.graph.actions.length;
  const progress = (): Progress => ({
    variant: variant.name,
    seed,
    settled: meter.settled,
    actions,
    virtualMs: world.nowMs,
  });
  for (let ms = 0; ms < meetingMsMax && !swarm.met; ms += sliceMs) {
    world.runFor(sliceMs);
    yield progress();
  }
  let refused: SwarmError | undefined;
  let accepted = false;
  const build = swarm.hand(submitter, workload, (reply) => {
    accepted = true;
    if (reply.ok) meter.accepted(build);
    else refused = new SwarmError(reply.code, reply.message, { remedy: reply.remedy });
  });
  const endMs = world.nowMs + experiment.limitMs;
  while (!accepted && world.nowMs < endMs) {
    // Stops right there: faults count from the moment at which the build was accepted.
    if (!world.runUntil(() => accepted, sliceMs)) world.runFor(sliceMs);
    yield progress();
  }
  if (refused) throw refused;
  if (!accepted) throw new SwarmError("timed-out", `${submitter.name} did not take the build in`);
  for (const fault of variant.faults) apply(swarm, fault);
  while (!meter.ended && world.nowMs < endMs) {
    world.runFor(sliceMs);
    meter.sample();
    yield progress();
  }
  return meter.sum(variant.name, workload, yardstick);
}

function measureBest(workload: Workload, cluster: Cluster): Yardstick {
  try {
    return yardstickOf(workload, cluster);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new SwarmError(
      "spec-invalid",
      `some action of ${workload.graph.name} fits no node of ${cluster.name}`,
      {
        remedy: "ask for less, or add a node that has it",
        cause: error,
      },
    );
  }
}

function hostsOf(cluster: Cluster, { nodes }: Experiment, variant: Variant): HostOptions[] {
  return cluster.nodes.map((node) => ({
    name: node.id,
    slots: node.slots,
    speed: node.speed,
    memoryBytes: memoryOf(node),
    bandwidthBytesPerSecond: node.bandwidth_Bps,
    ...(node.thermal ? { thermal: node.thermal } : {}),
    vitals: { target: targetOf(node), diskTotalBytes: diskOf(node), diskFreeBytes: diskOf(node) / 2 },
    scheduling: { ...variant.scheduling, ...nodes[node.id], labels: node.labels },
    hands: handsOf(variant.rival, variant.gossipAgeMs),
  }));
}
