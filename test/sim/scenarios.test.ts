/** Every scenario that the project ships is read, and runs when it is made small. */
import { readdirSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { type Loaded, ofScenario } from "../../cli/simulation.ts";
import { resized } from "../../sim/cluster.ts";
import { type Experiment, talliesOf } from "../../sim/experiment.ts";
import { summariesOf, tableOf } from "../../sim/report.ts";
import type { Tally } from "../../sim/tally.ts";
import { type Workload, workloadOf } from "../../sim/workload.ts";

const folder = path.resolve(import.meta.dirname, "../../specs/scenarios");
const files = readdirSync(folder).filter((file) => file.endsWith(".yaml"));
/** So much of a scenario is run here: enough for each fault's host to be there. */
const nodesMax = 8;
const actionsMax = 24;

/** The first actions of a workload, with what they need among them. */
function cut({ graph, costs }: Workload): Workload {
  const kept = graph.actions.slice(0, actionsMax);
  const names = new Set(kept.map((action) => action.name));
  const tasks = kept.map((action) => ({
    id: action.name,
    group: action.group,
    deps: action.inputs.flatMap((index) => graph.sets[index]!.from ?? []).filter((name) => names.has(name)),
    workMs: costs.get(action.name)!.workMs,
    outputBytes: costs.get(action.name)!.outputBytes,
    inputs: [],
  }));
  const small = workloadOf("small", tasks);
  const asked = new Map(kept.map((action) => [action.name, action.requires]));
  const actions = small.graph.actions.map((action) => {
    const requires = asked.get(action.name);
    return requires ? { ...action, requires } : action;
  });
  return { ...small, graph: { ...small.graph, actions } };
}

function small({ experiment }: Loaded): Experiment {
  return {
    ...experiment,
    cluster: resized(experiment.cluster, Math.min(nodesMax, experiment.cluster.nodes.length)),
    workloadOf: (seed) => cut(experiment.workloadOf(seed)),
    seeds: experiment.seeds.slice(0, 1),
  };
}

test("there are scenarios for what people ask", () => {
  expect(files.length).toBeGreaterThanOrEqual(8);
});

describe.each(files)("%s", (file) => {
  test("is read, and every row of it ends complete", async () => {
    const loaded = await ofScenario(path.join(folder, file));
    expect(loaded.experiment.about).not.toBe("");
    expect(loaded.experiment.workloadOf(1).graph.actions.length).toBeGreaterThan(0);
    const tallies = [...talliesOf(small(loaded))].filter((step): step is Tally => "makespanMs" in step);
    expect(tallies.map((t) => [t.variant, t.state])).toEqual(
      loaded.experiment.variants.map((v) => [v.name, "complete"]),
    );
    for (const { makespanMs, boundMs } of tallies) expect(makespanMs).toBeGreaterThanOrEqual(boundMs);
    expect(tableOf(summariesOf(tallies), loaded.report).rows).toHaveLength(tallies.length);
  });
});
