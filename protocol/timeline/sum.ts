/** What a set of entries adds up to, in any order: equal sums stand for equal sets. A difference is noticed by it, never proved. */
import type { EntryId } from "../kernel/ids.ts";

/** The id that was read last, and its words: each entry is mixed into several sums, and in a world of many hosts into all of theirs. */
let lastId: EntryId | undefined;
let lastHigh = 0;
let lastLow = 0;

export class IdSum {
  private high = 0;
  private low = 0;
  /** As last asked for: beats compare it far more often than it changes. */
  private written: string | undefined;

  /** From its text. */
  static of(text: string): IdSum {
    const sum = new IdSum();
    sum.mix(text as EntryId);
    return sum;
  }

  /** Adds an entry, or takes it out again. */
  mix(id: EntryId): void {
    if (id !== lastId) {
      lastId = id;
      lastHigh = Number.parseInt(id.slice(0, 8), 16);
      lastLow = Number.parseInt(id.slice(8, 16), 16);
    }
    this.high ^= lastHigh;
    this.low ^= lastLow;
    this.written = undefined;
  }

  /** 16 hex digits. */
  text(): string {
    this.written ??= `${hex8(this.high)}${hex8(this.low)}`;
    return this.written;
  }
}

const hex8 = (word: number): string => (word >>> 0).toString(16).padStart(8, "0");
