/** The idle node's side: picks the ready actions that suit it best, spread over a small window, and asks their steward for them. */
import { encode } from "../kernel/codec.ts";
import { sha256Hex } from "../kernel/digest.ts";
import type { ActionName, BuildId, PeerId } from "../kernel/ids.ts";
import type { Message } from "../swarm/message.ts";
import type { Vitals } from "../swarm/vitals.ts";
import type { Why } from "../timeline/events.ts";
import type { Build } from "./build.ts";
import type { Desk } from "./desk.ts";
import { isHeavy, slotsFor } from "./eligible.ts";
import type { Gate } from "./gate.ts";
import type { Granter } from "./granter.ts";
import type { Holder } from "./holder.ts";
import { guardDeclines, type SpeedClass } from "./score.ts";

/** Actions shorter than this are asked for in bundles that last about so long. */
const bundleMs = 250;
const bundleActionsMax = 64;
const backOffMsMin = 10;
const backOffMsMax = 500;
/** An ask that is not answered by then is forgotten. */
const askMsMax = 1000;
/** What we know of others may be this old. */
const gossipAgeMs = 1000;

interface Ask {
  readonly build: BuildId;
  readonly to: PeerId;
  readonly count: number;
  readonly untilMonoMs: number;
}

interface BackOff {
  ms: number;
  untilMonoMs: number;
}

export class Scheduler {
  private readonly desk: Desk;
  private readonly granter: Granter;
  private readonly holder: Holder;
  private readonly gate: Gate;
  private readonly asks = new Map<string, Ask>();
  private readonly backOffs = new Map<string, BackOff>();
  private readonly readySince = new Map<BuildId, Map<number, number>>();
  private readonly cursors = new Map<BuildId, number>();
  private readonly viewsSaid = new Map<BuildId, Set<string>>();
  private fasterAmong:
    | {
        readonly seen: readonly Vitals[];
        readonly ownSpeed: number;
        readonly faster: readonly { readonly vitals: Vitals; readonly speed: number }[];
      }
    | undefined;
  private askCount = 0;
  /** Claims this node granted itself in this step: they are folded after it. */
  private selfGranted = 0;

  constructor(desk: Desk, granter: Granter, holder: Holder, gate: Gate) {
    this.desk = desk;
    this.granter = granter;
    this.holder = holder;
    this.gate = gate;
  }

  /** Asks for as much as this node can take up now. */
  pump(): void {
    this.forgetOldAsks();
    if (this.desk.stopping || !this.desk.settled || this.desk.config.slots === 0) return;
    const self = this.desk.vitalsOf(this.desk.config.self);
    if (!self) return;
    for (const build of this.desk.liveBuilds()) this.noteReady(build);
    this.selfGranted = 0;
    const asked = new Set<string>();
    for (const build of this.gate.turns()) {
      for (let round = 0; round < this.desk.builders().length; round++) {
        const room = this.room(build);
        if (room <= 0) break;
        if (!this.askFor(build, self, room, asked)) break;
      }
    }
  }

  granted(id: string): void {
    const ask = this.asks.get(id);
    this.asks.delete(id);
    if (ask) this.backOffs.delete(`${ask.build}\n${ask.to}`);
  }

  denied(id: string, from: PeerId): void {
    const ask = this.asks.get(id);
    this.asks.delete(id);
    if (ask) this.backOff(ask.build, from);
  }

  /** The build was folded anew or dropped. */
  forget(build: BuildId): void {
    this.readySince.delete(build);
    this.cursors.delete(build);
  }

  deadline(): number {
    let at = Number.POSITIVE_INFINITY;
    for (const ask of this.asks.values()) at = Math.min(at, ask.untilMonoMs);
    for (const b of this.backOffs.values())
      if (b.untilMonoMs > this.desk.now.monoMs) at = Math.min(at, b.untilMonoMs);
    return at;
  }

  /** The nodes seen, scored for an action, best first; and those that may not build it, with the reason. */
  candidates(build: Build, index: number): ReturnType<Gate["candidates"]> {
    return this.gate.candidates(build, index);
  }

  /** How many more claims of a build's shortest ready work this node can take up. */
  private room(build: Build): number {
    const { slots } = this.desk.room;
    let asked = this.selfGranted;
    for (const ask of this.asks.values()) asked += ask.count;
    const inHand = this.holder.size + asked;
    const first = build.claims!.actions.ready().next();
    if (first.done) return 0;
    const size = this.bundle(build, first.value);
    const most = slots * size;
    // Refill a bundle when half of it is done, so that the node never waits for the answer.
    return inHand < (size === 1 ? slots : most / 2) ? most - inHand : 0;
  }

  private bundle(build: Build, index: number): number {
    const { group } = build.claims!.action(index);
    // By what most of the group stay below, not by their mean: one slow action would keep the rest of its bundle waiting.
    const ms = this.desk.estimates.atMost(build.graph!.name, group);
    return ms === undefined
      ? 1
      : Math.min(bundleActionsMax, Math.max(1, Math.round(bundleMs / Math.max(1, ms))));
  }

  private askFor(build: Build, self: Vitals, room: number, asked: Set<string>): boolean {
    const { config, now, random } = this.desk;
    const claims = build.claims!;
    const alone = this.desk.builders().length === 1;
    const idle = this.desk.seen().reduce((sum, v) => sum + Math.max(0, v.slots - v.running), 0);
    const width = alone ? room : room * this.desk.builders().length + idle + 4 * this.holder.size;
    const window: number[] = [];
    let aheadMs = 0;
    for (const index of claims.actions.ready()) {
      if (window.length >= width) break;
      const action = claims.action(index);
      const estimateMs = this.desk.estimates.of(build.graph!.name, action.group);
      const usable =
        this.gate.refuses(self, build, index) === undefined &&
        !this.holder.coolingDown(build.id, index) &&
        !(claims.failedAt(index, config.self) && this.granter.elsewhere(build, index, config.self)) &&
        !this.guarded(build, index, estimateMs, aheadMs) &&
        this.gate.leaves(build, index, self, this.readySinceMonoMs(build, index)) === undefined;
      aheadMs += estimateMs;
      if (usable) window.push(index);
    }
    const open = window.filter((index) => {
      const steward = this.desk.stewardOf(build.id, claims.action(index).name);
      return steward !== undefined && !asked.has(`${build.id}\n${steward}`) && this.mayAsk(build.id, steward);
    });
    if (open.length === 0) return false;
    const spread = alone ? 1 : Math.min(open.length, Math.max(1, idle + 1));
    const suited = this.gate.suited(build, open, spread, self);
    const due = this.gate.due(build, self);
    const chosen =
      due !== undefined && open.includes(due) ? due : suited[alone ? 0 : random.below(suited.length)]!;
    const heavy = isHeavy(claims.action(chosen));
    const steward = this.desk.stewardOf(build.id, claims.action(chosen).name)!;
    asked.add(`${build.id}\n${steward}`);
    const names: ActionName[] = [claims.action(chosen).name];
    const most = Math.max(room, 4);
    for (const index of open) {
      if (names.length >= most) break;
      const { name } = claims.action(index);
      // One that takes more than a slot is asked for alone: whether the next one fits too is seen then.
      if (heavy || isHeavy(claims.action(index))) continue;
      if (index !== chosen && this.desk.stewardOf(build.id, name) === steward) names.push(name);
    }
    const ask: Extract<Message, { kind: "ask" }> = {
      kind: "ask",
      id: `${config.inc}.${this.askCount++}`,
      build: build.id,
      count: heavy ? 1 : room,
      actions: names,
      why: this.why(build, chosen),
    };
    if (steward === config.self) {
      // No back-off from oneself: whatever ends the denial comes as an input, and every input asks again.
      const answer = this.granter.ask(config.self, ask);
      if ("granted" in answer)
        this.selfGranted += heavy ? slotsFor(claims.action(chosen), self.slots) : answer.granted.length;
      return true;
    }
    this.asks.set(ask.id, {
      build: build.id,
      to: steward,
      count: heavy ? slotsFor(claims.action(chosen), self.slots) : Math.min(room, names.length),
      untilMonoMs: now.monoMs + askMsMax,
    });
    this.desk.emit({ kind: "send", to: steward, message: ask });
    return true;
  }

  private mayAsk(build: BuildId, steward: PeerId): boolean {
    const backOff = this.backOffs.get(`${build}\n${steward}`);
    if (backOff && backOff.untilMonoMs > this.desk.now.monoMs) return false;
    for (const ask of this.asks.values()) if (ask.build === build && ask.to === steward) return false;
    return true;
  }

  private backOff(build: BuildId, steward: PeerId): void {
    const key = `${build}\n${steward}`;
    const ms = Math.min(backOffMsMax, Math.max(backOffMsMin, (this.backOffs.get(key)?.ms ?? 0) * 2));
    this.backOffs.set(key, { ms, untilMonoMs: this.desk.now.monoMs + ms });
  }

  private forgetOldAsks(): void {
    for (const [id, ask] of this.asks)
      if (ask.untilMonoMs <= this.desk.now.monoMs || this.desk.status(ask.to) === "dead")
        this.asks.delete(id);
  }

  /** New ready work ends every back-off of its build; since when an action is ready lets the guard lapse. */
  private noteReady(build: Build): void {
    const { journal } = build.claims!.actions;
    const from = this.cursors.get(build.id) ?? 0;
    if (from === journal.length) return;
    let since = this.readySince.get(build.id);
    if (!since) {
      since = new Map();
      this.readySince.set(build.id, since);
    }
    let fresh = false;
    for (let at = from; at < journal.length; at++) {
      const { action, state } = journal[at]!;
      if (state === "ready") {
        since.set(action, this.desk.now.monoMs);
        fresh = true;
      } else since.delete(action);
    }
    this.cursors.set(build.id, journal.length);
    if (fresh)
      for (const key of this.backOffs.keys()) if (key.startsWith(`${build.id}\n`)) this.backOffs.delete(key);
  }

  private readySinceMonoMs(build: Build, index: number): number {
    return this.readySince.get(build.id)?.get(index) ?? this.desk.now.monoMs;
  }

  private guarded(build: Build, index: number, estimateMs: number, readyAheadMs: number): boolean {
    const ownSpeed = this.desk.estimates.speedOf(this.desk.config.self);
    const since = this.readySinceMonoMs(build, index);
    if (this.desk.now.monoMs - since > estimateMs) return false;
    const faster: SpeedClass[] = [];
    for (const { vitals, speed } of this.faster(ownSpeed))
      if (this.gate.refuses(vitals, build, index) === undefined) faster.push({ speed, slots: vitals.slots });
    return (
      faster.length > 0 &&
      guardDeclines({
        estimateMs,
        ownSpeed,
        readyAheadMs,
        faster,
        meanRemainingMs: estimateMs / 2,
        ageMs: gossipAgeMs,
      })
    );
  }

  /** Nodes that are clearly faster than this one: speeds are learned and noisy. Found once per list of nodes seen. */
  private faster(ownSpeed: number): readonly { readonly vitals: Vitals; readonly speed: number }[] {
    const seen = this.desk.seen();
    if (this.fasterAmong?.seen !== seen || this.fasterAmong.ownSpeed !== ownSpeed) {
      const faster = seen
        .map((vitals) => ({ vitals, speed: this.desk.estimates.speedOf(vitals.peer) }))
        .filter(({ speed }) => speed > ownSpeed * 1.2);
      this.fasterAmong = { seen, ownSpeed, faster };
    }
    return this.fasterAmong.faster;
  }

  /** The reasons that go with an ask, and the view they stand on, recorded once per build. */
  private why(build: Build, index: number): Why {
    const { config } = this.desk;
    const { self } = config;
    const { scored } = this.candidates(build, index);
    const own = scored.find((s) => s.peer === self);
    const seen = this.desk.seen();
    const nodes = seen.map((v) => ({
      peer: v.peer,
      slots: v.slots,
      running: v.running,
      headroom: v.headroomCelsius === "unknown" ? "unknown" : Math.round(v.headroomCelsius / 5) * 5,
      speed: Math.round(this.desk.estimates.speedOf(v.peer) * 10) / 10,
    }));
    const view = sha256Hex(encode(nodes)).slice(0, 16);
    let said = this.viewsSaid.get(build.id);
    if (!said) {
      said = new Set();
      this.viewsSaid.set(build.id, said);
    }
    if (!said.has(view)) {
      said.add(view);
      this.desk.say(build.id, { kind: "view", digest: view, nodes });
    }
    return {
      score: own?.score ?? 0,
      parts: { ...own?.parts },
      view,
      ...(config.scheduling.mode === "unified" ? {} : { mode: config.scheduling.mode }),
      seen: seen.length,
      ...(seen.length * 2 < this.desk.members.size ? { partial: true } : {}),
      others: scored
        .filter((s) => s.peer !== self)
        .slice(0, 2)
        .map((s) => [s.peer, s.score]),
    };
  }
}
