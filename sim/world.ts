/** The world: virtual time, one queue of events, seeded randomness and the transcript. Nothing in it knows real time. */
import { sha256 } from "../protocol/kernel/digest.ts";
import { invariant } from "../protocol/kernel/errors.ts";
import { Random } from "../protocol/kernel/random.ts";
import { Queue } from "./queue.ts";
import { Transcript } from "./transcript.ts";

/** More events than this without time moving on is a loop that would never end … */
const eventsPerMomentMax = 200_000;
/** … unless there are many hosts, each of which may hear something of every other at one moment. */
const eventsPerPairMax = 8;

export interface WorldOptions {
  readonly seed: number;
  /** How many live in it; a few where nothing is said. */
  readonly hosts?: number;
  /** Which kinds of transcript lines stay readable; none by default. */
  readonly keep?: (what: string) => boolean;
}

export class World {
  readonly seed: number;
  readonly transcript: Transcript;
  private readonly queue = new Queue();
  private readonly nameOf = new Map<string, string>();
  private atMs = 0;
  private atThisMoment = 0;
  private readonly atOneMomentMax: number;
  /** Events run so far. */
  events = 0;
  /** When something was last broken or mended; -Infinity before that. */
  faultMs = Number.NEGATIVE_INFINITY;
  faults = 0;

  constructor(options: WorldOptions) {
    this.seed = options.seed;
    this.atOneMomentMax = Math.max(eventsPerMomentMax, eventsPerPairMax * (options.hosts ?? 0) ** 2);
    this.transcript = new Transcript(options.keep ?? (() => false));
  }

  /** Virtual milliseconds since the world began, in steps of a microsecond. */
  get nowMs(): number {
    return this.atMs;
  }

  /** A generator for one purpose: drawing from it never disturbs another purpose's numbers. */
  randomFor(purpose: string): Random {
    return new Random(sha256(new TextEncoder().encode(`${this.seed}/${purpose}`)).subarray(0, 16));
  }

  /** Runs the callback at a moment, or at once after what is already due when that has passed. Never synchronously. */
  at(atMs: number, run: () => void): void {
    this.queue.push(this.moment(atMs), run);
  }

  /** As `after` for each of these delays in turn; `run` is told which of them is over. Much cheaper than one by one. */
  afterEach(delaysMs: readonly number[], run: (delay: number) => void): void {
    this.queue.pushAll(
      delaysMs.map((delayMs) => this.moment(this.atMs + delayMs)),
      run,
    );
  }

  after(delayMs: number, run: () => void): void {
    this.at(this.atMs + delayMs, run);
  }

  /** Runs all events of the next `forMs` milliseconds; the clock then stands exactly there. */
  runFor(forMs: number): void {
    const endMs = this.atMs + forMs;
    while (this.queue.nextMs() <= endMs) this.step();
    this.atMs = endMs;
  }

  /** Runs until the condition holds and says true; false when it did not within `limitMs` or nothing is left to happen. */
  runUntil(condition: () => boolean, limitMs: number): boolean {
    const endMs = this.atMs + limitMs;
    while (!condition()) {
      if (this.queue.nextMs() > endMs) return false;
      this.step();
    }
    return true;
  }

  /** A line of the transcript. */
  record(who: string, what: string, detail = ""): void {
    this.transcript.add(this.atMs, who, what, detail);
  }

  /** A line of the transcript for something that is broken, or mended. */
  fault(who: string, what: string, detail = ""): void {
    this.faultMs = this.atMs;
    this.faults++;
    this.record(who, what, detail);
  }

  /** What a long id (a peer's) is called in transcripts. */
  call(id: string, name: string): void {
    this.nameOf.set(id, name);
  }

  /** The name a long id was given; the id itself when it has none. */
  name(id: string): string {
    return this.nameOf.get(id) ?? id;
  }

  private moment(atMs: number): number {
    return Math.max(this.atMs, Math.ceil(atMs * 1000 - 1e-6) / 1000);
  }

  private step(): void {
    const next = this.queue.pop();
    if (!next) return;
    this.atThisMoment = next.atMs > this.atMs ? 0 : this.atThisMoment + 1;
    invariant(
      this.atThisMoment < this.atOneMomentMax,
      `time stands still at ${this.atMs} ms (seed ${this.seed})`,
    );
    this.atMs = next.atMs;
    this.events++;
    try {
      next.run();
    } catch (cause) {
      throw new Error(`at ${this.atMs} ms of seed ${this.seed}: ${(cause as Error).message}`, { cause });
    }
  }
}
