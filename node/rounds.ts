/** What is looked after now and then, on one timer: each round while the swarm is awake, each tenth while all is calm. A machine that rests is woken as seldom as can be. */

/** Also the shortest time between two looks at one thing. */
const roundMs = 1_000;
const calmRounds = 10;
/** Timers fire a little early or late: what is due within so long is due. */
const slackMs = 200;

/** Runs something again and again, about so many milliseconds apart, until the answer is called. It must not throw. */
export type Every = (everyMs: number, run: () => void) => () => void;

/** On a timer of its own, as where nobody rests. */
export const everyByTimer: Every = (everyMs, run) => {
  const timer = setInterval(run, everyMs).unref();
  return () => clearInterval(timer);
};

interface Job {
  readonly everyMs: number;
  readonly run: () => void;
  dueMs: number;
}

export class Rounds {
  readonly #jobs = new Set<Job>();
  readonly #isCalm: () => boolean;
  #timer: NodeJS.Timeout | undefined;
  #rests = false;

  constructor(isCalm: () => boolean) {
    this.#isCalm = isCalm;
    this.#arm();
  }

  readonly every: Every = (everyMs, run) => {
    const job = { everyMs, run, dueMs: performance.now() + everyMs };
    this.#jobs.add(job);
    return () => this.#jobs.delete(job);
  };

  /** Something may have woken the node: what waits for a calm round does not wait on. */
  look(): void {
    if (!this.#rests || this.#isCalm()) return;
    clearTimeout(this.#timer);
    this.#arm();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#jobs.clear();
  }

  #arm() {
    this.#rests = this.#isCalm();
    this.#timer = setTimeout(() => this.#round(), this.#rests ? calmRounds * roundMs : roundMs).unref();
  }

  #round() {
    this.#arm();
    const nowMs = performance.now();
    for (const job of this.#jobs) {
      if (nowMs < job.dueMs - slackMs) continue;
      job.dueMs = nowMs + job.everyMs;
      job.run();
    }
  }
}
