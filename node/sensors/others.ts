/** How many cores programs use that this daemon did not start: what the machine used, less what the daemon and all below it used. */
import type { Unknown } from "../../protocol/swarm/vitals.ts";
import { readText } from "./reading.ts";

/** The kernel tells times in hundredths of a second, on every machine. */
const ticksPerSecond = 100;
/** What others use now and then counts for so long: slots fall at once and rise late. */
const keptMs = 5_000;
const intervalMsMin = 500;

/** One look at the machine, or `unknown`; monotonic milliseconds. */
export interface OthersOptions {
  readonly root: string;
  /** Processor time of this daemon and all that descend from it, those that have ended included; hundredths of a second. */
  readonly ownTicks: () => number;
  readonly nowMonoMs: () => number;
}

/** Reads anew at each call; the first knows nothing yet. */
export function createOthers({ root, ownTicks, nowMonoMs }: OthersOptions): () => number | Unknown {
  let before: { readonly atMs: number; readonly machine: number; readonly own: number } | undefined;
  let kept: { readonly atMs: number; readonly cores: number }[] = [];
  return () => {
    const atMs = nowMonoMs();
    if (!before || atMs - before.atMs >= intervalMsMin) {
      const machine = busyTicks(readText(`${root}/proc/stat`) ?? "");
      if (machine === "unknown") return "unknown";
      const now = { atMs, machine, own: ownTicks() };
      if (before) {
        const ticks = now.machine - before.machine - (now.own - before.own);
        const cores = ticks / ticksPerSecond / ((atMs - before.atMs) / 1000);
        kept.push({ atMs, cores: Math.max(0, Math.round(cores * 10) / 10) });
      }
      before = now;
    }
    kept = kept.filter((one) => atMs - one.atMs <= keptMs);
    return kept.length === 0 ? "unknown" : Math.max(...kept.map((one) => one.cores));
  };
}

/** Of the first line of /proc/stat (proc(5)): user, nice, system, irq, softirq; guests are in user, what a hypervisor stole is nobody's. */
export function busyTicks(stat: string): number | Unknown {
  const [, user, nice, system, , , irq, softirq] = /^cpu .*$/m.exec(stat)?.[0].split(/\s+/) ?? [];
  const sum = [user, nice, system, irq, softirq].reduce(
    (ticks, field) => ticks + Number(field ?? Number.NaN),
    0,
  );
  return Number.isSafeInteger(sum) ? sum : "unknown";
}
