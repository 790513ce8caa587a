/** What a mode makes a node do: how well each candidate suits an action, what a node takes first, and how long it leaves an action to a better one. */
import type { PeerId } from "../kernel/ids.ts";
import type { Mode } from "../swarm/policy.ts";
import type { Vitals } from "../swarm/vitals.ts";
import type { Build } from "./build.ts";
import type { Desk } from "./desk.ts";
import { type Scored, score } from "./modes.ts";

/** How long a node leaves an action to an idle one that suits it better by half of the scale or more. The modes without a hold leave that to the plan. */
const holdMsOf: Readonly<Record<Mode, number>> = {
  unified: 0,
  weighted: 250,
  "thermal-aware": 0,
  "cache-first": 500,
  "target-isolated": 0,
  learned: 250,
};
/** A node of policy `avoid` leaves work to any idle other for so long. */
const avoidHoldMs = 1000;
/** But never for more than this share of what the action is expected to take. */
const holdShareMax = 0.5;
/** A difference in score below this is noise. */
const gapMin = 0.05;
const gapFull = 0.5;
/** Idle nodes that are compared with, and ready actions that are compared with each other. */
const idleMax = 32;
const prefixMax = 16;

/** The nodes as seen at one moment. */
interface View {
  readonly idle: readonly Vitals[];
  readonly fastest: number;
  /** Actions that were compared between nodes, and what came of the last one: further down the list it is not looked again. */
  compared: number;
  holdMs: number;
}

export class Leaning {
  private readonly desk: Desk;
  private looked: View | undefined;

  constructor(desk: Desk) {
    this.desk = desk;
  }

  /** The moment is another: nodes are looked at again once something is asked. */
  look(): void {
    this.looked = undefined;
  }

  /** A node's score for an action, in this node's mode. */
  score(build: Build, index: number, vitals: Vitals): Scored {
    const { estimates, records, config } = this.desk;
    const { name } = build.graph!;
    const action = build.claims!.action(index);
    const speed = estimates.speedOf(vitals.peer);
    return score(config.scheduling, vitals, action, {
      local: localShare(build, index, vitals.peer),
      speed: Math.min(1, speed / this.view().fastest),
      history: records.of(name, action.group, vitals.peer),
      runMs: estimates.of(name, action) / speed,
    });
  }

  /** For how long after it became ready this node leaves an action alone. `fits`: whether another may take it. */
  holdMs(build: Build, index: number, self: Vitals, fits: (vitals: Vitals) => boolean): number {
    if (!this.leans) return 0;
    const view = this.view();
    if (view.idle.length > 0 && view.compared++ < prefixMax)
      view.holdMs = this.compare(build, index, self, view.idle.filter(fits));
    return view.holdMs;
  }

  /** Of ready actions, best rank first, those among the first few that suit this node best; all of the first `spread` where its mode does not care. */
  suited(build: Build, open: readonly number[], spread: number, self: Vitals): readonly number[] {
    const { mode } = this.desk.config.scheduling;
    if (mode !== "cache-first" && mode !== "learned" && mode !== "weighted") return open.slice(0, spread);
    const scored = open
      .slice(0, Math.max(spread, prefixMax))
      .map((index) => ({ index, score: this.score(build, index, self).score }));
    const best = Math.max(...scored.map((s) => s.score));
    return scored
      .filter((s) => s.score >= best - gapMin)
      .slice(0, spread)
      .map((s) => s.index);
  }

  private compare(build: Build, index: number, self: Vitals, others: readonly Vitals[]): number {
    const { scheduling } = this.desk.config;
    const runMs = this.desk.estimates.of(build.graph!.name, build.claims!.action(index));
    const avoids = scheduling.policy === "avoid" && others.some((v) => v.policy !== "avoid");
    const most = Math.max(avoids ? avoidHoldMs : 0, holdMsOf[scheduling.mode]);
    if (most === 0 || others.length === 0) return 0;
    if (avoids) return Math.min(most, runMs * holdShareMax);
    const own = this.score(build, index, self).score;
    const best = Math.max(...others.map((v) => this.score(build, index, v).score));
    const gap = best - own;
    return gap < gapMin ? 0 : Math.min(most, runMs * holdShareMax) * Math.min(1, gap / gapFull);
  }

  private view(): View {
    const { desk } = this;
    if (this.looked) return this.looked;
    const seen = desk.seen();
    let fastest = 1e-9;
    for (const { peer } of seen) fastest = Math.max(fastest, desk.estimates.speedOf(peer));
    const idle = this.leans
      ? seen.filter((v) => v.peer !== desk.config.self && v.slots > v.running).slice(0, idleMax)
      : [];
    this.looked = { idle, fastest, compared: 0, holdMs: 0 };
    return this.looked;
  }

  private get leans(): boolean {
    const { mode, policy } = this.desk.config.scheduling;
    return holdMsOf[mode] > 0 || policy === "avoid";
  }
}

/** Share of an action's inputs that a node made or was given at submit, by count of its dependencies. */
function localShare(build: Build, index: number, peer: PeerId): number {
  const claims = build.claims!;
  const dependencies = claims.dependencies[index]!;
  if (dependencies.length === 0) return build.submission!.event.holders.includes(peer) ? 1 : 0;
  let here = 0;
  for (const dependency of dependencies) {
    const result = claims.resultOf(dependency);
    if (result && claims.holdersOf(dependency, result).includes(peer)) here++;
  }
  return here / dependencies.length;
}
