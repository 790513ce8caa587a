/** Chance for hostile input: everything follows from one number, so that a case that was once found is found again. */
import { Random } from "../../protocol/kernel/random.ts";

export class Dice {
  private readonly random: Random;

  constructor(seed: number) {
    this.random = Random.fromNumber(seed);
  }

  /** Uniform in 0 … bound − 1. */
  below(bound: number): number {
    return this.random.below(bound);
  }

  /** True once in `n` times. */
  once(n: number): boolean {
    return this.random.below(n) === 0;
  }

  pick<T>(list: readonly T[]): T {
    return this.random.pick(list);
  }

  /** Mostly small, now and then up to `max`. */
  size(max: number): number {
    return this.below(1 + (this.once(20) ? max : Math.min(max, 24)));
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; at++) bytes[at] = this.below(256);
    return bytes;
  }
}
