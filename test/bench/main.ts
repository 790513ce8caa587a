/**
 * `npm run bench [-- PART...] [--rounds N] [--json]`: measures swarmd against ninja and bare bubblewrap on this machine; parts are in
 * `arguments.ts`. Each figure is the median of its rounds, which alternate with their baseline.
 */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, loadavg } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { findProgram } from "../../node/build/programs.ts";
import type { Digest } from "../../protocol/kernel/ids.ts";
import { missingForLab } from "../lab/lab.ts";
import { accounts } from "./account.ts";
import { mesh, parts, wanted } from "./arguments.ts";
import { bubblewrapPerSecond, ninjaMs } from "./baseline.ts";
import type { IndexRun } from "./binhost.ts";
import { fanOut } from "./fanout.ts";
import { Farm, type FarmOptions, type Submission, stopAll } from "./farm.ts";
import { type Figure, median } from "./figure.ts";
import { gatewayFigures } from "./gateway.ts";
import { idle } from "./idle.ts";
import { joinSeenMs } from "./joining.ts";
import { receivedBytes, storedBytes } from "./ledger.ts";
import { lossy } from "./loss.ts";
import { mergeFigures } from "./merging.ts";
import { logShare } from "./messages.ts";
import { type Packing, packing } from "./packing.ts";
import { pictured } from "./picture.ts";
import { recording } from "./recording.ts";
import { finalizeMs, switchMs } from "./release.ts";
import { figuresOf } from "./schedule.ts";
import { serving } from "./serving.ts";
import { slid } from "./slide.ts";
import { leveldbWithoutTests, nothings, thousand } from "./specs.ts";
import { startFigures } from "./starting.ts";
import { bareMegabytesPerSecond, copyMegabytesPerSecond, makeBlob, transfer } from "./transfer.ts";
import type { WorldRun } from "./world.ts";

const { values, positionals } = wanted();
const rounds = Number(values.rounds);
/** What daemons say while idle is measured for so long. */
const stillMs = 10_000;
const count = Number(values.count);
const cores = availableParallelism();
const boxed = findProgram("bwrap") !== undefined;

const figures: Figure[] = [];
const note = (text: string): void => {
  process.stderr.write(`${text}\n`);
};
const add = (figure: Figure) => {
  figures.push(figure);
  note(lineOf(figure));
};
const lineOf = ({ what, value, unit, goal, met, beside }: Figure) =>
  `${met ? "ok  " : "MISS"} ${what.padEnd(52)} ${value.toFixed(value < 10 ? 3 : 0).padStart(8)} ${unit.padEnd(7)} ${goal.padEnd(9)} ${beside ?? ""}`;

async function once(options: FarmOptions, spec: string): Promise<Submission> {
  const farm = await Farm.start(options);
  try {
    const submission = await farm.submit(spec);
    if (submission.result.cached > 0) throw new Error("something came from a cache that should be empty");
    return submission;
  } finally {
    await farm.stop();
  }
}

async function leveldb(folder: string): Promise<void> {
  const spec = await leveldbWithoutTests(folder);
  const sandbox = boxed ? "bubblewrap" : "none";
  for (const { what, nodes, slotsPerNode, goal } of [
    { what: "LevelDB, three daemons of one slot", nodes: 3, slotsPerNode: 1, goal: 1.15 },
    { what: `LevelDB, one daemon of ${cores} slots`, nodes: 1, slotsPerNode: cores, goal: 1.05 },
  ]) {
    const jobs = nodes * slotsPerNode;
    const [ninja, build, command]: [number[], number[], number[]] = [[], [], []];
    for (let round = 0; round < rounds; round++) {
      ninja.push(await ninjaMs(spec, jobs));
      const { result, commandMs } = await once({ nodes, slotsPerNode, sandbox }, spec);
      build.push(result.wallMs);
      command.push(commandMs);
      note(
        `     round ${round + 1}: ninja -j${jobs} ${ninja.at(-1)!.toFixed(0)} ms, swarmd ${result.wallMs} ms (command ${commandMs.toFixed(0)} ms) ${JSON.stringify(result.byNode)}`,
      );
    }
    const ratio = median(build) / median(ninja);
    add({
      what,
      value: ratio,
      unit: "× ninja",
      goal: `≤ ${goal}`,
      met: ratio <= goal,
      beside: `${median(build).toFixed(0)} ms against ${median(ninja).toFixed(0)} ms with -j${jobs}; whole command ${(median(command) / median(ninja)).toFixed(3)} ×`,
    });
  }
}

async function nothingAtAll(folder: string): Promise<void> {
  const rate = async (options: FarmOptions) => {
    const rates: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const spec = await nothings(folder, count, `${round}`);
      const { result } = await once(options, spec);
      rates.push((result.executed * 1000) / result.wallMs);
      note(`     round ${round + 1}: ${rates.at(-1)!.toFixed(0)}/s`);
    }
    return median(rates);
  };
  const plain = await rate({ nodes: 1, slotsPerNode: cores, sandbox: "none" });
  add({
    what: `${count} × true, one node without sandbox`,
    value: plain,
    unit: "/s",
    goal: "≥ 700",
    met: plain >= 700,
  });
  const three = await rate({ nodes: 3, slotsPerNode: 1, sandbox: "none" });
  add({
    what: `${count} × true, three nodes without sandbox`,
    value: three,
    unit: "/s",
    goal: "≥ 500",
    met: three >= 500,
  });
  if (!boxed) return note("     bubblewrap is not installed: not measured");
  const bare: number[] = [];
  for (let round = 0; round < rounds; round++) bare.push(await bubblewrapPerSecond(count, cores));
  const box = await rate({ nodes: 1, slotsPerNode: cores, sandbox: "bubblewrap" });
  const share = box / median(bare);
  add({
    what: `${count} × true, one node with bubblewrap`,
    value: share,
    unit: "× bare",
    goal: "≥ 0.8",
    met: share >= 0.8,
    beside: `${box.toFixed(0)}/s against ${median(bare).toFixed(0)}/s of bare bubblewrap, ${cores} at a time`,
  });
}

async function cached(folder: string): Promise<void> {
  const shapes = { flat: "side by side", deep: "in chains of ten" } as const;
  for (const shape of ["flat", "deep"] as const) {
    const commands: number[] = [];
    const builds: number[] = [];
    const farm = await Farm.start({ nodes: 3, slotsPerNode: 1, sandbox: "none" });
    try {
      const spec = await thousand(folder, shape, shape);
      await farm.submit(spec);
      for (let round = 0; round < rounds; round++) {
        const { result, commandMs } = await farm.submit(spec, 1 + (round % 2));
        if (result.cached !== 1000) throw new Error(`${result.executed} actions ran again`);
        commands.push(commandMs);
        builds.push(result.wallMs);
      }
    } finally {
      await farm.stop();
    }
    const tookMs = median(commands);
    add({
      what: `1000 cached actions ${shapes[shape]}, from another node`,
      value: tookMs / 1000,
      unit: "s",
      goal: "≤ 2",
      met: tookMs <= 2000,
      beside: `whole command; the build alone ${median(builds).toFixed(0)} ms`,
    });
  }
}

async function idling(): Promise<void> {
  for (const nodes of [1, 3]) {
    const farm = await Farm.start({ nodes, slotsPerNode: cores, sandbox: boxed ? "bubblewrap" : "none" });
    try {
      const cost = await idle(await farm.pids(), 30);
      const what = nodes === 1 ? "a daemon alone" : `each of ${nodes} daemons`;
      add({
        what: `memory of ${what}, idle`,
        value: cost.residentMiB,
        unit: "MiB",
        goal: "≤ 150",
        met: cost.residentMiB <= 150,
        beside: `${cost.withHelpersMiB.toFixed(0)} MiB with its helpers`,
      });
      add({
        what: `processor of ${what}, idle`,
        value: cost.cpuPercent,
        unit: "%",
        goal: "≤ 1",
        met: cost.cpuPercent <= 1,
      });
    } finally {
      await farm.stop();
    }
  }
}

/** 1 GiB from one daemon to another, beside a bare socket that reads, hashes and writes the same file. */
async function transferred(folder: string): Promise<void> {
  const file = path.join(folder, "gibibyte");
  const [rates, bare, resident, cpu]: [number[], number[], number[], number[]] = [[], [], [], []];
  const small: number[] = [];
  /** Each round between daemons that hold nothing yet. */
  const between = async (digest: Digest, more?: Pick<FarmOptions, "small">) => {
    const farm = await Farm.start({ nodes: 2, slotsPerNode: 1, sandbox: "none", ...more });
    try {
      const [from, to] = await farm.daemons();
      return await transfer(file, digest, from!, to!);
    } finally {
      await farm.stop();
    }
  };
  const copied: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const digest = await makeBlob(file, 1 << 30);
    copied.push(await copyMegabytesPerSecond(file));
    bare.push(await bareMegabytesPerSecond(file));
    const moved = await between(digest);
    rates.push(moved.megabytesPerSecond);
    resident.push(moved.residentMiB);
    cpu.push(Math.max(moved.giverCpuSeconds, moved.takerCpuSeconds));
    small.push((await between(digest, { small: true })).residentMiB);
    note(
      `     round ${round + 1}: ${rates.at(-1)!.toFixed(0)} MB/s, bare ${bare.at(-1)!.toFixed(0)} MB/s, ${resident.at(-1)!.toFixed(0)} MiB, the busier daemon ${cpu.at(-1)!.toFixed(1)} s of processor`,
    );
  }
  const rate = median(rates);
  add({
    what: "1 GiB between two daemons, verified, on disk",
    value: rate,
    unit: "MB/s",
    goal: "≥ 150",
    met: rate >= 150,
    beside: `${(rate / median(bare)).toFixed(2)} × a bare socket with sha256 and write (${median(bare).toFixed(0)} MB/s); cp and sha256sum ${median(copied).toFixed(0)} MB/s; the busier daemon takes ${median(cpu).toFixed(1)} s of processor`,
  });
  const most = Math.max(...resident);
  add({ what: "memory of either meanwhile", value: most, unit: "MiB", goal: "≤ 350", met: most <= 350 });
  const mostSmall = Math.max(...small);
  add({
    what: "memory of either meanwhile, with --small",
    value: mostSmall,
    unit: "MiB",
    goal: "≤ 152",
    met: mostSmall <= 152,
    beside: "of which some 57 are pages of Node's own program",
  });
}

/** Ten daemons: how soon nine of them see the tenth. */
async function joined(): Promise<void> {
  const farm = await Farm.start({ nodes: 9, slotsPerNode: 1, sandbox: "none" });
  const seen: number[] = [];
  try {
    for (let round = 0; round < rounds; round++) seen.push(...(await joinSeenMs(farm, await farm.daemons())));
  } finally {
    await farm.stop();
  }
  seen.sort((a, b) => a - b);
  for (const { what, share } of [
    { what: "half", share: 0.5 },
    { what: "99 in 100", share: 0.99 },
  ]) {
    const ms = seen[Math.min(seen.length - 1, Math.floor(seen.length * share))]!;
    add({
      what: `one that joins nine is seen by ${what} of them`,
      value: ms / 1000,
      unit: "s",
      goal: "≤ 1",
      met: ms <= 1000,
      beside: "after it answers; goal of issue 4: 2 s",
    });
  }
}

/** What each action costs three daemons in bytes, and what they receive while nothing happens. */
async function ledgered(folder: string): Promise<void> {
  const [wire, disk, still]: [number[], number[], number[]] = [[], [], []];
  let packedUp: Packing[] = [];
  const farm = await Farm.start({ nodes: 3, slotsPerNode: 2, sandbox: "none" });
  try {
    const daemons = await farm.daemons();
    const received = () => Promise.all(daemons.map(({ pid }) => receivedBytes(pid)));
    const stored = () => daemons.reduce((sum, { home }) => sum + storedBytes(home), 0);
    const sum = (list: readonly (number | undefined)[]) => list.reduce<number>((a, b) => a + (b ?? 0), 0);
    if ((await received()).includes(undefined)) return note("     the ledger wants ss: not measured");
    for (let round = 0; round < rounds; round++) {
      const spec = await nothings(folder, count, `ledger ${round}`);
      const quiet = sum(await received());
      await sleep(stillMs);
      const before = { wire: sum(await received()), disk: stored() };
      const startMs = performance.now();
      await farm.submit(spec);
      await sleep(2_000);
      const tookMs = performance.now() - startMs;
      const perMs = (before.wire - quiet) / stillMs;
      still.push((perMs * 1000) / daemons.length);
      wire.push((sum(await received()) - before.wire - perMs * tookMs) / daemons.length / count);
      disk.push((stored() - before.disk) / daemons.length / count);
      note(
        `     round ${round + 1}: ${wire.at(-1)!.toFixed(0)} B received and ${disk.at(-1)!.toFixed(0)} B stored for each action and node; ${still.at(-1)!.toFixed(0)} B/s while idle`,
      );
    }
    await farm.rest();
    packedUp = await Promise.all(daemons.map(({ home }) => packing(home)));
  } finally {
    await farm.stop();
  }
  const perAction = (of: keyof Packing) =>
    packedUp.reduce((sum, one) => sum + one[of], 0) / packedUp.length / count / rounds;
  add({
    what: `${count} × true on three nodes: kept of each action, archived`,
    value: perAction("packedBytes"),
    unit: "B/node",
    goal: "≤ 400",
    met: perAction("packedBytes") <= 400,
    beside: `${perAction("looseBytes").toFixed(0)} B of keys and values while the build is in memory`,
  });
  add({
    what: `${count} × true on three nodes: received for each action`,
    value: median(wire),
    unit: "B/node",
    goal: "≤ 400",
    met: median(wire) <= 400,
    beside: `all that TCP carried, graph and inputs too, but what an idle daemon hears (${median(still).toFixed(0)} B/s); ${median(disk).toFixed(0)} B more in the files of its store`,
  });
}

/** 256 MiB to three machines at once; on a machine that is busy with other things a tenth of the rate, and of the size, says more. */
async function fannedOut(): Promise<void> {
  const missing = await missingForLab();
  if (missing !== undefined) return note(`     fan-out wants ${missing}: not measured`);
  for (const { mebibytes, megabits } of [
    { mebibytes: 26, megabits: 20 },
    { mebibytes: 256, megabits: 200 },
  ]) {
    const ratios: number[] = [];
    const busy: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const { tookMs, lineMs, busyPercent } = await fanOut(mebibytes << 20, megabits);
      ratios.push(tookMs / lineMs);
      busy.push(busyPercent);
      note(
        `     round ${round + 1}: ${tookMs.toFixed(0)} ms for ${lineMs.toFixed(0)} ms of line, processors ${busyPercent.toFixed(0)} % busy`,
      );
    }
    const ratio = median(ratios);
    add({
      what: `${mebibytes} MiB to three machines at ${megabits} Mbit/s each`,
      value: ratio,
      unit: "× line",
      goal: "≤ 1.3",
      met: ratio <= 1.3,
      beside: `BitTorrent takes 1.31, a plain chain 1.06; all processors were ${median(busy).toFixed(0)} % busy`,
    });
  }
}

/** What becomes of a build where a third of all packets is lost. */
async function lostOnTheWay(): Promise<void> {
  const missing = await missingForLab();
  if (missing !== undefined) return note(`     loss wants ${missing}: not measured`);
  const ratios: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const { cleanMs, lossyMs, again } = await lossy(60);
    ratios.push(lossyMs / cleanMs);
    note(`     round ${round + 1}: ${lossyMs} ms against ${cleanMs} ms, ${again} actions run again`);
  }
  const ratio = median(ratios);
  add({
    what: "60 actions of 1.5 s, a third of all packets lost",
    value: ratio,
    unit: "× clean",
    goal: "≤ 2",
    met: ratio <= 2,
  });
}

/** How long people wait for an account of a large build. */
async function looked(): Promise<void> {
  const run = await pictured(5000);
  if (run === undefined) {
    process.stderr.write("web needs Debian's chromium\n");
    return;
  }
  const { firstMs, framesPerSecond, eventMs } = run;
  const graph = "live graph of 5,000 actions";
  add({ what: `${graph}, first picture`, value: firstMs, unit: "ms", goal: "≤ 2000", met: firstMs <= 2000 });
  add({
    what: `${graph}, all of it moved`,
    value: framesPerSecond,
    unit: "frames/s",
    goal: "≥ 30",
    met: framesPerSecond >= 30,
  });
  add({ what: `${graph}, event to picture`, value: eventMs, unit: "ms", goal: "≤ 300", met: eventMs <= 300 });
  const replay = (await slid(10_000))!;
  const replayed = "replay of 10,000 actions";
  add({
    what: `${replayed}, first picture`,
    value: replay.firstMs,
    unit: "ms",
    goal: "≤ 5000",
    met: replay.firstMs <= 5000,
  });
  add({
    what: `${replayed}, its slider moved`,
    value: replay.framesPerSecond,
    unit: "frames/s",
    goal: "≥ 30",
    met: replay.framesPerSecond >= 30,
  });
}

async function accounted(folder: string): Promise<void> {
  const { whyMs, criticalPathMs, autopsyMs, momentMs } = await accounts(10_000);
  for (const [what, value, max] of [
    ["why", whyMs, 200],
    ["critical-path", criticalPathMs, 200],
    ["autopsy", autopsyMs, 200],
    ["replay to a moment", momentMs, 1000],
  ] as const)
    add({ what: `${what}, build of 10,000 actions`, value, unit: "ms", goal: `≤ ${max}`, met: value <= max });
  const { recorded, floor } = await recording(folder, 3 * rounds);
  const share = median(recorded) * 100;
  const told = (shares: readonly number[]) =>
    `${(median(shares) * 100).toFixed(1)} % (${shares.map((one) => (one * 100).toFixed(1)).join(", ")})`;
  add({
    what: "recording: more processor time of the daemon",
    value: share,
    unit: "%",
    goal: "≤ 3",
    met: share <= 3,
    beside: `rounds: ${told(recorded)}; one that records nothing beside another: ${told(floor)}`,
  });
}

/** What it costs to note which messages came and went. */
function noted(): void {
  const percent = logShare() * 100;
  add({
    what: "log of messages, of what messages take",
    value: percent,
    unit: "%",
    goal: "≤ 1",
    met: percent <= 1,
  });
}

/** What the scheduler makes of given machines, against one mind that knows everything. */
async function scheduled(): Promise<void> {
  for await (const { what, value, unit, most } of figuresOf(values.large))
    add({ what, value, unit, goal: `≤ ${most}`, met: value <= most });
}

/** A world of so many hosts in a process of its own. Figures are by processor time: on a busy machine the clock says little. */
async function simulated(): Promise<void> {
  const worlds = [
    { hosts: 3, actions: 100, large: false },
    { hosts: 16, actions: 400, large: false },
    { hosts: 16, actions: 1_600, large: false },
    { hosts: 256, actions: 5_000, large: true, minutes: 5 },
    { hosts: 1_000, actions: 10_000, large: true, minutes: 10 },
  ];
  for (const { hosts, actions, large, minutes } of worlds) {
    if (large && !values.large) continue;
    const args = [
      "--max-old-space-size=8192",
      "--max-semi-space-size=64",
      path.join(import.meta.dirname, "world.ts"),
    ];
    // One that is far beyond its goal is broken off.
    args.push(`${hosts}`, `${actions}`, ...(minutes === undefined ? [] : [`${2 * minutes}`]));
    const { stdout } = await promisify(execFile)(process.execPath, args);
    const run = JSON.parse(stdout) as WorldRun;
    const beside = `${(run.virtualMs / 1000).toFixed(0)} s of it in ${(run.cpuMs / 1000).toFixed(1)} s of processor, ${run.peakMiB} MiB at most; per host and second ${run.gossipsPerSecond} gossips (${run.gossipBytesPerSecond} B), ${run.unicastsPerSecond} unicasts (${run.unicastBytesPerSecond} B)`;
    const what = `simulated: ${hosts} hosts, ${actions} actions`;
    if (minutes === undefined) {
      const speed = run.virtualMs / run.cpuMs;
      add({ what, value: speed, unit: "× real", goal: "≥ 100", met: speed >= 100, beside });
    } else {
      const took = run.cpuMs / 60_000;
      const met = run.ended && took <= minutes && run.peakMiB <= 8192;
      const far = run.ended ? "" : `broken off with ${run.done} actions done: `;
      add({ what, value: took, unit: "minutes", goal: `≤ ${minutes}`, met, beside: `${far}${beside}` });
    }
  }
}

/** What clients of releases are served, and how fast. */
async function binhost(folder: string): Promise<void> {
  const child = path.join(import.meta.dirname, "binhost.ts");
  const { stdout } = await promisify(execFile)(process.execPath, [child, "index", "20000"]);
  const { cpuMs, peakMiB, bytes } = JSON.parse(stdout) as IndexRun;
  add({
    what: "index of 20,000 Gentoo packages",
    value: cpuMs / 1000,
    unit: "s",
    goal: "≤ 5",
    met: cpuMs <= 5000,
    beside: `of processor; ${(bytes / 1e6).toFixed(0)} MB written`,
  });
  add({ what: "memory of it", value: peakMiB, unit: "MiB", goal: "≤ 400", met: peakMiB <= 400 });
  const { smallPerSecond, megabytesPerSecond } = await serving(folder);
  const beside = "for each second of the server's processor";
  add({
    what: "small files served",
    value: smallPerSecond,
    unit: "/s",
    goal: "≥ 2000",
    met: smallPerSecond >= 2000,
    beside,
  });
  const met = megabytesPerSecond >= 300;
  add({ what: "large files served", value: megabytesPerSecond, unit: "MB/s", goal: "≥ 300", met, beside });
}

/** A finalize of many packages among three voters, and the moment in which a mirror turns to it. */
async function released(folder: string): Promise<void> {
  const farm = await Farm.start({ nodes: 3, slotsPerNode: 1, sandbox: "none" });
  try {
    const took = median(await finalizeMs(farm, folder, 500, rounds));
    add({
      what: "finalize of 500 packages, three voters",
      value: took,
      unit: "ms",
      goal: "≤ 1000",
      met: took <= 1000,
    });
  } finally {
    await farm.stop();
  }
  const took = median(await switchMs(500, Math.max(5, rounds)));
  add({ what: "switch of a mirror to 500 files", value: took, unit: "ms", goal: "≤ 10", met: took <= 10 });
}

// Inside the clone, so that inputs are named by relative paths; .swarmd is not tracked.
const scratch = path.resolve(import.meta.dirname, "../../.swarmd");
await mkdir(scratch, { recursive: true });
const folder = await mkdtemp(path.join(scratch, "bench-"));
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, async () => {
    await stopAll();
    await rm(folder, { recursive: true, force: true });
    process.exit(130);
  });
if (loadavg()[0]! > 1)
  note(`     others keep this machine busy (load ${loadavg()[0]!.toFixed(1)}): figures tell little`);
try {
  const wanted = positionals.length > 0 ? positionals.flatMap((p) => (p === "mesh" ? mesh : p)) : parts;
  if (wanted.includes("leveldb")) await leveldb(folder);
  if (wanted.includes("nothings")) await nothingAtAll(folder);
  if (wanted.includes("start")) for (const figure of await startFigures(rounds)) add(figure);
  if (wanted.includes("cached")) await cached(folder);
  if (wanted.includes("idle")) await idling();
  if (wanted.includes("transfer")) await transferred(folder);
  if (wanted.includes("join")) await joined();
  if (wanted.includes("ledger")) await ledgered(folder);
  if (wanted.includes("fanout")) await fannedOut();
  if (wanted.includes("loss")) await lostOnTheWay();
  if (wanted.includes("schedule")) await scheduled();
  if (wanted.includes("account")) await accounted(folder);
  if (wanted.includes("messages")) noted();
  if (wanted.includes("merge")) for (const figure of await mergeFigures()) add(figure);
  if (wanted.includes("gateway")) for await (const figure of gatewayFigures(folder, rounds)) add(figure);
  if (wanted.includes("web")) await looked();
  if (wanted.includes("sim")) await simulated();
  if (wanted.includes("binhost")) await binhost(folder);
  if (wanted.includes("release")) await released(folder);
} finally {
  await rm(folder, { recursive: true, force: true });
}
if (values.json) process.stdout.write(`${JSON.stringify({ cores, rounds, figures })}\n`);
else process.stdout.write(`\n${figures.map(lineOf).join("\n")}\n`);
