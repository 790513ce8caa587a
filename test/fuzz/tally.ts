/** What became of the cases of one target: taken, refused and why, the slowest and the largest; with `FUZZ_CASES` it is told in a line. */
import { expect } from "vitest";
import { cpuMsSince } from "./machine.ts";

export class Tally {
  private readonly from = process.cpuUsage();
  private readonly codes = new Map<string, number>();
  private cases = 0;
  private timed = 0;
  private totalMs = 0;
  private slowestMs = 0;
  private mostBytes = 0;

  /** One case is over: refused with a code, or taken. */
  count(code: string | undefined): void {
    this.cases++;
    if (code !== undefined) this.codes.set(code, (this.codes.get(code) ?? 0) + 1);
  }

  /** What a case takes in the mean, milliseconds. */
  get meanMs(): number {
    return this.totalMs / Math.max(1, this.timed);
  }

  /** How long a case, or each of several, took, noise of the machine included, and what was not let go of at its end. */
  took(ms: number, bytes: number, cases = 1): void {
    this.timed += cases;
    this.totalMs += ms * cases;
    this.slowestMs = Math.max(this.slowestMs, ms);
    this.mostBytes = Math.max(this.mostBytes, bytes);
  }

  /** Share of the cases that were taken, 0 to 1. */
  get taken(): number {
    return 1 - [...this.codes.values()].reduce((sum, n) => sum + n, 0) / this.cases;
  }

  /** How many were refused with each code. */
  get refused(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.codes);
  }

  tell(): void {
    if (process.env.FUZZ_CASES === undefined) return;
    const codes = [...this.codes].map(([code, count]) => `${code} ${count}`).sort();
    const taken = Math.round(this.taken * this.cases);
    const figures = `${(cpuMsSince(this.from) / this.cases).toFixed(2)} ms each, slowest ${this.slowestMs.toFixed(1)} ms, most ${(this.mostBytes / (1 << 20)).toFixed(1)} MiB`;
    console.log(
      `${expect.getState().currentTestName}: ${this.cases} cases, taken ${taken}, ${codes.join(", ") || "none refused"}; ${figures}`,
    );
  }
}
