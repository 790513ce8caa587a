/** The chain of actions that a build's duration hangs on: as it was, from facts, and as it could be at best, from estimates. */
import type { ActionName } from "../kernel/ids.ts";

/** An action as it ran; any one clock, milliseconds. */
export interface Ran {
  readonly action: ActionName;
  readonly startMs: number;
  readonly endMs: number;
  readonly dependsOn: readonly ActionName[];
}

export interface CriticalStep {
  readonly action: ActionName;
  readonly startMs: number;
  readonly endMs: number;
  /** Between the end of the step before (the begin of the build for the first) and its start: waiting for a node, for files. */
  readonly waitMs: number;
  /** How much sooner it could have ended before another dependency of the next step (another end of the build) had decided. */
  readonly slackMs: number;
}

export interface CriticalPath {
  /** From the begin of the build to the end of the last step. */
  readonly totalMs: number;
  /** In the order they ran. */
  readonly steps: readonly CriticalStep[];
}

/**
 * The critical path of what ran: from the action that ended last back over the dependency that ended last, and so on.
 * `fromMs`: begin of the build (default: the earliest start). Dependencies that did not run (cached ones) hold nothing up.
 */
export function criticalPath(ran: readonly Ran[], fromMs?: number): CriticalPath {
  const byName = new Map(ran.map((run) => [run.action, run]));
  const beginMs = fromMs ?? ran.reduce((ms, run) => Math.min(ms, run.startMs), Number.POSITIVE_INFINITY);
  const steps: CriticalStep[] = [];
  const seen = new Set<ActionName>();
  let rivals: readonly Ran[] = ran;
  for (let step = latest(rivals); step && !seen.has(step.action); step = latest(rivals)) {
    seen.add(step.action);
    const second = latest(rivals.filter((run) => run !== step));
    const dependencies = step.dependsOn.flatMap((name) => byName.get(name) ?? []);
    const before = latest(dependencies);
    steps.push({
      action: step.action,
      startMs: step.startMs,
      endMs: step.endMs,
      waitMs: Math.max(0, step.startMs - (before?.endMs ?? beginMs)),
      slackMs: Math.max(0, step.endMs - Math.max(second?.endMs ?? beginMs, beginMs)),
    });
    rivals = dependencies;
  }
  return { totalMs: steps.length === 0 ? 0 : steps[0]!.endMs - beginMs, steps: steps.reverse() };
}

/** Ended last; among equals the one that began first, then the one given first. */
function latest(runs: readonly Ran[]): Ran | undefined {
  let best: Ran | undefined;
  for (const run of runs)
    if (!best || run.endMs > best.endMs || (run.endMs === best.endMs && run.startMs < best.startMs))
      best = run;
  return best;
}

/** An action with the time it is expected to take, milliseconds. */
export interface Planned {
  readonly action: ActionName;
  readonly ms: number;
  readonly dependsOn: readonly ActionName[];
}

export interface PlannedPath {
  /** What the build takes with nodes enough and nothing to wait for. */
  readonly totalMs: number;
  readonly steps: readonly { readonly action: ActionName; readonly ms: number }[];
  /** By how much each action may be late without making the build longer; 0 along the path. */
  readonly slackMs: ReadonlyMap<ActionName, number>;
}

/** The critical path of a plan. `planned` stands in dependency order; dependencies that are not in it count as done. */
export function plannedPath(planned: readonly Planned[]): PlannedPath {
  const index = new Map(planned.map((action, i) => [action.action, i]));
  const finishMs = new Float64Array(planned.length);
  const decides = new Int32Array(planned.length).fill(-1);
  let last = -1;
  planned.forEach((action, i) => {
    let startMs = 0;
    for (const name of action.dependsOn) {
      const dependency = index.get(name);
      if (dependency === undefined || finishMs[dependency]! <= startMs) continue;
      startMs = finishMs[dependency]!;
      decides[i] = dependency;
    }
    finishMs[i] = startMs + action.ms;
    if (last < 0 || finishMs[i]! > finishMs[last]!) last = i;
  });
  const totalMs = last < 0 ? 0 : finishMs[last]!;
  const latestMs = new Float64Array(planned.length).fill(totalMs);
  for (let i = planned.length - 1; i >= 0; i--) {
    const action = planned[i]!;
    for (const name of action.dependsOn) {
      const dependency = index.get(name);
      if (dependency !== undefined)
        latestMs[dependency] = Math.min(latestMs[dependency]!, latestMs[i]! - action.ms);
    }
  }
  const steps: { action: ActionName; ms: number }[] = [];
  for (let i = last; i >= 0; i = decides[i]!) steps.push({ action: planned[i]!.action, ms: planned[i]!.ms });
  return {
    totalMs,
    steps: steps.reverse(),
    slackMs: new Map(planned.map((action, i) => [action.action, Math.max(0, latestMs[i]! - finishMs[i]!)])),
  };
}
