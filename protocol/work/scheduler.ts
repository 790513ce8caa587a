/** The idle node's side: picks the ready actions that suit it best, spread over a small window, and asks their steward for them. */
import type { BuildId, PeerId } from "../kernel/ids.ts";
import type { Message } from "../swarm/message.ts";
import type { Vitals } from "../swarm/vitals.ts";
import type { Build } from "./build.ts";
import type { Desk } from "./desk.ts";
import { isHeavy, slotsFor } from "./eligible.ts";
import type { Gate } from "./gate.ts";
import type { Granter } from "./granter.ts";
import type { Holder } from "./holder.ts";
import { isTaken, type Outlook, occupy, Seat, Seats } from "./outlook.ts";
import { type Placement, Plan } from "./plan.ts";
import { Reasons } from "./reasons.ts";

/** Actions shorter than this are asked for in bundles that last about so long. */
const bundleMs = 100;
const bundleActionsMax = 64;
/** Refused actions are left alone for so long, doubling: by then gossip has told what became of them. */
const refusedMsMin = 20;
const refusedMsMax = 500;
/** An ask that is not answered by then is forgotten; on a slow line it is given as long as asking ahead is worth. */
const askMsMin = 1000;
/** What has just become runnable its steward gives to an idle node by itself: others wait so long for news of that. */
const settleMs = 60;
/** Claims of others are taken to be so old when they are heard of: as many as in that time may not have been. */
const unseenMs = 20;
/** A node with nothing to do looks at its chances again after so long, doubling while it finds none; on news no sooner than the last. */
const lookMs = 50;
const lookMsMax = 400;
const lookMsMin = 10;
/** A node whose slot looks free has so long to take what should be its own; then any other does. */
const declinedMs = 2000;
/** So many ready actions are looked at where no plan is made. */
const openMax = 256;
/** An ask is sent so long before a slot comes free, at first; then by what asking and fetching took. */
const leadMsFirst = 20;
const leadMsMax = 1500;

interface Ask {
  readonly build: BuildId;
  readonly to: PeerId;
  readonly actions: readonly number[];
  readonly atMonoMs: number;
  readonly untilMonoMs: number;
}

interface Refusal {
  ms: number;
  untilMonoMs: number;
}

/** An action that is left to others, monotonic milliseconds. */
interface Declined {
  /** When it should have begun, as it looked when others' claims last gave reason to look anew. */
  beginsMonoMs: number;
  /** Since when the one it is left to looks free. */
  freeMonoMs: number;
  /** How many claims had been seen then. */
  claims: number;
}

/** What this node knows of one build's ready actions beside their state. */
interface Notes {
  cursor: number;
  /** When this node saw an action become ready. */
  readonly ready: Map<number, number>;
  readonly refused: Map<number, Refusal>;
  /** Actions it leaves to others. */
  readonly declined: Map<number, Declined>;
  /** How many claims this node has seen made. */
  claims: number;
}

export class Scheduler {
  private readonly desk: Desk;
  private readonly granter: Granter;
  private readonly holder: Holder;
  private readonly gate: Gate;
  private readonly outlook: Outlook;
  private readonly asks = new Map<string, Ask>();
  private readonly notes = new Map<BuildId, Notes>();
  private readonly reasons: Reasons;
  private askCount = 0;
  private leadMs = leadMsFirst;
  private lookedMonoMs = Number.NEGATIVE_INFINITY;
  /** When it looks at its chances again. */
  private lookMonoMs = Number.POSITIVE_INFINITY;
  private vainLooks = 0;
  private freeSeen = -1;
  /** When a slot last came free. */
  private freedMonoMs = Number.NEGATIVE_INFINITY;
  private preparedSeen = -1;
  /** From when on something that came may be for this node. */
  private newsMonoMs = Number.POSITIVE_INFINITY;
  /** When it has, or will soon have, a free slot, as it last decided. */
  private roomMonoMs = Number.POSITIVE_INFINITY;

  constructor(desk: Desk, granter: Granter, holder: Holder, gate: Gate, outlook: Outlook) {
    this.desk = desk;
    this.granter = granter;
    this.holder = holder;
    this.gate = gate;
    this.outlook = outlook;
    this.reasons = new Reasons(desk, gate);
  }

  /** News of a build: of what became ready the time is noted. Returns when this node looks at its chances, monotonic milliseconds. */
  heard(build: Build): number {
    this.noteReady(build);
    this.lookAtNews();
    return this.lookMonoMs;
  }

  /** A person let something go, or wants it elsewhere. */
  stirred(): void {
    this.hasNews(this.desk.now.monoMs);
    this.granter.stirred();
  }

  /** Asks for as much as this node can take up soon. */
  pump(): void {
    this.forgetOldAsks();
    const own = this.ownSeat();
    this.roomMonoMs = Number.POSITIVE_INFINITY;
    if (this.desk.stopping || !this.desk.settled || !own) {
      this.lookMonoMs = Number.POSITIVE_INFINITY;
      return;
    }
    const { now } = this.desk;
    for (const build of this.desk.liveBuilds()) this.noteReady(build);
    const soonMs = own.freeMs[0]!;
    const horizonMs = Math.max(this.leadMs, bundleMs / 2);
    this.roomMonoMs = now.monoMs + (soonMs > horizonMs ? Math.max(1, soonMs - horizonMs) : 0);
    const free = own.freeMs.filter((ms) => ms <= 0).length;
    // A slot that came free is looked at once; for news of others it is enough to look now and then.
    const prepared = this.granter.revision;
    if (free > this.freeSeen) this.freedMonoMs = now.monoMs;
    if (free > this.freeSeen || prepared !== this.preparedSeen) this.lookMonoMs = now.monoMs;
    this.freeSeen = free;
    this.preparedSeen = prepared;
    this.lookAtNews();
    if (now.monoMs < this.lookMonoMs) return;
    this.lookMonoMs = Number.POSITIVE_INFINITY;
    const builds = this.gate.turns().filter((b) => b.claims!.actions.readyCount > 0);
    if (builds.length === 0) {
      // A pause may end.
      if (this.desk.liveBuilds().some((b) => b.claims!.actions.readyCount > 0))
        this.lookMonoMs = now.monoMs + lookMs;
      return;
    }
    if (this.roomMonoMs > now.monoMs) {
      this.lookMonoMs = this.roomMonoMs;
      return;
    }
    if (this.newsMonoMs <= now.monoMs) this.newsMonoMs = Number.POSITIVE_INFINITY;
    this.lookedMonoMs = now.monoMs;
    let taken = 0;
    for (const build of builds) taken += this.heavy(build, own.vitals, free - taken);
    const picked = this.plans
      ? this.planned(builds, own, free - taken)
      : this.suited(builds, own, free - taken);
    const wanted = new Map<string, number[]>();
    for (const [build, index] of picked) {
      const steward = this.desk.stewardOf(build.id, build.claims!.action(index).name);
      if (steward === undefined) continue;
      const key = `${build.id}\n${steward}`;
      wanted.set(key, [...(wanted.get(key) ?? []), index]);
      taken++;
    }
    for (const [key, indexes] of wanted) {
      const [build, steward] = key.split("\n") as [BuildId, PeerId];
      this.ask(this.desk.builds.get(build)!, steward, indexes);
    }
    this.freeSeen = (this.ownSeat()?.freeMs ?? []).filter((ms) => ms <= 0).length;
    this.vainLooks = taken > 0 ? 0 : this.vainLooks + 1;
    const restMs = Math.min(lookMsMax, lookMs * 2 ** Math.min(10, this.vainLooks));
    this.lookMonoMs = now.monoMs + (soonMs > 0 ? Math.max(lookMsMin, soonMs - this.leadMs) : restMs);
  }

  granted(id: string): void {
    const ask = this.asks.get(id);
    this.asks.delete(id);
    if (!ask) return;
    this.learnLead(ask);
    for (const index of ask.actions) this.notes.get(ask.build)?.refused.delete(index);
  }

  denied(id: string): void {
    const ask = this.asks.get(id);
    this.asks.delete(id);
    if (!ask) return;
    this.refused(ask.build, ask.actions);
  }

  /** What was refused is left alone for a while; perhaps there is something else. */
  private refused(build: BuildId, indexes: readonly number[]): void {
    const { monoMs } = this.desk.now;
    this.hasNews(monoMs);
    const refused = this.notes.get(build)?.refused;
    for (const index of indexes) {
      const ms = Math.min(refusedMsMax, Math.max(refusedMsMin, 2 * (refused?.get(index)?.ms ?? 0)));
      refused?.set(index, { ms, untilMonoMs: monoMs + ms });
    }
  }

  /** The build was folded anew or dropped. */
  forget(build: BuildId): void {
    this.notes.delete(build);
    this.reasons.forget(build);
  }

  deadline(): number {
    let at = this.lookMonoMs;
    for (const ask of this.asks.values()) at = Math.min(at, ask.untilMonoMs);
    return at;
  }

  /** The nodes seen, scored for an action, best first; and those that may not build it, with the reason. */
  candidates(build: Build, index: number): ReturnType<Gate["candidates"]> {
    return this.gate.candidates(build, index);
  }

  /** Modes in which a plan says who should take what; in the others nodes choose what suits them best. */
  get plans(): boolean {
    return ["unified", "thermal-aware", "target-isolated"].includes(this.desk.config.scheduling.mode);
  }

  /** Asks for one action that takes more than a slot, if it fits now. Returns the slots it would take. */
  private heavy(build: Build, self: Vitals, free: number): number {
    if (free <= 0 || !this.gate.anyHeavy(build)) return 0;
    const claims = build.claims!;
    const open = this.open(build, self).filter((index) => isHeavy(claims.action(index)));
    const due = this.gate.due(build, self);
    const chosen =
      due !== undefined && open.includes(due) ? due : open[this.desk.random.below(Math.max(1, open.length))];
    if (chosen === undefined) return 0;
    const steward = this.desk.stewardOf(build.id, claims.action(chosen).name);
    if (steward === undefined) return 0;
    this.ask(build, steward, [chosen]);
    return slotsFor(claims.action(chosen), self.slots);
  }

  /** What the plan gives this node now, and what it left to others in vain. */
  private planned(builds: readonly Build[], own: Seat, free: number): [Build, number][] {
    const picked: [Build, number][] = [];
    const seats = new Seats(this.outlook, this.desk);
    seats.put(own);
    const plan = new Plan(this.desk, this.gate, this.outlook, seats);
    for (const build of builds) {
      const out = this.leftAlone(build);
      const taken = this.perhapsTaken(build);
      const held = (index: number) => build.claims!.heldBy(index) !== undefined;
      // Further down the list nothing is left for this node.
      const enough = () => isTaken(own, Math.max(this.leadMs, bundleMs));
      for (const [index, place] of plan.lay(build, (i) => taken.has(i) || out(i) || held(i), enough)) {
        if (picked.length >= bundleActionsMax) return picked;
        if (!this.mine(build, index, place, free > picked.length)) continue;
        if (this.gate.refuses(own.vitals, build, index) !== undefined) continue;
        if (this.gate.leaves(build, index, own.vitals, this.readySinceMonoMs(build, index)) !== undefined)
          continue;
        picked.push([build, index]);
      }
    }
    return picked;
  }

  /** The first ready actions, a random number of them: as many as were claimed in the time that news take. Where there is plenty, others have them. */
  private perhapsTaken(build: Build): Set<number> {
    const { actions } = build.claims!;
    const unseen = this.outlook.claimedWithin(unseenMs);
    const taken = new Set<number>();
    if (unseen === 0 || actions.readyCount < 2 * unseen) return taken;
    let left = this.desk.random.below(unseen + 1);
    for (const index of actions.ready()) {
      if (left-- <= 0) break;
      taken.add(index);
    }
    return taken;
  }

  /** For its free slots, what suits this node best among the first ready actions. */
  private suited(builds: readonly Build[], own: Seat, free: number): [Build, number][] {
    const picked: [Build, number][] = [];
    for (const build of builds) {
      let open = this.open(build, own.vitals).filter((index) => !isHeavy(build.claims!.action(index)));
      while (picked.length < free && open.length > 0) {
        // Others choose at the same moment: not all may choose the same.
        const best = this.gate.suited(build, open, this.desk.builders().length, own.vitals);
        const index = best[this.desk.random.below(best.length)]!;
        picked.push([build, index]);
        open = open.filter((i) => i !== index);
      }
    }
    return picked;
  }

  /** Ready actions that this node may and would take, best rank first. */
  private open(build: Build, self: Vitals): number[] {
    const claims = build.claims!;
    const out = this.leftAlone(build);
    const open: number[] = [];
    for (const index of claims.actions.ready()) {
      if (open.length >= openMax) break;
      if (
        !out(index) &&
        claims.heldBy(index) === undefined &&
        this.gate.refuses(self, build, index) === undefined &&
        !(claims.failedAt(index, self.peer) && this.granter.elsewhere(build, index, self.peer)) &&
        this.gate.leaves(build, index, self, this.readySinceMonoMs(build, index)) === undefined
      )
        open.push(index);
    }
    return open;
  }

  /** Actions that were asked for, refused a moment ago, or could not be begun here. */
  private leftAlone(build: Build): (index: number) => boolean {
    const asked = new Set<number>();
    for (const ask of this.asks.values())
      if (ask.build === build.id) for (const index of ask.actions) asked.add(index);
    const { refused } = this.notesOf(build.id);
    return (index) =>
      asked.has(index) ||
      (refused.get(index)?.untilMonoMs ?? 0) > this.desk.now.monoMs ||
      this.holder.coolingDown(build.id, index);
  }

  /** When this node took note that an action is ready, monotonic; now where it has not. */
  readySinceMonoMs(build: Build, index: number): number {
    return this.notesOf(build.id).ready.get(index) ?? this.desk.now.monoMs;
  }

  /** This node's slots as it knows them itself: what is in its hands, and what it asked for. */
  ownSeat(): Seat | undefined {
    const { config, estimates } = this.desk;
    const vitals = this.desk.vitalsOf(config.self);
    if (!vitals || vitals.slots === 0) return undefined;
    const speed = estimates.speedOf(config.self);
    const freeMs = this.holder.freeMs(vitals.slots, speed);
    for (const ask of this.asks.values()) {
      const build = this.desk.builds.get(ask.build);
      for (const index of build?.claims ? ask.actions : []) {
        const action = build!.claims!.action(index);
        for (let slot = slotsFor(action, vitals.slots); slot > 0; slot--)
          occupy(freeMs, estimates.of(build!.graph!.name, action) / speed);
      }
    }
    return new Seat(config.self, vitals, speed, 0, () => freeMs);
  }

  /** Whether this node should ask for a ready action at this moment. */
  private mine(build: Build, index: number, place: Placement, idle: boolean): boolean {
    const { config, now, estimates } = this.desk;
    const notes = this.notesOf(build.id);
    const claims = build.claims!;
    const action = claims.action(index);
    const boundMs = estimates.atMost(build.graph!.name, action);
    if (place.peer === config.self) {
      const runMs = place.endMs - place.startMs;
      const short = boundMs !== undefined && boundMs < bundleMs && runMs < bundleMs;
      if (place.startMs > (short ? bundleMs : this.leadMs)) return false;
      const readyMonoMs = notes.ready.get(index) ?? 0;
      const fresh = now.monoMs - readyMonoMs < settleMs;
      if (fresh && place.startMs <= 0 && this.seemedIdle(readyMonoMs) && !this.knowsFirst(build, index))
        return false;
      notes.declined.delete(index);
      return true;
    }
    if (!idle) return false;
    const declined = notes.declined.get(index);
    const freeMonoMs = place.startMs > 0 ? Number.POSITIVE_INFINITY : now.monoMs;
    const beginsMonoMs = now.monoMs + Math.max(0, place.startMs);
    if (!declined) {
      notes.declined.set(index, { beginsMonoMs, freeMonoMs, claims: notes.claims });
      return false;
    }
    // What ranks before it was taken first: so it should be, and nobody is late.
    if (declined.claims !== notes.claims) {
      declined.claims = notes.claims;
      declined.beginsMonoMs = Math.max(declined.beginsMonoMs, beginsMonoMs);
    }
    if (place.startMs > 0) declined.freeMonoMs = Number.POSITIVE_INFINITY;
    else declined.freeMonoMs = Math.min(declined.freeMonoMs, now.monoMs);
    // Whoever should have taken it has not, or it should have ended by now: the guess was wrong.
    const lapsedMs = Math.max(declinedMs, estimates.of(build.graph!.name, action));
    return now.monoMs > Math.min(declined.freeMonoMs + declinedMs, declined.beginsMonoMs + lapsedMs);
  }

  /** Whether others must have known at a moment that a slot is free here: then what became ready then may be on its way. */
  private seemedIdle(monoMs: number): boolean {
    return this.freedMonoMs + settleMs <= monoMs;
  }

  /** Whether this node is the first to know that an action is ready: it hands out its claims, or made the last of its inputs. */
  private knowsFirst(build: Build, index: number): boolean {
    const claims = build.claims!;
    const { self } = this.desk.config;
    if (this.desk.stewardOf(build.id, claims.action(index).name) === self) return true;
    return claims.dependencies[index]!.some((d) =>
      claims.claimsOf(d).some((c) => c.holder === self && c.done !== undefined),
    );
  }

  private ask(build: Build, steward: PeerId, indexes: readonly number[]): void {
    const { config, now } = this.desk;
    const claims = build.claims!;
    const ask: Extract<Message, { kind: "ask" }> = {
      kind: "ask",
      id: `${config.inc}.${this.askCount++}`,
      build: build.id,
      count: indexes.length,
      actions: indexes.map((i) => claims.action(i).name),
      why: this.reasons.of(build, indexes[0]!),
    };
    if (steward === config.self) {
      const answer = this.granter.ask(config.self, ask);
      // Asked for again at once it would take up the slot in every plan, and nothing else would be asked for.
      if ("denied" in answer && !answer.soon) this.refused(build.id, indexes);
      return;
    }
    this.asks.set(ask.id, {
      build: build.id,
      to: steward,
      actions: indexes,
      atMonoMs: now.monoMs,
      untilMonoMs: now.monoMs + Math.max(askMsMin, 2 * this.leadMs),
    });
    this.desk.emit({ kind: "send", to: steward, message: ask });
  }

  private forgetOldAsks(): void {
    for (const [id, ask] of this.asks) {
      const late = ask.untilMonoMs <= this.desk.now.monoMs;
      if (!late && this.desk.status(ask.to) !== "dead") continue;
      // Its answer may yet come: it took that long at least.
      if (late) this.learnLead(ask);
      this.asks.delete(id);
    }
  }

  /** On lines that are slow, or lose much, a slot is asked for long before it comes free: what was granted for it waits here meanwhile. */
  private learnLead(ask: Ask): void {
    const tookMs = this.desk.now.monoMs - ask.atMonoMs;
    this.leadMs = Math.min(leadMsMax, 0.8 * this.leadMs + 0.2 * (2 * tookMs + this.holder.fetchMsMean));
    this.holder.aheadMs = this.leadMs;
  }

  /** From that moment on there may be something for this node. */
  private hasNews(monoMs: number): void {
    this.newsMonoMs = Math.min(this.newsMonoMs, monoMs);
    this.vainLooks = 0;
  }

  private lookAtNews(): void {
    const atMonoMs = Math.max(this.newsMonoMs, this.lookedMonoMs + lookMsMin, this.roomMonoMs);
    this.lookMonoMs = Math.min(this.lookMonoMs, atMonoMs);
  }

  private notesOf(build: BuildId): Notes {
    let notes = this.notes.get(build);
    if (!notes) {
      notes = { cursor: 0, ready: new Map(), refused: new Map(), declined: new Map(), claims: 0 };
      this.notes.set(build, notes);
    }
    return notes;
  }

  private noteReady(build: Build): void {
    const { journal } = build.claims!.actions;
    const notes = this.notesOf(build.id);
    for (let at = notes.cursor; at < journal.length; at++) {
      const { action, state } = journal[at]!;
      notes.refused.delete(action);
      // What was claimed and given back again has waited all the same.
      if (state === "done") notes.declined.delete(action);
      if (state === "claimed") notes.claims++;
      if (state === "ready") {
        const { monoMs } = this.desk.now;
        notes.ready.set(action, monoMs);
        const waits = this.seemedIdle(monoMs) && !this.knowsFirst(build, action);
        this.hasNews(waits ? monoMs + settleMs : monoMs);
      } else notes.ready.delete(action);
    }
    notes.cursor = journal.length;
  }
}
