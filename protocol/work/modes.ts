/**
 * How well a node suits an action: one pure function per mode, each in parts that are shown. What a mode does beside
 * ordering candidates stands in `leaning.ts` (who holds back) and `heat.ts` (what is foreseen).
 */
import type { GraphAction } from "../build/graph.ts";
import type { PeerId } from "../kernel/ids.ts";
import type { Mode, Policy, Scheduling, ScorePart } from "../swarm/policy.ts";
import type { Vitals } from "../swarm/vitals.ts";

/** Headroom at which heat no longer matters to the score. */
const headroomCelsiusFull = 30;
const policyParts: Readonly<Record<Policy, number>> = { prefer: 1, normal: 0.7, avoid: 0.2, standby: 0 };

/** What a score rests on beside the node's vitals. */
export interface Fit {
  /** Share of the action's inputs that the node is known to hold, 0 to 1. */
  readonly local: number;
  /** Relative to the fastest seen, 0 to 1. */
  readonly speed: number;
  /** How actions of this group went there: 1 without a failure and in no more time than its speed says, down to 0. */
  readonly history: number;
  /** What it would take there. */
  readonly runMs: number;
}

export interface Scored {
  readonly peer: PeerId;
  readonly score: number;
  readonly parts: Readonly<Record<string, number>>;
}

type Weights = Readonly<Record<ScorePart, number>>;

const weightsOf: Readonly<Record<Exclude<Mode, "weighted">, Weights>> = {
  unified: { free: 0.35, heat: 0.15, local: 0.15, speed: 0.2, policy: 0.1, history: 0.05 },
  "thermal-aware": { free: 0.15, heat: 0.5, local: 0.05, speed: 0.15, policy: 0.1, history: 0.05 },
  "cache-first": { free: 0.15, heat: 0.05, local: 0.6, speed: 0.1, policy: 0.1, history: 0 },
  "target-isolated": { free: 0.35, heat: 0.15, local: 0.15, speed: 0.2, policy: 0.1, history: 0.05 },
  learned: { free: 0.15, heat: 0.1, local: 0.1, speed: 0.15, policy: 0.1, history: 0.4 },
};

/** The score of a node for an action, 0 to 1, in the mode of whoever judges. */
export function score(
  scheduling: Pick<Scheduling, "mode" | "weights">,
  vitals: Vitals,
  action: Pick<GraphAction, "requires">,
  fit: Fit,
): Scored {
  const { mode } = scheduling;
  const weights = mode === "weighted" ? scheduling.weights : weightsOf[mode];
  const parts: Record<ScorePart, number> = {
    free: round(Math.max(0, vitals.slots - vitals.running) / Math.max(1, vitals.slots)),
    heat: round(heat(vitals, fit.runMs)),
    local: round(fit.local),
    speed: round(fit.speed),
    policy: policyParts[vitals.policy],
    history: round(fit.history),
  };
  let total = 0;
  let sum = 0;
  for (const [part, weight] of Object.entries(weights) as [ScorePart, number][]) {
    total += weight * parts[part];
    sum += weight;
  }
  const weighed = sum > 0 ? total / sum : 0;
  if (mode !== "target-isolated") return { peer: vitals.peer, score: round(weighed), parts };
  const own = isOwn(vitals, action) ? 1 : 0;
  return {
    peer: vitals.peer,
    score: round(own === 1 ? 0.5 + weighed / 2 : weighed / 2),
    parts: { ...parts, own },
  };
}

/**
 * Mode `target-isolated`: whether an action is of a node's own kind. One that names a target or labels belongs to the nodes
 * that have them; one that names none belongs to nodes without labels.
 */
export function isOwn(
  vitals: Pick<Vitals, "target" | "labels">,
  { requires }: Pick<GraphAction, "requires">,
): boolean {
  const labels = requires?.labels ?? [];
  if (requires?.target === undefined && labels.length === 0) return vitals.labels.length === 0;
  return (
    (requires?.target === undefined || requires.target === vitals.target) &&
    labels.every((label) => vitals.labels.includes(label)) &&
    (labels.length > 0 || vitals.labels.length === 0)
  );
}

/** Headroom at the end of the run, if it goes on as it does; an unknown one counts as half. */
function heat({ headroomCelsius, warmingCelsius }: Vitals, runMs: number): number {
  if (headroomCelsius === "unknown") return 0.5;
  // A slope says little about what comes after half a minute.
  const risen = Math.max(0, warmingCelsius ?? 0) * Math.min(30, runMs / 1000);
  return Math.min(1, Math.max(0, (headroomCelsius - risen) / headroomCelsiusFull));
}

const round = (x: number) => Math.round(x * 1000) / 1000;
