/** What is looked after on one timer: how often, when the node rests, and when it wakes. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Rounds } from "../node/rounds.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test("each thing is looked at as often as it asks for while the node is awake, on one timer", () => {
  const rounds = new Rounds(() => false);
  const seen = { second: 0, three: 0 };
  rounds.every(1000, () => seen.second++);
  const stop = rounds.every(3000, () => seen.three++);
  expect(vi.getTimerCount()).toBe(1);
  vi.advanceTimersByTime(12_000);
  expect(seen).toEqual({ second: 12, three: 4 });
  stop();
  vi.advanceTimersByTime(6000);
  expect(seen).toEqual({ second: 18, three: 4 });
  rounds.stop();
  expect(vi.getTimerCount()).toBe(0);
});

test("while all is calm there is a round in ten seconds, and the next second after it woke", () => {
  let calm = true;
  const rounds = new Rounds(() => calm);
  let seen = 0;
  rounds.every(1000, () => seen++);
  vi.advanceTimersByTime(40_000);
  expect(seen).toBe(4);
  vi.advanceTimersByTime(1500);
  rounds.look();
  calm = false;
  rounds.look();
  vi.advanceTimersByTime(999);
  expect(seen).toBe(4);
  vi.advanceTimersByTime(1);
  expect(seen).toBe(5);
  vi.advanceTimersByTime(3000);
  expect(seen).toBe(8);
  rounds.stop();
});
