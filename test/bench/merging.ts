/** A million entries of sixteen authors, merged; and what checking their signatures costs beside that. Each in a process of its own. */
import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";
import type { Figure } from "./figure.ts";

/** A million entries of sixteen authors, out of order and in part twice; and what checking their signatures costs beside that. */
export async function mergeFigures(): Promise<Figure[]> {
  const figures: Figure[] = [];
  const file = path.join(import.meta.dirname, "merge.ts");
  const told = async <T>(...args: readonly string[]) =>
    JSON.parse((await promisify(execFile)(process.execPath, [file, ...args])).stdout) as T;
  const merge = await told<{ perCpuSecond: number; residentMiB: number; whole: number }>(
    "merged",
    "1000000",
    "16",
  );
  figures.push({
    what: `merge of ${merge.whole} entries of 16 authors, once verified`,
    value: merge.perCpuSecond,
    unit: "/s",
    goal: "≥ 50000",
    met: merge.perCpuSecond >= 50_000,
    beside: `by processor time of one core; ${merge.residentMiB.toFixed(0)} MiB resident at most`,
  });
  const signed = await told<{ readPerSecond: number; rawPerSecond: number; togetherPerSecond: number }>(
    "verified",
    "20000",
    "16",
  );
  const share = (signed.togetherPerSecond / signed.rawPerSecond) * 100;
  figures.push({
    what: "entries read, verified and merged",
    value: signed.togetherPerSecond,
    unit: "/s",
    goal: "≥ 75 % of Ed25519",
    met: share >= 75,
    beside: `${share.toFixed(0)} % of bare Ed25519 (${signed.rawPerSecond.toFixed(0)}/s of one core); read alone ${signed.readPerSecond.toFixed(0)}/s`,
  });
  return figures;
}
