import { expect, test } from "vitest";
import { Estimates } from "../../protocol/work/estimates.ts";
import { guardDeclines } from "../../protocol/work/score.ts";
import { peerNamed } from "../contract/chain.ts";

const [ann, bob] = [peerNamed("ann"), peerNamed("bob")];

const guard = (fields: Partial<Parameters<typeof guardDeclines>[0]>) =>
  guardDeclines({
    estimateMs: 10_000,
    ownSpeed: 1,
    readyAheadMs: 0,
    faster: [{ speed: 4, slots: 4 }],
    meanRemainingMs: 0,
    ageMs: 200,
    ...fields,
  });

test("a slow node leaves an action to an idle fast one, and takes it when that one has its hands full", () => {
  expect(guard({})).toBe(true);
  // 10 s here; there 2.5 s to run and 0.2 s of doubt: it waits up to 7.3 s, which is 116.8 s of work for 16 units of capacity.
  expect(guard({ readyAheadMs: 116_000 })).toBe(true);
  expect(guard({ readyAheadMs: 117_600 })).toBe(false);
  // What runs there counts twice its mean remainder, over slots + 1.
  expect(guard({ meanRemainingMs: 18_000 })).toBe(true);
  expect(guard({ meanRemainingMs: 18_500 })).toBe(false);
});

test("nobody declines for nodes as slow as itself, for none, or for what is shorter than the age of the news", () => {
  expect(guard({ faster: [] })).toBe(false);
  expect(guard({ faster: [{ speed: 1, slots: 100 }] })).toBe(false);
  expect(guard({ estimateMs: 200 })).toBe(false);
});

test("an action counts as a second until one of its group was seen, then as their mean, per build name", () => {
  const estimates = new Estimates();
  expect(estimates.of("demo", "cc")).toBe(1000);
  for (const ms of [100, 300]) estimates.note("demo", "cc", ann, ms);
  expect(estimates.of("demo", "cc")).toBe(200);
  expect(estimates.of("other", "cc")).toBe(1000);
  expect(estimates.of("demo", "ld")).toBe(1000);
});

test("a bound on a group is known from the second run on, and lies above what was seen of it", () => {
  const estimates = new Estimates();
  estimates.note("demo", "cc", ann, 100);
  expect(estimates.atMost("demo", "cc")).toBeUndefined();
  estimates.note("demo", "cc", ann, 100);
  expect(estimates.atMost("demo", "cc")).toBe(100);
  estimates.note("demo", "cc", ann, 1000);
  expect(estimates.atMost("demo", "cc")).toBeGreaterThan(1000);
});

test("a node's speed is 1 until eight runs can be compared, then what it showed, within bounds", () => {
  const estimates = new Estimates();
  for (let i = 0; i < 40; i++) estimates.note("demo", "cc", ann, 1000);
  expect(estimates.speedOf(ann)).toBeCloseTo(1);
  for (let i = 0; i < 7; i++) estimates.note("demo", "cc", bob, 500);
  expect(estimates.speedOf(bob)).toBe(1);
  estimates.note("demo", "cc", bob, 500);
  expect(estimates.speedOf(bob)).toBeGreaterThan(1.7);
  for (let i = 0; i < 200; i++) estimates.note("demo", "x", i % 2 ? ann : bob, i % 2 ? 1_000_000 : 0);
  expect(estimates.speedOf(bob)).toBeLessThanOrEqual(10);
  expect(estimates.speedOf(ann)).toBeGreaterThanOrEqual(0.1);
});
