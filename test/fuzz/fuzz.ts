/**
 * Throws hostile cases at one reader. Each case follows from (seed, number); whatever is not a typed refusal, takes longer than
 * 50 ms of CPU or more than 64 MiB fails with the command that reproduces it.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, vi } from "vitest";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { Dice } from "./dice.ts";

const seedDefault = 1;
/** Of each target in `npm test`. `FUZZ_CASES` says otherwise. */
const casesDefault = 50_000;
const cpuMsMax = 50;
const growthBytesMax = 64 << 20;
/** Reading the heap's size costs more than most cases: it is done for each so many-th, and for all that take long. */
const weighedEach = 256;
const longMs = 30;
/** Machines are noisy: a case is accused when the quickest of so many runs is too slow. */
const triesMax = 4;

// Others work on the same cores: a bound, not an expectation.
vi.setConfig({ testTimeout: 300_000 });
setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

export interface Target<T> {
  /** Makes one case of chance; the same chance, the same case. */
  make(dice: Dice): T;
  /**
   * Hands the case over. May throw a `SwarmError`; anything else is a finding. A refusal may be judged further by `refused`.
   * Called again for a case that seems slow: it must not depend on how often it was called.
   */
  run(input: T): void;
  refused?(input: T, error: SwarmError): void;
  readonly cases?: number;
  /** What an input may take beyond 50 ms, where even an honest one takes time by its length. */
  readonly moreMs?: (input: T) => number;
}

/** What became of the cases: how many were taken, and how many refused with which code. */
export interface Tally {
  /** Share of the cases that were taken, 0 to 1. */
  readonly taken: number;
  readonly refused: Readonly<Record<string, number>>;
}

/** Runs all cases, or with `FUZZ_CASE` one of them. Throws at the first finding. */
export function fuzz<T>(target: Target<T>): Tally {
  const seed = Number(process.env.FUZZ_SEED ?? seedDefault);
  const only = process.env.FUZZ_CASE;
  const cases = only === undefined ? Number(process.env.FUZZ_CASES ?? target.cases ?? casesDefault) : 1;
  const refused: Record<string, number> = {};
  let taken = 0;
  for (let i = 0; i < cases; i++) {
    const number = only === undefined ? i : Number(only);
    const input = target.make(new Dice(Math.imul(seed, 0x9e3779b1) + number));
    try {
      const code = judge(target, input, number % weighedEach === 0);
      if (code === undefined) taken++;
      else refused[code] = (refused[code] ?? 0) + 1;
    } catch (cause) {
      const { testPath, currentTestName } = expect.getState();
      const file = testPath?.slice(testPath.lastIndexOf("/test/") + 1);
      throw new Error(
        `case ${number}: ${cause instanceof Error ? cause.message : String(cause)}\n${shown(input)}\n` +
          `reproduce: FUZZ_SEED=${seed} FUZZ_CASE=${number} npx vitest run ${file} -t ${JSON.stringify(currentTestName)}`,
        { cause },
      );
    }
  }
  return { taken: taken / cases, refused };
}

/** Runs one input by the same measure, beside the drawn ones: a sample of what was once found. Returns the code of the refusal, if it is one. */
export const weigh = <T>(
  target: Pick<Target<T>, "run" | "refused" | "moreMs">,
  input: T,
): string | undefined => judge(target, input, true);

function judge<T>(
  target: Pick<Target<T>, "run" | "refused" | "moreMs">,
  input: T,
  weighed: boolean,
): string | undefined {
  const before = weighed ? heapBytes() : 0;
  const from = performance.now();
  const error = outcome(target, input);
  const tookMs = performance.now() - from;
  if (error !== undefined) {
    if (!(error instanceof SwarmError)) throw error;
    target.refused?.(input, error);
  }
  if ((weighed && heapBytes() - before > growthBytesMax) || tookMs > longMs) weighAgain(target, input);
  const mostMs = cpuMsMax + (target.moreMs?.(input) ?? 0);
  if (tookMs > mostMs) timeAgain(target, input, mostMs);
  return error?.code;
}

function outcome<T>(target: Pick<Target<T>, "run">, input: T): SwarmError | undefined {
  try {
    target.run(input);
    return undefined;
  } catch (error) {
    return error as SwarmError;
  }
}

function timeAgain<T>(target: Pick<Target<T>, "run">, input: T, mostMs: number): void {
  let leastMs = Number.POSITIVE_INFINITY;
  for (let tries = 0; tries < triesMax && leastMs > mostMs; tries++) {
    collect();
    const from = process.cpuUsage();
    outcome(target, input);
    const { user, system } = process.cpuUsage(from);
    leastMs = Math.min(leastMs, (user + system) / 1000);
  }
  if (leastMs > mostMs) throw new Error(`it takes ${leastMs.toFixed(0)} ms`);
}

/** Twice, from a clean heap: what grew and was let go in between does not count. */
function weighAgain<T>(target: Pick<Target<T>, "run">, input: T): void {
  let least = Number.POSITIVE_INFINITY;
  for (let tries = 0; tries < 2 && least > growthBytesMax; tries++) {
    collect();
    const before = heapBytes();
    outcome(target, input);
    least = Math.min(least, heapBytes() - before);
  }
  if (least > growthBytesMax) throw new Error(`it takes ${Math.round(least / (1 << 20))} MiB`);
}

function heapBytes(): number {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

function shown(input: unknown): string {
  const text =
    input instanceof Uint8Array
      ? `bytes (${input.length}): ${Buffer.from(input).toString("hex")}`
      : typeof input === "string"
        ? JSON.stringify(input)
        : JSON.stringify(input, (_, v) => (v instanceof Uint8Array ? Buffer.from(v).toString("hex") : v));
  return (text ?? String(input)).slice(0, 2000);
}
