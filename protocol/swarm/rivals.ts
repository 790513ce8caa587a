/**
 * Other starts of this node's own identity: a disk set back to a backup makes a node forget what it said, a copied one makes two
 * machines speak in one name. Whoever knows of a rival takes no work any more, and ends or starts anew.
 */
import { type Incarnation, incarnationCounter } from "../kernel/ids.ts";

/**
 * `alone`: no other start counts as much as this one. `doubted`: there is one, and whether it lives shows within a lease.
 * `twins`: two of equal counters live, neither is the newer. `cloned`: a newer one lives, this one ends. `behind`: what is newer
 * is gone: to be heard again this node must start with a higher counter.
 */
export type Standing = "alone" | "doubted" | "twins" | "cloned" | "behind";

interface Rival {
  beat: number | undefined;
  /** When it last beat while this node was there; a first beat may be an old one that came late. */
  livedMonoMs: number | undefined;
}

/** A rival more or less changes nothing. */
const rivalsMax = 16;

export class Rivals {
  private readonly inc: Incarnation;
  private readonly rivals = new Map<Incarnation, Rival>();
  /** When the last new rival was heard of. */
  private learnedMonoMs = Number.NEGATIVE_INFINITY;
  /** An older start that beats: it is the one to end, once it hears of this one. */
  private elder: { readonly inc: Incarnation; beat: number } | undefined;
  private elderMonoMs = Number.NEGATIVE_INFINITY;

  constructor(inc: Incarnation) {
    this.inc = inc;
  }

  /** Another start of this identity said something, at whatever time. */
  said(inc: Incarnation, nowMonoMs: number): void {
    this.note(inc, nowMonoMs);
  }

  /** A beat of this identity was heard. */
  beat(inc: Incarnation, beat: number, nowMonoMs: number): void {
    if (incarnationCounter(inc) < incarnationCounter(this.inc)) return this.elderBeat(inc, beat, nowMonoMs);
    const rival = this.note(inc, nowMonoMs);
    if (!rival || (rival.beat !== undefined && beat <= rival.beat)) return;
    if (rival.beat !== undefined) rival.livedMonoMs = nowMonoMs;
    rival.beat = beat;
  }

  /** What this node is to do, given how long a member may be silent. */
  standing(nowMonoMs: number, leaseMs: number): Standing {
    if (this.rivals.size === 0) return "alone";
    const own = incarnationCounter(this.inc);
    let twins = false;
    for (const [inc, { livedMonoMs }] of this.rivals) {
      if (livedMonoMs === undefined || nowMonoMs >= livedMonoMs + leaseMs) continue;
      if (incarnationCounter(inc) > own) return "cloned";
      twins = true;
    }
    if (twins) return "twins";
    return nowMonoMs >= this.decidedMonoMs(leaseMs) ? "behind" : "doubted";
  }

  /** Whether another machine speaks under this identity, the newer or the older, or may do so. */
  inCompany(nowMonoMs: number, leaseMs: number): boolean {
    return this.rivals.size > 0 || nowMonoMs < this.elderMonoMs + leaseMs;
  }

  /** When time alone tells whether a rival lives; infinity without one. */
  decidedMonoMs(leaseMs: number): number {
    if (this.rivals.size === 0) return Number.POSITIVE_INFINITY;
    let at = this.learnedMonoMs + leaseMs;
    for (const { livedMonoMs } of this.rivals.values())
      if (livedMonoMs !== undefined) at = Math.max(at, livedMonoMs + leaseMs);
    return at;
  }

  private elderBeat(inc: Incarnation, beat: number, nowMonoMs: number): void {
    if (this.elder?.inc === inc && beat > this.elder.beat) this.elderMonoMs = nowMonoMs;
    if (this.elder?.inc !== inc || beat > this.elder.beat) this.elder = { inc, beat };
  }

  private note(inc: Incarnation, nowMonoMs: number): Rival | undefined {
    if (inc === this.inc || incarnationCounter(inc) < incarnationCounter(this.inc)) return undefined;
    let rival = this.rivals.get(inc);
    if (!rival && this.rivals.size < rivalsMax) {
      rival = { beat: undefined, livedMonoMs: undefined };
      this.rivals.set(inc, rival);
      this.learnedMonoMs = nowMonoMs;
    }
    return rival;
  }
}
