/** The chain of actions that a build's duration hangs on, from facts and from estimates. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { criticalPath, type Planned, plannedPath, type Ran } from "../../protocol/explain/critical-path.ts";
import type { ActionName } from "../../protocol/kernel/ids.ts";

const name = (text: string) => text as ActionName;
const ran = (action: string, startMs: number, endMs: number, ...dependsOn: string[]): Ran => ({
  action: name(action),
  startMs,
  endMs,
  dependsOn: dependsOn.map(name),
});
const planned = (action: string, ms: number, ...dependsOn: string[]): Planned => ({
  action: name(action),
  ms,
  dependsOn: dependsOn.map(name),
});

describe("the critical path of what ran", () => {
  it("goes back over the dependency that ended last, with waits and slack", () => {
    const path = criticalPath(
      [ran("a", 110, 200), ran("b", 100, 260), ran("link", 300, 350, "a", "b"), ran("other", 100, 330)],
      100,
    );
    expect(path).toEqual({
      totalMs: 250,
      steps: [
        { action: "b", startMs: 100, endMs: 260, waitMs: 0, slackMs: 60 },
        { action: "link", startMs: 300, endMs: 350, waitMs: 40, slackMs: 20 },
      ],
    });
  });

  it("counts the wait before the first step, and lets cached dependencies hold nothing up", () => {
    const path = criticalPath([ran("a", 140, 200, "cached")], 100);
    expect(path.steps).toEqual([{ action: "a", startMs: 140, endMs: 200, waitMs: 40, slackMs: 100 }]);
    expect(path.totalMs).toBe(100);
  });

  it("of nothing is empty", () => {
    expect(criticalPath([])).toEqual({ totalMs: 0, steps: [] });
  });

  it("ends on damaged facts too", () => {
    const path = criticalPath([ran("a", 0, 10, "b"), ran("b", 0, 10, "a")]);
    expect(path.steps.map((s) => s.action).sort()).toEqual(["a", "b"]);
  });

  it("accounts for every millisecond by steps and waits when dependencies end before what needs them", () => {
    const builds = fc.array(
      fc.record({ waitMs: fc.nat(50), ms: fc.nat(50), deps: fc.array(fc.nat(), { maxLength: 3 }) }),
      { minLength: 1, maxLength: 20 },
    );
    fc.assert(
      fc.property(builds, (build) => {
        const runs: Ran[] = [];
        for (const [i, { waitMs, ms, deps }] of build.entries()) {
          const dependsOn = i === 0 ? [] : [...new Set(deps.map((d) => d % i))];
          const startMs = Math.max(0, ...dependsOn.map((d) => runs[d]!.endMs)) + waitMs;
          runs.push(ran(String(i), startMs, startMs + ms, ...dependsOn.map(String)));
        }
        const path = criticalPath(runs, 0);
        const accounted = path.steps.reduce((sum, s) => sum + s.waitMs + (s.endMs - s.startMs), 0);
        expect(accounted).toBe(path.totalMs);
        expect(path.totalMs).toBe(Math.max(...runs.map((r) => r.endMs)));
      }),
    );
  });
});

describe("the critical path of a plan", () => {
  it("is the longest chain, and everything else has slack", () => {
    const path = plannedPath([
      planned("source", 10),
      planned("a", 50, "source"),
      planned("b", 20, "source"),
      planned("link", 5, "a", "b"),
      planned("docs", 1),
    ]);
    expect(path.totalMs).toBe(65);
    expect(path.steps.map((s) => s.action)).toEqual(["source", "a", "link"]);
    expect(Object.fromEntries(path.slackMs)).toEqual({ source: 0, a: 0, b: 30, link: 0, docs: 64 });
  });

  it("takes dependencies that are not in the plan as done", () => {
    expect(plannedPath([planned("a", 7, "gone")]).totalMs).toBe(7);
    expect(plannedPath([]).totalMs).toBe(0);
  });
});
