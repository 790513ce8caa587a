/**
 * A host's clock: monotonic time that may run fast or slow and stands still while the machine sleeps, but never goes back; and a wall
 * clock that is off, jumps, and goes on through a sleep.
 */
import type { Instant } from "../protocol/contract.ts";
import type { Clock } from "../protocol/ports.ts";
import type { Process } from "./process.ts";
import type { World } from "./world.ts";

/** What the wall clocks of a world say at its beginning: 2026-01-01T00:00:00Z. */
export const worldEpochMs = 1_767_225_600_000;

export interface ClockOptions {
  /** Wall clock's error at the start, milliseconds. */
  readonly offsetMs?: number;
  /** How much faster than the world both clocks run, parts per million. */
  readonly driftPpm?: number;
}

/** The machine's clock: it outlives the daemon's processes. */
export class HostClock {
  private readonly world: World;
  private rate: number;
  private asleep = false;
  /** What the clocks read at world time `sinceMs`, since when nothing changed their course. */
  private sinceMs = 0;
  private monoMs = 0;
  private wallMs: number;
  /** Timers of running processes: each is set anew when the clocks' course changes. */
  private readonly timers = new Set<() => void>();

  constructor(world: World, options: ClockOptions = {}) {
    this.world = world;
    this.rate = 1 + (options.driftPpm ?? 0) / 1e6;
    this.wallMs = worldEpochMs + (options.offsetMs ?? 0);
  }

  now(): Instant {
    const passedMs = (this.world.nowMs - this.sinceMs) * this.rate;
    return { monoMs: this.asleep ? this.monoMs : this.monoMs + passedMs, wallMs: this.wallMs + passedMs };
  }

  /** How much faster than the world both clocks run, parts per million. */
  get driftPpm(): number {
    return Math.round((this.rate - 1) * 1e6);
  }

  /** Sets the wall clock forward or back; monotonic time does not notice. */
  jump(byMs: number): void {
    this.wallMs += byMs;
  }

  /** From here on both clocks run so much faster than the world, parts per million. */
  drift(ppm: number): void {
    this.change(() => {
      this.rate = 1 + ppm / 1e6;
    });
  }

  sleep(): void {
    this.change(() => {
      this.asleep = true;
    });
  }

  wake(): void {
    this.change(() => {
      this.asleep = false;
    });
  }

  /** The port of one process. */
  port(process: Process): Clock {
    let target: { readonly monoMs: number; readonly callback: () => void } | undefined;
    // The earliest world time at which an event of this timer is queued: a later target needs no event of its own yet.
    let queuedMs = Number.POSITIVE_INFINITY;
    const queue = (atMs: number): void => {
      queuedMs = atMs;
      process.at(atMs, () => fire(atMs));
    };
    const arm = (): void => {
      if (!target || this.asleep) return;
      const atMs = Math.max(this.worldMs(target.monoMs), this.world.nowMs);
      if (queuedMs > atMs) queue(atMs);
    };
    const fire = (queuedAtMs: number): void => {
      // An earlier event took its place, and looks after the timer: were this one to go on too, there would be ever more of them.
      if (queuedMs !== queuedAtMs) return;
      queuedMs = Number.POSITIVE_INFINITY;
      if (!target) return;
      if (this.now().monoMs < target.monoMs) {
        // Division by the rate may land a hair early; or the machine has slept.
        queue(Math.max(this.worldMs(target.monoMs), this.world.nowMs + 0.001));
        return;
      }
      const { callback } = target;
      target = undefined;
      callback();
    };
    this.timers.add(arm);
    process.onEnd(() => this.timers.delete(arm));
    return {
      now: () => this.now(),
      wake(monoMs, callback) {
        target = { monoMs, callback };
        arm();
      },
    };
  }

  /** When the monotonic clock will read so much, if nothing changes its course. */
  private worldMs(monoMs: number): number {
    return this.sinceMs + (monoMs - this.monoMs) / this.rate;
  }

  private change(apply: () => void): void {
    const { monoMs, wallMs } = this.now();
    this.sinceMs = this.world.nowMs;
    this.monoMs = monoMs;
    this.wallMs = wallMs;
    apply();
    for (const arm of [...this.timers]) arm();
  }
}
