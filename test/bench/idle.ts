/** What daemons cost while they do nothing: memory of them and their helpers, and their share of a core. */
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** Clock ticks of /proc per second, on all Linux architectures we run on. */
export const ticksPerSecond = 100;

export interface Idle {
  /** Largest of the daemons. */
  readonly residentMiB: number;
  /** With the launchers it keeps, largest. */
  readonly withHelpersMiB: number;
  /** Percent of one core, largest, helpers included. */
  readonly cpuPercent: number;
}

export async function idle(pids: readonly number[], seconds: number): Promise<Idle> {
  const before = pids.map(ticksOf);
  await sleep(seconds * 1000);
  const costs = pids.map((pid, n) => ({
    residentMiB: residentMiB(pid),
    withHelpersMiB: [pid, ...descendants(pid)].reduce((sum, one) => sum + residentMiB(one), 0),
    cpuPercent: ((ticksOf(pid) - before[n]!) / ticksPerSecond / seconds) * 100,
  }));
  const largest = (key: keyof Idle) => Math.max(...costs.map((cost) => cost[key]));
  return {
    residentMiB: largest("residentMiB"),
    withHelpersMiB: largest("withHelpersMiB"),
    cpuPercent: largest("cpuPercent"),
  };
}

/** Fields of /proc/PID/stat behind the name, which may hold spaces and brackets. */
const statOf = (pid: number) =>
  readFileSync(`/proc/${pid}/stat`, "latin1")
    .replace(/^.*\) /s, "")
    .split(" ");

const ticksOf = (pid: number): number =>
  [pid, ...descendants(pid)].reduce((sum, one) => sum + ownTicksOf(one), 0);

/** Of a process without those it started. */
export function ownTicksOf(pid: number): number {
  const stat = statOf(pid);
  return Number(stat[11]) + Number(stat[12]);
}

export function residentMiB(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1] ?? 0) / 1024;
}

function descendants(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const parent = Number(statOf(Number(name))[1]);
      children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
    } catch {
      // It ended between the listing and the look.
    }
  }
  const below = (one: number): number[] =>
    (children.get(one) ?? []).flatMap((child) => [child, ...below(child)]);
  return below(pid);
}
