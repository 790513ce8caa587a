/**
 * Throws hostile cases at one reader. Each case follows from (seed, number); whatever is not a typed refusal, takes longer than
 * 50 ms of CPU (more where a fixed job takes longer too) or more than 64 MiB fails with the command that reproduces it.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, vi } from "vitest";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { Dice } from "./dice.ts";
import { cpuMsSince, slowness } from "./machine.ts";
import { Tally } from "./tally.ts";

const seed = Number(process.env.FUZZ_SEED ?? 1);
/** Of each target in `npm test`; `npm run fuzz` has fifty thousand. */
const casesDefault = 2000;
const cpuMsMax = 50;
const growthBytesMax = 64 << 20;
/** Reading the heap's size costs more than most cases: it is done for each so many-th, and for all that take long. */
const weighedEach = 256;
const longMs = 30;
/** No case takes a second, however busy the machine. */
const endlessMs = 120_000;
/** Machines are noisy: a case is accused when the quickest of so many runs is too slow, even for how slow the machine was meanwhile. */
const triesMax = 4;

// Others work on the same cores: a bound, not an expectation.
vi.setConfig({ testTimeout: 1_800_000 });
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
  /** What an input may take beyond 50 ms, where even an honest one takes time by its length. */
  readonly moreMs?: (input: T) => number;
}

/** A target whose cases take their turn: handlers of streams and sockets. */
export interface SlowTarget<T> {
  make(dice: Dice): T | Promise<T>;
  /** As of `Target`; resolves when the case is over, to the word it is counted under: a code, or undefined where it was taken. */
  run(input: T): Promise<string | undefined>;
  /** How many cases go on at once; one where nothing else is said. */
  readonly atOnce?: number;
  /** In `npm test`, where a case takes long. */
  readonly cases?: number;
  /** Whatever `FUZZ_CASES` says, where a case is many in one. */
  readonly casesMax?: number;
  readonly moreMs?: (input: T) => number;
}

/** Runs all cases, or with `FUZZ_CASE` one of them. Throws at the first finding. */
export function fuzz<T>(target: Target<T>): Tally {
  const tally = new Tally();
  for (const number of numbers()) {
    const input = target.make(diceOf(number));
    try {
      tally.count(judge(target, input, number % weighedEach === 0, tally));
    } catch (cause) {
      throw finding(number, input, cause);
    }
  }
  tally.tell();
  return tally;
}

/** As `fuzz`. What is at once is timed and weighed together, and each alone where all of it takes 50 ms more than
 * others do, or is too large. */
export async function fuzzSlow<T>(target: SlowTarget<T>): Promise<Tally> {
  const tally = new Tally();
  const all = numbers(target.cases, target.casesMax);
  for (let at = 0; at < all.length; at += target.atOnce ?? 1) {
    const turn: { readonly number: number; readonly input: T }[] = [];
    for (const number of all.slice(at, at + (target.atOnce ?? 1)))
      turn.push({ number, input: await target.make(diceOf(number)) });
    const before = heapBytes();
    const from = process.cpuUsage();
    const patience = AbortSignal.timeout(endlessMs);
    await Promise.all(
      turn.map(async ({ number, input }) => {
        try {
          tally.count(await ended(target.run(input), patience));
        } catch (cause) {
          throw finding(number, input, cause);
        }
      }),
    );
    const tookMs = cpuMsSince(from);
    const grewBytes = heapBytes() - before;
    tally.took(tookMs / turn.length, grewBytes, turn.length);
    const mostMs =
      cpuMsMax +
      turn.length * Math.max(1, 2 * tally.meanMs) +
      Math.min(...turn.map(({ input }) => target.moreMs?.(input) ?? 0));
    if (tookMs <= mostMs && grewBytes <= growthBytesMax) continue;
    for (const { number, input } of turn)
      await judgeAlone(target, input).catch((cause) => {
        throw finding(number, input, cause);
      });
  }
  tally.tell();
  return tally;
}

const diceOf = (number: number): Dice => new Dice(Math.imul(seed, 0x9e3779b1) + number);

function numbers(cases = casesDefault, most = Number.POSITIVE_INFINITY): number[] {
  const { FUZZ_CASE, FUZZ_CASES } = process.env;
  if (FUZZ_CASE !== undefined) return [Number(FUZZ_CASE)];
  return Array.from({ length: Math.min(most, Number(FUZZ_CASES ?? cases)) }, (_, i) => i);
}

function finding(number: number, input: unknown, cause: unknown): Error {
  const { testPath, currentTestName } = expect.getState();
  const file = testPath?.slice(testPath.lastIndexOf("/test/") + 1);
  return new Error(
    `case ${number}: ${cause instanceof Error ? cause.message : String(cause)}\n${shown(input)}\n` +
      `reproduce: FUZZ_SEED=${seed} FUZZ_CASE=${number} npx vitest run ${file} -t ${JSON.stringify(currentTestName)}`,
    { cause },
  );
}

/** A case that waits for what never comes is a finding, not the end of all that come after it. */
function ended<T>(run: Promise<T>, patience: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const give = () => reject(new Error(`it has not ended after ${endlessMs / 1000} s`));
    patience.addEventListener("abort", give, { once: true });
    run.then(resolve, reject);
  });
}

async function judgeAlone<T>({ run, moreMs }: SlowTarget<T>, input: T): Promise<void> {
  let [leastMs, leastBytes, slow] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 1];
  const mostMs = cpuMsMax + (moreMs?.(input) ?? 0);
  for (let tries = 0; tries < triesMax && (leastMs > mostMs * slow || leastBytes > growthBytesMax); tries++) {
    collect();
    slow = Math.max(slow, slowness());
    const before = heapBytes();
    const from = process.cpuUsage();
    await run(input);
    leastMs = Math.min(leastMs, cpuMsSince(from));
    leastBytes = Math.min(leastBytes, heapBytes() - before);
  }
  if (leastMs > mostMs * slow) throw tooSlow(leastMs, slow);
  if (leastBytes > growthBytesMax) throw new Error(`it takes ${Math.round(leastBytes / (1 << 20))} MiB`);
}

const tooSlow = (ms: number, slow: number): Error =>
  new Error(
    `it takes ${ms.toFixed(0)} ms, on a machine ${slow.toFixed(1)} times as slow as the bound is for`,
  );

/** Runs one input by the same measure, beside the drawn ones: a sample of what was once found. Returns the code of the refusal, if it is one. */
export const weigh = <T>(
  target: Pick<Target<T>, "run" | "refused" | "moreMs">,
  input: T,
): string | undefined => judge(target, input, true);

function judge<T>(
  target: Pick<Target<T>, "run" | "refused" | "moreMs">,
  input: T,
  weighed: boolean,
  tally?: Tally,
): string | undefined {
  const before = weighed ? heapBytes() : 0;
  const from = performance.now();
  const fromCpu = process.cpuUsage();
  const error = outcome(target, input);
  let tookMs = performance.now() - from;
  // Time that went by is quickly read; what others took of it does not count.
  if (tookMs > longMs) tookMs = Math.min(tookMs, cpuMsSince(fromCpu));
  const grewBytes = weighed ? heapBytes() - before : 0;
  tally?.took(tookMs, grewBytes);
  if (error !== undefined) {
    if (!(error instanceof SwarmError)) throw error;
    target.refused?.(input, error);
  }
  if (grewBytes > growthBytesMax || tookMs > longMs) weighAgain(target, input);
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
  let [leastMs, slow] = [Number.POSITIVE_INFINITY, 1];
  for (let tries = 0; tries < triesMax && leastMs > mostMs * slow; tries++) {
    collect();
    slow = Math.max(slow, slowness());
    const from = process.cpuUsage();
    outcome(target, input);
    leastMs = Math.min(leastMs, cpuMsSince(from));
  }
  if (leastMs > mostMs * slow) throw tooSlow(leastMs, slow);
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
