/** Mode `unified`: which nodes may build an action, how well each fits, and whether a faster one should have it. Every part is shown. */
import type { GraphAction } from "../build/graph.ts";
import type { PeerId } from "../kernel/ids.ts";
import type { Vitals } from "../swarm/vitals.ts";

/** At or above this a node takes nothing new. */
export const temperatureCelsiusMax = 85;
/** Below this a node takes nothing new: an action needs somewhere to write. */
export const diskFreeBytesMin = 256 << 20;
/** Headroom at which heat no longer matters to the score. */
const headroomCelsiusFull = 30;

const weights = { free: 0.4, heat: 0.2, local: 0.2, speed: 0.2 } as const;

/** Why a node may not build an action; undefined when it may. */
export function ineligible(vitals: Vitals, action: GraphAction, submitter: PeerId): string | undefined {
  if (vitals.slots === 0) return "has no slots";
  for (const [name, fingerprint] of Object.entries(action.toolchains)) {
    const offered = vitals.toolchains[name];
    if (offered === undefined) return `lacks ${name}`;
    if (offered !== fingerprint) return `has another ${name}`;
  }
  if (!vitals.foreign && vitals.peer !== submitter) return "has no sandbox and takes only its own work";
  if (vitals.temperatureCelsius !== "unknown" && vitals.temperatureCelsius >= temperatureCelsiusMax)
    return `is at ${Math.round(vitals.temperatureCelsius)} °C`;
  if (vitals.diskFreeBytes < diskFreeBytesMin) return "is out of disk";
  return undefined;
}

export interface Scored {
  readonly peer: PeerId;
  readonly score: number;
  readonly parts: Readonly<Record<keyof typeof weights, number>>;
}

const round = (x: number) => Math.round(x * 1000) / 1000;

/** `local`: share of the input bytes the node is known to hold, 0 to 1. `speed`: relative to the fastest seen, 0 to 1. An unknown temperature counts as half the headroom. */
export function score(vitals: Vitals, local: number, speed: number): Scored {
  const { headroomCelsius } = vitals;
  const parts = {
    free: round(Math.max(0, vitals.slots - vitals.running) / Math.max(1, vitals.slots)),
    heat:
      headroomCelsius === "unknown"
        ? 0.5
        : round(Math.min(1, Math.max(0, headroomCelsius / headroomCelsiusFull))),
    local: round(local),
    speed: round(speed),
  };
  const total =
    weights.free * parts.free +
    weights.heat * parts.heat +
    weights.local * parts.local +
    weights.speed * parts.speed;
  return { peer: vitals.peer, score: round(total), parts };
}

/** Nodes of about one speed, as the guard sees them. */
export interface SpeedClass {
  readonly speed: number;
  readonly slots: number;
}

/**
 * The slow-node guard (measured: worth more than any other part). True when a faster class would finish the action sooner than this
 * node, waiting included: est/own > wait_f + est/f + age, where wait_f is the higher-ranked ready work over the capacity of
 * classes at least as fast as f, plus the mean remaining time of what runs there over (slots + 1), twice.
 */
export function guardDeclines(options: {
  readonly estimateMs: number;
  readonly ownSpeed: number;
  /** Work that ranks before this action, milliseconds at speed 1. */
  readonly readyAheadMs: number;
  readonly faster: readonly SpeedClass[];
  readonly meanRemainingMs: number;
  /** How old what we know of the others may be. */
  readonly ageMs: number;
}): boolean {
  const ownMs = options.estimateMs / options.ownSpeed;
  for (const f of options.faster) {
    if (f.speed <= options.ownSpeed) continue;
    const group = options.faster.filter((c) => c.speed >= f.speed);
    const capacity = group.reduce((sum, c) => sum + c.slots * c.speed, 0);
    const slots = group.reduce((sum, c) => sum + c.slots, 0);
    const waitMs = options.readyAheadMs / capacity + (2 * options.meanRemainingMs) / (slots + 1);
    if (ownMs > waitMs + options.estimateMs / f.speed + options.ageMs) return true;
  }
  return false;
}
