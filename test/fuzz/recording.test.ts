import { expect, test } from "vitest";
import type { Section } from "../../node/recording/container.ts";
import type { Recording } from "../../node/recording/recording.ts";
import { viewsOf } from "../../node/recording/views.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { bytesOf, opened, readings, sectionsBy, story } from "../recording/made.ts";
import { hostileBytes } from "./bytes.ts";
import { fuzzSlow } from "./fuzz.ts";
import { hostileValue } from "./values.ts";

const { cores, build } = story();
const sections = await Array.fromAsync(sectionsBy(cores, "ann", build, { logs: "all", readings }));
const good = await bytesOf(sections);
const said = new Set((await opened(good)).entries.map(({ id }) => id));

/** Opens a file; what is taken says what it says, answers, and has no word in it that nobody said. */
async function take(bytes: Uint8Array): Promise<string | undefined> {
  let recording: Recording;
  try {
    recording = await opened(bytes);
  } catch (error) {
    if (error instanceof SwarmError) return error.code;
    throw error;
  }
  for (const { id } of recording.entries) expect(said).toContain(id);
  const views = viewsOf(recording);
  try {
    await views.status();
    await views.autopsy(recording.build);
    await Array.fromAsync(
      views.replay({ build: recording.build, steps: false }, AbortSignal.timeout(60_000)),
    );
  } catch (error) {
    if (!(error instanceof SwarmError)) throw error;
  }
  return undefined;
}

test("altered bytes of a recording are refused: its seal covers every one of them", async () => {
  const { taken, refused } = await fuzzSlow({
    make: (dice) => hostileBytes(dice, [good], good.length + 1000),
    run: take,
    cases: 1000,
  });
  // An alteration may come to what was there before.
  expect(taken).toBeLessThan(0.01);
  expect(refused.malformed).toBeGreaterThan(0);
  expect(refused["blob-corrupt"]).toBeGreaterThan(0);
});

test("what a member seals that is altered within is refused, or has no word in it that nobody said", async () => {
  const bodies = sections.map(({ body }) => body);
  const { taken, refused } = await fuzzSlow({
    make: async (dice) => {
      // Said twice, or in another order, much of it says the same.
      if (dice.once(4))
        return bytesOf(sections.toSpliced(1 + dice.below(sections.length), 0, dice.pick(sections)));
      const at = dice.below(sections.length);
      const altered = sections.map((one, i): Section => {
        if (i !== at) return one;
        return { ...one, body: hostileValue(dice, dice.once(8) ? bodies : [one.body]) };
      });
      if (dice.once(8)) altered.splice(dice.below(altered.length), 1);
      // What has no encoding cannot be sealed.
      return bytesOf(altered).catch(() => good);
    },
    run: take,
    cases: 300,
    casesMax: 5_000,
    // All signatures in it are checked before it is refused for something behind them.
    moreMs: () => 200,
  });
  expect(taken).toBeGreaterThan(0.01);
  expect(refused.malformed).toBeGreaterThan(0);
});
