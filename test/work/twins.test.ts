import { expect, test } from "vitest";
import { Cores, type Rules } from "../core/cores.ts";
import { graphOf } from "./facts.ts";

const graph = graphOf({ a: [], b: [], c: [], end: ["a", "b", "c"] }, { estimateMs: 500 });

/** The first run of `a` lasts a minute, everything else half a second. */
function straggling(): { rules: Rules; runs: () => number } {
  let runs = 0;
  return {
    rules: { run: ({ action }) => ({ ms: action === "a" && runs++ === 0 ? 60_000 : 500 }) },
    runs: () => runs,
  };
}

test("a run that lasts more than twice what was expected gets one twin, whose result ends it", () => {
  const { rules, runs } = straggling();
  const cores = new Cores({ ann: { slots: 2 }, bob: { slots: 2 }, cy: {} }, rules);
  const from = cores.nowMs;
  cores.finish(cores.submit("ann", graph));
  expect(cores.nowMs - from).toBeLessThan(4000);
  expect(runs()).toBe(2);
  const claims = cores.nodes.flatMap((n) => n.said("claim")).filter((c) => c.action === "a");
  expect(claims.map((c) => c.twin ?? false)).toEqual(expect.arrayContaining([true, false]));
  expect(claims).toHaveLength(2);
  expect(new Set(claims.map((c) => c.holder)).size).toBe(2);
  expect(cores.nodes.flatMap((n) => n.said("abandon"))).toMatchObject([{ reason: "another has the result" }]);
});

test("a twin that is slower is stopped when the first run ends", () => {
  let runs = 0;
  const cores = new Cores(
    { ann: { slots: 2 }, bob: { slots: 2 } },
    { run: ({ action }) => ({ ms: action === "a" ? (runs++ === 0 ? 2500 : 60_000) : 500 }) },
  );
  const build = cores.submit("ann", graph);
  cores.finish(build);
  expect(runs).toBe(2);
  const [first] = cores.nodes.flatMap((n) => n.said("claim")).filter((c) => c.action === "a" && !c.twin);
  expect(cores.nodes.flatMap((n) => n.said("done")).map((d) => d.claim)).toContain(first!.claim);
});

test("nobody gets a twin while nothing says how long an action takes", () => {
  const { rules, runs } = straggling();
  const cores = new Cores({ ann: { slots: 2 }, bob: { slots: 2 } }, rules);
  cores.finish(cores.submit("ann", graphOf({ a: [], end: ["a"] })), 120_000);
  expect(runs()).toBe(1);
});
