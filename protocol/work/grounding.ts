/**
 * The guard against black holes: a node whose runs fail by its own doing waits longer and longer, is grounded when it goes on, and
 * comes back by one action that succeeds. What is known here are facts, timed by the observer's own clock.
 */
import type { ClaimId, Incarnation, PeerId } from "../kernel/ids.ts";
import type { Scheduling } from "../swarm/policy.ts";

/** After the first failure in a row it waits so long, after each further one twice as long. */
const waitMsMin = 1000;
const waitMsMax = 30_000;
/** Each grounding without a success between lasts twice as long as the one before, up to so many times the first. */
const forTimesMax = 16;
/** Nobody is believed who grounds for longer. */
const forMsMax = 24 * 3_600_000;
/** Claims whose end was counted: of those before the last so many the oldest are forgotten. */
const countedMax = 4096;
const failuresMax = 1000;

interface Conduct {
  /** When each failure was seen, the newest last. */
  failedMonoMs: number[];
  inRow: number;
  /** The start it was grounded in; a later one is not grounded, but proves itself like one that was. */
  inc: Incarnation | undefined;
  /** Infinity: never was, or proved itself since. */
  untilMonoMs: number;
  groundings: number;
  /** A grounding that this node said and has not yet heard itself. */
  saying: boolean;
}

export type Standing =
  | { readonly kind: "free" }
  /** It failed so often in a row and is left alone for a while. */
  | { readonly kind: "waiting"; readonly inRow: number; readonly untilMonoMs: number }
  | { readonly kind: "grounded"; readonly untilMonoMs: number }
  /** It gets one action. */
  | { readonly kind: "probe" };

const free: Standing = { kind: "free" };

export class Grounding {
  private readonly conducts = new Map<PeerId, Conduct>();
  private readonly forgiven = new Map<PeerId, number>();
  private readonly ended = new Map<PeerId, Incarnation>();
  private counted = new Set<ClaimId>();
  private countedBefore = new Set<ClaimId>();

  /** Whether the end of a claim is looked at for the first time. */
  fresh(claim: ClaimId): boolean {
    if (this.counted.has(claim) || this.countedBefore.has(claim)) return false;
    if (this.counted.size >= countedMax) {
      this.countedBefore = this.counted;
      this.counted = new Set();
    }
    this.counted.add(claim);
    return true;
  }

  /** A run of a node, in that incarnation, failed by the node's own doing. While it is grounded that is no news: it was begun before. */
  failed(peer: PeerId, inc: Incarnation, nowMonoMs: number): void {
    if (this.standing(peer, inc, nowMonoMs).kind === "grounded") return;
    const conduct = this.at(peer);
    conduct.failedMonoMs.push(nowMonoMs);
    if (conduct.failedMonoMs.length > failuresMax) conduct.failedMonoMs.shift();
    conduct.inRow++;
  }

  /** A run of a node ended as runs should. While it is grounded that is no news: it was begun before. */
  succeeded(peer: PeerId, inc: Incarnation, nowMonoMs: number): void {
    this.ended.set(peer, inc);
    const conduct = this.conducts.get(peer);
    if (!conduct) return;
    conduct.inRow = 0;
    if (conduct.untilMonoMs <= nowMonoMs) this.conducts.delete(peer);
  }

  /** Whether some run of a node has ended as runs should, in that incarnation. */
  hasEnded(peer: PeerId, inc: Incarnation): boolean {
    return this.ended.get(peer) === inc;
  }

  /** A member says that a node is grounded. */
  said(peer: PeerId, inc: Incarnation, forMs: number, nowMonoMs: number): void {
    const conduct = this.at(peer);
    conduct.inc = inc;
    conduct.untilMonoMs = nowMonoMs + Math.min(forMs, forMsMax);
    conduct.groundings++;
    conduct.saying = false;
    conduct.failedMonoMs = [];
    conduct.inRow = 0;
  }

  /** So often people forgave a node: when it grows, everything counted so far is. */
  forgave(peer: PeerId, times: number): void {
    if (times <= (this.forgiven.get(peer) ?? 0)) return;
    this.forgiven.set(peer, times);
    this.conducts.delete(peer);
  }

  /** How a node stands now. `inc`: its running incarnation. */
  standing(peer: PeerId, inc: Incarnation | undefined, nowMonoMs: number): Standing {
    const conduct = this.conducts.get(peer);
    if (!conduct) return free;
    const grounded = conduct.untilMonoMs !== Number.POSITIVE_INFINITY;
    if (grounded && conduct.untilMonoMs > nowMonoMs && conduct.inc === inc)
      return { kind: "grounded", untilMonoMs: conduct.untilMonoMs };
    if (conduct.inRow > 0) {
      const waitMs = Math.min(waitMsMax, waitMsMin * 2 ** (conduct.inRow - 1));
      const untilMonoMs = conduct.failedMonoMs.at(-1)! + waitMs;
      if (untilMonoMs > nowMonoMs) return { kind: "waiting", inRow: conduct.inRow, untilMonoMs };
    }
    return grounded ? { kind: "probe" } : free;
  }

  /** Nodes whose failures were counted. */
  known(): PeerId[] {
    return [...this.conducts.keys()];
  }

  /** For how long a node must be grounded now, and for how many failures; undefined when it need not. One that failed its probe is grounded at once. */
  due(
    peer: PeerId,
    inc: Incarnation | undefined,
    { failures, windowMs, forMs }: Scheduling["grounding"],
    nowMonoMs: number,
  ): { failures: number; forMs: number } | undefined {
    const conduct = this.conducts.get(peer);
    if (!conduct || conduct.saying || this.standing(peer, inc, nowMonoMs).kind === "grounded")
      return undefined;
    const recent = conduct.failedMonoMs.filter((at) => nowMonoMs - at <= windowMs).length;
    const probing = conduct.untilMonoMs !== Number.POSITIVE_INFINITY;
    if (recent < (probing ? 1 : failures)) return undefined;
    return { failures: recent, forMs: forMs * Math.min(forTimesMax, 2 ** conduct.groundings) };
  }

  /** This node said it; what it says it hears a moment later. */
  saying(peer: PeerId): void {
    this.at(peer).saying = true;
  }

  /** When somebody's standing changes next by time alone. */
  deadline(nowMonoMs: number): number {
    let at = Number.POSITIVE_INFINITY;
    for (const [peer, conduct] of this.conducts) {
      const standing = this.standing(peer, conduct.inc, nowMonoMs);
      if ("untilMonoMs" in standing) at = Math.min(at, standing.untilMonoMs);
    }
    return at;
  }

  private at(peer: PeerId): Conduct {
    let conduct = this.conducts.get(peer);
    if (!conduct) {
      conduct = {
        failedMonoMs: [],
        inRow: 0,
        inc: undefined,
        untilMonoMs: Number.POSITIVE_INFINITY,
        groundings: 0,
        saying: false,
      };
      this.conducts.set(peer, conduct);
    }
    return conduct;
  }
}
