/** A build's replay, folded in the page: to any moment of it by the changes in between, forward and back, without asking the gateway. */
import type { ActionState, ActionView } from "../../../control/api.ts";
import type { StepRow, Steps } from "../../steps.ts";
import { LiveBuild } from "../graph/live-build.ts";
import { laned, type Run } from "../runs.ts";

/** A node as it was. */
export interface NodeThen {
  readonly node: string;
  readonly running: readonly string[];
  readonly slots?: number;
  readonly headroomCelsius?: number;
}

interface Claimed {
  readonly action: number;
  readonly holder: number;
  readonly fromMs: number;
  toMs?: number;
  fetchMs: number;
  runMs: number;
  outcome: Run["outcome"];
}

const outcomes: Readonly<Record<string, Run["outcome"]>> = {
  done: "done",
  failed: "failed",
  "given back": "given up",
  "taken back": "given up",
};

export class Film {
  /** Its actions are as they were after `count` events. */
  readonly live: LiveBuild;
  readonly steps: readonly StepRow[];
  readonly from: Steps;
  /** Node → its runs, each in a lane of its own where several go at once. */
  readonly runs: ReadonlyMap<string, readonly Run[]>;
  /** All states that an action is ever in. */
  readonly states: readonly ActionState[];
  count = 0;
  /** Of each step, where its changes begin in the four arrays below. */
  private readonly starts: Uint32Array;
  private readonly actions: Int32Array;
  private readonly before: ActionState[] = [];
  private readonly after: ActionState[] = [];
  /** Steps that say what was seen of nodes. */
  private readonly views: readonly number[];
  /** Who ran something, or was seen. */
  private readonly names: readonly string[];
  /** Of each action, its runs in the order of time. */
  private readonly claimed = new Map<number, Claimed[]>();

  constructor(from: Steps, views: readonly ActionView[]) {
    this.from = from;
    this.steps = from.steps;
    this.live = new LiveBuild(
      views.map((view) => ({ ...view, state: "waiting", cached: false, attempts: [] })),
    );
    const places = from.actions.map((name) => this.live.index.get(name) ?? -1);
    const states: ActionState[] = new Array(this.live.actions.length).fill("waiting");
    this.starts = new Uint32Array(this.steps.length + 1);
    const actions: number[] = [];
    for (const [i, [, , , , changed]] of this.steps.entries()) {
      for (let at = 0; at < changed.length; at += 2) {
        const action = places[changed[at]!]!;
        if (action < 0) continue;
        actions.push(action);
        this.before.push(states[action]!);
        states[action] = from.states[changed[at + 1]!]!;
        this.after.push(states[action]!);
      }
      this.starts[i + 1] = actions.length;
    }
    this.actions = Int32Array.from(actions);
    this.states = [...new Set<ActionState>(["waiting", ...from.states])];
    this.views = [...this.steps.keys()].filter((i) => this.steps[i]![6] !== undefined);
    this.runs = this.runsIn(places);
    const seen = this.views.flatMap((i) => this.steps[i]![6]!.map(([node]) => from.nodes[node]!));
    this.names = [...new Set([...this.runs.keys(), ...seen])].sort((a, b) => (a < b ? -1 : 1));
  }

  /** Milliseconds from the first event to the last. */
  get lengthMs(): number {
    return this.from.toMs - this.from.fromMs;
  }

  /** When the event before this place was said; milliseconds from the first. */
  msAt(count: number): number {
    return this.steps[Math.max(0, count - 1)]?.[0] ?? 0;
  }

  /** How many events had been said by a moment. */
  countAt(ms: number): number {
    let [low, high] = [0, this.steps.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.steps[middle]![0] <= ms) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Brings the actions to where they were after so many events. */
  seek(count: number): void {
    const { live, starts } = this;
    const to = Math.max(0, Math.min(this.steps.length, count));
    const [low, high] = [starts[Math.min(to, this.count)]!, starts[Math.max(to, this.count)]!];
    if (to > this.count)
      for (let at = low; at < high; at++) live.actions[this.actions[at]!]!.state = this.after[at]!;
    else for (let at = high - 1; at >= low; at--) live.actions[this.actions[at]!]!.state = this.before[at]!;
    this.count = to;
    const ms = to === 0 ? -1 : this.msAt(to);
    for (const [action, runs] of this.claimed) {
      const last = runs.findLast(({ fromMs }) => fromMs <= ms);
      live.actions[action]!.node = last && this.from.nodes[last.holder];
    }
  }

  /** What each node that ever had something had in hand at a moment, and what was last seen of it. */
  nodesAt(ms: number): NodeThen[] {
    const seen = new Map<string, { slots: number | null; headroom: number | null }>();
    for (const i of this.views) {
      if (i >= this.count) break;
      for (const [node, slots, headroom] of this.steps[i]![6]!)
        seen.set(this.from.nodes[node]!, { slots, headroom });
    }
    return this.names.map((node) => {
      const { slots, headroom } = seen.get(node) ?? { slots: null, headroom: null };
      const running = (this.runs.get(node) ?? []).filter(
        ({ fromMs, toMs }) => fromMs <= ms && (toMs ?? Number.POSITIVE_INFINITY) > ms,
      );
      return {
        node,
        running: running.map(({ action }) => action),
        ...(slots === null ? {} : { slots }),
        ...(headroom === null ? {} : { headroomCelsius: headroom }),
      };
    });
  }

  /** The first so many actions that nobody had in hand and that could have begun. */
  queue(max: number): string[] {
    const names: string[] = [];
    for (const { name, state } of this.live.actions) {
      if (state !== "ready") continue;
      names.push(name);
      if (names.length === max) break;
    }
    return names;
  }

  /** Places of the steps that speak of an action's claims. */
  about(action: string): number[] {
    const at = this.from.actions.indexOf(action);
    return [...this.steps.keys()].filter((i) => this.steps[i]![5]?.[1] === at || changes(this.steps[i]!, at));
  }

  private runsIn(places: readonly number[]): Map<string, Run[]> {
    const open = new Map<number, Claimed>();
    for (const [ms, , , , , claim] of this.steps) {
      if (!claim) continue;
      const [number, action, holder, is, fetchMs, runMs] = claim;
      const outcome = outcomes[this.from.outcomes[is]!];
      const known = open.get(number);
      if (!known) {
        const begun: Claimed = { action, holder, fromMs: ms, fetchMs, runMs, outcome: "running" };
        open.set(number, begun);
        const own = this.claimed.get(places[action]!) ?? [];
        own.push(begun);
        if (places[action]! >= 0) this.claimed.set(places[action]!, own);
      } else if (outcome !== undefined && known.toMs === undefined)
        Object.assign(known, { toMs: ms, fetchMs, runMs, outcome });
    }
    return laned(
      [...open.values()].map(({ action, holder, fromMs, toMs, fetchMs, runMs, outcome }) => {
        const begunMs = toMs === undefined || runMs === 0 ? fromMs : Math.max(fromMs, toMs - runMs);
        return {
          action: this.from.actions[action]!,
          node: this.from.nodes[holder]!,
          fromMs,
          fetchMs: Math.max(fromMs, begunMs - fetchMs),
          runMs: begunMs,
          ...(toMs === undefined ? {} : { toMs }),
          outcome,
        };
      }),
    );
  }
}

function changes([, , , , changed]: StepRow, action: number): boolean {
  for (let at = 0; at < changed.length; at += 2) if (changed[at] === action) return true;
  return false;
}
