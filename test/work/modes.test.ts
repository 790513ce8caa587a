import { expect, test } from "vitest";
import { defaultScheduling, type Mode, modes } from "../../protocol/swarm/policy.ts";
import { type Fit, isOwn, score } from "../../protocol/work/modes.ts";
import { vitalsOf } from "./vitals.ts";

const fit = (fields: Partial<Fit> = {}): Fit => ({
  local: 0.5,
  speed: 0.5,
  history: 0.5,
  runMs: 10_000,
  ...fields,
});
const { weights } = defaultScheduling;
const scored = (mode: Mode, vitals = vitalsOf(), of = fit()) => score({ mode, weights }, vitals, {}, of);
const best = () => vitalsOf({ headroomCelsius: 40, policy: "prefer" });
const worst = () => vitalsOf({ headroomCelsius: -5, running: 9, policy: "standby" });

test.each(modes)("mode %s gives a score between 0 and 1 and shows each part", (mode) => {
  const high = scored(mode, best(), fit({ local: 1, speed: 1, history: 1 }));
  const low = scored(mode, worst(), fit({ local: 0, speed: 0, history: 0 }));
  expect(high.score).toBe(1);
  expect(low.score).toBe(mode === "target-isolated" ? 0.5 : 0);
  expect(high.parts).toMatchObject({ free: 1, heat: 1, local: 1, speed: 1, policy: 1, history: 1 });
  expect(low.parts).toMatchObject({ free: 0, heat: 0, local: 0, speed: 0, policy: 0, history: 0 });
});

test("an unknown temperature counts as half, a rising one as what it comes to by the end of the run", () => {
  const part = (headroomCelsius: number | "unknown", warmingCelsius: number, runMs: number) =>
    scored("unified", vitalsOf({ headroomCelsius, warmingCelsius }), fit({ runMs })).parts.heat;
  expect(part("unknown", 0, 1000)).toBe(0.5);
  expect(part(15, 0, 10_000)).toBe(0.5);
  expect(part(15, 1, 10_000)).toBeCloseTo(5 / 30, 2);
  expect(part(15, -1, 10_000)).toBe(0.5);
  // A slope says nothing of what comes after half a minute.
  expect(part(35, 1, 3_600_000)).toBeCloseTo(5 / 30, 2);
});

test("modes weigh the parts as they are called", () => {
  const cool = vitalsOf({ headroomCelsius: 30 });
  const hot = vitalsOf({ headroomCelsius: 3 });
  const gap = (mode: Mode) => scored(mode, cool).score - scored(mode, hot).score;
  expect(gap("thermal-aware")).toBeGreaterThan(2 * gap("unified"));
  const near = (mode: Mode) =>
    scored(mode, cool, fit({ local: 1 })).score - scored(mode, cool, fit({ local: 0 })).score;
  expect(near("cache-first")).toBeGreaterThan(0.5);
  expect(near("unified")).toBeLessThan(0.2);
  const tried = (mode: Mode) =>
    scored(mode, cool, fit({ history: 1 })).score - scored(mode, cool, fit({ history: 0 })).score;
  expect(tried("learned")).toBeGreaterThan(3 * tried("unified"));
});

test("mode weighted follows the weights of the configuration, whatever they add up to", () => {
  const only = { free: 0, heat: 0, local: 7, speed: 0, policy: 0, history: 0 };
  expect(score({ mode: "weighted", weights: only }, vitalsOf(), {}, fit({ local: 0.25 })).score).toBe(0.25);
  const none = { ...only, local: 0 };
  expect(score({ mode: "weighted", weights: none }, vitalsOf(), {}, fit()).score).toBe(0);
});

test("an action of a target or label is of the kind of the nodes that have it, any other of the nodes without labels", () => {
  const plain = vitalsOf();
  const gpu = vitalsOf({ labels: ["gpu"] });
  const arm = vitalsOf({ target: "aarch64-linux-gnu" });
  expect([isOwn(plain, {}), isOwn(gpu, {}), isOwn(arm, {})]).toEqual([true, false, true]);
  const labelled = { requires: { labels: ["gpu"] } };
  expect([isOwn(plain, labelled), isOwn(gpu, labelled)]).toEqual([false, true]);
  const native = { requires: { target: "aarch64-linux-gnu" } };
  expect([isOwn(plain, native), isOwn(arm, native)]).toEqual([false, true]);
  expect(scored("target-isolated", plain).score).toBeGreaterThan(scored("target-isolated", gpu).score);
  expect(scored("target-isolated", gpu).parts.own).toBe(0);
});
