/** How actions of one kind went on one node: mode `learned` rests on it, and shows it. Learned from the facts of builds this node has seen. */
import type { PeerId } from "../kernel/ids.ts";

/** Pairs of group and node that are remembered; the oldest go first. */
const recordsMax = 20_000;
/** A failure weighs as much as so many runs without one. */
const failureWeight = 4;
/** Runs that the first impression counts as. */
const doubt = 2;

/** Runs of one kind on one node. */
export interface Runs {
  done: number;
  failed: number;
  /** Sum of log(expected / taken). */
  logRatio: number;
}

export class Records {
  /** By build, group and peer, a line each. */
  readonly runs = new Map<string, Runs>();

  /** What was kept of an earlier start. */
  know(runs: ReadonlyMap<string, Runs>): void {
    for (const [key, { done, failed, logRatio }] of [...runs].slice(-recordsMax))
      this.runs.set(key, { done, failed, logRatio });
  }

  /** A run was done in `ms`, where by the group's mean and the node's speed `expectedMs` were to be expected. */
  done(build: string, group: string, peer: PeerId, ms: number, expectedMs: number): void {
    const runs = this.at(build, group, peer);
    runs.done++;
    runs.logRatio += Math.log(Math.max(1, expectedMs) / Math.max(1, ms));
  }

  failed(build: string, group: string, peer: PeerId): void {
    this.at(build, group, peer).failed++;
  }

  /** 0 to 1: half of it for runs without failures, half for taking no longer than expected; 0.75 while nothing is known. */
  of(build: string, group: string, peer: PeerId): number {
    const runs = this.runs.get(key(build, group, peer));
    if (!runs) return 0.75;
    const sound = (runs.done + doubt) / (runs.done + doubt + failureWeight * runs.failed);
    const ratio = Math.exp(runs.logRatio / (runs.done + doubt));
    return 0.5 * sound + 0.5 * Math.min(1, ratio / 2);
  }

  private at(build: string, group: string, peer: PeerId): Runs {
    const name = key(build, group, peer);
    let runs = this.runs.get(name);
    if (!runs) {
      if (this.runs.size >= recordsMax) this.runs.delete(this.runs.keys().next().value!);
      runs = { done: 0, failed: 0, logRatio: 0 };
      this.runs.set(name, runs);
    }
    return runs;
  }
}

/** Names that were made before, by their parts: made anew each time, they would be hashed each time. */
const keys = new Map<string, Map<string, Map<PeerId, string>>>();
const keysMax = 100_000;
let keyCount = 0;

function key(build: string, group: string, peer: PeerId): string {
  const known = keys.get(build)?.get(group)?.get(peer);
  if (known !== undefined) return known;
  if (keyCount++ >= keysMax) {
    keys.clear();
    keyCount = 1;
  }
  const groups = keys.get(build) ?? new Map<string, Map<PeerId, string>>();
  const peers = groups.get(group) ?? new Map<PeerId, string>();
  const name = `${build}\n${group}\n${peer}`;
  keys.set(build, groups.set(group, peers.set(peer, name)));
  return name;
}
