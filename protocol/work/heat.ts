/**
 * How warm this node will be: what it learned of itself, by least squares over its own readings, of dT/dt = a × load + b × T + c.
 * Nothing is assumed of the machine but that load warms it and that it cools towards some level.
 */

/** Below so many readings only the last slope counts, for at most so long ahead. */
const readingsMin = 4;
const slopeSecondsMax = 10;
/** A reading weighs so much less than the one after it: machines are moved, seasons change. */
const forgetting = 0.98;
/** How much it counts that a machine at rest tends to the lowest temperature it was seen at, in readings: all loads seen may be alike. */
const restWeight = 0.1;
/** Seconds at full load after which a machine is known, however its temperature went. */
const triedSeconds = 10;
/** No machine is taken to warm faster at full load, while nothing is known of it. */
const warmingCelsiusMax = 3;
/** The slowest cooling that is told from none, shares of the difference per second. */
const coolingMin = 0.002;

export class Heat {
  private celsius: number | undefined;
  private readMonoMs = 0;
  private loadMonoMs = 0;
  private load = 0;
  /** Load times seconds since the last reading. */
  private worked = 0;
  private slope: number | undefined;
  private readings = 0;
  private lowestCelsius = Number.POSITIVE_INFINITY;
  private workedSeconds = 0;
  /** Sums of the normal equations over (load, T / 100, 1) and dT/dt: what keeps them solvable stands in the diagonal. */
  private readonly sums = new Float64Array(12);
  private model: readonly [number, number, number] | undefined;

  /** The share of its slots at work, from now on. */
  works(load: number, nowMonoMs: number): void {
    const worked = (this.load * Math.max(0, nowMonoMs - this.loadMonoMs)) / 1000;
    this.worked += worked;
    this.workedSeconds += worked;
    this.loadMonoMs = nowMonoMs;
    this.load = load;
  }

  /** A reading of the hottest sensor. */
  reads(celsius: number, nowMonoMs: number): void {
    this.works(this.load, nowMonoMs);
    this.lowestCelsius = Math.min(this.lowestCelsius, celsius);
    const before = this.celsius;
    const seconds = (nowMonoMs - this.readMonoMs) / 1000;
    if (before !== undefined && seconds < 0.2) return;
    if (before !== undefined && seconds < 120) {
      this.slope = (celsius - before) / seconds;
      this.learn(this.worked / seconds, (before + celsius) / 2, this.slope);
    }
    this.celsius = celsius;
    this.readMonoMs = nowMonoMs;
    this.worked = 0;
  }

  /** Degrees per second, as last measured; undefined before two readings. */
  get warmingCelsius(): number | undefined {
    return this.slope;
  }

  /** Whether it was ever seen at work for long enough to foresee anything. */
  get tried(): boolean {
    return this.model !== undefined || this.workedSeconds >= triedSeconds;
  }

  /** The highest temperature within `ms` under a load (0 to 1); undefined when there is no reading. */
  peak(load: number, ms: number, nowMonoMs: number): number | undefined {
    if (this.celsius === undefined) return undefined;
    const since = Math.max(0, nowMonoMs - this.readMonoMs) / 1000;
    const now = this.after(this.celsius, since > 0 ? this.meanLoad(since, nowMonoMs) : this.load, since);
    return Math.max(now, this.after(now, load, ms / 1000));
  }

  private meanLoad(seconds: number, nowMonoMs: number): number {
    return (this.worked + (this.load * Math.max(0, nowMonoMs - this.loadMonoMs)) / 1000) / seconds;
  }

  private after(celsius: number, load: number, seconds: number): number {
    if (this.model === undefined) {
      const slope = Math.max(this.slope ?? 0, this.tried ? 0 : warmingCelsiusMax * load);
      if (!this.tried) return celsius + slope * seconds;
      return celsius + (load > 0 ? slope : Math.min(0, slope)) * Math.min(slopeSecondsMax, seconds);
    }
    const [a, b, c] = this.model;
    const level = -(a * load + c) / b;
    return level + (celsius - level) * Math.exp(b * seconds);
  }

  private learn(load: number, celsius: number, slope: number): void {
    const row = [load, celsius / 100, 1];
    for (let i = 0; i < 3; i++) {
      for (let j = 0; j < 3; j++)
        this.sums[i * 4 + j] = this.sums[i * 4 + j]! * forgetting + row[i]! * row[j]!;
      this.sums[i * 4 + 3] = this.sums[i * 4 + 3]! * forgetting + row[i]! * slope;
    }
    this.readings++;
    if (this.readings < readingsMin) return;
    const sums = Float64Array.from(this.sums);
    const rest = [0, this.lowestCelsius / 100, 1];
    for (let i = 0; i < 3; i++)
      for (let j = 0; j < 3; j++) sums[i * 4 + j]! += restWeight * rest[i]! * rest[j]!;
    const solved = solve(sums);
    const b = solved[1] / 100;
    this.model = solved[0] > 0 && b < -coolingMin ? [solved[0], b, solved[2]] : undefined;
  }
}

/** Solves the 3 × 3 normal equations, with a little weight on small answers, by elimination. */
function solve(m: Float64Array): [number, number, number] {
  for (let i = 0; i < 3; i++) m[i * 4 + i]! += 1e-6;
  for (let i = 0; i < 3; i++) {
    let pivot = i;
    for (let r = i + 1; r < 3; r++) if (Math.abs(m[r * 4 + i]!) > Math.abs(m[pivot * 4 + i]!)) pivot = r;
    for (let j = 0; j < 4; j++) {
      const kept = m[i * 4 + j]!;
      m[i * 4 + j] = m[pivot * 4 + j]!;
      m[pivot * 4 + j] = kept;
    }
    for (let r = 0; r < 3; r++) {
      if (r === i) continue;
      const factor = m[r * 4 + i]! / m[i * 4 + i]!;
      for (let j = i; j < 4; j++) m[r * 4 + j]! -= factor * m[i * 4 + j]!;
    }
  }
  return [m[3]! / m[0]!, m[7]! / m[5]!, m[11]! / m[10]!];
}
