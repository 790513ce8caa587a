/** What this node takes the others to be doing: who holds what since when, and so when whose slots come free. */
import type { BuildId, ClaimId, PeerId } from "../kernel/ids.ts";
import type { Vitals } from "../swarm/vitals.ts";
import type { Build } from "./build.ts";
import { type Claim, isOpen } from "./claims.ts";
import type { Desk } from "./desk.ts";

/** A run that lasts longer than expected is taken to last this share of what was expected from any moment on. */
export const overdueShare = 0.25;

/** Shorter gaps between planned runs are left alone, and so many are kept of one node. */
const gapMsMin = 5;
const gapsMax = 64;

interface Run {
  readonly build: BuildId;
  readonly action: number;
  readonly sinceMonoMs: number;
  /** At speed 1. */
  readonly workMs: number;
}

/** A node and when its slots come free, milliseconds from now, soonest first. */
export interface Seat {
  readonly peer: PeerId;
  readonly vitals: Vitals;
  readonly speed: number;
  readonly freeMs: number[];
  /** Times between what is planned for it, in which a slot is free. */
  readonly gaps: { readonly fromMs: number; readonly toMs: number }[];
  /** How long nothing was seen of it that changes what it holds. */
  readonly quietMs: number;
}

export class Outlook {
  /** Counts up when claims open or close. */
  revision = 0;
  private readonly desk: Desk;
  private readonly running = new Map<PeerId, Map<ClaimId, Run>>();
  private readonly changedMonoMs = new Map<PeerId, number>();
  /** Promised in this step, or asked for: not yet claimed. */
  private readonly promises = new Map<PeerId, number[]>();

  constructor(desk: Desk) {
    this.desk = desk;
  }

  /** A step begins: what was promised in the last one is folded. */
  begin(): void {
    this.promises.clear();
  }

  /** Claims that are new, or about which something new is known. */
  review(build: Build, touched: readonly Claim[]): void {
    const { now, estimates } = this.desk;
    if (touched.length > 0) this.revision++;
    for (const claim of touched) {
      const { holder, id, action } = claim;
      const runs = this.running.get(holder);
      if (!isOpen(claim) || !build.live) {
        if (runs?.delete(id)) this.changedMonoMs.set(holder, now.monoMs);
        continue;
      }
      if (runs?.has(id)) continue;
      const workMs = estimates.of(build.graph!.name, build.claims!.action(action));
      const run: Run = { build: build.id, action, sinceMonoMs: now.monoMs, workMs };
      if (runs) runs.set(id, run);
      else this.running.set(holder, new Map([[id, run]]));
      this.changedMonoMs.set(holder, now.monoMs);
    }
  }

  /** The build has ended, was folded anew, or dropped. */
  forget(build: BuildId): void {
    for (const runs of this.running.values())
      for (const [id, run] of runs) if (run.build === build) runs.delete(id);
  }

  promise(peer: PeerId, workMs: number): void {
    const promised = this.promises.get(peer);
    if (promised) promised.push(workMs);
    else this.promises.set(peer, [workMs]);
  }

  /** Since when a claim is open, as far as this node saw, monotonic milliseconds. */
  sinceMonoMs(holder: PeerId, claim: ClaimId): number | undefined {
    return this.running.get(holder)?.get(claim)?.sinceMonoMs;
  }

  /** Whether a claim is among those a node should be running: the first of them, as many as it has slots. */
  runs(holder: PeerId, claim: ClaimId): boolean {
    let left = this.desk.vitalsOf(holder)?.slots ?? 0;
    for (const id of this.running.get(holder)?.keys() ?? []) {
      if (left-- <= 0) return false;
      if (id === claim) return true;
    }
    return false;
  }

  /** When the actions of a build that are in hands should end, milliseconds from now. */
  endsMs(build: BuildId): Map<number, number> {
    const { now, estimates } = this.desk;
    const ends = new Map<number, number>();
    for (const [peer, runs] of this.running) {
      const speed = estimates.speedOf(peer);
      for (const run of runs.values()) {
        if (run.build !== build) continue;
        const leftMs = run.sinceMonoMs + run.workMs / speed - now.monoMs;
        const graceMs = (overdueShare * run.workMs) / speed;
        // Of what is long overdue nobody knows when it ends: nothing is kept free for what comes after it.
        ends.set(run.action, leftMs > 0 ? leftMs : leftMs > -graceMs ? graceMs : Number.POSITIVE_INFINITY);
      }
    }
    return ends;
  }

  /** How many claims of others were first seen within the last `ms`: about as many are under way. */
  claimedWithin(ms: number): number {
    const fromMonoMs = this.desk.now.monoMs - ms;
    let count = 0;
    for (const [peer, runs] of this.running)
      if (peer !== this.desk.config.self)
        for (const run of runs.values()) if (run.sinceMonoMs > fromMonoMs) count++;
    return count;
  }

  /** Living builders with their slots; each call makes new ones, to plan with. */
  seats(): Seat[] {
    return this.desk.alive().flatMap((peer) => this.seat(peer) ?? []);
  }

  seat(peer: PeerId): Seat | undefined {
    const { now, estimates } = this.desk;
    const vitals = this.desk.vitalsOf(peer);
    if (!vitals || vitals.slots === 0) return undefined;
    const speed = estimates.speedOf(peer);
    const freeMs: number[] = [];
    const behind: number[] = [];
    for (const run of this.running.get(peer)?.values() ?? []) {
      const expectedMs = run.workMs / speed;
      // Claims come in the order in which they are begun: those beyond the slots wait for the first to end.
      if (freeMs.length >= vitals.slots) behind.push(expectedMs);
      else {
        const leftMs = run.sinceMonoMs + expectedMs - now.monoMs;
        freeMs.push(leftMs > 0 ? leftMs : overdueShare * expectedMs);
      }
    }
    while (freeMs.length < vitals.slots) freeMs.push(0);
    freeMs.sort((a, b) => a - b);
    for (const ms of behind) occupy(freeMs, ms);
    for (const workMs of this.promises.get(peer) ?? []) occupy(freeMs, workMs / speed);
    const quietMs = now.monoMs - (this.changedMonoMs.get(peer) ?? Number.NEGATIVE_INFINITY);
    return { peer, vitals, speed, freeMs, gaps: [], quietMs };
  }
}

/** The slot that is free first takes something that lasts `ms`. */
export function occupy(freeMs: number[], ms: number): void {
  insert(freeMs, (freeMs.shift() ?? 0) + ms);
}

/** When a seat could begin something that lasts so long, no sooner than `readyMs`. */
export function earliest(seat: Seat, readyMs: number, lastsMs: number): number {
  let best = Math.max(readyMs, seat.freeMs[0]!);
  if (best === readyMs) return best;
  for (const { fromMs, toMs } of seat.gaps) {
    const startMs = Math.max(fromMs, readyMs);
    if (startMs < best && startMs + lastsMs <= toMs) best = startMs;
  }
  return best;
}

/** Whether nothing that is placed later could begin on the seat within `ms`. */
export const isTaken = (seat: Seat, ms: number): boolean =>
  seat.freeMs[0]! > ms && !seat.gaps.some((gap) => gap.fromMs <= ms);

/** A slot of the seat is taken from `startMs` to `endMs`, as `earliest` said. */
export function take(seat: Seat, startMs: number, endMs: number): void {
  const { freeMs, gaps } = seat;
  // The slot that has been free the shortest: the others stay open for what could begin sooner.
  let slot = freeMs.length - 1;
  while (slot >= 0 && freeMs[slot]! > startMs) slot--;
  if (slot >= 0) {
    const fromMs = freeMs[slot]!;
    freeMs.splice(slot, 1);
    insert(freeMs, endMs);
    if (startMs - fromMs > gapMsMin && gaps.length < gapsMax) gaps.push({ fromMs, toMs: startMs });
    return;
  }
  const at = gaps.findIndex((g) => g.fromMs <= startMs && g.toMs >= endMs);
  const gap = gaps[at]!;
  gaps.splice(at, 1);
  if (startMs - gap.fromMs > gapMsMin) gaps.push({ fromMs: gap.fromMs, toMs: startMs });
  if (gap.toMs - endMs > gapMsMin) gaps.push({ fromMs: endMs, toMs: gap.toMs });
}

function insert(sorted: number[], value: number): void {
  let at = sorted.length;
  while (at > 0 && sorted[at - 1]! > value) at--;
  sorted.splice(at, 0, value);
}
