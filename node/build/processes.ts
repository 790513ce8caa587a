/** Looking at processes through /proc and signalling them; used when something must be stopped or measured, never per action. */
import { readdirSync, readFileSync } from "node:fs";

function readProc(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined; // gone meanwhile, or not ours to read
  }
}

/** Parent and process group of a live process; undefined when it is gone or a zombie. */
function statOf(pid: number): { readonly parent: number; readonly group: number } | undefined {
  const line = readProc(`/proc/${pid}/stat`);
  const fields = line?.slice(line.lastIndexOf(")") + 2).split(" ");
  if (!fields || fields[0] === "Z" || fields[0] === "X") return undefined;
  return { parent: Number(fields[1]), group: Number(fields[2]) };
}

const allPids = (): number[] =>
  readdirSync("/proc")
    .filter((name) => /^[0-9]+$/.test(name))
    .map(Number);

/** Direct children. Kernels without the `children` file cost a scan of /proc. */
export function childrenOf(pid: number): number[] {
  const list = readProc(`/proc/${pid}/task/${pid}/children`);
  if (list !== undefined) return list.split(" ").filter(Boolean).map(Number);
  return allPids().filter((candidate) => statOf(candidate)?.parent === pid);
}

/** Whether a live process (zombies aside) is left in a process group. */
export const groupLives = (group: number): boolean => allPids().some((pid) => statOf(pid)?.group === group);

/** Signals a process, or with a negative number a process group. False when there is nothing to signal. */
export function signal(target: number, name: NodeJS.Signals): boolean {
  try {
    process.kill(target, name);
    return true;
  } catch {
    return false;
  }
}

/** The largest resident set that any one process of a tree has had, in bytes (as getrusage counts it); 0 when none can be read. */
export function peakRssBytes(pid: number, depthMax = 16): number {
  const kib = readProc(`/proc/${pid}/status`)?.match(/^VmHWM:\s+([0-9]+) kB$/m)?.[1];
  let peak = Number(kib ?? 0) * 1024;
  if (depthMax > 0)
    for (const child of childrenOf(pid)) peak = Math.max(peak, peakRssBytes(child, depthMax - 1));
  return peak;
}
