/** What one action may take of this machine: as shell text for what the kernel enforces, and as a line for people. */
import os from "node:os";

export interface ActionLimits {
  /** Memory of all its processes together, watched. RLIMIT_DATA is no way: a sanitizer's shadow memory alone exceeds any machine's. */
  readonly memoryBytesMax: number;
  /** Processes and threads together, watched; enforced by the kernel too in a box of a daemon that is not root's. */
  readonly processesMax: number;
  /** Of one file, enforced by the kernel. */
  readonly fileBytesMax: number;
  /** Of one process, enforced by the kernel. */
  readonly openFilesMax: number;
}

export const defaultLimits: ActionLimits = {
  memoryBytesMax: os.totalmem(),
  processesMax: 4096,
  fileBytesMax: 4 * 2 ** 30,
  openFilesMax: 16_384,
};

/**
 * Memory of the machine that actions leave free: with less, a machine without swap reads its own programs from the disk again and again, and
 * stands still long before the kernel ends anything.
 */
export const memoryReserveBytes = Math.min(512 << 20, Math.max(48 << 20, Math.floor(os.totalmem() / 50)));

/** When memory runs out the kernel is to end an action, not the daemon (0 is usual, 1000 goes first). */
const oomScore = 500;

/**
 * For a launcher, which hands it to all it starts. A lower limit that the daemon itself has stays. `-f` counts 512 bytes in every
 * shell that is POSIX or told to be.
 */
export const launcherLimits = (limits: ActionLimits): string =>
  `{ echo ${oomScore} >/proc/self/oom_score_adj; ulimit -c 0; ulimit -f ${Math.ceil(limits.fileBytesMax / 512)}; ulimit -n ${limits.openFilesMax}; } 2>/dev/null`;

/**
 * For the first process of a box. Only there, for outside it the kernel counts all that the user runs; since 5.14 it counts per user
 * namespace. It lets root do what it wants. Some shells call the option -u, others -p.
 */
export function boxLimits(limits: ActionLimits): string {
  const [major = 0, minor = 0] = os.release().split(".").map(Number);
  if (major < 5 || (major === 5 && minor < 14)) return "";
  return `ulimit -u ${limits.processesMax} || ulimit -p ${limits.processesMax}; `;
}

/** What describes a node beside what one action may take. */
export interface NodeBounds {
  /** Actions run in boxes. */
  readonly boxed: boolean;
  readonly slots: number;
  /** Of all actions together. */
  readonly memoryBytesMax: number;
  readonly nice: number;
  /** What the kernel keeps of what all actions may take together; absent: nothing. */
  readonly keeps?: { readonly cpus: boolean; readonly memory: boolean };
}

/** The limits in force on this node, in words. */
export function describeLimits(limits: ActionLimits, node: NodeBounds): string {
  const gib = (bytes: number) => `${Math.round((bytes / 2 ** 30) * 10) / 10} GiB`;
  const enforced = node.boxed && process.geteuid?.() !== 0;
  return [
    `${gib(limits.memoryBytesMax)} of memory (watched)`,
    `${limits.processesMax} processes (${enforced ? "by the kernel" : "watched"})`,
    `${gib(limits.fileBytesMax)} a file`,
    `${limits.openFilesMax} open files`,
    `all together ${gib(node.memoryBytesMax)} (${node.keeps?.memory ? "by the kernel" : "watched"})`,
    ...(node.keeps?.cpus ? [`${node.slots} processors (by the kernel)`] : []),
    ...(node.nice > 0 ? [`nice ${node.nice}`] : []),
  ].join(", ");
}
