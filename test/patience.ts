/** Waiting where nothing tells: until a condition holds, or for as long as a fault lasts. */

/** Time passes: a fault lasts for so long. Never a way to wait for a result. */
export function lasting(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** For `vi.waitFor` and `expect.poll`, whose own patience is a second: less than a test has, so that what was awaited is told. */
export const patient = { timeout: 100_000 } as const;

const lookMs = 50;
/** Longer than any test: that one's own limit ends it. */
const patienceMs = 900_000;

/** Asks every now and then until it holds; what throws does not hold yet. Throws with what was awaited when patience ends. */
export async function until(
  condition: () => Promise<boolean> | boolean,
  awaited = "what was awaited",
  limitMs = patienceMs,
): Promise<void> {
  const endMs = performance.now() + limitMs;
  for (;;) {
    let cause: unknown;
    try {
      if (await condition()) return;
    } catch (error) {
      cause = error;
    }
    if (performance.now() > endMs)
      throw new Error(`${awaited} did not come to pass in ${limitMs} ms`, { cause });
    await lasting(lookMs);
  }
}
