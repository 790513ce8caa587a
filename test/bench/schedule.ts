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

const figure = (what: string, value: number, unit: string, most: number): Judged => ({
  what,
  value,
  unit,
  most,
});

/** Each figure as it is known; `large`: with 1,024 nodes too. */
export async function* figuresOf(large: boolean): AsyncGenerator<Judged> {
  const toHeft = "× HEFT";
  for (const nodes of large ? [4, 32, 1024] : [4, 32]) {
    const runs = (await runsOf("steady", { nodes }))("unified");
    yield figure(`actions of 10 s, ${nodes} nodes`, medianOf(runs, ratio), toHeft, 1.05);
    yield figure(
      `work for nothing, actions of 10 s, ${nodes} nodes`,
      100 * medianOf(runs, (run) => run.waste),
      "%",
      0.5,
    );
  }
  const short = await runsOf("throughput");
  for (const [age, most] of [
    ["20 ms", 1.05],
    ["50 ms", 1.1],
    ["200 ms", 1.3],
  ] as const)
    yield figure(`actions of 1 s, 32 nodes, news ${age} old`, medianOf(short(age), ratio), toHeft, most);
  yield figure(
    "entries per action of 1 s",
    medianOf(short("20 ms"), (r) => r.factsPerAction),
    "",
    2.2,
  );
  yield figure(
    "unicasts per action of 1 s",
    medianOf(short("20 ms"), (r) => r.unicastsPerAction),
    "",
    6,
  );
  yield figure(
    "entries per action, short ones in bundles",
    medianOf((await runsOf("bundles"))("unified"), (r) => r.factsPerAction),
    "",
    1.2,
  );
  const graphs: number[] = [];
  for (const graph of ["leveldb", "libuv", "ninja", "protobuf", "zstd"])
    graphs.push(medianOf((await runsOf("real-graph", { modes: ["unified"] }, graph))("unified"), ratio));
  yield figure("measured builds, 8 nodes, median of five", middle(graphs), toHeft, 1.1);
  const churn = await runsOf("churn");
  yield figure("5 % of the nodes crash each minute", medianOf(churn("churn"), ratio), toHeft, 1.1);
  const stragglers = await runsOf("stragglers");
  yield figure(
    "2 % of runs 8 times slower, with twins",
    medianOf(stragglers("twins"), makespan) / medianOf(stragglers("no twins"), makespan),
    "× without",
    0.65,
  );
  yield figure("work for nothing by twins", 100 * medianOf(stragglers("twins"), (run) => run.waste), "%", 10);
  const heat = await runsOf("thermal");
  yield figure(
    "half of 32 nodes throttle, mode thermal-aware",
    medianOf(heat("thermal-aware"), makespan) / medianOf(heat("unified"), makespan),
    "× unaware",
    0.95,
  );
  yield figure(
    "longest time above the limit",
    Math.max(...heat("thermal-aware").map((run) => (run.longestAboveMs ?? 0) / 1000)),
    "s",
    10,
  );
}
