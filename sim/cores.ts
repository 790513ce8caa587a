/**
 * What works on a machine's cores and in its memory, whatever the daemon believes: how much of each action is left, re-timed exactly
 * whenever speed or load change (heat, sleep, an owner, too many at once); and what the sensors read of it.
 */
import type { LocalVitals } from "../protocol/swarm/vitals.ts";
import type { Thermal } from "./thermal.ts";
import type { World } from "./world.ts";

/** Sensors tell a change of so much, no more often than this. */
const senseCelsius = 1;
const senseMs = 1000;
/** Less work than this is none. */
const restMs = 1e-6;

export interface CoresOptions {
  readonly slots: number;
  /** How many times as fast as a host of speed 1. */
  readonly speed: number;
  readonly memoryBytes: number;
  /** What is left of it when no action runs. */
  readonly memoryFreeBytes: number;
  readonly thermal?: Thermal;
  /** What the sensors read, when it changed. */
  readonly sensed?: (changes: Partial<LocalVitals>) => void;
}

export interface JobOptions {
  /** On a host of speed 1; Infinity for one that never ends. */
  readonly workMs: number;
  /** It is given up after so long awake. */
  readonly limitMs: number;
  readonly slots: number;
  readonly memoryBytes: number;
  /** Called once, unless it was taken off before. */
  readonly ended: (by: "work" | "limit") => void;
}

/** One action at work. */
export interface Job extends JobOptions {
  leftMs: number;
  /** Awake so far. */
  elapsedMs: number;
}

export class Cores {
  private readonly world: World;
  private readonly options: CoresOptions;
  readonly thermal: Thermal | undefined;
  private readonly jobs = new Set<Job>();
  private asleep = false;
  private slowness = 1;
  private ownerShare = 0;
  private settledMs = 0;
  private plan = 0;
  private toldCelsius = Number.NaN;
  private toldPressure = 0;
  private toldMemoryBytes = 0;
  private toldMs = Number.NEGATIVE_INFINITY;
  usedSlots = 0;
  usedMemoryBytes = 0;
  /** The most that was ever taken at once, and how often more was taken than there is. */
  peakSlots = 0;
  peakMemoryBytes = 0;
  slotOverruns = 0;
  memoryOverruns = 0;

  constructor(world: World, options: CoresOptions) {
    this.world = world;
    this.options = options;
    this.thermal = options.thermal;
    this.settledMs = world.nowMs;
    this.replan();
  }

  begin(options: JobOptions): Job {
    this.settle();
    const job: Job = { ...options, leftMs: options.workMs, elapsedMs: 0 };
    this.jobs.add(job);
    this.usedSlots += job.slots;
    this.usedMemoryBytes += job.memoryBytes;
    this.peakSlots = Math.max(this.peakSlots, this.usedSlots);
    this.peakMemoryBytes = Math.max(this.peakMemoryBytes, this.usedMemoryBytes);
    if (this.usedSlots > this.options.slots) this.slotOverruns++;
    if (this.usedMemoryBytes > this.options.memoryBytes) this.memoryOverruns++;
    this.replan();
    return job;
  }

  /** Takes it off; nothing happens when it has ended. */
  take(job: Job): void {
    if (!this.jobs.has(job)) return;
    this.settle();
    this.drop(job);
    this.replan();
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

  /** The whole machine works at this share of its speed. */
  slow(factor: number): void {
    this.change(() => {
      this.slowness = factor;
    });
  }

  /** The owner keeps this share of the slots busy. */
  occupy(share: number): void {
    this.change(() => {
      this.ownerShare = share;
    });
  }

  /** The air around is so much warmer than it was made to be. */
  warm(byCelsius: number): void {
    this.change(() => {
      if (this.thermal) this.thermal.warmerCelsius = byCelsius;
    });
  }

  /** How much work of a host of speed 1 each action does per millisecond. */
  get rate(): number {
    if (this.asleep) return 0;
    const { slots, speed } = this.options;
    const wanted = this.usedSlots + this.ownerShare * slots;
    const heat = this.thermal?.throttled ? this.thermal.options.factor : 1;
    return speed * this.slowness * heat * Math.min(1, slots / Math.max(wanted, 1));
  }

  /** Temperature as of this moment; undefined on a machine without a model. */
  celsius(): number | undefined {
    this.settle();
    return this.thermal?.celsius;
  }

  private get load(): number {
    const { slots } = this.options;
    return this.asleep ? 0 : Math.min(1, this.usedSlots / Math.max(1, slots) + this.ownerShare);
  }

  private change(apply: () => void): void {
    this.settle();
    apply();
    this.replan();
  }

  /** Brings everything to this moment. */
  private settle(): void {
    const passedMs = this.world.nowMs - this.settledMs;
    if (passedMs <= 0) return;
    this.settledMs = this.world.nowMs;
    const { rate } = this;
    for (const job of this.jobs) {
      job.leftMs -= passedMs * rate;
      if (!this.asleep) job.elapsedMs += passedMs;
    }
    this.thermal?.advance(passedMs, this.load);
  }

  private drop(job: Job): void {
    this.jobs.delete(job);
    this.usedSlots -= job.slots;
    this.usedMemoryBytes -= job.memoryBytes;
  }

  /** Tells the sensors' readings, and comes back when the next thing changes by itself. */
  private replan(): void {
    this.sense();
    const plan = ++this.plan;
    const { rate } = this;
    let inMs = this.senseInMs();
    for (const job of this.jobs) {
      if (rate > 0) inMs = Math.min(inMs, job.leftMs / rate);
      if (!this.asleep) inMs = Math.min(inMs, job.limitMs - job.elapsedMs);
    }
    if (this.thermal) inMs = Math.min(inMs, Math.max(this.thermal.turnMs(this.load), 0.001));
    if (inMs === Number.POSITIVE_INFINITY) return;
    this.world.after(Math.max(0, inMs), () => {
      if (plan === this.plan) this.turn();
    });
  }

  private turn(): void {
    this.settle();
    const over = [...this.jobs].filter((j) => j.leftMs <= restMs || j.limitMs - j.elapsedMs <= restMs);
    for (const job of over) this.drop(job);
    this.replan();
    for (const job of over) job.ended(job.leftMs <= restMs ? "work" : "limit");
  }

  /** Share of the time in which what wants a core has none, in percent. */
  private pressurePercent(): number {
    const { slots } = this.options;
    const wanted = this.usedSlots + this.ownerShare * slots;
    return wanted > slots ? Math.round(100 * (1 - slots / wanted)) : 0;
  }

  private changed(): boolean {
    if (this.thermal && !(Math.abs(this.thermal.celsius - this.toldCelsius) < senseCelsius - 1e-9))
      return true;
    return this.usedMemoryBytes !== this.toldMemoryBytes || this.pressurePercent() !== this.toldPressure;
  }

  private sense(): void {
    const { options, thermal } = this;
    if (!options.sensed || !this.changed() || this.world.nowMs < this.toldMs + senseMs - 1e-6) return;
    this.toldMs = this.world.nowMs;
    const tenths = (celsius: number): number => Math.round(celsius * 10) / 10;
    const cpu = this.pressurePercent();
    const freed = this.toldMemoryBytes - this.usedMemoryBytes;
    this.toldMemoryBytes = this.usedMemoryBytes;
    this.toldPressure = cpu;
    if (thermal) this.toldCelsius = thermal.celsius;
    options.sensed({
      pressurePercent: { cpu, memory: 0, io: 0 },
      ...(freed === 0
        ? {}
        : { memoryFreeBytes: Math.max(0, options.memoryFreeBytes - this.usedMemoryBytes) }),
      ...(thermal
        ? {
            temperatureCelsius: tenths(thermal.celsius),
            headroomCelsius: tenths(thermal.headroomCelsius),
          }
        : {}),
    });
  }

  /** Until the sensors have something to tell and may. */
  private senseInMs(): number {
    if (!this.options.sensed) return Number.POSITIVE_INFINITY;
    const mayMs = this.toldMs + senseMs - this.world.nowMs;
    if (this.changed()) return Math.max(0, mayMs);
    if (!this.thermal) return Number.POSITIVE_INFINITY;
    const { load } = this;
    const reachMs = Math.min(
      this.thermal.reachMs(this.toldCelsius + senseCelsius, load),
      this.thermal.reachMs(this.toldCelsius - senseCelsius, load),
    );
    return Math.max(0.001, mayMs, reachMs);
  }
}
