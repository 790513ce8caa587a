/** The acting steward's watch over open claims: it takes back what dead, restarted or silent holders had. */
import { type ClaimId, incarnationCounter } from "../kernel/ids.ts";
import { type Claim, isOpen } from "./claims.ts";
import type { Desk } from "./desk.ts";

/** A claim whose holder has not said `start` after this long is taken back. A holder says it within `startSaidMs`. */
const startMsMax = 15_000;

export class Expiry {
  private readonly desk: Desk;
  private readonly claimSeenMonoMs = new Map<ClaimId, number>();
  /** Said in this step, not yet folded. */
  private readonly said = new Set<ClaimId>();

  constructor(desk: Desk) {
    this.desk = desk;
  }

  begin(): void {
    this.said.clear();
  }

  /** Takes back what dead, restarted or silent holders had; only the acting steward of the action does. */
  expire(): void {
    if (!this.desk.settled) return;
    const { self } = this.desk.config;
    for (const build of this.desk.liveBuilds()) {
      for (const claim of build.claims!.openClaims) {
        const reason = this.expiryOf(claim);
        if (reason === undefined) continue;
        if (this.desk.stewardOf(build.id, build.claims!.action(claim.action).name) !== self) continue;
        if (this.said.has(claim.id)) continue;
        this.said.add(claim.id);
        this.desk.say(build.id, { kind: "expire", claim: claim.id, reason }, { urgent: true });
      }
    }
  }

  /** When this node first saw an open claim, monotonic milliseconds. */
  seenMonoMs(claim: ClaimId): number | undefined {
    return this.claimSeenMonoMs.get(claim);
  }

  /** Claims that were closed need no watch any more. */
  closed(claim: Claim): void {
    if (!isOpen(claim)) this.claimSeenMonoMs.delete(claim.id);
  }

  /** When something here must be looked at again. */
  deadline(): number {
    return this.desk.liveBuilds().length > 0 ? this.desk.now.monoMs + 500 : Number.POSITIVE_INFINITY;
  }

  private expiryOf(claim: Claim): string | undefined {
    const { now, peers, config } = this.desk;
    if (!isOpen(claim)) return undefined;
    const seen = this.claimSeenMonoMs.get(claim.id);
    if (seen === undefined) this.claimSeenMonoMs.set(claim.id, now.monoMs);
    const running = claim.holder === config.self ? config.inc : peers.incarnationOf(claim.holder);
    if (running !== undefined && incarnationCounter(running) > incarnationCounter(claim.holderInc))
      return "the holder was restarted";
    if (claim.holder === config.self) return undefined;
    if (this.desk.status(claim.holder) === "dead") return "the holder is dead";
    if (!claim.started && seen !== undefined && now.monoMs - seen > startMsMax)
      return "the holder did not start it";
    return undefined;
  }
}
