/** `swarmd sim`: what a swarm would make of some work, in virtual time, by the daemons' own core; measured against HEFT and the bound. */
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { setImmediate } from "node:timers/promises";
import { makeFolder } from "../../node/files.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { Experiment, Progress } from "../../sim/experiment.ts";
import type { Tally } from "../../sim/tally.ts";
import { choiceOf } from "../choice.ts";
import { type Command, type Context, type Options, optionList, optionText } from "../command.ts";
import { onInterrupt } from "../interrupt.ts";
import type { Changes, Loaded } from "../simulation.ts";
import { countText, durationText } from "../units.ts";

/** Others have their turn, and Ctrl-C is heard, so often. */
const turnMs = 50;
const redrawMs = 200;
const nodesMax = 4096;
const seedsMax = 1000;

export const sim: Command = {
  name: "sim",
  args: "[scenario]",
  description: "Ask what a swarm would make of some work, in virtual time",
  options: [
    { flags: "--workload <file>", description: "What to build, instead of a scenario's (specs/workloads)" },
    { flags: "--cluster <file>", description: "The machines, instead of a scenario's (specs/clusters)" },
    {
      flags: "--from <build>",
      description: "A build that ran here, or a recording of one: its graph, as it was measured",
    },
    {
      flags: "--mode <modes>",
      description: "How to score: unified, weighted, thermal-aware, … (a list compares)",
    },
    { flags: "--gossip-age <time>", description: "How old what nodes know of each other is (20ms)" },
    { flags: "--latency <time>", description: "What a message takes (the cluster's)" },
    {
      flags: "--history <what>",
      description: "What is known from earlier builds: exact, none, or off by a share (0.3)",
    },
    { flags: "--seeds <n>", description: "How many runs, each with other chances (3)" },
    { flags: "--without <node>", description: "Leave a node out" },
    { flags: "--nodes <n>", description: "So many nodes: the first ones, or copies of them too" },
    { flags: "--hotter <degrees>", description: "Air that is so much warmer" },
    { flags: "--svg <file>", description: "Draw the run in the middle: who did what when" },
    { flags: "--out <dir>", description: "Write the report, and a picture of every run, into a folder" },
  ],
  examples: [
    "sim specs/scenarios/throughput.yaml",
    "sim --workload specs/workloads/build-zstd.json --cluster specs/clusters/c4.json --seeds 5 --json",
    "sim specs/scenarios/thermal.yaml --mode unified,thermal-aware --svg heat.svg",
    "sim --from leveldb --without bob --latency 20ms",
    "sim --from out.swarm --without bob",
  ],
  async run(context, [scenario], options) {
    const changes = await changesIn(options);
    const loaded = await load(context, scenario, options);
    const { changed } = await import("../simulation.ts");
    const experiment = changed(loaded.experiment, changes);
    const interrupt = onInterrupt();
    try {
      const runs = await runAll(context, experiment, interrupt.signal);
      await tell(context, experiment, loaded, runs, options);
      if (interrupt.signal.aborted) return 130;
      return runs.every((run) => run.state === "complete") ? 0 : 1;
    } finally {
      interrupt.release();
    }
  },
};

async function load(context: Context, scenario: string | undefined, options: Options): Promise<Loaded> {
  const files = await import("../simulation.ts");
  const [workload, cluster, from] = ["workload", "cluster", "from"].map((name) => optionText(options, name));
  const given = [scenario, workload ?? cluster, from].filter((one) => one !== undefined);
  const remedy =
    "swarmd sim SCENARIO.yaml, swarmd sim --workload FILE --cluster FILE, or swarmd sim --from BUILD";
  if (given.length !== 1)
    throw new SwarmError("usage", "sim takes a scenario, or a workload and a cluster, or a build", {
      remedy,
    });
  if (from !== undefined) {
    const { ofBuild } = await import("../recorded.ts");
    const { subjectOf } = await import("../subject.ts");
    const subject = await subjectOf(context, from, {});
    return ofBuild(subject.context.control, subject.build.build);
  }
  if (scenario !== undefined) return files.ofScenario(scenario);
  if (workload === undefined || cluster === undefined)
    throw new SwarmError("usage", `--${workload === undefined ? "workload" : "cluster"} is missing`, {
      remedy,
    });
  return files.ofFiles(workload, cluster);
}

/** Runs everything, as far as the signal lets it. */
async function runAll(context: Context, experiment: Experiment, signal: AbortSignal): Promise<Tally[]> {
  const { talliesOf } = await import("../../sim/experiment.ts");
  const { plainRun } = await import("../../sim/report.ts");
  const runs: Tally[] = [];
  const total = experiment.variants.length * experiment.seeds.length;
  let turnedMs = performance.now();
  let drawnMs = Number.NEGATIVE_INFINITY;
  try {
    for (const step of talliesOf(experiment)) {
      if ("makespanMs" in step) {
        runs.push(step);
        if (context.json) context.output.json({ run: plainRun(step) });
      } else if (!context.json && performance.now() - drawnMs > redrawMs) {
        drawnMs = performance.now();
        context.output.live([progressText(step, runs.length, total)]);
      }
      if (performance.now() - turnedMs < turnMs) continue;
      await setImmediate();
      turnedMs = performance.now();
      if (signal.aborted) break;
    }
  } finally {
    context.output.live([]);
  }
  return runs;
}

const progressText = (at: Progress, done: number, total: number): string =>
  `run ${done + 1} of ${total}  ${at.variant}, seed ${at.seed}: ${at.settled} of ${countText(at.actions, "action")}, ${durationText(at.virtualMs)} of virtual time`;

async function tell(
  context: Context,
  experiment: Experiment,
  { report, recordedMs, notes = [] }: Loaded,
  runs: readonly Tally[],
  options: Options,
): Promise<void> {
  const { medianRun, resultOf, summariesOf, tableOf } = await import("../../sim/report.ts");
  const { reportFileOf } = await import("../../sim/report-file.ts");
  const { output } = context;
  const summaries = summariesOf(runs);
  const table = tableOf(summaries, report);
  const planned = experiment.variants.length * experiment.seeds.length;
  const heading = `${experiment.name}: ${countText(runs[0]?.actions ?? 0, "action")} on ${countText(experiment.cluster.nodes.length, "node")}, ${countText(runs.length, "run")}${runs.length < planned ? ` of ${planned}` : ""}`;

  const svg = optionText(options, "svg");
  const out = optionText(options, "out");
  const middle = medianRun(runs.filter((run) => run.variant === runs[0]?.variant));
  if (svg !== undefined && middle) await writePicture(svg, middle);
  if (out !== undefined) {
    makeFolder(path.resolve(out));
    for (const run of runs)
      await writePicture(
        path.join(out, `${run.variant.replaceAll(/[^a-z0-9.-]+/g, "-")}-${run.seed}.svg`),
        run,
      );
    const lines = [heading, "", table.titles.join("\t"), ...table.rows.map((row) => row.join("\t"))];
    await writeFile(path.join(out, "report.txt"), `${lines.join("\n")}\n`);
    await writeFile(
      path.join(out, "report.json"),
      `${JSON.stringify(reportFileOf(experiment, runs, { recordedMs, report }))}\n`,
    );
  }

  if (context.json) {
    for (const summary of summaries) output.json({ summary });
    if (recordedMs !== undefined) output.json({ recorded: recordedMs / 1000 });
    if (summaries[0]) output.json(resultOf(summaries[0]));
    return;
  }
  output.line(heading);
  if (experiment.about) output.line(experiment.about);
  for (const note of notes) output.line(output.tone("note", note));
  if (summaries.length > 0) {
    output.line();
    output.table(
      table.titles.map((title, i) => ({ title, right: i > 0 })),
      table.rows,
    );
  }
  if (recordedMs !== undefined && summaries[0]) {
    const simulated = resultOf(summaries[0]).makespan;
    output.line(
      `\nit took ${durationText(recordedMs)} when it ran; simulated ${durationText(simulated * 1000)} (${((100000 * simulated) / Math.max(1, recordedMs)).toFixed(0)} %)`,
    );
  }
  for (const { variant, trouble } of summaries)
    for (const { seed, state } of trouble)
      output.line(output.tone("bad", `${variant}, seed ${seed}: the build ended ${state}`));
  if (svg !== undefined && middle) output.line(`\nthe run of seed ${middle.seed} is drawn in ${svg}`);
  if (out !== undefined)
    output.line(`\nreport and pictures are in ${out}; the page of swarmd open shows its report.json`);
}

async function writePicture(file: string, run: Tally): Promise<void> {
  const { ganttOf } = await import("../../sim/gantt.ts");
  await writeFile(file, ganttOf(run));
}

async function changesIn(options: Options): Promise<Changes> {
  const { durationOf } = await import("../../sim/scenario.ts");
  const { modes } = await import("../../protocol/swarm/policy.ts");
  const time = (name: string, flag: string): number | undefined => {
    const text = optionText(options, name);
    const ms = text === undefined ? undefined : durationOf(text);
    if (text !== undefined && ms === undefined)
      throw new SwarmError("usage", `${flag} takes a time, not ${text}`, { remedy: `${flag} 20ms` });
    return ms;
  };
  const number = (name: string, flag: string, most: number, example: number): number | undefined => {
    const text = optionText(options, name);
    if (text === undefined) return undefined;
    const value = /^[1-9][0-9]{0,4}$/.test(text) ? Number(text) : 0;
    if (value < 1 || value > most)
      throw new SwarmError("usage", `${flag} takes a number from 1 to ${most}, not ${text}`, {
        remedy: `${flag} ${example}`,
      });
    return value;
  };
  const words = optionList(options, "mode");
  return {
    modes: words?.map((word) => choiceOf("--mode", word, modes)),
    gossipAgeMs: time("gossipAge", "--gossip-age"),
    latencyMs: time("latency", "--latency"),
    seeds: number("seeds", "--seeds", seedsMax, 5),
    nodes: number("nodes", "--nodes", nodesMax, 32),
    without: optionList(options, "without"),
    hotterCelsius: number("hotter", "--hotter", 100, 10),
    history: historyIn(optionText(options, "history")),
  };
}

function historyIn(text: string | undefined): Changes["history"] {
  if (text === undefined || text === "exact" || text === "none") return text;
  const share = /^[0-9](\.[0-9]{1,3})?$/.test(text) ? Number(text) : Number.NaN;
  if (!(share <= 2))
    throw new SwarmError("usage", `--history takes exact, none, or a share up to 2, not ${text}`, {
      remedy: "--history 0.3",
    });
  return share;
}
