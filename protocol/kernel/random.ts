/** Injected randomness: a seeded generator (xoshiro128**), whose state can be saved with the core. Never for secrets. */

export class Random {
  private s: Uint32Array;

  /** Seed: any 16 bytes, not all zero; the shell draws them from the system, the simulator from its seed. */
  constructor(seed: Uint8Array) {
    const view = new DataView(seed.buffer, seed.byteOffset, 16);
    this.s = new Uint32Array([0, 4, 8, 12].map((at) => view.getUint32(at)));
    if (this.s.every((word) => word === 0)) this.s[0] = 1;
  }

  static fromNumber(seed: number): Random {
    const bytes = new Uint8Array(16);
    const view = new DataView(bytes.buffer);
    let x = seed >>> 0;
    for (let at = 0; at < 16; at += 4) {
      x = (x + 0x9e3779b9) >>> 0; // splitmix32: neighbouring seeds give unrelated states
      let z = x;
      z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
      z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
      view.setUint32(at, (z ^ (z >>> 16)) >>> 0);
    }
    return new Random(bytes);
  }

  /** The state, as the seed of a generator that goes on from here. */
  save(): Uint8Array {
    const bytes = new Uint8Array(16);
    const view = new DataView(bytes.buffer);
    this.s.forEach((word, i) => {
      view.setUint32(4 * i, word);
    });
    return bytes;
  }

  uint32(): number {
    const s = this.s;
    const rotl = (x: number, k: number) => (x << k) | (x >>> (32 - k));
    const result = Math.imul(rotl(Math.imul(s[1]!, 5), 7), 9) >>> 0;
    const t = s[1]! << 9;
    s[2]! ^= s[0]!;
    s[3]! ^= s[1]!;
    s[1]! ^= s[2]!;
    s[0]! ^= s[3]!;
    s[2]! ^= t;
    s[3] = rotl(s[3]!, 11);
    return result;
  }

  /** Uniform in [0, 1). */
  float(): number {
    return this.uint32() / 2 ** 32;
  }

  /** Uniform integer in [0, bound). */
  below(bound: number): number {
    return Math.floor(this.float() * bound);
  }

  hex(bytes: number): string {
    let text = "";
    for (let i = 0; i < bytes; i++) text += (this.uint32() & 0xff).toString(16).padStart(2, "0");
    return text;
  }

  /** One element; the list must not be empty. */
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}
