/** How long actions take and how fast nodes are, learned from the facts of builds this node has seen. */
import type { PeerId } from "../kernel/ids.ts";

/** What an action is taken to last before any of its group has been seen. */
const unknownMs = 1000;
/** A group's spread counts only after so many runs. */
const boundSamplesMin = 2;
/** A node's speed counts only after so many runs that others can be compared with. */
const speedSamplesMin = 8;

interface Mean {
  sum: number;
  squares: number;
  count: number;
}

export class Estimates {
  private readonly groups = new Map<string, Mean>();
  /** Sum of log(group mean / own duration) per node. */
  private readonly speeds = new Map<PeerId, Mean>();

  /** A run of an action of `group` in a build named `build` took `ms` on `peer`. */
  note(build: string, group: string, peer: PeerId, ms: number): void {
    const key = `${build}\n${group}`;
    const mean = this.groups.get(key) ?? { sum: 0, squares: 0, count: 0 };
    if (mean.count >= 4 && ms > 0) {
      const speed = this.speeds.get(peer) ?? { sum: 0, squares: 0, count: 0 };
      speed.sum += Math.log(Math.max(1, mean.sum / mean.count) / Math.max(1, ms));
      speed.count++;
      this.speeds.set(peer, speed);
    }
    mean.sum += ms;
    mean.squares += ms * ms;
    mean.count++;
    this.groups.set(key, mean);
  }

  /** Expected milliseconds of an action of a group. */
  of(build: string, group: string): number {
    const mean = this.groups.get(`${build}\n${group}`);
    return mean ? mean.sum / mean.count : unknownMs;
  }

  /** A bound that few actions of the group exceed (mean plus two standard deviations), milliseconds; undefined until some were seen. */
  atMost(build: string, group: string): number | undefined {
    const mean = this.groups.get(`${build}\n${group}`);
    if (!mean || mean.count < boundSamplesMin) return undefined;
    const average = mean.sum / mean.count;
    return average + 2 * Math.sqrt(Math.max(0, mean.squares / mean.count - average * average));
  }

  /** Relative speed of a node: 2 takes half the time. 1 until it is known. */
  speedOf(peer: PeerId): number {
    const speed = this.speeds.get(peer);
    if (!speed || speed.count < speedSamplesMin) return 1;
    return Math.min(10, Math.max(0.1, Math.exp(speed.sum / speed.count)));
  }
}
