/**
 * Runs of a build by node, from what was said: waiting in hand, fetching, running. By the clocks of those who said it. A run begins with its
 * claim: holders say `start` of long ones alone.
 */
import type { TimelineLine } from "../../control/account.ts";

export interface Run {
  readonly action: string;
  readonly node: string;
  /** In the holder's hand. */
  readonly fromMs: number;
  /** It fetches its inputs from here on, and runs from `runMs` on. */
  readonly fetchMs: number;
  readonly runMs: number;
  /** Undefined: it has not ended. */
  readonly toMs?: number;
  readonly outcome: "running" | "done" | "failed" | "given up";
  /** Beside others of its node that run at once, from 0. */
  readonly lane: number;
}

interface Spoken {
  readonly kind: string;
  readonly claim?: string;
  readonly holder?: string;
  readonly usage?: { readonly fetchMs: number; readonly wallMs: number };
}

const outcomes: Readonly<Record<string, Run["outcome"]>> = {
  done: "done",
  fail: "failed",
  abandon: "given up",
  expire: "given up",
};

/** Node → its runs in the order in which they began. */
export function runsOf(lines: readonly TimelineLine[]): Map<string, Run[]> {
  const names = new Map(lines.map(({ peerId, node }) => [peerId as string, node]));
  const open = new Map<string, { action: string; node: string; fromMs: number }>();
  const ended: Omit<Run, "lane">[] = [];
  for (const line of lines) {
    const { kind, claim: id = "", holder = "", usage } = line.event as Spoken;
    if (kind === "claim") {
      const node = names.get(holder) ?? holder.slice(-8);
      open.set(id, { action: line.action ?? id, node, fromMs: line.atMs });
    }
    const outcome = outcomes[kind];
    const begun = open.get(id);
    if (outcome === undefined || begun === undefined) continue;
    open.delete(id);
    const toMs = Math.max(begun.fromMs, line.atMs);
    const runMs = usage ? Math.max(begun.fromMs, toMs - usage.wallMs) : begun.fromMs;
    ended.push({
      ...begun,
      fetchMs: usage ? Math.max(begun.fromMs, runMs - usage.fetchMs) : begun.fromMs,
      runMs,
      toMs,
      outcome,
    });
  }
  for (const one of open.values())
    ended.push({ ...one, fetchMs: one.fromMs, runMs: one.fromMs, outcome: "running" });
  return laned(ended);
}

/** Node → its runs in the order in which they began, each in the first lane that is free. */
export function laned(runs: readonly Omit<Run, "lane">[]): Map<string, Run[]> {
  const byNode = new Map<string, { runs: Run[]; freeMs: number[] }>();
  for (const run of runs.toSorted((a, b) => a.fromMs - b.fromMs)) {
    const node = byNode.get(run.node) ?? { runs: [], freeMs: [] };
    byNode.set(run.node, node);
    const free = node.freeMs.findIndex((ms) => ms <= run.fromMs);
    const lane = free < 0 ? node.freeMs.length : free;
    node.freeMs[lane] = run.toMs ?? Number.POSITIVE_INFINITY;
    node.runs.push({ ...run, lane });
  }
  return new Map([...byNode].sort(([a], [b]) => (a < b ? -1 : 1)).map(([node, { runs }]) => [node, runs]));
}
