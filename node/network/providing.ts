/**
 * Tells the swarm which blobs lie here: what people ask for by name at once, all the rest one by one in the background, so that a build
 * of thousands of outputs never waits for its records. The DHT repeats what it was told once, until the blob is gone from here.
 */
import type { Digest } from "../../protocol/kernel/ids.ts";
import type { Log } from "../log.ts";
import type { Locator } from "../ports.ts";

/** What waits to be told, and what was told; the oldest make room. */
const waitingMax = 4096;
const toldMax = 16_384;
const provideMsMax = 30_000;
/** Between two records of the background. */
const backgroundMs = 1_000;
/** After a failure, doubled each time. */
const retryMsMin = 2_000;
const retryMsMax = 300_000;
/** How often it is checked that what was told is still here, and how much of it at once. */
const checkMs = 600_000;

export interface ProvidingOptions {
  readonly locator: Pick<Locator, "provide" | "withdraw">;
  readonly has: (digest: Digest) => boolean;
  readonly log: Pick<Log, "debug">;
  /** Calls back once, after so long; what it returns calls that off. */
  readonly after: (ms: number, callback: () => void) => () => void;
}

export interface ProvidingCounts {
  /** Blobs whose record is kept alive. */
  readonly told: number;
  readonly waiting: number;
}

export class Providing {
  readonly #options: ProvidingOptions;
  /** In the order in which they are told. */
  readonly #urgent = new Set<Digest>();
  readonly #background = new Set<Digest>();
  readonly #told = new Set<Digest>();
  readonly #stopping = new AbortController();
  #failures = 0;
  #busy = false;
  /** A timer runs. */
  #waits = false;
  #callOff = () => {};
  #callOffCheck = () => {};

  constructor(options: ProvidingOptions) {
    this.#options = options;
    this.#checkLater();
  }

  /** Roots of builds, released files: told at once. */
  now(digests: Iterable<Digest>): void {
    for (const digest of digests) {
      if (this.#told.has(digest)) continue;
      this.#background.delete(digest);
      this.#urgent.add(digest);
    }
    trim(this.#urgent, waitingMax);
    if (this.#failures === 0 && !this.#busy) this.#go();
  }

  /** Told some time, unless that is too much. */
  later(digests: Iterable<Digest>): void {
    for (const digest of digests)
      if (!this.#told.has(digest) && !this.#urgent.has(digest)) this.#background.add(digest);
    trim(this.#background, waitingMax);
    if (!this.#busy && !this.#waits) this.#wait(backgroundMs);
  }

  /** Somebody new is there to be told: failures so far say nothing. */
  retry(): void {
    if (this.#failures === 0) return;
    this.#failures = 0;
    if (!this.#busy) this.#wait(retryMsMin);
  }

  /** The blob is gone from here. */
  async withdraw(digest: Digest): Promise<void> {
    this.#urgent.delete(digest);
    this.#background.delete(digest);
    if (this.#told.delete(digest)) await this.#options.locator.withdraw(digest);
  }

  counts(): ProvidingCounts {
    return { told: this.#told.size, waiting: this.#urgent.size + this.#background.size };
  }

  stop(): void {
    this.#stopping.abort();
    this.#callOff();
    this.#callOffCheck();
  }

  #wait(ms: number) {
    this.#callOff();
    this.#waits = !this.#stopping.signal.aborted && this.counts().waiting > 0;
    this.#callOff = this.#waits ? this.#options.after(ms, () => this.#go()) : () => {};
  }

  #go() {
    this.#callOff();
    this.#callOff = () => {};
    this.#waits = false;
    if (this.#busy || this.#stopping.signal.aborted) return;
    const queue = this.#urgent.size > 0 ? this.#urgent : this.#background;
    const [digest] = queue;
    if (digest === undefined) return;
    if (!this.#options.has(digest)) {
      queue.delete(digest);
      return this.#wait(0);
    }
    this.#busy = true;
    void this.#tell(digest, queue).finally(() => {
      this.#busy = false;
      if (this.#failures > 0) this.#wait(Math.min(retryMsMin * 2 ** (this.#failures - 1), retryMsMax));
      else this.#wait(this.#urgent.size > 0 ? 0 : backgroundMs);
    });
  }

  async #tell(digest: Digest, queue: Set<Digest>) {
    const { locator, log } = this.#options;
    try {
      await locator.provide(
        digest,
        AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(provideMsMax)]),
      );
      this.#failures = 0;
      queue.delete(digest);
      this.#told.add(digest);
      for (const old of trim(this.#told, toldMax)) await locator.withdraw(old);
    } catch (error) {
      this.#failures++;
      log.debug({ digest, err: error }, "a provider record found no place yet");
    }
  }

  #checkLater() {
    this.#callOffCheck = this.#options.after(checkMs, () => {
      for (const digest of this.#told) if (!this.#options.has(digest)) void this.withdraw(digest);
      if (!this.#stopping.signal.aborted) this.#checkLater();
    });
  }
}

/** Takes the oldest away until so many are left; those that went. */
function trim(set: Set<Digest>, max: number): Digest[] {
  const gone: Digest[] = [];
  for (const digest of set) {
    if (set.size <= max) break;
    set.delete(digest);
    gone.push(digest);
  }
  return gone;
}
