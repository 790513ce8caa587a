/**
 * Blobs of this disk that somebody else found wrong are read again: what is no longer what its name says is set aside, and served no
 * more. Anyone may doubt anything, so it is done one by one, each blob seldom, and at most a quarter of the time.
 */
import type { Digest } from "../../protocol/kernel/ids.ts";

/** A blob that was found right is not read again for so long. */
const againMs = 600_000;
const checkedMax = 1024;
/** Doubts beyond that are not looked at. */
const waitingMax = 64;
/** After a check that took so long, none for this many times as long. */
const restFactor = 3;

export interface RechecksOptions {
  readonly has: (digest: Digest) => boolean;
  /** Reads it; false when it was wrong, and is set aside. */
  readonly recheck: (digest: Digest) => Promise<boolean>;
  /** Hears of each that was wrong. */
  readonly wrong: (digest: Digest) => void;
  readonly now?: () => number;
  readonly pause: (ms: number) => Promise<void>;
}

export class Rechecks {
  readonly #options: RechecksOptions;
  readonly #now: () => number;
  /** When each was found right, the latest last. */
  readonly #right = new Map<Digest, number>();
  readonly #open = new Map<Digest, Promise<boolean>>();
  #line: Promise<void> = Promise.resolve();

  constructor(options: RechecksOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /** Whether it is here and, as far as it was looked at, right. */
  async doubt(digest: Digest): Promise<boolean> {
    if (!this.#options.has(digest)) return false;
    const open = this.#open.get(digest);
    if (open) return await open;
    const atMs = this.#right.get(digest);
    if (atMs !== undefined && this.#now() - atMs < againMs) return true;
    if (this.#open.size >= waitingMax) return true;
    let tookMs = 0;
    const check = this.#line.then(async () => {
      const startMs = this.#now();
      try {
        return await this.#check(digest);
      } finally {
        tookMs = this.#now() - startMs;
        this.#open.delete(digest);
      }
    });
    this.#open.set(digest, check);
    const rest = () => this.#options.pause(tookMs * restFactor);
    this.#line = check.then(rest, rest);
    return await check;
  }

  async #check(digest: Digest): Promise<boolean> {
    const right = await this.#options.recheck(digest);
    if (right) this.#remember(digest);
    else this.#options.wrong(digest);
    return right;
  }

  #remember(digest: Digest) {
    this.#right.delete(digest);
    this.#right.set(digest, this.#now());
    if (this.#right.size > checkedMax) this.#right.delete(this.#right.keys().next().value!);
  }
}
