/** What is to happen to actions before the machine's memory runs out, and whose doing it was once it has. */
import type { ActionGroup } from "./cgroup.ts";
import { heldBytes, heldBytesAtMost } from "./overuse.ts";
import type { MachineHolding } from "./processes.ts";

/** Of the reserve: with less than so many times free, the next look may be the last. */
const tightFactor = 4;
/** The same for a group whose memory the kernel limits. */
const tightShare = 3 / 4;
/** An action that holds less is not what memory ran out for. */
const worthBytes = 64 << 20;

export interface Shortage {
  /** Whether there is so little that one should know who holds how much, and so little that the largest goes. */
  look(machine: MachineHolding): "ample" | "tight" | "short";
  /** What an action's processes hold; rough where it is not much. */
  held(leader: number): number;
  /** Whether ending what holds so much is of any use. */
  helps(bytes: number): boolean;
  /** Why an action that held so much had to end; `crowded`: it may do better elsewhere. */
  words(bytes: number): { readonly reason: string; readonly crowded?: true };
}

/** `memoryBytesMax`: what all actions may have together; `reserveBytes`: what they leave free of the machine's. */
export function shortageOf(
  memoryBytesMax: number,
  reserveBytes: number,
  boxed: boolean,
  group: ActionGroup | undefined,
): Shortage {
  // What takes more than half would take the next machine down as well: that is its own doing, not the node's.
  const mostBytes = memoryBytesMax / 2;
  return {
    look({ freeBytes }) {
      if (freeBytes < reserveBytes) return "short";
      const grouped = group?.heldBytes() ?? 0;
      return freeBytes < tightFactor * reserveBytes || grouped > tightShare * memoryBytesMax
        ? "tight"
        : "ample";
    },
    held(leader) {
      const rough = heldBytesAtMost(leader, boxed);
      return rough > mostBytes ? heldBytes(leader, boxed) : rough;
    },
    helps: (bytes) => bytes >= worthBytes,
    words: (bytes) =>
      bytes > mostBytes
        ? { reason: `the machine ran out of memory, and it held most of that itself: ${bytes} bytes` }
        : { reason: "the machine ran out of memory", crowded: true },
  };
}
