/** How one node takes work, as its owner set it: fixed for one start, part of the core's configuration, so that a replay knows it. */

/** How a node shows itself to schedulers. `standby` works only while no primary with one of its labels is alive and within its limits. */
export const policies = ["prefer", "normal", "avoid", "standby"] as const;
export type Policy = (typeof policies)[number];

/** Which results of others that are still needed a node keeps a second time: none, those dear to make again, all. */
export const copyPolicies = ["never", "costly", "needed"] as const;
export type CopyPolicy = (typeof copyPolicies)[number];

/** What becomes of actions where the machine sleeps: they go on when it wakes, or go elsewhere. */
export const suspendPolicies = ["finish", "abandon"] as const;
export type SuspendPolicy = (typeof suspendPolicies)[number];

/** How candidates are scored (specs/scheduling.md). */
export const modes = [
  "unified",
  "weighted",
  "thermal-aware",
  "cache-first",
  "target-isolated",
  "learned",
] as const;
export type Mode = (typeof modes)[number];

/** What a score is made of; each part is between 0 and 1. */
export const scoreParts = ["free", "heat", "local", "speed", "policy", "history"] as const;
export type ScorePart = (typeof scoreParts)[number];

export interface Scheduling {
  readonly mode: Mode;
  /** For mode `weighted`. */
  readonly weights: Readonly<Record<ScorePart, number>>;
  readonly policy: Policy;
  /** What actions may ask for by `requires.labels`. */
  readonly labels: readonly string[];
  /** It takes only actions that name one of its labels. */
  readonly fenced: boolean;
  /** At or above this a node takes nothing new. */
  readonly temperatureCelsiusMax: number;
  /** Share of time some task waited (PSI, percent); over it for `sustainedMs` slots halve. */
  readonly pressurePercentMax: number;
  readonly sustainedMs: number;
  /** So many infrastructure failures within the window ground a node for a while; then it gets one action as a probe. */
  readonly grounding: { readonly failures: number; readonly windowMs: number; readonly forMs: number };
  /** A standby node waits this long after the last primary went before it takes work. */
  readonly standbyHoldOffMs: number;
  /** Slots left to work while the machine's owner uses it. */
  readonly ownerSlots: number;
  /** A run that lasts longer than this times what was expected gets a twin; 0 = never. */
  readonly twinAfter: number;
  readonly copies: CopyPolicy;
  readonly suspend: SuspendPolicy;
}

export const defaultScheduling: Scheduling = {
  mode: "unified",
  weights: { free: 0.35, heat: 0.15, local: 0.15, speed: 0.2, policy: 0.1, history: 0.05 },
  policy: "normal",
  labels: [],
  fenced: false,
  temperatureCelsiusMax: 85,
  pressurePercentMax: 40,
  sustainedMs: 60_000,
  grounding: { failures: 8, windowMs: 30 * 60_000, forMs: 5 * 60_000 },
  standbyHoldOffMs: 30_000,
  ownerSlots: 0,
  twinAfter: 2,
  copies: "costly",
  suspend: "finish",
};
