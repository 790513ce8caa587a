/** A process of this machine, known by its number and by when it started: the number alone may be somebody else's by the time it is used. */
import { readFileSync } from "node:fs";

export interface KnownProcess {
  readonly pid: number;
  /** Clock ticks from the start of the machine to that of the process; absent where that cannot be read. */
  readonly startTicks?: number;
}

/** The process that has this number now. */
export function processOf(pid: number): KnownProcess {
  const startTicks = startTicksOf(pid);
  return startTicks === undefined ? { pid } : { pid, startTicks };
}

/** Whether it is there, a zombie included. Of one that is known by its number alone, whether any process has that. */
export function lives({ pid, startTicks }: KnownProcess): boolean {
  if (startTicks !== undefined) return startTicksOf(pid) === startTicks;
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Signals it. False, and nobody is signalled, when it is gone or known by its number alone. */
export function signalKnown(known: KnownProcess, name: NodeJS.Signals): boolean {
  if (known.startTicks === undefined || known.pid <= 1 || !lives(known)) return false;
  try {
    process.kill(known.pid, name);
    return true;
  } catch {
    return false; // it ended just now, or it is another user's
  }
}

/** As a file holds it: the number on a line of its own, then what tells it from a later one. `kill` takes the second for no number. */
export const processText = ({ pid, startTicks }: KnownProcess): string =>
  startTicks === undefined ? `${pid}\n` : `${pid}\nstarted=${startTicks}\n`;

/** What `processText` wrote, or the number alone; undefined for anything else. */
export function readProcess(text: string): KnownProcess | undefined {
  const [, number, ticks] = /^([1-9][0-9]{0,9})\n?(?:started=([0-9]{1,16})\n?)?$/.exec(text) ?? [];
  if (number === undefined) return undefined;
  return ticks === undefined ? { pid: Number(number) } : { pid: Number(number), startTicks: Number(ticks) };
}

/** Of proc(5), counted from behind the name, which may hold anything. */
const startTimeAt = 19;

function startTicksOf(pid: number): number | undefined {
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined;
  try {
    const line = readFileSync(`/proc/${pid}/stat`, "utf8");
    const ticks = Number(line.slice(line.lastIndexOf(")") + 2).split(" ")[startTimeAt]);
    return Number.isSafeInteger(ticks) ? ticks : undefined;
  } catch {
    return undefined; // gone, or not ours to read
  }
}
