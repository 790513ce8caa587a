/** From files and flags to an experiment: scenarios, clusters, workloads, specs, and what a person wants changed. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { readInputs, readSpec } from "../node/build/inputs.ts";
import { resolveSpec } from "../protocol/build/resolve.ts";
import { sameForAll, toolSetsOf } from "../protocol/build/tool-sets.ts";
import { SwarmError } from "../protocol/kernel/errors.ts";
import type { Mode } from "../protocol/swarm/policy.ts";
import { type Cluster, hotter, readCluster, resized, without } from "../sim/cluster.ts";
import type { Experiment } from "../sim/experiment.ts";
import {
  gossipAgeMsDefault,
  type History,
  limitMsDefault,
  readScenario,
  type WorkloadSource,
} from "../sim/scenario.ts";
import { synthesize } from "../sim/synthetic.ts";
import type { Column } from "../sim/tally.ts";
import { readWorkload, type Workload, workloadOfGraph } from "../sim/workload.ts";

/** Of what a spec does not say: bytes of each output. */
const specOutputBytes = 100_000;
const specActionMs = 1000;

/** What flags change, whatever the experiment was made of. */
export interface Changes {
  readonly modes?: readonly Mode[];
  readonly gossipAgeMs?: number;
  readonly latencyMs?: number;
  readonly seeds?: number;
  readonly history?: History;
  readonly without?: readonly string[];
  readonly nodes?: number;
  readonly hotterCelsius?: number;
}

/** An experiment, and what its report shows. */
export interface Loaded {
  readonly experiment: Experiment;
  readonly report?: readonly Column[];
  /** How long a recorded build took when it ran. */
  readonly recordedMs?: number;
  /** What the reader should know of it. */
  readonly notes?: readonly string[];
}

/** Of a scenario file; files that it names are looked for beside it. Throws `spec-invalid` at line and column, `not-found`. */
export async function ofScenario(file: string): Promise<Loaded> {
  const scenario = readScenario(await textOf(file), file);
  const beside = (name: string) => path.join(path.dirname(file), name);
  const cluster =
    "file" in scenario.cluster ? await clusterFrom(beside(scenario.cluster.file)) : scenario.cluster.cluster;
  scenario.check(cluster);
  const { name, about, nodes, variants, seeds, history, limitMs, report } = scenario;
  const workloadOf = await workloadFrom(scenario.workload, beside);
  return {
    experiment: { name, about, cluster, nodes, workloadOf, variants, seeds, history, limitMs },
    report,
  };
}

/** Of a workload's file and a cluster's, in the formats of specs/scenario.md. */
export async function ofFiles(workloadFile: string, clusterFile: string): Promise<Loaded> {
  const cluster = await clusterFrom(clusterFile);
  const workload = readWorkload(await textOf(workloadFile), workloadFile);
  return { experiment: plainExperiment(workload, cluster) };
}

/** One workload on one cluster, with nothing special about it. */
export function plainExperiment(workload: Workload, cluster: Cluster): Experiment {
  return {
    name: workload.graph.name,
    about: "",
    cluster,
    nodes: {},
    workloadOf: () => workload,
    variants: [
      {
        name: "unified",
        scheduling: { mode: "unified" },
        rival: "steward",
        latencyMs: undefined,
        gossipAgeMs: gossipAgeMsDefault,
        faults: [],
      },
    ],
    seeds: [1, 2, 3],
    history: "exact",
    limitMs: limitMsDefault,
  };
}

/** The same with what flags say. Modes take the place of the scenario's own, for each of its variants. */
export function changed(experiment: Experiment, changes: Changes): Experiment {
  let { cluster } = experiment;
  for (const id of changes.without ?? []) cluster = without(cluster, id);
  if (changes.nodes !== undefined) cluster = resized(cluster, changes.nodes);
  if (changes.hotterCelsius !== undefined) cluster = hotter(cluster, changes.hotterCelsius);
  const { modes } = changes;
  const names = new Set<string>();
  const variants = experiment.variants
    .flatMap((variant) => {
      if (!modes) return [variant];
      const { mode } = variant.scheduling;
      const own = variant.name === mode ? undefined : variant.name.replace(new RegExp(` ${mode}$`), "");
      return modes.map((one) => ({
        ...variant,
        name: own === undefined ? one : `${own} ${one}`,
        scheduling: { ...variant.scheduling, mode: one },
      }));
    })
    .filter(({ name }) => !names.has(name) && names.add(name))
    .map((variant) => ({
      ...variant,
      latencyMs: changes.latencyMs ?? variant.latencyMs,
      gossipAgeMs: changes.gossipAgeMs ?? variant.gossipAgeMs,
    }));
  const { seeds } = changes;
  return {
    ...experiment,
    cluster,
    variants,
    seeds: seeds === undefined ? experiment.seeds : Array.from({ length: seeds }, (_, i) => i + 1),
    history: changes.history ?? experiment.history,
  };
}

const clusterFrom = async (file: string): Promise<Cluster> => readCluster(await textOf(file), file);

async function workloadFrom(
  source: WorkloadSource,
  beside: (name: string) => string,
): Promise<(seed: number) => Workload> {
  if (source.kind === "synthetic") return (seed) => synthesize(source.synthetic, seed);
  const file = beside(source.file);
  const workload =
    source.kind === "file"
      ? readWorkload(await textOf(file), file)
      : await workloadOfSpec(file, source.takesMs);
  return () => workload;
}

/** A spec's graph over its real inputs; toolchains need not be there. Durations by group, `other` for the rest. */
async function workloadOfSpec(file: string, takesMs: ReadonlyMap<string, number>): Promise<Workload> {
  const spec = await readSpec(file);
  const { files, dispose } = await readInputs(file, spec);
  dispose();
  const fingerprints = sameForAll(toolSetsOf(spec, files), "any");
  return workloadOfGraph(resolveSpec(spec, files, fingerprints), ({ group }) => ({
    workMs: takesMs.get(group) ?? takesMs.get("other") ?? specActionMs,
    outputBytes: specOutputBytes,
  }));
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new SwarmError("not-found", `${file} ${code === "EISDIR" ? "is a folder" : "cannot be read"}`, {
      remedy:
        "name a file: scenarios lie in specs/scenarios, clusters in specs/clusters, workloads in specs/workloads",
      cause,
    });
  }
}
