import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { TimelineLine } from "../../node/control/account.ts";
import type { ActionState, ActionView } from "../../node/control/api.ts";
import { boxHeight, boxWidth, layoutOf } from "../../node/gateway/web/graph/layout.ts";
import { LiveBuild } from "../../node/gateway/web/graph/live-build.ts";
import { runsOf } from "../../node/gateway/web/runs.ts";
import type { ActionName } from "../../protocol/kernel/ids.ts";

/** Edges lead from lower to higher numbers: no circles. */
const graphs = fc.integer({ min: 1, max: 60 }).chain((count) =>
  fc.array(fc.tuple(fc.nat(count - 1), fc.nat(count - 1)), { maxLength: 150 }).map((pairs) => ({
    count,
    edges: Uint32Array.from(
      pairs.filter(([a, b]) => a !== b).flatMap(([a, b]) => [Math.min(a, b), Math.max(a, b)]),
    ),
  })),
);

describe("the layout of a graph", () => {
  test("puts every action right of all it stands on, and none over another", () => {
    fc.assert(
      fc.property(graphs, (graph) => {
        const { x, y, width, height } = layoutOf(graph);
        for (let e = 0; e < graph.edges.length; e += 2)
          expect(x[graph.edges[e]!]! + boxWidth).toBeLessThan(x[graph.edges[e + 1]!]!);
        const places = new Set<string>();
        for (let i = 0; i < graph.count; i++) {
          places.add(`${x[i]} ${y[i]}`);
          expect(x[i]! + boxWidth).toBeLessThanOrEqual(width + 0.01);
          expect(y[i]! + boxHeight).toBeLessThanOrEqual(height + 0.01);
        }
        expect(places.size).toBe(graph.count);
      }),
      { numRuns: 60 },
    );
  });

  test("keeps a wide build on one screen", () => {
    const { width, height } = layoutOf({ count: 5000, edges: new Uint32Array(0) });
    expect(width / height).toBeGreaterThan(0.5);
    expect(width / height).toBeLessThan(8);
  });
});

const view = (name: string, dependsOn: readonly string[], state: ActionState): ActionView => ({
  name: name as ActionName,
  group: "make",
  state,
  dependsOn: dependsOn as readonly ActionName[],
  cached: false,
  outputs: [],
  attempts: [],
});
const line = (kind: string, action: string | undefined, more: object = {}): TimelineLine =>
  ({ kind, action, node: "beta", atMs: 0, event: { kind, ...more }, ...more }) as unknown as TimelineLine;

describe("a build that is followed", () => {
  const views = [view("a", [], "ready"), view("b", ["a"], "waiting"), view("c", ["a", "b"], "waiting")];
  const states = (live: LiveBuild) => live.actions.map(({ state }) => state).join(" ");

  test("goes forward by what is said, and makes ready what has all it stands on", () => {
    const live = new LiveBuild(views);
    const told = (kind: string, action?: string, more?: object) => live.take(line(kind, action, more));
    told("claim", "a", { claim: "1" });
    expect(states(live)).toBe("claimed waiting waiting");
    told("start", undefined, { claim: "1" });
    expect(states(live)).toBe("running waiting waiting");
    told("done", undefined, { claim: "1" });
    told("done", undefined, { claim: "1" });
    expect(states(live)).toBe("done ready waiting");
    expect(live.actions[0]!.node).toBe("beta");
    expect(told("cached", "b")).toBe(false);
    expect(states(live)).toBe("done done ready");
    expect(live.counts()).toMatchObject({ done: 2, ready: 1 });
  });

  test("asks for more where an event does not say what came of it", () => {
    const live = new LiveBuild(views);
    for (const kind of ["fail", "sealed", "forgive", "lost"]) expect(live.take(line(kind, "a"))).toBe(true);
    expect(live.take(line("start", "unheard-of"))).toBe(true);
    expect(live.take(line("release.staged", undefined))).toBe(false);
  });

  test("takes what was read again, unless it is another graph", () => {
    const live = new LiveBuild(views);
    expect(live.replace([view("a", [], "done"), views[1]!, views[2]!])).toBe(true);
    expect(states(live)).toBe("done waiting waiting");
    expect(live.replace(views.slice(1))).toBe(false);
  });
});

test("runs are put together from claims and what came of them, those at once beside each other", () => {
  const said = (kind: string, claim: string, atMs: number, more: object = {}) =>
    line(kind, claim, { claim, atMs, peerId: "b", ...more });
  const claimed = (claim: string, atMs: number) =>
    said("claim", claim, atMs, { holder: "b", peerId: "s", node: "steward" });
  const usage = { fetchMs: 20, wallMs: 70 };
  const byNode = runsOf([
    claimed("1", 0),
    claimed("2", 10),
    said("start", "2", 50),
    said("done", "1", 100, { usage }),
    claimed("3", 100),
    said("fail", "2", 120),
    said("done", "unheard-of", 130),
  ]);
  expect([...byNode.keys()]).toEqual(["beta"]);
  const runs = byNode.get("beta")!;
  expect(runs.map(({ action, lane, outcome }) => `${action} ${lane} ${outcome}`)).toEqual([
    "1 0 done",
    "2 1 failed",
    "3 0 running",
  ]);
  expect(runs[0]).toMatchObject({ fromMs: 0, fetchMs: 10, runMs: 30, toMs: 100 });
});
