/**
 * The actions of one build as they are now: what was read, brought forward by each event as it comes. Events say less than the node knows
 * (who may run what, what is held); so what is read again replaces all of it.
 */
import type { TimelineLine } from "../../../control/account.ts";
import type { ActionState, ActionView, AttemptView } from "../../../control/api.ts";
import { type Neighbours, neighbours } from "./layout.ts";

/** An action without what only its details show. */
export interface Brief {
  readonly name: string;
  readonly group: string;
  readonly target?: string;
  state: ActionState;
  cached: boolean;
  /** That ran it last, or runs it. */
  node?: string;
}

type Spoken = { readonly kind: string; readonly claim?: string; readonly op?: string };

export class LiveBuild {
  readonly actions: readonly Brief[];
  readonly index: ReadonlyMap<string, number>;
  readonly edges: Uint32Array;
  readonly before: Neighbours;
  readonly after: Neighbours;
  private readonly claims = new Map<string, number>();
  /** Dependencies that are not done. */
  private readonly missing: Uint32Array;

  constructor(views: readonly ActionView[]) {
    this.actions = views.map(({ name, group, target, state, cached, attempts }) => ({
      name,
      group,
      ...(target === undefined ? {} : { target }),
      state,
      cached,
      ...nodeOf(attempts),
    }));
    this.index = new Map(views.map(({ name }, i) => [name, i]));
    const edges: number[] = [];
    for (const [to, { dependsOn }] of views.entries())
      for (const name of dependsOn) {
        const from = this.index.get(name);
        if (from !== undefined) edges.push(from, to);
      }
    this.edges = Uint32Array.from(edges);
    this.before = neighbours(views.length, this.edges, 1, 0);
    this.after = neighbours(views.length, this.edges, 0, 1);
    this.missing = new Uint32Array(views.length);
    for (const [i, { attempts }] of views.entries())
      for (const { claim } of attempts) this.claims.set(claim, i);
    this.count();
  }

  /** What was read again; false where it is another graph. */
  replace(views: readonly ActionView[]): boolean {
    if (views.length !== this.actions.length) return false;
    for (const [i, { name, state, cached, attempts }] of views.entries()) {
      const action = this.actions[i]!;
      if (action.name !== name) return false;
      action.state = state;
      action.cached = cached;
      action.node = nodeOf(attempts).node;
      for (const { claim } of attempts) this.claims.set(claim, i);
    }
    this.count();
    return true;
  }

  /** True where the event alone does not say what came of it: read again. */
  take(line: TimelineLine): boolean {
    const { kind, claim, op } = line.event as Spoken;
    const at = line.action === undefined ? this.claims.get(claim ?? "") : this.index.get(line.action);
    if (kind === "sealed" || kind === "forgive" || kind === "recall" || kind === "lost") return true;
    if (kind === "control") return op !== undefined;
    if (at === undefined) return kind === "claim" || kind === "start" || kind === "done";
    const action = this.actions[at]!;
    if (kind === "claim") {
      if (claim !== undefined) this.claims.set(claim, at);
      if (action.state === "ready" || action.state === "waiting") action.state = "claimed";
      return false;
    }
    if (kind === "start") {
      if (action.state !== "done") action.state = "running";
      action.node = line.node;
      return false;
    }
    if (kind === "done" || kind === "cached") {
      if (action.state !== "done") this.done(at);
      action.cached = kind === "cached";
      if (kind === "done") action.node = line.node;
      return false;
    }
    return kind === "fail" || kind === "abandon" || kind === "expire";
  }

  /** How many are in each state. */
  counts(): Record<ActionState, number> {
    const counts = {
      waiting: 0,
      ready: 0,
      claimed: 0,
      running: 0,
      done: 0,
      blocked: 0,
      held: 0,
      cancelled: 0,
    };
    for (const { state } of this.actions) counts[state]++;
    return counts;
  }

  private done(at: number): void {
    this.actions[at]!.state = "done";
    const { starts, of } = this.after;
    for (let e = starts[at]!; e < starts[at + 1]!; e++) {
      const next = of[e]!;
      this.missing[next]!--;
      if (this.missing[next] === 0 && this.actions[next]!.state === "waiting")
        this.actions[next]!.state = "ready";
    }
  }

  private count(): void {
    this.missing.fill(0);
    for (let e = 0; e < this.edges.length; e += 2)
      if (this.actions[this.edges[e]!]!.state !== "done") this.missing[this.edges[e + 1]!]!++;
  }
}

/** Of the attempt that counts: one that is done, else the last. */
function nodeOf(attempts: readonly AttemptView[]): { node?: string } {
  const { node } = attempts.findLast(({ state }) => state === "done") ?? attempts.at(-1) ?? {};
  return node === undefined ? {} : { node };
}
