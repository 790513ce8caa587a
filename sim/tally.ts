/** What one simulated build came to, figure by figure, and how the figures are called in scenarios, tables and JSON. */
import type { ActionName } from "../protocol/kernel/ids.ts";

/** One stretch of work on a node. */
export interface Stretch {
  readonly node: string;
  readonly action: ActionName;
  readonly group: string;
  readonly slots: number;
  readonly beganMs: number;
  readonly endedMs: number;
  /** `done` once for each action: the result that counted; `again`: a further result of an action that had one. */
  readonly ended: "done" | "again" | "failed" | "stopped" | "died" | "running";
  readonly twin: boolean;
}

/** Temperatures of a node at moments of the run. */
export interface Warmth {
  readonly node: string;
  readonly limitCelsius: number;
  readonly samples: readonly { readonly atMs: number; readonly celsius: number }[];
}

export interface Tally {
  /** The row it belongs to: a variant of the scenario, with its mode. */
  readonly variant: string;
  readonly seed: number;
  readonly state: "complete" | "failed" | "cancelled" | "stuck";
  readonly actions: number;
  /** From the moment the submission was accepted to the one at which the submitter knew the last result. */
  readonly makespanMs: number;
  /** From the same moment until some node held the build sealed. */
  readonly sealMs: number;
  readonly heftMs: number;
  readonly boundMs: number;
  /** makespanMs over heftMs. */
  readonly ratio: number;
  /** Share of the time worked that brought no result that counted. */
  readonly waste: number;
  /** Entries in the build's ledger: what is signed, sent and kept as one. */
  readonly factsPerAction: number;
  /** What they say: several events may stand in one entry. */
  readonly eventsPerAction: number;
  readonly unicastsPerAction: number;
  /** Messages published, each counted once however many hear it. */
  readonly gossipsPerAction: number;
  /** Messages sent and gossip heard, over all nodes, per node; blobs apart. */
  readonly bytesPerNode: number;
  readonly blobBytesPerNode: number;
  /** Vitals that a node hears, of all others, per second from acceptance to the seal. */
  readonly vitalsBytesPerSecond: number;
  /** What a node hears of the build's ledger by gossip, per action. */
  readonly ledgerBytesPerAction: number;
  /** Share of all slots' time between acceptance and the last result in which they worked. */
  readonly utilisation: number;
  /** From the end of what an action needs to its first begin. */
  readonly waitP50Ms: number;
  readonly waitP95Ms: number;
  /** null where no node has a model of heat. */
  readonly peakCelsius: number | null;
  /** Above the limit: of the node that was so for longest, in all and at most in one go. */
  readonly aboveLimitMs: number | null;
  readonly longestAboveMs: number | null;
  /** Times are from acceptance. */
  readonly stretches: readonly Stretch[];
  readonly warmth: readonly Warmth[];
  /** Of the nodes, in the order of the cluster. */
  readonly slots: readonly { readonly node: string; readonly slots: number }[];
  /** The transcript's: equal runs have equal ones. */
  readonly hash: string;
}

/** Names of figures, as scenarios and `report` call them. */
export const columns = [
  "makespan",
  "bound",
  "heft",
  "ratio",
  "waste",
  "facts",
  "events",
  "unicasts",
  "gossips",
  "bytes",
  "blobs",
  "vitals",
  "ledger",
  "busy",
  "wait50",
  "wait95",
  "seal",
  "peak",
  "above",
] as const;
export type Column = (typeof columns)[number];

/** `seconds`, `share` (of one), `number`, `bytes`, `celsius`. */
export type Measure = "seconds" | "share" | "number" | "bytes" | "celsius";

/** Each figure in its unit; null where a run has none. */
export const figures: Readonly<
  Record<Column, { readonly measure: Measure; readonly of: (run: Tally) => number | null }>
> = {
  makespan: { measure: "seconds", of: (run) => run.makespanMs / 1000 },
  bound: { measure: "seconds", of: (run) => run.boundMs / 1000 },
  heft: { measure: "seconds", of: (run) => run.heftMs / 1000 },
  ratio: { measure: "number", of: (run) => run.ratio },
  waste: { measure: "share", of: (run) => run.waste },
  facts: { measure: "number", of: (run) => run.factsPerAction },
  events: { measure: "number", of: (run) => run.eventsPerAction },
  unicasts: { measure: "number", of: (run) => run.unicastsPerAction },
  gossips: { measure: "number", of: (run) => run.gossipsPerAction },
  bytes: { measure: "bytes", of: (run) => run.bytesPerNode },
  blobs: { measure: "bytes", of: (run) => run.blobBytesPerNode },
  vitals: { measure: "bytes", of: (run) => run.vitalsBytesPerSecond },
  ledger: { measure: "bytes", of: (run) => run.ledgerBytesPerAction },
  busy: { measure: "share", of: (run) => run.utilisation },
  wait50: { measure: "seconds", of: (run) => run.waitP50Ms / 1000 },
  wait95: { measure: "seconds", of: (run) => run.waitP95Ms / 1000 },
  seal: { measure: "seconds", of: (run) => run.sealMs / 1000 },
  peak: { measure: "celsius", of: (run) => run.peakCelsius },
  above: { measure: "seconds", of: (run) => (run.aboveLimitMs === null ? null : run.aboveLimitMs / 1000) },
};
