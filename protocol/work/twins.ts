/** Stragglers: a run that lasts much longer than expected gets one twin on an idle node, from the steward of its action; the first result counts. */
import type { BuildId } from "../kernel/ids.ts";
import type { Build } from "./build.ts";
import { type Claim, isOpen } from "./claim.ts";
import type { Desk } from "./desk.ts";
import { isHeavy } from "./eligible.ts";
import type { Gate } from "./gate.ts";
import type { Granter } from "./granter.ts";
import type { Outlook, Seat } from "./outlook.ts";

/** By their group alone runs are called overdue only after it was seen so often: a twin for a guess is waste. */
const samplesMin = 16;
/** Runs that are overdue, and news of claims, are looked at no more often; and no more seldom, since what is known of durations grows. */
const lookMs = 100;
const lookMsMax = 1000;
/** Time that passes beside the run itself: asking ahead, fetching, the way of the news. */
const besideMs = 200;
/** Others' idleness is believed once nothing was heard of them for so long. */
const quietMs = 15;

export class Twins {
  private readonly desk: Desk;
  private readonly gate: Gate;
  private readonly outlook: Outlook;
  private readonly granter: Granter;
  private nextMonoMs = 0;
  private lookedMonoMs = Number.NEGATIVE_INFINITY;
  /** Whether claims of its own opened or closed since it last looked. */
  private changed = true;
  /** Open claims of actions whose claims this node hands out, per build; as long as the same nodes live. */
  private readonly own = new Map<BuildId, Set<Claim>>();
  private aliveRevision = -1;

  constructor(desk: Desk, gate: Gate, outlook: Outlook, granter: Granter) {
    this.desk = desk;
    this.gate = gate;
    this.outlook = outlook;
    this.granter = granter;
  }

  /** Claims that are new, or about which something new is known. */
  review(build: Build, touched: readonly Claim[]): void {
    const own = this.own.get(build.id);
    if (!own) this.changed = true;
    else
      for (const claim of touched)
        if (!isOpen(claim)) this.changed = own.delete(claim) || this.changed;
        else if (this.isOwn(build, claim)) {
          own.add(claim);
          this.changed = true;
        }
  }

  /** The build has ended, was folded anew, or dropped. */
  forget(build: BuildId): void {
    this.own.delete(build);
  }

  /** Grants twins where they are due. */
  pump(): void {
    const { now, config, settled, stopping } = this.desk;
    if (this.desk.aliveRevision !== this.aliveRevision) {
      this.aliveRevision = this.desk.aliveRevision;
      this.own.clear();
      this.changed = true;
    }
    if (this.changed) this.nextMonoMs = Math.min(this.nextMonoMs, this.lookedMonoMs + lookMs);
    if (now.monoMs < this.nextMonoMs) return;
    this.lookedMonoMs = now.monoMs;
    this.nextMonoMs = Number.POSITIVE_INFINITY;
    this.changed = false;
    if (config.scheduling.twinAfter === 0 || !settled || stopping) return;
    let idle: Seat[] | undefined;
    for (const build of this.desk.liveBuilds()) {
      const claims = build.claims!;
      if (claims.paused || claims.cancelled) continue;
      for (const claim of this.ownOf(build)) {
        const dueMonoMs = this.dueMonoMs(build, claim);
        // One that is due and finds no idle node is looked at again.
        const laterMonoMs = Math.min(dueMonoMs, now.monoMs + lookMsMax);
        this.nextMonoMs = Math.min(this.nextMonoMs, Math.max(laterMonoMs, now.monoMs + lookMs));
        if (now.monoMs < dueMonoMs) continue;
        idle ??= this.idle();
        const free = idle.reduce((sum, s) => sum + s.freeMs.filter((ms) => ms <= 0).length, 0);
        // Ready work needs the slots more, unless everything behind this run waits for it.
        if (free <= claims.actions.readyCount && !claims.actions.isFirst(claim.action)) continue;
        const seat = idle.find((s) => this.suits(s, build, claim));
        if (!seat) continue;
        seat.freeMs.shift();
        this.granter.twin(build, claim, seat.peer);
      }
    }
  }

  deadline(): number {
    return this.nextMonoMs;
  }

  private ownOf(build: Build): ReadonlySet<Claim> {
    let own = this.own.get(build.id);
    if (!own) {
      own = new Set([...build.claims!.openClaims].filter((c) => this.isOwn(build, c)));
      this.own.set(build.id, own);
    }
    return own;
  }

  private isOwn(build: Build, claim: Claim): boolean {
    return this.desk.stewardOf(build.id, build.claims!.action(claim.action).name) === this.desk.config.self;
  }

  /** When a run has lasted so long that it gets a twin, monotonic milliseconds; Infinity where it gets none. */
  private dueMonoMs(build: Build, claim: Claim): number {
    const never = Number.POSITIVE_INFINITY;
    const { estimates, config } = this.desk;
    const claims = build.claims!;
    const action = claims.action(claim.action);
    if (claims.heldBy(claim.action) !== undefined) return never;
    if (claim.twin || isHeavy(action) || !this.outlook.runs(claim.holder, claim.id)) return never;
    const boundMs =
      estimates.atMost(build.graph!.name, action, samplesMin) ??
      this.gate.guessMs(claim.holder, claim.holderInc);
    const sinceMonoMs = this.outlook.sinceMonoMs(claim.holder, claim.id);
    if (boundMs === undefined || sinceMonoMs === undefined) return never;
    if (claims.actions.get(claim.action) === "done" || claims.winnerOf(claim.action) !== claim) return never;
    // One twin in all: what was slow twice is slow.
    if (claims.claimsOf(claim.action).some((c) => c.twin)) return never;
    const expectedMs = boundMs / estimates.speedOf(claim.holder);
    return sinceMonoMs + config.scheduling.twinAfter * expectedMs + besideMs;
  }

  /** Nodes with a free slot, the fastest first. */
  private idle(): Seat[] {
    return this.outlook
      .seats()
      .filter((s) => s.freeMs[0]! <= 0 && (s.peer === this.desk.config.self || s.quietMs >= quietMs))
      .sort((a, b) => b.speed - a.speed);
  }

  private suits(seat: Seat, build: Build, claim: Claim): boolean {
    return (
      seat.peer !== claim.holder &&
      (seat.freeMs[0] ?? 1) <= 0 &&
      !build.claims!.failedAt(claim.action, seat.peer) &&
      this.gate.refuses(seat.vitals, build, claim.action) === undefined
    );
  }
}
