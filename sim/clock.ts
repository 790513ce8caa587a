/** A host's clock: monotonic time that may run fast or slow but never back, and a wall clock that is off and jumps. */
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
  private readonly rate: number;
  private offsetMs: number;

  constructor(world: World, options: ClockOptions = {}) {
    this.world = world;
    this.rate = 1 + (options.driftPpm ?? 0) / 1e6;
    this.offsetMs = options.offsetMs ?? 0;
  }

  now(): Instant {
    const monoMs = this.world.nowMs * this.rate;
    return { monoMs, wallMs: worldEpochMs + monoMs + this.offsetMs };
  }

  /** Sets the wall clock forward or back; monotonic time does not notice. */
  jump(byMs: number): void {
    this.offsetMs += byMs;
  }

  /** The port of one process. */
  port(process: Process): Clock {
    let target: { readonly monoMs: number; readonly callback: () => void } | undefined;
    // The earliest world time at which an event of this timer is queued: a later target needs no event of its own yet.
    let queuedMs = Number.POSITIVE_INFINITY;
    const arm = (): void => {
      if (!target) return;
      const atMs = Math.max(target.monoMs / this.rate, this.world.nowMs);
      if (queuedMs <= atMs) return;
      queuedMs = atMs;
      process.at(atMs, () => fire(atMs));
    };
    const fire = (queuedAtMs: number): void => {
      if (queuedMs === queuedAtMs) queuedMs = Number.POSITIVE_INFINITY;
      if (!target) return;
      if (this.now().monoMs < target.monoMs) {
        // Division by the rate may land a hair early.
        queuedMs = Math.max(target.monoMs / this.rate, this.world.nowMs + 0.001);
        const again = queuedMs;
        process.at(again, () => fire(again));
        return;
      }
      const { callback } = target;
      target = undefined;
      callback();
    };
    return {
      now: () => this.now(),
      wake(monoMs, callback) {
        target = { monoMs, callback };
        arm();
      },
    };
  }
}
