/** What happened in a world, line by line: hashed as it runs, so that two runs are compared by 64 digits. */
import { sha256Hex } from "../protocol/kernel/digest.ts";

/** Lines are hashed in blocks of about this many characters. */
const blockChars = 1 << 16;

/** One thing that happened: when, on which host (or `world`), what, and what is to be said of it. */
export interface Line {
  readonly atMs: number;
  readonly who: string;
  readonly what: string;
  readonly detail: string;
}

export class Transcript {
  private hashed = "";
  private block = "";
  private readonly lines: Line[] = [];
  private readonly keep: (what: string) => boolean;
  /** When the last line was, and how that is written. */
  private atMs = Number.NaN;
  private stamp = "";
  count = 0;

  /** `keep` says which kinds of lines stay readable; all of them are hashed. */
  constructor(keep: (what: string) => boolean) {
    this.keep = keep;
  }

  add(atMs: number, who: string, what: string, detail: string): void {
    this.count++;
    if (atMs !== this.atMs) {
      this.atMs = atMs;
      this.stamp = `${Math.round(atMs * 1000)}`;
    }
    this.block += `${this.stamp} ${who} ${what} ${detail}\n`;
    if (this.block.length >= blockChars) {
      this.hashed = sha256Hex(this.hashed + this.block);
      this.block = "";
    }
    if (this.keep(what)) this.lines.push({ atMs, who, what, detail });
  }

  /** sha2-256 (hex) over every line so far; reading it changes nothing. */
  hash(): string {
    return sha256Hex(this.hashed + this.block);
  }

  /** The lines that were kept. */
  kept(): readonly Line[] {
    return this.lines;
  }
}
