/** How long a node is awake, by what it does and by what others say. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { Wakefulness } from "../../protocol/swarm/wakefulness.ts";

const beatMs = 1000;

test("who starts, or does anything, is awake for fifteen beats, and misses the silent for the first ten", () => {
  const one = new Wakefulness(0, beatMs);
  expect(one.leftMs(14_999)).toBe(1);
  expect(one.alertSinceMonoMs(9_999)).toBe(0);
  expect(one.alertSinceMonoMs(10_000)).toBeUndefined();
  expect(one.leftMs(15_000)).toBe(0);
  expect(one.wake(20_000, beatMs)).toBe(true);
  expect(one.wake(21_000, beatMs)).toBe(false);
  expect(one.leftMs(21_000)).toBe(15_000);
  expect(one.alertSinceMonoMs(21_000)).toBe(20_000);
});

test("who hears of one that is awake stays so a beat less; one that never says so is of a version that always is", () => {
  const one = new Wakefulness(0, beatMs);
  expect(one.told(9_000, 20_000, beatMs)).toBe(true);
  expect(one.leftMs(20_000)).toBe(8_000);
  expect(one.told(0, 20_000, beatMs)).toBe(false);
  expect(one.told(undefined, 20_000, beatMs)).toBe(false);
  expect(one.leftMs(20_000)).toBe(14_000);
  expect(one.told(Number.MAX_SAFE_INTEGER, 30_000, beatMs)).toBe(false);
  expect(one.leftMs(30_000)).toBe(14_000);
  expect(one.told(500, 50_000, beatMs)).toBe(false);
});

test("members that keep each other awake fall asleep in the end, whatever a word takes on its way", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 990 }), fc.integer({ min: 2, max: 6 }), (delayMs, count) => {
      const all = Array.from({ length: count }, () => new Wakefulness(0, beatMs));
      const under: { atMs: number; awakeMs: number; by: number }[] = [];
      let nowMs = 0;
      while (nowMs < 60 * 60_000 && (under.length > 0 || all.some((one) => one.leftMs(nowMs) > 0))) {
        for (const [by, one] of all.entries())
          if (one.leftMs(nowMs) > 0) under.push({ atMs: nowMs + delayMs, awakeMs: one.leftMs(nowMs), by });
        nowMs += beatMs;
        for (let word = under[0]; word && word.atMs <= nowMs; word = under[0]) {
          under.shift();
          for (const [to, one] of all.entries())
            if (to !== word.by) one.told(word.awakeMs, word.atMs, beatMs);
        }
      }
      expect(nowMs).toBeLessThan(60 * 60_000);
    }),
    { numRuns: 50 },
  );
});
