/** When a standby node works: once no primary with one of its labels is there and within its limits, after a hold-off; until one is back. */
import type { Vitals } from "../swarm/vitals.ts";

export class Standby {
  /** When a primary was last there; undefined before the first look. */
  private seenMonoMs: number | undefined;
  private holdOffMs = 0;

  /** Whether it leaves the work to others. After its own start it waits for the hold-off too: it has not heard everybody yet. */
  standsBy(primary: boolean, holdOffMs: number, nowMonoMs: number): boolean {
    if (primary || this.seenMonoMs === undefined) this.seenMonoMs = nowMonoMs;
    this.holdOffMs = holdOffMs;
    return nowMonoMs < this.seenMonoMs + holdOffMs;
  }

  /** When the hold-off is over, if no primary comes back. */
  deadline(): number {
    return this.seenMonoMs === undefined ? Number.POSITIVE_INFINITY : this.seenMonoMs + this.holdOffMs;
  }
}

/** Whether a live node is a primary to a standby node with these labels: it is none itself, shares a label (any node, if there are none), and takes work. */
export const isPrimary = (
  labels: readonly string[],
  other: Pick<Vitals, "policy" | "labels" | "slots">,
): boolean =>
  other.policy !== "standby" &&
  other.slots > 0 &&
  (labels.length === 0 || other.labels.some((label) => labels.includes(label)));
