/** A build's whole replay in one answer: every event and what it changed, names said once, so that a page folds it without asking again. */
import { setImmediate } from "node:timers/promises";
import { type Family, families, familyOf } from "../../protocol/explain/families.ts";
import type { ReplayStep, SeenNode, StepClaim } from "../../protocol/explain/replay.ts";
import type { BuildId } from "../../protocol/kernel/ids.ts";
import type { ActionState } from "../control/api.ts";
import type { Views } from "./views.ts";

/** Numbers stand for places in `nodes`, `kinds`, `actions`, `states` and `outcomes`. */
export type StepRow = readonly [
  /** Milliseconds from the first event. */
  atMs: number,
  node: number,
  kind: number,
  text: string,
  /** Action, state, action, state … */
  changed: readonly number[],
  claim?: ClaimRow | null,
  /** What a view saw: node, slots, degrees to its limit; null where it says nothing. */
  seen?: readonly SeenRow[],
];

type ClaimRow = readonly [
  number: number,
  action: number,
  holder: number,
  is: number,
  fetchMs: number,
  runMs: number,
];
type SeenRow = readonly [node: number, slots: number | null, headroomCelsius: number | null];

export interface Steps {
  readonly build: BuildId;
  /** Wall milliseconds of the first event, and of the last. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly actions: readonly string[];
  readonly nodes: readonly string[];
  readonly kinds: readonly (readonly [kind: string, family: Family])[];
  readonly states: readonly ActionState[];
  readonly outcomes: readonly StepClaim["is"][];
  readonly steps: readonly StepRow[];
}

/** How many events were said when. */
export interface Density {
  readonly build: BuildId;
  readonly fromMs: number;
  readonly toMs: number;
  readonly bucketMs: number;
  /** Of each family, per bucket. */
  readonly counts: Readonly<Record<Family, readonly number[]>>;
}

/** So many in one go; then others have a turn. */
const atOnce = 500;

/** Refuses as `Views.replay`. */
export async function stepsOf(views: Views, build: BuildId): Promise<Steps> {
  const [actions, nodes, kinds, states, outcomes, claims] = [
    new Names(),
    new Names(),
    new Names(),
    new Names(),
    new Names(),
    new Names(),
  ];
  const steps: StepRow[] = [];
  let [fromMs, toMs] = [0, 0];
  for await (const step of replayed(views, build)) {
    if (steps.length === 0) fromMs = step.atMs;
    toMs = step.atMs;
    const row = [
      step.atMs - fromMs,
      nodes.of(step.node),
      kinds.of(step.event),
      step.text,
      step.changed.flatMap(({ action, state }) => [actions.of(action), states.of(state)]),
    ] as const;
    const { claim, nodes: seen } = step;
    if (claim) {
      const { id, action, holder, is, fetchMs = 0, runMs = 0 } = claim;
      const about = [claims.of(id), actions.of(action), nodes.of(holder), outcomes.of(is)] as const;
      steps.push([...row, [...about, fetchMs, runMs]]);
    } else if (seen) steps.push([...row, null, seen.map((one) => seenBy(one, nodes.of(one.node)))]);
    else steps.push(row);
  }
  return {
    build,
    fromMs,
    toMs,
    actions: actions.all,
    nodes: nodes.all,
    kinds: kinds.all.map((kind) => [kind, familyOf(kind, true)]),
    states: states.all as ActionState[],
    outcomes: outcomes.all as StepClaim["is"][],
    steps,
  };
}

/** Refuses as `Views.replay`. */
export async function densityOf(views: Views, build: BuildId, buckets: number): Promise<Density> {
  const at: (readonly [number, Family])[] = [];
  for await (const { atMs, event } of replayed(views, build)) at.push([atMs, familyOf(event, true)]);
  const [fromMs, toMs] = [at[0]?.[0] ?? 0, at.at(-1)?.[0] ?? 0];
  const bucketMs = Math.max(1, (toMs - fromMs) / buckets);
  const counts = Object.fromEntries(
    families.map((family) => [family, new Array<number>(buckets).fill(0)]),
  ) as Record<Family, number[]>;
  for (const [ms, family] of at)
    counts[family][Math.min(buckets - 1, Math.floor((ms - fromMs) / bucketMs))]!++;
  return { build, fromMs, toMs, bucketMs, counts };
}

const seenBy = ({ slots, headroomCelsius }: SeenNode, node: number): SeenRow => [
  node,
  slots ?? null,
  typeof headroomCelsius === "number" ? headroomCelsius : null,
];

async function* replayed(views: Views, build: BuildId): AsyncIterable<ReplayStep> {
  let count = 0;
  for await (const line of views.replay({ build, steps: true }, new AbortController().signal)) {
    if (line.kind === "step") yield line;
    if (++count % atOnce === 0) await setImmediate();
  }
}

/** Names by the order in which they came. */
class Names {
  readonly all: string[] = [];
  private readonly places = new Map<string, number>();

  of(name: string): number {
    let place = this.places.get(name);
    if (place === undefined) {
      place = this.all.push(name) - 1;
      this.places.set(name, place);
    }
    return place;
  }
}
