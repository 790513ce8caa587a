/** How long actions take and how fast nodes are: the submitter's guess where the graph has one, else what this node learned from the facts of builds. */
import type { GraphAction } from "../build/graph.ts";
import type { PeerId } from "../kernel/ids.ts";

/** What an action is taken to last before anything of its group has been seen. */
const unknownMs = 1000;
/** A group's spread counts only after so many runs. */
const boundSamplesMin = 2;
/** A group's mean says something of a node's speed only after so many runs. */
const groupSamplesMin = 4;
/** A run whose own duration was foretold weighs as much as four that are compared with their group. */
const foretoldWeight = 4;
/** A node's speed counts from this weight on: two runs that were foretold, or eight others. */
const speedWeightMin = 8;
/** Older runs fade: a machine may become slower. */
export const speedWeightMax = 128;
/** Of an action's own durations the newest counts this much. */
const newest = 0.5;
const actionsMax = 50_000;
const groupsMax = 5_000;
const speedsMax = 4_096;

/** Speeds are learned: nodes count as equally fast within so much of each other. */
const classWidth = Math.log(1.15);

/** The speed that a class of nodes stands for. */
export const speedOfClass = (at: number): number => Math.exp(at * classWidth);

export interface Mean {
  sum: number;
  squares: number;
  count: number;
}

/** Logarithm of a node's speed, weighted. */
export interface Speed {
  sum: number;
  weight: number;
}

/** All that is known, each map in the order in which it was learned. */
export interface Known {
  readonly groups: ReadonlyMap<string, Mean>;
  readonly actions: ReadonlyMap<string, number>;
  readonly speeds: ReadonlyMap<PeerId, Speed>;
}

type Action = Pick<GraphAction, "name" | "group" | "estimateMs">;

/** What an action and its group go by, made once: they are asked about for every plan. */
interface Keys {
  readonly build: string;
  readonly own: string;
  readonly group: string;
}

const keys = new WeakMap<object, Keys>();

function keysOf(build: string, action: Pick<Action, "name" | "group">): Keys {
  let known = keys.get(action);
  if (known?.build !== build) {
    known = { build, own: `${build}\n${action.name}`, group: `${build}\n${action.group}` };
    keys.set(action, known);
  }
  return known;
}

/** Drops what was put in first where a map has grown over its bound. */
function bound<K>(map: Map<K, unknown>, max: number): void {
  while (map.size > max) map.delete(map.keys().next().value as K);
}

export class Estimates implements Known {
  /** By build name and group: durations as they were. */
  readonly groups = new Map<string, Mean>();
  /** By build name and action: milliseconds at speed 1. */
  readonly actions = new Map<string, number>();
  readonly speeds = new Map<PeerId, Speed>();
  /** Counts up when some node counts as faster or slower than before. */
  classRevision = 0;
  /** Counts up when anything was learned. */
  revision = 0;
  /** How fast those are of whom enough is known. */
  private readonly relative = new Map<PeerId, number>();

  /** What was known at an earlier start, the newest last. */
  know({ groups, actions, speeds }: Known): void {
    for (const [key, mean] of groups) this.groups.set(key, { ...mean });
    for (const [key, ms] of actions) this.actions.set(key, ms);
    for (const [peer, speed] of speeds) this.keepSpeed(peer, { ...speed });
    bound(this.groups, groupsMax);
    bound(this.actions, actionsMax);
    this.classRevision++;
    this.revision++;
  }

  /** A run of an action in a build named `build` took `ms` on `peer`. */
  note(build: string, action: Action, peer: PeerId, ms: number): void {
    this.revision++;
    const { own, group } = keysOf(build, action);
    const foretold = action.estimateMs ?? this.actions.get(own);
    const mean = this.groups.get(group) ?? { sum: 0, squares: 0, count: 0 };
    if (foretold !== undefined) this.noteSpeed(peer, foretold, ms, foretoldWeight);
    else if (mean.count >= groupSamplesMin && ms > 0) this.noteSpeed(peer, mean.sum / mean.count, ms, 1);
    mean.sum += ms;
    mean.squares += ms * ms;
    mean.count++;
    this.groups.set(group, mean);
    bound(this.groups, groupsMax);
    const known = this.actions.get(own);
    const atSpeed1Ms = ms * this.speedOf(peer);
    this.actions.delete(own);
    this.actions.set(
      own,
      Math.round(known === undefined ? atSpeed1Ms : newest * atSpeed1Ms + (1 - newest) * known),
    );
    bound(this.actions, actionsMax);
  }

  /** Expected milliseconds of an action at speed 1. */
  of(build: string, action: Action): number {
    return this.known(build, action) ?? unknownMs;
  }

  /** What an action's own last runs took at speed 1, milliseconds; undefined where none was seen. */
  ranBefore(build: string, action: Pick<Action, "name" | "group">): number | undefined {
    return this.actions.get(keysOf(build, action).own);
  }

  /** As `of`; undefined where nothing is known. */
  known(build: string, action: Action): number | undefined {
    const own = action.estimateMs ?? this.ranBefore(build, action);
    if (own !== undefined) return Math.max(1, own);
    const mean = this.groups.get(keysOf(build, action).group);
    return mean && mean.sum / mean.count;
  }

  /** A bound that few runs exceed at speed 1: what was foretold, or a group's mean plus two standard deviations; undefined until enough is known, of a group at least `samplesMin` runs. */
  atMost(build: string, action: Action, samplesMin = boundSamplesMin): number | undefined {
    const own = action.estimateMs ?? this.ranBefore(build, action);
    if (own !== undefined) return Math.max(1, own);
    const mean = this.groups.get(keysOf(build, action).group);
    if (!mean || mean.count < samplesMin) return undefined;
    const average = mean.sum / mean.count;
    return average + 2 * Math.sqrt(Math.max(0, mean.squares / mean.count - average * average));
  }

  /** Relative speed of a node: 2 takes half the time. 1 until it is known. */
  speedOf(peer: PeerId): number {
    return this.relative.get(peer) ?? 1;
  }

  /** Nodes of one class count as equally fast; the higher the faster. */
  speedClassOf(peer: PeerId): number {
    return Math.round(Math.log(this.speedOf(peer)) / classWidth);
  }

  private noteSpeed(peer: PeerId, expectedMs: number, ms: number, weight: number): void {
    const before = this.speedClassOf(peer);
    const speed = this.speeds.get(peer) ?? { sum: 0, weight: 0 };
    if (speed.weight >= speedWeightMax) {
      speed.sum *= (speedWeightMax - weight) / speed.weight;
      speed.weight = speedWeightMax - weight;
    }
    // One straggler must not make a node slow: a run tells no more than a factor of four.
    const ratio = Math.max(1, expectedMs) / Math.max(1, ms);
    speed.sum += weight * Math.log(Math.min(4, Math.max(0.25, ratio)));
    speed.weight += weight;
    this.keepSpeed(peer, speed);
    if (this.speedClassOf(peer) !== before) this.classRevision++;
  }

  private keepSpeed(peer: PeerId, speed: Speed): void {
    this.speeds.set(peer, speed);
    if (speed.weight >= speedWeightMin)
      this.relative.set(peer, Math.min(10, Math.max(0.1, Math.exp(speed.sum / speed.weight))));
    else this.relative.delete(peer);
    while (this.speeds.size > speedsMax) {
      const [oldest] = this.speeds.keys();
      this.speeds.delete(oldest!);
      this.relative.delete(oldest!);
    }
  }
}
