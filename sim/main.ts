/**
 * `npm run sim`: sweeps of seeds over all cores, or one seed to look at. The one file of sim/ that touches the machine: it reads
 * options, starts worker threads, prints; what a seed does is decided in trial.ts.
 */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { invariants } from "./checkers/violation.ts";
import { addCounts, neverSeen, noCounts, tableOf } from "./coverage.ts";
import { mixOf } from "./mix.ts";
import { type Report, runSeed } from "./trial.ts";

/** A smaller sweep need not reach everything. */
const coverageSeedsMin = 150;

const help = `npm run sim -- [options]

  --seeds N     run N seeds (200), and every seed that ever failed
  --from N      the first of them (1)
  --seed N      run this one alone
  --json        with --seed: end with one line {"seed","hash","virtualMs","faults","violations"}
  --story       with --seed: the mix it drew, and what its hosts did and said
  --workers N   worker threads (one per core)
  --help        this page

  npm run sim -- --seeds 200            what CI runs
  npm run sim -- --seeds 50 --from 1000
  npm run sim -- --seed 17 --story      what happened in seed 17
  npm run sim -- --seed 17 --json

Exit code: 0 when every invariant held and everything declared reachable was reached (judged from ${coverageSeedsMin} seeds on), 1 when
not, 2 for bad usage. Invariants and what a mix is: specs/sim.md.`;

const listedMax = 8;
const seedMax = 2 ** 32 - 1;
/** Seeds that failed once; a line is `SEED WORDS`, and `known` as the first word says that it still does. */
const seedsFile = new URL("../test/sim/seeds.txt", import.meta.url);

interface Options {
  readonly seed: number | undefined;
  readonly seeds: number;
  readonly from: number;
  readonly workers: number;
  readonly json: boolean;
  readonly story: boolean;
}

/** Ends with exit code 2, and says what would have been right. */
function usage(message: string): never {
  process.stderr.write(`${message}\nrun: npm run sim -- --help\n`);
  process.exit(2);
}

function optionsOf(args: readonly string[]): Options {
  const text = { type: "string" } as const;
  const flag = { type: "boolean", default: false } as const;
  let values: { [name: string]: string | boolean | undefined };
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: { seed: text, seeds: text, from: text, workers: text, json: flag, story: flag, help: flag },
    }));
  } catch (error) {
    return usage((error as Error).message.split(". ")[0]!);
  }
  if (values.help) {
    process.stdout.write(`${help}\n`);
    process.exit(0);
  }
  const whole = (name: string, least: number, most: number): number | undefined => {
    const value = values[name];
    if (value === undefined) return undefined;
    if (!/^[0-9]{1,10}$/.test(`${value}`) || Number(value) < least || Number(value) > most)
      return usage(`--${name} takes a whole number from ${least} to ${most}, not ${value}`);
    return Number(value);
  };
  const seed = whole("seed", 0, seedMax);
  if (seed === undefined && (values.json || values.story)) usage("--json and --story go with --seed N");
  if (seed !== undefined && (values.seeds ?? values.from) !== undefined)
    usage("--seed runs one seed: it does not go with --seeds and --from");
  return {
    seed,
    seeds: whole("seeds", 1, 1_000_000) ?? 200,
    from: whole("from", 0, seedMax) ?? 1,
    workers: whole("workers", 1, 64) ?? availableParallelism(),
    json: values.json === true,
    story: values.story === true,
  };
}

/** Seeds that failed once, and whether they still do. */
function seedsThatFailed(): Map<number, { readonly known: boolean; readonly words: string }> {
  const seeds = new Map<number, { known: boolean; words: string }>();
  for (const line of readFileSync(seedsFile, "utf8").split("\n")) {
    const found = /^([0-9]+) (.+)$/.exec(line);
    if (found) seeds.set(Number(found[1]), { known: found[2]!.startsWith("known "), words: found[2]! });
  }
  return seeds;
}

function one({ seed, json, story }: Options): void {
  if (story) process.stdout.write(`${describe(seed!)}\n`);
  const report = runSeed(seed!, {
    keep: story ? (what) => !unread.has(what) : undefined,
    told: (swarm) => {
      if (!story) return;
      for (const { atMs, who, what, detail } of swarm.world.transcript.kept())
        process.stdout.write(
          `${atMs.toFixed(3).padStart(11)} ${who.padEnd(6)} ${what.padEnd(9)} ${detail}\n`,
        );
    },
  });
  for (const line of violationsOf(report)) process.stderr.write(`${line}\n`);
  const { hash, virtualMs, faults, violations } = report;
  if (json) process.stdout.write(`${JSON.stringify({ seed, hash, virtualMs, faults, violations })}\n`);
  else
    process.stdout.write(
      `seed ${seed}: ${violations.length} violations, ${faults} faults in ${Math.round(virtualMs / 1000)} s, ${hash}\n`,
    );
  process.exitCode = violations.length > 0 ? 1 : 0;
}

/** Lines of a transcript that say little by themselves. */
const unread = new Set(["step", "gossip", "message", "state"]);

function describe(seed: number): string {
  const { hosts, works, faults, orders, villain, order, endings } = mixOf(seed);
  return [
    ...hosts.map((h) => `host ${JSON.stringify(h)}`),
    ...works.map(
      ({ atMs, host, workload: { graph } }) =>
        `work at ${atMs} for ${host}: ${graph.name}, ${graph.actions.length} actions`,
    ),
    ...orders.map((o) => `order ${JSON.stringify(o)}`),
    ...faults.map((f) => `fault ${JSON.stringify(f)}`),
    `core from ${order.join(", ")}${villain ? ` without ${villain}` : ""}; else ${JSON.stringify(endings)}`,
  ].join("\n");
}

/** What broke, the first few of each seed, and how to see it again. */
function violationsOf({ seed, violations }: Report): string[] {
  if (violations.length === 0) return [];
  const more = violations.length - listedMax;
  return [
    ...violations
      .slice(0, listedMax)
      .map((v) => `seed ${seed} at ${v.atMs.toFixed(0)} ms: ${v.invariant}: ${v.what}`),
    ...(more > 0 ? [`seed ${seed}: and ${more} more`] : []),
    `run: npm run sim -- --seed ${seed}`,
  ];
}

/** Gives each worker the next seed until all are done; calls back for each report as it comes. */
function overWorkers(
  seeds: readonly number[],
  count: number,
  told: (report: Report) => void,
  ended: () => void,
): void {
  const left = [...seeds];
  let running = 0;
  for (let i = 0; i < Math.min(count, seeds.length); i++) {
    const worker = new Worker(new URL(import.meta.url));
    running++;
    const next = (): void => {
      const seed = left.shift();
      if (seed !== undefined) return worker.postMessage(seed);
      worker.unref();
      void worker.terminate();
      if (--running === 0) ended();
    };
    worker.on("message", (report: Report) => {
      told(report);
      next();
    });
    worker.on("error", (error) => {
      throw error;
    });
    next();
  }
}

function sweep({ seeds, from, workers }: Options): void {
  const failed = seedsThatFailed();
  const asked = Array.from({ length: seeds }, (_, i) => from + i);
  const all = [...new Set([...failed.keys(), ...asked])];
  const counts = noCounts();
  const broken: Report[] = [];
  const invariantsBroken = new Map<string, number>();
  const beganMs = performance.now();
  let done = 0;
  let virtualMs = 0;
  let faults = 0;
  const told = (report: Report): void => {
    done++;
    virtualMs += report.virtualMs;
    faults += report.faults;
    addCounts(counts, report.counts);
    const known = failed.get(report.seed)?.known === true;
    if (report.violations.length > 0 && !known) {
      broken.push(report);
      for (const invariant of new Set(report.violations.map((v) => v.invariant)))
        invariantsBroken.set(invariant, (invariantsBroken.get(invariant) ?? 0) + 1);
      process.stderr.write(`${clear}${violationsOf(report).join("\n")}\n`);
    }
    if (report.violations.length === 0 && known)
      process.stderr.write(
        `${clear}seed ${report.seed} holds: take the word known off its line in test/sim/seeds.txt\n`,
      );
    if (process.stderr.isTTY)
      process.stderr.write(`${clear}${done} of ${all.length}, ${broken.length} failed`);
  };
  const ended = (): void => {
    const seconds = (performance.now() - beganMs) / 1000;
    const cpu = process.cpuUsage();
    const cpuSeconds = (cpu.user + cpu.system) / 1e6;
    process.stdout.write(`${process.stderr.isTTY ? "\n" : ""}${tableOf(counts)}\n\n`);
    const missing = all.length < coverageSeedsMin ? [] : neverSeen(counts);
    for (const item of missing) process.stdout.write(`never exercised: ${item}\n`);
    for (const [invariant, seedsBroken] of invariantsBroken)
      process.stdout.write(
        `broken in ${seedsBroken} seeds: ${invariant} (${invariants[invariant as keyof typeof invariants]})\n`,
      );
    for (const [seed, { known, words }] of failed) if (known) process.stdout.write(`seed ${seed} ${words}\n`);
    process.stdout.write(
      `${all.length} seeds, ${broken.length} failed, ${faults} faults, ${Math.round(virtualMs / 1000)} s of virtual time in ${seconds.toFixed(0)} s (${(cpuSeconds / all.length).toFixed(2)} CPU s per seed)\n`,
    );
    for (const { seed } of broken.slice(0, 20)) process.stdout.write(`run: npm run sim -- --seed ${seed}\n`);
    process.exitCode = broken.length > 0 || missing.length > 0 ? 1 : 0;
  };
  overWorkers(all, workers, told, ended);
}

const clear = process.stderr.isTTY ? "\r\u001b[K" : "";

if (isMainThread) {
  const options = optionsOf(process.argv.slice(2));
  if (options.seed === undefined) sweep(options);
  else one(options);
} else parentPort!.on("message", (seed: number) => parentPort!.postMessage(runSeed(seed)));
