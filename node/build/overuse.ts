/** Whether a running action takes more of the machine than it may, where the kernel itself does not look. */
import type { ActionLimits } from "./limits.ts";
import { fairMemoryBytes, holdingOf, type MachineHolding, sessionOf, treeOf } from "./processes.ts";

/** From a look at the machine as a whole: while it is below an action's limit, so is every action. */
export const mayBeOverused = (machine: MachineHolding, limits: ActionLimits): boolean =>
  machine.threads > limits.processesMax || machine.memoryBytes > limits.memoryBytesMax;

/** An upper bound of `heldBytes`, for little: pages that several of its processes share count for each. */
export function heldBytesAtMost(leader: number, boxed: boolean): number {
  let bytes = 0;
  for (const pid of boxed ? treeOf(leader) : sessionOf(leader)) bytes += holdingOf(pid).memoryBytes;
  return bytes;
}

/** Bytes that an action's processes hold, pages that several of them share shared out. */
export function heldBytes(leader: number, boxed: boolean): number {
  let bytes = 0;
  for (const pid of boxed ? treeOf(leader) : sessionOf(leader))
    bytes += fairMemoryBytes(pid) ?? holdingOf(pid).memoryBytes;
  return bytes;
}

/**
 * What an action does too much of, in words. `leader` is the process that holds its box together, or, without one, its session's
 * leader; a process that left that session is not seen.
 */
export function overuseOf(leader: number, boxed: boolean, limits: ActionLimits): string | undefined {
  const pids: number[] = [];
  let [threads, memoryBytes] = [0, 0];
  for (const pid of boxed ? treeOf(leader) : sessionOf(leader)) {
    const holding = holdingOf(pid);
    pids.push(pid);
    threads += holding.threads;
    memoryBytes += holding.memoryBytes;
    if (threads > limits.processesMax) return `ran more than ${limits.processesMax} processes`;
  }
  if (memoryBytes <= limits.memoryBytesMax) return undefined;
  let fairBytes = 0;
  for (const pid of pids) fairBytes += fairMemoryBytes(pid) ?? holdingOf(pid).memoryBytes;
  return fairBytes > limits.memoryBytesMax
    ? `used more than ${limits.memoryBytesMax} bytes of memory`
    : undefined;
}
