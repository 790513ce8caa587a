/** Looking at processes through /proc and signalling them; used when something must be stopped or measured, never per action. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { type KnownProcess, processOf, signalKnown } from "../known-process.ts";

function readProc(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined; // gone meanwhile, or not ours to read
  }
}

/** Parent, process group and session of a live process; undefined when it is gone or a zombie. */
function statOf(
  pid: number,
): { readonly parent: number; readonly group: number; readonly session: number } | undefined {
  const line = readProc(`/proc/${pid}/stat`);
  const fields = line?.slice(line.lastIndexOf(")") + 2).split(" ");
  if (!fields || fields[0] === "Z" || fields[0] === "X") return undefined;
  return { parent: Number(fields[1]), group: Number(fields[2]), session: Number(fields[3]) };
}

/** None where this process can open nothing more: whoever waits for the end of some must not wait, or throw, for that. */
function allPids(): number[] {
  try {
    return readdirSync("/proc")
      .filter((name) => /^[0-9]+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}

/** Direct children, whichever thread started them. Kernels without the `children` file cost a scan of /proc. */
export function childrenOf(pid: number): number[] {
  if (pid <= 0) return []; // it could not be started; those without a parent are not its own
  if (readProc(`/proc/${pid}/task/${pid}/children`) === undefined)
    return allPids().filter((candidate) => statOf(candidate)?.parent === pid);
  return threadsOf(pid).flatMap((thread) =>
    (readProc(`/proc/${pid}/task/${thread}/children`) ?? "").split(" ").filter(Boolean).map(Number),
  );
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return []; // gone meanwhile
  }
}

/** A process and all that descend from it; those whose parent died count while they are adopted within the tree. */
export function* treeOf(pid: number): Generator<number> {
  const waiting = [pid];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    yield next;
    waiting.push(...childrenOf(next));
  }
}

/** All live processes of a session. A scan of /proc. */
export const sessionOf = (leader: number): number[] =>
  allPids().filter((pid) => statOf(pid)?.session === leader);

/** Threads and memory of one process; a process without memory of its own (gone, a zombie) has none. */
export function holdingOf(pid: number): { readonly threads: number; readonly memoryBytes: number } {
  const text = readProc(`/proc/${pid}/status`) ?? "";
  return {
    threads: fieldOf(text, "Threads"),
    memoryBytes: 1024 * (fieldOf(text, "RssAnon") + fieldOf(text, "RssShmem") + fieldOf(text, "VmSwap")),
  };
}

/** Like `memoryBytes` of `holdingOf`, with shared pages shared out; undefined when the kernel does not say. Costs milliseconds per GiB. */
export function fairMemoryBytes(pid: number): number | undefined {
  const text = readProc(`/proc/${pid}/smaps_rollup`);
  if (!text?.includes("Pss_Anon:")) return undefined;
  return 1024 * (fieldOf(text, "Pss_Anon") + fieldOf(text, "Pss_Shmem") + fieldOf(text, "SwapPss"));
}

export interface MachineHolding {
  readonly threads: number;
  /** That programs cannot have any more. */
  readonly memoryBytes: number;
  /** That they still can; infinite where the kernel does not say. */
  readonly freeBytes: number;
}

export function machineHolding(): MachineHolding {
  const memory = readProc("/proc/meminfo") ?? "";
  const total = fieldOf(memory, "MemTotal");
  const free = fieldOf(memory, "MemAvailable");
  return {
    threads: Number(readProc("/proc/loadavg")?.match(/\/([0-9]+)/)?.[1] ?? 0),
    memoryBytes: 1024 * (total - free),
    freeBytes: total > 0 ? 1024 * free : Number.POSITIVE_INFINITY,
  };
}

/** Processor time of a process and all that descend from it, those that ended and were waited for included; hundredths of a second. */
export function ticksOfTree(pid: number): number {
  let ticks = 0;
  for (const one of treeOf(pid)) {
    const line = readProc(`/proc/${one}/stat`) ?? "";
    // Of proc(5): utime, stime, cutime, cstime; counted from behind the name, which may hold anything.
    const fields = line.slice(line.lastIndexOf(")") + 2).split(" ");
    for (const field of fields.slice(11, 15)) ticks += Number(field) || 0;
  }
  return ticks;
}

/** How often the kernel has ended a process because memory ran out, since the machine started. */
export const outOfMemoryKills = (): number =>
  Number(readProc("/proc/vmstat")?.match(/^oom_kill ([0-9]+)$/m)?.[1] ?? 0);

const fieldOf = (text: string, name: string): number =>
  Number(new RegExp(`^${name}:\\s+([0-9]+)`, "m").exec(text)?.[1] ?? 0);

/** Whether a live process (zombies aside) is left in a process group. */
const groupLives = (group: number): boolean => allPids().some((pid) => statOf(pid)?.group === group);

/** Signals the group of a live descendant of ours. False when it leads none. Below 2 a number means this process's own group, or everything. */
export const signalGroup = (leader: number, name: NodeJS.Signals): boolean =>
  leader > 1 && signal(-leader, name);

/** Signals a live descendant of ours that nobody has waited for. False when it is gone. */
export const signalChild = (pid: number, name: NodeJS.Signals): boolean => pid > 1 && signal(pid, name);

/**
 * Ends what is left of a process group, its leader may have been waited for or lead nothing yet, and waits (at most a second) until it
 * is gone. While anything of the group lives its number belongs to it; a process that has the number and is not the leader shows that nothing does.
 */
export async function clearGroup(leader: KnownProcess): Promise<void> {
  for (let round = 0; round < 200; round++) {
    const now = processOf(leader.pid).startTicks;
    if (now !== undefined && now !== leader.startTicks) return;
    // One that was about to lead a group when its launcher died is known by its own number alone.
    const alone = signalKnown(leader, "SIGKILL");
    const led = signalGroup(leader.pid, "SIGKILL") && groupLives(leader.pid);
    if (!alone && !led) return;
    await delay(5);
  }
}

/**
 * Ends what is left of a box, and waits (at most some seconds) until it is gone: bubblewrap that dies before it has finished the box leaves
 * within it what would have died with it a moment later. `work` is its workspace from outside, `within` from inside.
 */
export async function clearBox(work: string, within: string): Promise<void> {
  for (let round = 0; round < 200; round++) {
    const left = boxOf(work, within);
    if (left.length === 0) return;
    for (const pid of left) signalChild(pid, "SIGKILL");
    await delay(5);
  }
}

/** Processes of a box: bubblewrap's own, whose arguments name the workspace, and those that see it. A scan of /proc. */
function boxOf(work: string, within: string): number[] {
  const folder = folderAt(work);
  return allPids().filter((pid) => {
    if (readProc(`/proc/${pid}/cmdline`)?.includes(`\0--bind\0${work}\0${within}\0`)) return true;
    return folder !== undefined && folderAt(`/proc/${pid}/root${within}`) === folder;
  });
}

/** What tells a folder from all others, whatever its name; undefined where there is none, or none for us to see. */
function folderAt(place: string): string | undefined {
  try {
    const { dev, ino } = statSync(place);
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}

function signal(target: number, name: NodeJS.Signals): boolean {
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
