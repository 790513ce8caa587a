/** The acting steward's watch over open claims: it takes back what dead, restarted or silent holders had, and what takes too long. */
import { type ClaimId, incarnationCounter } from "../kernel/ids.ts";
import type { Build } from "./build.ts";
import { type Claim, isOpen } from "./claim.ts";
import type { Desk } from "./desk.ts";

/** A claim whose holder has not said `start` after this long is taken back. A holder says it within `startSaidMs`. */
const startMsMax = 15_000;
/** Beyond an action's time limit: bringing inputs here, stopping what overran, storing what came of it. */
const endMsMax = 60_000;
/** What another ended or a person stopped is to be given back within this: TERM, 5 s, KILL, and the way of the news. */
const stopMsMax = 8_000;
/** A holder whose disk fails cannot tell what came of its claims; it is given so long to write again. */
const muteMsMax = 10_000;

export class Expiry {
  private readonly desk: Desk;
  private readonly claimSeenMonoMs = new Map<ClaimId, number>();
  /** Since when a claim has been open to no end. */
  private readonly idleSinceMonoMs = new Map<ClaimId, number>();
  /** Said in this step, not yet folded. */
  private readonly said = new Set<ClaimId>();
  /** Claims about which something was learned since the last look. */
  private readonly fresh = new Map<Claim, Build>();
  /** What all open claims were last judged by, and when one of them may have waited too long. */
  private judgedBy = -1;
  private lookMonoMs = Number.NEGATIVE_INFINITY;

  constructor(desk: Desk) {
    this.desk = desk;
  }

  begin(): void {
    if (this.said.size > 0) this.said.clear();
  }

  /** Takes back what dead, restarted or silent holders had; only the acting steward of the action does. */
  expire(): void {
    const { desk } = this;
    if (!desk.settled) return;
    const by = desk.aliveRevision + desk.livenessRevision + desk.peers.incarnationRevision; // each only counts up
    if (by !== this.judgedBy || desk.now.monoMs >= this.lookMonoMs) {
      this.judgedBy = by;
      this.lookMonoMs = Number.POSITIVE_INFINITY;
      for (const build of desk.liveBuilds())
        for (const claim of build.claims!.openClaims) this.look(build, claim);
    } else for (const [claim, build] of this.fresh) if (build.live) this.look(build, claim);
    if (this.fresh.size > 0) this.fresh.clear();
  }

  /** The build was folded anew: its claims are other objects. */
  forget(): void {
    this.fresh.clear();
    this.judgedBy = -1;
  }

  /** When this node first saw an open claim, monotonic milliseconds. */
  seenMonoMs(claim: ClaimId): number | undefined {
    return this.claimSeenMonoMs.get(claim);
  }

  /** A claim that is new, or of which something new is known. One that was closed needs no watch any more, but others of its action may have come to no end by it. */
  touched(build: Build, claim: Claim): void {
    if (isOpen(claim)) this.fresh.set(claim, build);
    else {
      this.claimSeenMonoMs.delete(claim.id);
      this.idleSinceMonoMs.delete(claim.id);
      for (const other of build.claims!.claimsOf(claim.action))
        if (isOpen(other)) this.fresh.set(other, build);
    }
  }

  /** Whether a claim was taken back for what this node saw itself of its holder: it had its time, and did nothing with it. */
  saysIll(claim: Claim): boolean {
    if (claim.expired === undefined || claim.holder === this.desk.config.self) return false;
    const seen = this.claimSeenMonoMs.get(claim.id);
    if (seen === undefined || this.desk.status(claim.holder) === "dead") return false;
    if (this.desk.peers.incarnationOf(claim.holder) !== claim.holderInc) return false;
    const since = this.idleSinceMonoMs.get(claim.id) ?? Number.POSITIVE_INFINITY;
    // Whoever took it back has seen it a moment longer, or shorter.
    const { monoMs } = this.desk.now;
    return monoMs >= Math.min(since + 0.8 * stopMsMax, seen + 0.8 * startMsMax);
  }

  /** When something here must be looked at again. */
  deadline(): number {
    return this.desk.liveBuilds().length > 0 ? this.desk.now.monoMs + 500 : Number.POSITIVE_INFINITY;
  }

  private look(build: Build, claim: Claim): void {
    if (!isOpen(claim)) return;
    const { now, config } = this.desk;
    if (!this.claimSeenMonoMs.has(claim.id)) this.claimSeenMonoMs.set(claim.id, now.monoMs);
    const reason = this.expiryOf(build, claim);
    if (reason === undefined || this.said.has(claim.id)) return;
    if (this.desk.watcherOf(build.id, build.claims!.action(claim.action).name, claim.holder) !== config.self)
      return;
    this.said.add(claim.id);
    this.judgedBy = -1; // until it is folded
    this.desk.say(build.id, { kind: "expire", claim: claim.id, reason }, { urgent: true });
  }

  private expiryOf(build: Build, claim: Claim): string | undefined {
    const { desk } = this;
    const { peers, config, now } = desk;
    const own = claim.holder === config.self;
    if (desk.members.former(claim.holder)) return "the holder is a member no more";
    if (desk.members.forks.has(claim.holder, claim.holderInc)) return "the holder contradicts itself";
    const running = own ? config.inc : peers.incarnationOf(claim.holder);
    if (running !== undefined && running !== claim.holderInc) {
      const later = incarnationCounter(running) - incarnationCounter(claim.holderInc);
      // A start after a restore repeats a counter. Were the holder's the newer of the two, it would have been heard of by then.
      if (later > 0 || (later === 0 && this.isOver(claim, desk.peers.leaseMs(desk.members.size))))
        return "the holder was restarted";
    }
    if (!own && desk.status(claim.holder) === "dead") return "the holder is dead";
    const mute = own ? undefined : peers.muteSinceMonoMs(claim.holder);
    if (mute !== undefined && this.isPast(mute + muteMsMax)) return "the holder cannot write";
    if (!own && !claim.started && this.isOver(claim, startMsMax)) return "the holder did not start it";
    if (!own && this.isIdle(build, claim)) {
      const since = this.idleSinceMonoMs.get(claim.id) ?? now.monoMs;
      this.idleSinceMonoMs.set(claim.id, since);
      if (this.isPast(since + stopMsMax))
        return "the holder did not give back what is not to be run any more";
    } else this.idleSinceMonoMs.delete(claim.id);
    const { timeoutMs } = build.claims!.action(claim.action);
    if (this.isOver(claim, startMsMax + timeoutMs + endMsMax))
      return "the holder did not end it in the action's time";
    return undefined;
  }

  /** Whether nobody waits for what a claim may still come to. */
  private isIdle(build: Build, claim: Claim): boolean {
    const claims = build.claims!;
    if (claims.cancelled || claims.actions.get(claim.action) === "done") return true;
    return !claim.twin && claims.winnerOf(claim.action) !== claim;
  }

  /** Whether this node has seen a claim open for so long; if not, it looks again when it has. */
  private isOver(claim: Claim, ms: number): boolean {
    return this.isPast(this.claimSeenMonoMs.get(claim.id)! + ms);
  }

  private isPast(atMonoMs: number): boolean {
    if (this.desk.now.monoMs >= atMonoMs) return true;
    this.lookMonoMs = Math.min(this.lookMonoMs, atMonoMs);
    return false;
  }
}
