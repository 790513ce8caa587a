import { expect, test } from "vitest";
import type { ActionName } from "../../protocol/kernel/ids.ts";
import { Estimates } from "../../protocol/work/estimates.ts";
import { peerNamed } from "../contract/chain.ts";

const [ann, bob] = [peerNamed("ann"), peerNamed("bob")];
const action = (name: string, group = "cc", estimateMs?: number) => ({
  name: name as ActionName,
  group,
  estimateMs,
});

test("an action counts as a second until one of its group was seen, then as their mean, then as it was itself", () => {
  const estimates = new Estimates();
  expect(estimates.of("demo", action("x"))).toBe(1000);
  estimates.note("demo", action("a"), ann, 100);
  estimates.note("demo", action("b"), ann, 300);
  expect(estimates.of("demo", action("x"))).toBe(200);
  expect(estimates.of("demo", action("a"))).toBe(100);
  expect(estimates.of("other", action("a"))).toBe(1000);
  expect(estimates.of("demo", action("x", "ld"))).toBe(1000);
});

test("what the submitter says of an action comes before what was seen of it", () => {
  const estimates = new Estimates();
  estimates.note("demo", action("a"), ann, 100);
  expect(estimates.of("demo", action("a", "cc", 700))).toBe(700);
  expect(estimates.atMost("demo", action("a", "cc", 700))).toBe(700);
});

test("of an action's own durations the newest weighs as much as all before it", () => {
  const estimates = new Estimates();
  estimates.note("demo", action("a"), ann, 100);
  estimates.note("demo", action("a"), ann, 200);
  expect(estimates.of("demo", action("a"))).toBe(150);
});

test("a bound on a group is known from the second run on, and lies above what was seen of it", () => {
  const estimates = new Estimates();
  estimates.note("demo", action("a"), ann, 100);
  expect(estimates.atMost("demo", action("x"))).toBeUndefined();
  estimates.note("demo", action("b"), ann, 100);
  expect(estimates.atMost("demo", action("x"))).toBe(100);
  estimates.note("demo", action("c"), ann, 1000);
  expect(estimates.atMost("demo", action("x"))).toBeGreaterThan(1000);
});

test("a node's speed is 1 until eight runs can be compared with their group, then what it showed, within bounds", () => {
  const estimates = new Estimates();
  for (let i = 0; i < 40; i++) estimates.note("demo", action(`a${i}`), ann, 1000);
  expect(estimates.speedOf(ann)).toBeCloseTo(1);
  for (let i = 0; i < 7; i++) estimates.note("demo", action(`b${i}`), bob, 500);
  expect(estimates.speedOf(bob)).toBe(1);
  estimates.note("demo", action("b7"), bob, 500);
  expect(estimates.speedOf(bob)).toBeGreaterThan(1.7);
  for (let i = 0; i < 200; i++)
    estimates.note("demo", action(`c${i}`), i % 2 ? ann : bob, i % 2 ? 1_000_000 : 0);
  expect(estimates.speedOf(bob)).toBeLessThanOrEqual(10);
  expect(estimates.speedOf(ann)).toBeGreaterThanOrEqual(0.1);
});

test("two runs of actions whose durations were foretold tell a node's speed", () => {
  const estimates = new Estimates();
  estimates.note("demo", action("a", "cc", 1000), ann, 500);
  expect(estimates.speedOf(ann)).toBe(1);
  estimates.note("demo", action("b", "cc", 3000), ann, 1500);
  expect(estimates.speedOf(ann)).toBeCloseTo(2);
});

test("a single straggler hardly changes what is known of a node", () => {
  const estimates = new Estimates();
  for (let i = 0; i < 20; i++) estimates.note("demo", action(`a${i}`, "cc", 1000), ann, 1000);
  estimates.note("demo", action("slow", "cc", 1000), ann, 80_000);
  expect(estimates.speedOf(ann)).toBeGreaterThan(0.9);
});
