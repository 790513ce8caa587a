/**
 * Whether the swarm is awake. While anything goes on its members beat quickly, and one that falls silent is missed within seconds; while
 * all is calm they beat seldom and are given time. A beat says how long its author stays awake, and whoever hears it stays awake almost
 * as long: so all wake together, and fall asleep together. Nothing here is a fact.
 */

/** All lengths here are counted in quick beats of the swarm. */
const awakeBeats = 15;
/** Who heard it of somebody who heard it falls asleep a beat earlier: nobody is missed who sleeps already. */
const handedOnBeats = 1;
const drowsyBeats = 5;
/** Between two beats of a calm node. */
export const calmBeats = 10;

export class Wakefulness {
  private untilMonoMs: number;
  private drowsyMonoMs: number;
  /** Since when silence is judged quickly, the last time it was. */
  private alertMonoMs: number;

  /** Who starts is awake. */
  constructor(nowMonoMs: number, beatMs: number) {
    this.untilMonoMs = nowMonoMs + awakeBeats * beatMs;
    this.drowsyMonoMs = this.untilMonoMs - drowsyBeats * beatMs;
    this.alertMonoMs = nowMonoMs;
  }

  /** Something goes on here. True when all was calm before. */
  wake(nowMonoMs: number, beatMs: number): boolean {
    return this.stay(awakeBeats * beatMs, nowMonoMs, beatMs);
  }

  /** A member says how long it stays awake; `undefined` is one of an earlier version, which knows no other pace. True when all was calm before. */
  told(awakeMs: number | undefined, nowMonoMs: number, beatMs: number): boolean {
    const mostMs = awakeBeats * beatMs;
    return this.stay(Math.min(awakeMs ?? mostMs, mostMs) - handedOnBeats * beatMs, nowMonoMs, beatMs);
  }

  /** How much longer it stays awake, milliseconds; 0 when all is calm. */
  leftMs(nowMonoMs: number): number {
    return Math.max(0, this.untilMonoMs - nowMonoMs);
  }

  /** Since when whoever is silent is soon missed, monotonic milliseconds; undefined while others may be asleep. */
  alertSinceMonoMs(nowMonoMs: number): number | undefined {
    return nowMonoMs < this.drowsyMonoMs ? this.alertMonoMs : undefined;
  }

  private stay(forMs: number, nowMonoMs: number, beatMs: number): boolean {
    const untilMonoMs = nowMonoMs + forMs;
    const wasCalm = this.leftMs(nowMonoMs) === 0;
    if (forMs <= 0 || untilMonoMs <= this.untilMonoMs) return false;
    const drowsyMonoMs = untilMonoMs - drowsyBeats * beatMs;
    if (this.alertSinceMonoMs(nowMonoMs) === undefined && nowMonoMs < drowsyMonoMs)
      this.alertMonoMs = nowMonoMs;
    this.untilMonoMs = untilMonoMs;
    this.drowsyMonoMs = drowsyMonoMs;
    return wasCalm;
  }
}
