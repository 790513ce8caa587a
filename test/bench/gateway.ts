/**
 * The gateway of a real daemon under load from another process: requests beside a bare node:http server that gives the same bytes, and events to many
 * clients while a build runs. On machines with few cores everybody gets in everybody's way: what the server itself spends says most.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { Farm } from "./farm.ts";
import type { Figure } from "./figure.ts";
import { ownTicksOf, residentMiB, ticksPerSecond } from "./idle.ts";

const requestSeconds = 6;
const connections = 16;
const clients = 250;
/** Of a build: actions that only wait, so that it shows whether the daemon is held up, not who got the processor. */
const actions = 60;
const actionSeconds = 0.25;
const slots = 4;

interface Requests {
  readonly perSecond: number;
  /** Per second of processor time that the server spent. */
  readonly perCpuSecond: number;
}

interface GatewayRun {
  readonly bytes: number;
  readonly gateway: Requests;
  readonly bare: Requests;
  readonly events: { readonly perSecond: number; readonly p50Ms: number; readonly p99Ms: number };
  /** Of the build with listeners beside the one without. */
  readonly slowed: number;
  readonly grownMiB: number;
}

export async function* gatewayFigures(folder: string, rounds: number): AsyncIterable<Figure> {
  const { bytes, gateway, bare, events, slowed, grownMiB } = await gatewayRun(folder, rounds);
  const share = (gateway.perCpuSecond / bare.perCpuSecond) * 100;
  yield {
    what: `gateway: /status (${bytes} B), by its own processor time`,
    value: gateway.perCpuSecond,
    unit: "req/s",
    goal: "≥ 5000",
    met: gateway.perCpuSecond >= 5000,
    beside: `${share.toFixed(0)} % of bare node:http (${bare.perCpuSecond.toFixed(0)}); by the clock ${gateway.perSecond.toFixed(0)}, bare ${bare.perSecond.toFixed(0)}`,
  };
  yield {
    what: "gateway: delay of events to 250 clients, p99",
    value: events.p99Ms,
    unit: "ms",
    goal: "≤ 250",
    met: events.p99Ms <= 250,
    beside: `median ${events.p50Ms} ms, ${events.perSecond.toFixed(0)} events/s in all`,
  };
  for (const [what, value, unit, max] of [
    ["gateway: a build while 250 listen", slowed * 100, "% more", 3],
    ["gateway: memory after all of it", grownMiB, "MiB", 64],
  ] as const)
    yield { what, value, unit, goal: `≤ ${max}`, met: value <= max };
}

async function gatewayRun(folder: string, rounds: number): Promise<GatewayRun> {
  const farm = await Farm.start({ nodes: 1, slotsPerNode: slots, sandbox: "none" });
  try {
    const pid = (await farm.pids())[0]!;
    const url = await farm.gateway();
    const asked = `${url}/api/v1/status`;
    await farm.submit(await spec(folder, "warm"));
    const body = Buffer.from(await (await fetch(asked)).arrayBuffer());
    await load("requests", asked, 1, connections);
    const grown = residentMiB(pid);
    const gateway = await requests(asked, pid);
    const bare = await bareRequests(body);
    const ratios: number[] = [];
    const heard: GatewayRun["events"][] = [];
    for (let round = 0; round < rounds; round++) {
      const alone = (await farm.submit(await spec(folder, `a${round}`))).result.wallMs;
      const listened = load("listeners", `${url}/api/v1/stream`, listenSeconds, clients);
      await sleep(1000);
      const beside = (await farm.submit(await spec(folder, `b${round}`))).result.wallMs;
      heard.push((await listened) as unknown as GatewayRun["events"]);
      ratios.push(beside / alone);
    }
    return {
      bytes: body.length,
      gateway,
      bare,
      events: median(heard, ({ p99Ms }) => p99Ms),
      slowed: median(ratios, (ratio) => ratio) - 1,
      grownMiB: residentMiB(pid) - grown,
    };
  } finally {
    await farm.stop();
  }
}

const listenSeconds = 2 + (2 * actions * actionSeconds) / slots;

const median = <T>(list: readonly T[], of: (one: T) => number): T =>
  [...list].sort((a, b) => of(a) - of(b))[list.length >> 1]!;

async function spec(folder: string, tag: string): Promise<string> {
  const file = path.join(folder, `waits-${tag}.yaml`);
  const run = `["sleep", "${actionSeconds}", "0.0\${n}"]`;
  await writeFile(
    file,
    `swarmd: 1\nname: waits-${tag}\nactions:\n  wait:\n    foreach: {n: {count: ${actions}}}\n    env: {TAG: "${tag}"}\n    cache: false\n    run: ${run}\n`,
  );
  return file;
}

async function requests(url: string, pid: number): Promise<Requests> {
  const before = ownTicksOf(pid);
  const { answered, perSecond } = await load("requests", url, requestSeconds, connections);
  const cpuSeconds = (ownTicksOf(pid) - before) / ticksPerSecond;
  return { perSecond: perSecond!, perCpuSecond: answered! / cpuSeconds };
}

async function bareRequests(body: Buffer): Promise<Requests> {
  const child = spawn(process.execPath, [path.join(import.meta.dirname, "bare-server.ts")], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  try {
    child.stdin.end(body);
    const [line] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
    const url = `http://127.0.0.1:${line}/`;
    await load("requests", url, 1, connections);
    return await requests(url, child.pid!);
  } finally {
    child.kill();
  }
}

async function load(
  what: "requests" | "listeners",
  url: string,
  seconds: number,
  count: number,
): Promise<Record<string, number>> {
  const args = [path.join(import.meta.dirname, "load.ts"), what, url, String(seconds), String(count)];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  let last = "{}";
  createInterface({ input: child.stdout }).on("line", (line) => {
    last = line;
  });
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`the load ended with ${code}`);
  return JSON.parse(last);
}
