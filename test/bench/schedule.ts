/** The scheduler's figures: scenarios run through in virtual time, so that no load of this machine touches them. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { type Changes, changed, ofScenario } from "../../cli/simulation.ts";
import { talliesOf } from "../../sim/experiment.ts";
import type { Tally } from "../../sim/tally.ts";
import { readWorkload } from "../../sim/workload.ts";

/** One figure, what it should be, and the runs it comes from. */
export interface Judged {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  /** `value` should be no more than this. */
  readonly most: number;
}

const middle = (list: readonly number[]): number =>
  [...list].sort((a, b) => a - b)[list.length >> 1] ?? Number.NaN;

const specs = path.resolve(import.meta.dirname, "../../specs");

/** All runs of a scenario, by variant; `graph`: with this measured build in place of its own work. */
async function runsOf(
  scenario: string,
  changes: Changes = {},
  graph?: string,
): Promise<(variant: string) => Tally[]> {
  const { experiment } = await ofScenario(path.join(specs, "scenarios", `${scenario}.yaml`));
  const file = path.join(specs, "workloads", `build-${graph}.json`);
  const workload = graph === undefined ? undefined : readWorkload(await readFile(file, "utf8"), file);
  const workloadOf = workload ? () => workload : experiment.workloadOf;
  const runs: Tally[] = [];
  for (const step of talliesOf({ ...changed(experiment, changes), workloadOf }))
    if ("makespanMs" in step) runs.push(step);
  return (variant) => {
    const own = runs.filter((run) => run.variant === variant);
    if (own.length === 0) throw new Error(`${scenario} has no variant ${variant}`);
    return own;
  };
}

const medianOf = (runs: readonly Tally[], figure: (run: Tally) => number): number => middle(runs.map(figure));
const ratio = ({ ratio: value }: Tally): number => value;
const makespan = ({ makespanMs }: Tally): number => makespanMs;

/** Each figure as it is known; `large`: with 1,024 nodes too. */
export async function* figuresOf(large: boolean): AsyncGenerator<Judged> {
  const toHeft = "× HEFT";
  for (const nodes of large ? [4, 32, 1024] : [4, 32]) {
    const runs = (await runsOf("steady", { nodes }))("unified");
    yield { what: `actions of 10 s, ${nodes} nodes`, value: medianOf(runs, ratio), unit: toHeft, most: 1.05 };
    yield {
      what: `work for nothing, actions of 10 s, ${nodes} nodes`,
      value: 100 * medianOf(runs, (run) => run.waste),
      unit: "%",
      most: 0.5,
    };
  }
  const short = await runsOf("throughput");
  for (const [age, most] of [
    ["20 ms", 1.05],
    ["50 ms", 1.1],
    ["200 ms", 1.3],
  ] as const)
    yield {
      what: `actions of 1 s, 32 nodes, news ${age} old`,
      value: medianOf(short(age), ratio),
      unit: toHeft,
      most,
    };
  yield {
    what: "entries per action of 1 s",
    value: medianOf(short("20 ms"), (r) => r.factsPerAction),
    unit: "",
    most: 2.2,
  };
  yield {
    what: "unicasts per action of 1 s",
    value: medianOf(short("20 ms"), (r) => r.unicastsPerAction),
    unit: "",
    most: 6,
  };
  yield {
    what: "entries per action, short ones in bundles",
    value: medianOf((await runsOf("bundles"))("unified"), (r) => r.factsPerAction),
    unit: "",
    most: 1.2,
  };
  const graphs: number[] = [];
  for (const graph of ["leveldb", "libuv", "ninja", "protobuf", "zstd"])
    graphs.push(medianOf((await runsOf("real-graph", { modes: ["unified"] }, graph))("unified"), ratio));
  yield { what: "measured builds, 8 nodes, median of five", value: middle(graphs), unit: toHeft, most: 1.1 };
  const churn = await runsOf("churn");
  yield {
    what: "5 % of the nodes crash each minute",
    value: medianOf(churn("churn"), ratio),
    unit: toHeft,
    most: 1.1,
  };
  const stragglers = await runsOf("stragglers");
  yield {
    what: "2 % of runs 8 times slower, with twins",
    value: medianOf(stragglers("twins"), makespan) / medianOf(stragglers("no twins"), makespan),
    unit: "× without",
    most: 0.65,
  };
  yield {
    what: "work for nothing by twins",
    value: 100 * medianOf(stragglers("twins"), (run) => run.waste),
    unit: "%",
    most: 10,
  };
  const heat = await runsOf("thermal");
  yield {
    what: "half of 32 nodes throttle, mode thermal-aware",
    value: medianOf(heat("thermal-aware"), makespan) / medianOf(heat("unified"), makespan),
    unit: "× unaware",
    most: 0.95,
  };
  yield {
    what: "longest time above the limit",
    value: Math.max(...heat("thermal-aware").map((run) => (run.longestAboveMs ?? 0) / 1000)),
    unit: "s",
    most: 10,
  };
}
