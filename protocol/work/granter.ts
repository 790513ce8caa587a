/** The steward's answer to those who ask: grants claims, or says why not. */

import type { ActionName, ClaimId, Digest, PeerId } from "../kernel/ids.ts";
import type { Message } from "../swarm/message.ts";
import type { Vitals } from "../swarm/vitals.ts";
import type { Why } from "../timeline/events.ts";
import type { Build } from "./build.ts";
import type { Claim } from "./claim.ts";
import { type Courier, unasked } from "./courier.ts";
import type { Desk } from "./desk.ts";
import { isHeavy } from "./eligible.ts";
import type { Gate } from "./gate.ts";
import { groundsOf } from "./inputs.ts";
import { isTaken, type Outlook, type Seat, Seats } from "./outlook.ts";
import { Plan } from "./plan.ts";
import type { Preparer } from "./preparer.ts";

/** A granted claim with the message that tells its holder; the holder is this node itself when there is none. */
export type Granted = readonly ClaimId[];

type Ask = Extract<Message, { kind: "ask" }>;

/** An ask for what is being prepared is kept for so long. */
const parkMs = 50;
/** Others' idleness is believed once nothing was heard of them for so long: their next claim may be under way. */
const quietMs = 15;
/** Without news of what is ready, idle nodes are looked for this often, then ever more seldom: who comes free asks by himself. */
const pushMs = 50;
const pushMsMax = 400;

export class Granter {
  private readonly desk: Desk;
  private readonly preparer: Preparer;
  /** Claims said in this step, not yet folded. */
  private readonly said = new Set<string>();
  private readonly gate: Gate;
  private readonly outlook: Outlook;
  private readonly courier: Courier;
  private waiting: { readonly from: PeerId; readonly ask: Ask; readonly untilMonoMs: number }[] = [];
  private pushedRevision = -1;
  private restMs = pushMs;
  private nextPushMonoMs = Number.POSITIVE_INFINITY;

  constructor(desk: Desk, preparer: Preparer, gate: Gate, outlook: Outlook, courier: Courier) {
    this.desk = desk;
    this.preparer = preparer;
    this.gate = gate;
    this.outlook = outlook;
    this.courier = courier;
  }

  /** Counts up whenever something becomes ready to be granted here. */
  get revision(): number {
    return this.preparer.revision;
  }

  begin(): void {
    if (this.said.size > 0) this.said.clear();
  }

  /** A person let something go: idle nodes are looked for at once. */
  stirred(): void {
    this.pushedRevision = -1;
  }

  /** An ask of another node: it is answered at once, or kept until what it asks for is prepared. */
  take(from: PeerId, ask: Ask): void {
    if (!this.answer(from, ask, false))
      this.waiting.push({ from, ask, untilMonoMs: this.desk.now.monoMs + parkMs });
  }

  /** Answers what waited, and gives what is ready to nodes that are seen idle. */
  pump(): void {
    for (const w of this.waiting.splice(0))
      if (!this.answer(w.from, w.ask, w.untilMonoMs <= this.desk.now.monoMs)) this.waiting.push(w);
    this.push();
  }

  deadline(): number {
    let at = this.nextPushMonoMs;
    for (const w of this.waiting) at = Math.min(at, w.untilMonoMs);
    return at;
  }

  private answer(from: PeerId, ask: Ask, last: boolean): boolean {
    const answer = this.ask(from, ask);
    if ("granted" in answer) {
      this.courier.grant({ to: from, id: ask.id, claims: answer.granted });
      return true;
    }
    if (answer.soon && !last) return false;
    const { denied: reason, steward } = answer;
    this.desk.emit({
      kind: "send",
      to: from,
      message: { kind: "deny", id: ask.id, build: ask.build, reason, ...(steward ? { steward } : {}) },
    });
    return true;
  }

  /** An ask of another node, or of this one. Grants what it can; says why not when it can do nothing, and whether that may change soon. */
  ask(from: PeerId, ask: Ask): { granted: Granted } | { denied: string; steward?: PeerId; soon?: boolean } {
    const build = this.desk.builds.get(ask.build);
    if (!build?.claims) return { denied: build?.submission ? "its graph is not here" : "unknown build" };
    if (!build.live) return { denied: "sealed" };
    if (!this.desk.settled) return { denied: "catching up" };
    if (build.claims.holds.rests || build.claims.cancelled) return { denied: build.claims.state };
    const vitals = this.desk.vitalsOf(from);
    if (!vitals || !this.desk.members.has(from, "builder")) return { denied: "no vitals" };
    const granted: ClaimId[] = [];
    let denied = "not ready";
    let steward: PeerId | undefined;
    let soon = false;
    const give = (index: number): string | undefined => {
      const reason = this.refusal(build, index, vitals);
      if (reason !== undefined) return reason;
      const key = this.preparer.keyOf(build.id, index)!;
      granted.push(
        this.grant(build, index, key, from, granted.length, granted.length === 0 ? ask.why : undefined),
      );
      return undefined;
    };
    for (const name of ask.actions) {
      if (granted.length >= ask.count) break;
      const index = build.claims.indexOf.get(name);
      if (index === undefined) continue;
      const acting = this.desk.stewardOf(build.id, name);
      if (acting !== this.desk.config.self) {
        denied = "ask the steward";
        steward = acting;
        continue;
      }
      const reason = give(index);
      if (reason !== undefined) denied = reason;
      soon ||= reason === "preparing";
    }
    const first = build.claims.indexOf.get(ask.actions[0]!);
    if (
      granted.length < ask.count &&
      from !== this.desk.config.self &&
      !(first !== undefined && isHeavy(build.claims.action(first)))
    )
      this.instead(build, from, ask.count, granted, give);
    if (granted.length === 0) return { denied, ...(steward ? { steward } : {}), ...(soon ? { soon } : {}) };
    return { granted };
  }

  /** What was asked for is gone: the best this node has to give, where the asker should have it. */
  private instead(
    build: Build,
    from: PeerId,
    count: number,
    granted: readonly ClaimId[],
    give: (index: number) => string | undefined,
  ): void {
    const mine = new Set(this.preparer.ready(build.id));
    if (mine.size === 0) return;
    const out = (index: number) => this.isOut(build, index);
    const asker = this.outlook.seat(from);
    if (!asker) return;
    // It knows best how many of its slots are free.
    for (let i = 0; i < Math.min(count - granted.length, asker.freeMs.length); i++) asker.freeMs[i] = 0;
    const seats = new Seats(this.outlook, this.desk);
    seats.put(asker);
    const plan = new Plan(this.desk, this.gate, this.outlook, seats);
    for (const [index, place] of plan.lay(build, out, () => isTaken(asker, 0))) {
      if (granted.length >= count) return;
      if (mine.has(index) && place.peer === from && place.startMs <= 0) give(index);
    }
  }

  /** Gives ready actions to nodes that have been idle for a while: they need not hear of it first. */
  private push(): void {
    const { desk } = this;
    const news = this.pushedRevision !== this.preparer.revision;
    if (!news && desk.now.monoMs < this.nextPushMonoMs) return;
    this.nextPushMonoMs = Number.POSITIVE_INFINITY;
    this.pushedRevision = this.preparer.revision;
    // In other modes nodes choose by what only they weigh.
    const { mode } = desk.config.scheduling;
    if (!desk.settled || desk.stopping || (mode !== "unified" && mode !== "thermal-aware")) return;
    let plan: Plan | undefined;
    /** Others that have a slot free now: on no other will one be. */
    const free: Seat[] = [];
    if (!this.preparer.anyReady) return;
    this.restMs = news ? pushMs : Math.min(pushMsMax, 2 * this.restMs);
    this.nextPushMonoMs = desk.now.monoMs + this.restMs;
    for (const build of this.gate.turns()) {
      const stewarded = this.preparer.ready(build.id).filter((i) => !this.isOut(build, i));
      if (stewarded.length === 0) continue;
      if (!plan) {
        const seats = new Seats(this.outlook, desk, quietMs);
        const own = this.outlook.seat(desk.config.self);
        if (own) seats.put(own);
        // Nothing is given away where no slot is free: then no plan need be laid.
        for (const post of this.outlook.idle()) if (seats.isFree(post)) free.push(seats.from(post)!);
        if (free.length === 0) return;
        plan = new Plan(desk, this.gate, this.outlook, seats);
      }
      // Nodes keep room for what is heavy: they must not be filled up from outside.
      if (this.gate.anyHeavy(build)) continue;
      const own = new Set(stewarded);
      let left = own.size;
      const out = (index: number) => this.isOut(build, index);
      for (const [index, place] of plan.lay(
        build,
        out,
        () => left === 0 || free.every((s) => isTaken(s, 0)),
      )) {
        if (!own.has(index)) continue;
        left--;
        if (place.startMs > 0 || place.peer === desk.config.self) continue;
        const vitals = desk.vitalsOf(place.peer);
        if (!vitals || this.refusal(build, index, vitals) !== undefined) continue;
        // It knows why, and for how long it leaves the action alone: it asks when it would have it.
        const gaveBack = (c: Claim) => c.holder === place.peer && c.abandoned !== undefined;
        if (build.claims!.claimsOf(index).some(gaveBack)) continue;
        const claim = this.grant(
          build,
          index,
          this.preparer.keyOf(build.id, index)!,
          place.peer,
          0,
          undefined,
        );
        this.courier.grant({ to: place.peer, id: unasked, claims: [claim] });
      }
    }
  }

  /** Whether a claim of an action was said in this step. */
  private isSaid(build: Build, index: number): boolean {
    return this.said.size > 0 && this.said.has(`${build.id}\n${index}`);
  }

  /** Whether an action is not to be given to anybody now: it was just given, or a person holds it. */
  private isOut(build: Build, index: number): boolean {
    return this.isSaid(build, index) || build.claims!.heldBy(index) !== undefined;
  }

  /** Why a node does not get an action that is handed out here; undefined when it does. */
  private refusal(build: Build, index: number, vitals: Vitals): string | undefined {
    const claims = build.claims!;
    if (claims.actions.get(index) !== "ready" || this.isSaid(build, index)) return "not ready";
    if (claims.heldBy(index) !== undefined) return "a person holds it";
    if (this.desk.stewardOf(build.id, claims.action(index).name) !== this.desk.config.self)
      return "ask the steward";
    const key = this.preparer.keyOf(build.id, index);
    if (key === undefined) return "preparing";
    const reason = this.gate.refuses(vitals, build, index);
    if (reason !== undefined) return reason.slice(0, 100);
    if (claims.failedAt(index, vitals.peer) && this.elsewhere(build, index, vitals.peer))
      return "it failed here before";
    if (build.asksCache(index) && this.preparer.waitsForAnotherBuild(build.id, key))
      return "the same action runs in another build";
    return undefined;
  }

  /** A second run of what another holds, on a node that idles; outside of the rule of winners. */
  twin(build: Build, claim: Claim, holder: PeerId): void {
    const id = this.desk.newClaimId();
    const { config, peers } = this.desk;
    this.outlook.promise(
      holder,
      this.desk.estimates.of(build.graph!.name, build.claims!.action(claim.action)),
    );
    this.desk.say(
      build.id,
      {
        kind: "claim",
        claim: id,
        action: build.claims!.action(claim.action).name,
        attempt: build.claims!.claimsOf(claim.action).length + 1,
        key: claim.key,
        holder,
        holderInc: holder === config.self ? config.inc : peers.incarnationOf(holder)!,
        twin: true,
        ...(claim.pins.length > 0 ? { pins: claim.pins.map(([name, result]) => [name, result]) } : {}),
        ...(claim.took === undefined ? {} : { took: claim.took }),
      },
      { urgent: true },
    );
    if (holder !== config.self) this.courier.grant({ to: holder, id: unasked, claims: [id] });
  }

  /** Whether an eligible node is left that this action has not failed on. */
  elsewhere(build: Build, index: number, besides: PeerId): boolean {
    return this.desk.alive().some((peer) => {
      const vitals = this.desk.vitalsOf(peer);
      return (
        peer !== besides &&
        vitals !== undefined &&
        !build.claims!.failedAt(index, peer) &&
        this.gate.refuses(vitals, build, index) === undefined
      );
    });
  }

  private grant(
    build: Build,
    index: number,
    key: Digest,
    holder: PeerId,
    turn: number,
    why: Why | undefined,
  ): ClaimId {
    const { config, peers } = this.desk;
    const claims = build.claims!;
    const id = this.desk.newClaimId();
    this.said.add(`${build.id}\n${index}`);
    this.outlook.promise(holder, this.desk.estimates.of(build.graph!.name, claims.action(index)));
    this.desk.say(
      build.id,
      {
        kind: "claim",
        claim: id,
        action: claims.action(index).name as ActionName,
        attempt: claims.claimsOf(index).length + 1,
        key,
        holder,
        holderInc: holder === config.self ? config.inc : peers.incarnationOf(holder)!,
        ...(turn > 0 ? { turn } : {}),
        ...groundsOf(claims, index),
        ...(why ? { why } : {}),
      },
      { urgent: true },
    );
    return id;
  }
}
