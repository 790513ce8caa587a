/**
 * Who may take an action now, and whether this node does: what nodes offer and how they stand, whose turn it is, what waits for a
 * whole machine, what this node's mode leaves to others. Each answer is a reason that can be shown.
 */
import { type BuildId, byText, type Incarnation, type PeerId } from "../kernel/ids.ts";
import type { Said } from "../swarm/cuts.ts";
import type { Vitals } from "../swarm/vitals.ts";
import type { EventOf } from "../timeline/events.ts";
import type { Build } from "./build.ts";
import type { Claim } from "./claim.ts";
import type { Desk } from "./desk.ts";
import { busy, ineligible, isHeavy, type Shortfall, shortfalls, slotsFor } from "./eligible.ts";
import { Grounding } from "./grounding.ts";
import type { Holder } from "./holder.ts";
import { Leaning } from "./leaning.ts";
import { isOwn, type Scored } from "./modes.ts";
import { type Ranked, Shares } from "./shares.ts";
import { isPrimary, Standby } from "./standby.ts";
import { firstOf } from "./steward.ts";

/** A heavy action that has waited so long gets a node to itself. */
const reserveAfterMs = 2000;
/** Heavy ready actions of one build that are looked at. */
const heavyMax = 64;
/** A standby node that is awake looks for primaries this often: the death of one is no input. */
const primaryMs = 500;
/** How far heat is foreseen while no action says how long it takes. */
const foreseenMsMin = 5_000;
const foreseenMsMax = 120_000;
/** What is begun now overlaps with what is begun next. */
const foreseenRuns = 1.25;
/** What an action of a kind that was never seen is taken to last. */
const unknownRunMs = 45_000;
const foreseenSamplesMin = 16;
/** Kept below the limit: sensors and models are not exact. */
const foreseenMarginCelsius = 1;

interface Reserved {
  readonly build: BuildId;
  readonly index: number;
  readonly slots: number;
  readonly memoryBytes: number;
}

export class Gate {
  private readonly desk: Desk;
  private readonly holder: Holder;
  private readonly grounding = new Grounding();
  private readonly shares = new Shares();
  private readonly standby = new Standby();
  private readonly leaning: Leaning;
  /** Indexes of heavy actions, per build; most have none. */
  private readonly heavy = new Map<BuildId, readonly number[]>();
  private readonly heavySinceMonoMs = new Map<string, number>();
  private reserved: Reserved | undefined;
  /** The longest of all runs seen. */
  private longestMs = 0;
  private nextHeavyMonoMs = Number.POSITIVE_INFINITY;
  /** When the first action is no longer left to others. */
  private heldUntilMonoMs = Number.POSITIVE_INFINITY;

  constructor(desk: Desk, holder: Holder) {
    this.desk = desk;
    this.holder = holder;
    this.leaning = new Leaning(desk);
  }

  /** Judges how much this node takes now, and who must be grounded. Whether others should hear at once that it takes more or less. */
  look(): boolean {
    const { desk } = this;
    const { config, now, room, heat } = desk;
    heat.works(config.slots === 0 ? 0 : Math.min(1, desk.running / config.slots), now.monoMs);
    const changed = room.look({
      nowMonoMs: now.monoMs,
      declared: config.slots,
      scheduling: config.scheduling,
      sensed: desk.sensed,
      stopping: desk.stopping,
      twins: desk.standing === "twins",
      mute: desk.mute,
      order: desk.orders.of(config.self),
      standsBy: this.standsBy(),
      grounded: this.standing(config.self) !== "free",
      foreseenSlots: this.foreseenSlots(),
    });
    desk.judged();
    if (desk.settled) this.ground();
    return changed;
  }

  /** A claim about which something was learned: how it ended tells of its holder. `idled`: it was taken back, for its holder did nothing with it. */
  noted(claim: Claim, idled: boolean): void {
    const { desk } = this;
    if (claim.done) {
      if (!this.grounding.fresh(claim.id)) return;
      this.grounding.succeeded(claim.holder, claim.holderInc, desk.now.monoMs);
      if (claim.done.usage) this.longestMs = Math.max(this.longestMs, claim.done.usage.wallMs);
    } else if (idled) {
      if (!claim.forgiven && desk.settled && this.grounding.fresh(claim.id)) this.failed(claim);
    } else if (claim.fail && !claim.forgiven && desk.settled && this.grounding.fresh(claim.id)) {
      // What failed before this node was up says nothing of now.
      if (claim.fail.cause === "infrastructure") this.failed(claim);
    }
  }

  /** What a run at most lasts of a node that has never ended one, as far as any run tells; undefined for one that has. */
  guessMs(peer: PeerId, inc: Incarnation): number | undefined {
    return this.longestMs === 0 || this.grounding.hasEnded(peer, inc) ? undefined : this.longestMs;
  }

  private failed({ holder, holderInc }: Claim): void {
    const { orders, now } = this.desk;
    this.grounding.forgave(holder, orders.ungrounded(holder));
    this.grounding.failed(holder, holderInc, now.monoMs);
  }

  /** A member says that a node is grounded; each honours it by its own clock. What was said before this node was up is over. */
  heard(said: Said, event: EventOf<"node.grounded">): void {
    const { desk } = this;
    if (!desk.settled || said.entry.author === event.peer || !desk.members.may(event.kind, said)) return;
    this.grounding.said(event.peer, event.inc, event.forMs, desk.now.monoMs);
  }

  /** Why a node may not take an action now, behind its name; undefined when it may. Also the steward's answer. */
  refuses(vitals: Vitals, build: Build, index: number): string | undefined {
    const { author, event } = build.submission!;
    if (!this.desk.knowsFold(vitals.peer, event.fold)) return "does not know the rules of this build";
    const action = build.claims!.action(index);
    const unable = ineligible(vitals, action, author);
    if (unable !== undefined) return unable;
    const placed = build.claims!.holds.placeOf(action.name);
    if (placed && placed.peer !== vitals.peer) return "is not where a person placed it";
    return this.refusedByConduct(vitals, build, index);
  }

  /** Why this node leaves a ready action alone now, though it may build it; undefined when it would take it. */
  leaves(build: Build, index: number, self: Vitals, readySinceMonoMs: number): string | undefined {
    const { desk, reserved } = this;
    const action = build.claims!.action(index);
    const slots = slotsFor(action, self.slots);
    const isReserved = reserved?.build === build.id && reserved.index === index;
    if (isHeavy(action)) {
      const full = busy(self, action, this.holder.size, this.holder.reservedBytes);
      if (full !== undefined) return full;
    }
    if (reserved && !isReserved) {
      const left = self.slots - this.holder.size - slots;
      const bytesLeft =
        self.memoryTotalBytes - this.holder.reservedBytes - (action.requires?.memoryBytes ?? 0);
      if (
        left < reserved.slots ||
        ((action.requires?.memoryBytes ?? 0) > 0 && bytesLeft < reserved.memoryBytes)
      )
        return "keeps its slots for a heavy action";
    }
    if (desk.config.scheduling.mode === "target-isolated" && !isOwn(self, action)) {
      const own = this.desk
        .seen()
        .find((v) => v.peer !== self.peer && isOwn(v, action) && this.refuses(v, build, index) === undefined);
      if (own) return `leaves it to those it is made for, such as ${own.name}`;
    }
    const holdMs = this.leaning.holdMs(
      build,
      index,
      self,
      (v) => this.refuses(v, build, index) === undefined,
    );
    const untilMonoMs = readySinceMonoMs + holdMs;
    if (desk.now.monoMs >= untilMonoMs) return undefined;
    this.heldUntilMonoMs = Math.min(this.heldUntilMonoMs, untilMonoMs);
    return "leaves it to one it suits better";
  }

  /** Of ready actions, best rank first, those this node draws its next from. */
  suited(build: Build, open: readonly number[], spread: number, self: Vitals): readonly number[] {
    return this.leaning.suited(build, open, spread, self);
  }

  /** Nodes (all that are seen, unless said) scored for an action, best first; and those that may not build it, with the reason. */
  candidates(
    build: Build,
    index: number,
    seen: readonly Vitals[] = this.desk.seen(),
  ): { scored: Scored[]; unfit: { peer: PeerId; reason: string; shortfalls: Shortfall[] }[] } {
    const scored: Scored[] = [];
    const unfit: { peer: PeerId; reason: string; shortfalls: Shortfall[] }[] = [];
    const action = build.claims!.action(index);
    this.leaning.look();
    for (const vitals of seen) {
      const reason = this.refuses(vitals, build, index);
      if (reason === undefined) scored.push(this.leaning.score(build, index, vitals));
      else {
        const found = shortfalls(vitals, action, build.submission!.author);
        unfit.push({
          peer: vitals.peer,
          reason,
          shortfalls: found.length > 0 ? found : [{ text: reason, never: false, share: 1 }],
        });
      }
    }
    scored.sort((a, b) => b.score - a.score || byText(a.peer, b.peer));
    return { scored, unfit };
  }

  /** Builds with ready work, the one whose turn it is first; before them the one that has a heavy action this node kept room for. */
  turns(): Build[] {
    const { desk } = this;
    this.heldUntilMonoMs = Number.POSITIVE_INFINITY;
    this.leaning.look();
    const live = desk.liveBuilds().filter((b) => b.claims && !b.claims.holds.rests && !b.claims.cancelled);
    this.reserve(live);
    const order = this.ranked(live).map((r) => desk.builds.get(r.build)!);
    const first = this.reserved && order.findIndex((b) => b.id === this.reserved!.build);
    if (first !== undefined && first > 0) order.unshift(...order.splice(first, 1));
    return order;
  }

  /** Builds in their turn with the figures it rests on: what `queue list` shows. */
  queue(): Ranked[] {
    return this.ranked(this.desk.liveBuilds().filter((b) => b.claims));
  }

  /** The heavy action this node kept room for, when it fits now. */
  due(build: Build, self: Vitals): number | undefined {
    const { reserved } = this;
    if (reserved?.build !== build.id) return undefined;
    const action = build.claims!.action(reserved.index);
    const fits = busy(self, action, this.holder.size, this.holder.reservedBytes) === undefined;
    return fits ? reserved.index : undefined;
  }

  /** Whether something heavy of a build is ready. `held`: what of it is not to be begun; what a person holds, unless said. */
  anyHeavy(build: Build, held?: (index: number) => boolean): boolean {
    const { actions } = build.claims!;
    return this.heavyOf(build).some((index) =>
      held ? actions.get(index) === "ready" && !held(index) : isOpenTo(build, index),
    );
  }

  forget(build: BuildId): void {
    this.heavy.delete(build);
    for (const key of this.heavySinceMonoMs.keys())
      if (key.startsWith(`${build}\n`)) this.heavySinceMonoMs.delete(key);
    if (this.reserved?.build === build) this.reserved = undefined;
  }

  /** When somebody's standing, this node's room or what it leaves to others changes by time alone. */
  deadline(): number {
    const { desk } = this;
    const now = desk.now.monoMs;
    const moments = [desk.room.deadline(), this.grounding.deadline(now)];
    if (desk.config.scheduling.policy === "standby" && desk.peers.wakefulness.leftMs(now) > 0)
      moments.push(now + primaryMs, this.standby.deadline());
    if (desk.liveBuilds().length > 0)
      moments.push(this.heldUntilMonoMs, this.nextHeavyMonoMs, this.shares.deadline(now));
    return Math.min(...moments.map((at) => (at > now ? at : Number.POSITIVE_INFINITY)));
  }

  private ranked(builds: readonly Build[]): Ranked[] {
    return this.shares.order(
      builds.map((build) => ({
        build: build.id,
        user: build.submission!.author,
        priority: build.submission!.event.priority,
        slots: this.slotsHeld(build),
        ready: build.claims!.actions.readyCount > 0,
        submittedWallMs: build.submission!.wallMs,
      })),
      this.desk.now.monoMs,
    );
  }

  private slotsHeld(build: Build): number {
    const claims = build.claims!;
    if (this.heavyOf(build).length === 0) return claims.openClaims.size;
    let slots = 0;
    for (const claim of claims.openClaims) slots += claims.action(claim.action).requires?.cpus ?? 1;
    return slots;
  }

  private heavyOf(build: Build): readonly number[] {
    let heavy = this.heavy.get(build.id);
    if (!heavy) {
      heavy = build.graph!.actions.flatMap((action, index) => (isHeavy(action) ? [index] : []));
      this.heavy.set(build.id, heavy);
    }
    return heavy;
  }

  /** Heavy actions that wait too long are each given to one node, the same in every view that sees the same nodes; it lets itself run empty. */
  private reserve(builds: readonly Build[]): void {
    const { now, config } = this.desk;
    this.reserved = undefined;
    this.nextHeavyMonoMs = Number.POSITIVE_INFINITY;
    for (const build of builds) {
      const claims = build.claims!;
      let looked = 0;
      for (const index of this.heavyOf(build)) {
        const key = `${build.id}\n${index}`;
        if (!isOpenTo(build, index)) {
          this.heavySinceMonoMs.delete(key);
          continue;
        }
        if (looked++ >= heavyMax) break;
        const since = this.heavySinceMonoMs.get(key) ?? now.monoMs;
        this.heavySinceMonoMs.set(key, since);
        if (now.monoMs < since + reserveAfterMs) {
          this.nextHeavyMonoMs = Math.min(this.nextHeavyMonoMs, since + reserveAfterMs);
          continue;
        }
        if (this.reserved) continue;
        const action = claims.action(index);
        const fit = this.desk
          .seen()
          .filter(
            (v) => this.refuses(v, build, index) === undefined && v.slots >= (action.requires?.cpus ?? 1),
          )
          .map((v) => ({ peer: v.peer, weight: v.slots }));
        if (firstOf(build.id, `heavy ${action.name}`, fit) !== config.self) continue;
        const self = this.desk.vitalsOf(config.self)!;
        this.reserved = {
          build: build.id,
          index,
          slots: slotsFor(action, self.slots),
          memoryBytes: action.requires?.memoryBytes ?? 0,
        };
      }
    }
  }

  private standing(peer: PeerId): "free" | "grounded" | "probe" {
    const { kind } = this.grounding.standing(peer, this.incOf(peer), this.desk.now.monoMs);
    return kind === "waiting" ? "free" : kind;
  }

  private refusedByConduct(vitals: Vitals, build: Build, index: number): string | undefined {
    const { desk } = this;
    const standing = this.grounding.standing(vitals.peer, this.incOf(vitals.peer), desk.now.monoMs);
    if (standing.kind === "free") return undefined;
    if (standing.kind === "waiting") {
      const seconds = Math.ceil((standing.untilMonoMs - desk.now.monoMs) / 1000);
      return `failed ${standing.inRow} in a row by its own doing and waits ${seconds} s`;
    }
    // The last that may build it is not kept from it.
    if (standing.kind === "grounded" && this.othersFor(vitals.peer, build, index))
      return "is grounded after failures";
    return this.handsOf(vitals.peer) > 0 ? "proves itself by one action at a time" : undefined;
  }

  /** Whether a node in good standing is left that may build an action. */
  private othersFor(besides: PeerId, build: Build, index: number): boolean {
    const action = build.claims!.action(index);
    return this.desk
      .seen()
      .some(
        (v) =>
          v.peer !== besides &&
          this.standing(v.peer) === "free" &&
          ineligible(v, action, build.submission!.author) === undefined,
      );
  }

  private handsOf(peer: PeerId): number {
    if (peer === this.desk.config.self) return this.holder.size;
    let count = 0;
    for (const build of this.desk.liveBuilds())
      for (const claim of build.claims!.openClaims) if (claim.holder === peer) count++;
    return count;
  }

  /** Says who is grounded: for each node one member says it, the first in an order of its own. */
  private ground(): void {
    const { desk } = this;
    const { config, now } = desk;
    for (const peer of this.grounding.known()) {
      this.grounding.forgave(peer, desk.orders.ungrounded(peer));
      const inc = this.incOf(peer);
      const due = this.grounding.due(peer, inc, config.scheduling.grounding, now.monoMs);
      if (!due || inc === undefined || desk.status(peer) === "dead") continue;
      const others = desk.builders().filter((b) => b.peer !== peer);
      if (firstOf("" as BuildId, `ground ${peer}`, others) !== config.self) continue;
      const able = others.some(
        (b) => (desk.vitalsOf(b.peer)?.slots ?? 0) > 0 && this.standing(b.peer) === "free",
      );
      if (!able) continue;
      this.grounding.saying(peer);
      desk.say(
        undefined,
        { kind: "node.grounded", peer, inc, failures: due.failures, forMs: Math.round(due.forMs) },
        { urgent: true },
      );
    }
  }

  private incOf(peer: PeerId) {
    const { config, peers } = this.desk;
    return peer === config.self ? config.inc : peers.incarnationOf(peer);
  }

  private standsBy(): boolean {
    const { config, now } = this.desk;
    const { policy, labels, standbyHoldOffMs } = config.scheduling;
    if (policy !== "standby") return false;
    const primary = this.desk.seen().some((v) => v.peer !== config.self && isPrimary(labels, v));
    return this.standby.standsBy(primary, standbyHoldOffMs, now.monoMs);
  }

  /** Mode `thermal-aware`: how many slots can work for as long as actions take without the node reaching its limit. */
  private foreseenSlots(): number {
    const { config, heat, now, sensed } = this.desk;
    const { slots, scheduling } = config;
    if (scheduling.mode !== "thermal-aware" || !sensed || sensed.temperatureCelsius === "unknown")
      return slots;
    const limit = scheduling.temperatureCelsiusMax - foreseenMarginCelsius;
    const runMs = Math.min(foreseenMsMax, Math.max(foreseenMsMin, foreseenRuns * this.longestRunMs()));
    // While nobody knows how warm it gets, half of it works in any case: else nobody ever would.
    const least = heat.tried ? 0 : Math.ceil(slots / 2);
    for (let working = slots; working > least; working--) {
      const peak = heat.peak(working / slots, runMs, now.monoMs);
      if (peak === undefined || peak < limit) return working;
    }
    return least;
  }

  /** What the next ready actions take here at most, as far as one may know. */
  private longestRunMs(): number {
    const { desk } = this;
    const speed = desk.estimates.speedOf(desk.config.self);
    let runMs = 0;
    for (const build of desk.liveBuilds()) {
      const next = build.claims!.actions.ready().next();
      if (next.done) continue;
      const action = build.claims!.action(next.value);
      // Of a kind that is new the short ones end first: for a while they say nothing of the others.
      const boundMs = desk.estimates.atMost(build.graph!.name, action, foreseenSamplesMin);
      runMs = Math.max(runMs, boundMs ?? unknownRunMs);
    }
    // Without work it foresees what it would give to any: others plan with its slots before they hear of work.
    return (runMs > 0 ? runMs : unknownRunMs) / speed;
  }
}

/** Whether an action is ready, and no person holds it. */
const isOpenTo = ({ claims }: Build, index: number): boolean =>
  claims!.actions.get(index) === "ready" && claims!.heldBy(index) === undefined;
