/**
 * How warm a machine is: dT/dt = heat × load − cool × (T − ambient), in closed form between changes of the load. At its limit it
 * throttles, until it is `hyst` below. A throttled machine gives off as much heat as its load says: it cools only by working less.
 */
import { z } from "zod";

/** Degrees Celsius and seconds; `heat` is what full load adds per second, `cool` the share of the difference to the air lost per second. */
export const thermalSchema = z.strictObject({
  ambient: z.number().min(-50).max(100),
  heat: z.number().nonnegative().max(1000),
  cool: z.number().positive().max(100),
  limit: z.number().min(0).max(200),
  /** What the speed is multiplied with while it throttles. */
  factor: z.number().positive().max(1),
  hyst: z.number().positive().max(100),
  initial: z.number().min(-50).max(200),
});
export type ThermalOptions = z.infer<typeof thermalSchema>;

/** Nearer than this to a mark counts as on it. */
const nearCelsius = 1e-6;

export class Thermal {
  readonly options: ThermalOptions;
  private readonly atMark: number;
  /** Added to the air around it. */
  warmerCelsius = 0;
  celsius: number;
  throttled = false;
  peakCelsius: number;
  /** How often it began to throttle. */
  throttles = 0;
  /** For how long it was hotter than its limit, in all and at most in one go. */
  aboveMs = 0;
  longestAboveMs = 0;
  private runAboveMs = 0;

  constructor(options: ThermalOptions) {
    this.options = options;
    this.atMark = options.limit - nearCelsius;
    this.celsius = options.initial;
    this.peakCelsius = options.initial;
    this.judge();
  }

  get headroomCelsius(): number {
    return this.options.limit - this.celsius;
  }

  /** Time passes under one load (0..1). */
  advance(ms: number, load: number): void {
    const before = this.celsius;
    const level = this.levelCelsius(load);
    this.celsius = level + (before - level) * Math.exp((-this.options.cool * ms) / 1000);
    this.peakCelsius = Math.max(this.peakCelsius, this.celsius);
    this.countAbove(before, ms, load);
    this.judge();
  }

  /** Until it begins or ends to throttle under this load; Infinity when it will not. */
  turnMs(load: number): number {
    const { limit, hyst } = this.options;
    return this.reachMs(this.throttled ? limit - hyst : limit, load);
  }

  /** Until it is so warm under this load; Infinity when it never will be. */
  reachMs(celsius: number, load: number): number {
    const level = this.levelCelsius(load);
    const share = (this.celsius - level) / (celsius - level);
    return share > 1 ? (Math.log(share) / this.options.cool) * 1000 : Number.POSITIVE_INFINITY;
  }

  /** What it tends to. */
  private levelCelsius(load: number): number {
    const { ambient, heat, cool } = this.options;
    return ambient + this.warmerCelsius + (heat / cool) * load;
  }

  private judge(): void {
    const { limit, hyst } = this.options;
    if (this.throttled) this.throttled = this.celsius > limit - hyst + nearCelsius;
    else if (this.celsius >= this.atMark) {
      this.throttled = true;
      this.throttles++;
    }
  }

  private countAbove(before: number, ms: number, load: number): void {
    const { limit } = this.options;
    const over = limit + nearCelsius;
    if (before <= over && this.celsius <= over) {
      this.runAboveMs = 0;
      return;
    }
    // It moves one way only under one load, so it crosses the limit at most once.
    let aboveMs = ms;
    if (before <= over || this.celsius <= over) {
      const level = this.levelCelsius(load);
      const share = (before - level) / (limit - level);
      const crossMs = share > 1 ? Math.min(ms, (Math.log(share) / this.options.cool) * 1000) : 0;
      aboveMs = before <= over ? ms - crossMs : crossMs;
    }
    if (before <= over) this.runAboveMs = 0;
    this.runAboveMs += aboveMs;
    this.aboveMs += aboveMs;
    this.longestAboveMs = Math.max(this.longestAboveMs, this.runAboveMs);
  }
}
