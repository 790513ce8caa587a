/** Upward ranks, dependency order, and the plan that follows from them. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { FileSet, Graph, GraphAction } from "../../protocol/build/graph.ts";
import { order } from "../../protocol/build/order.ts";
import { byUrgency, planOf, upwardRanks } from "../../protocol/build/rank.ts";
import type { ActionName } from "../../protocol/kernel/ids.ts";

/** `dependencies[i]` are places of actions that action i takes outputs of. */
function graphOf(dependencies: readonly (readonly number[])[]): Graph {
  const sets: FileSet[] = dependencies.map((_, i) => ({ from: String(i) as ActionName, output: `${i}.o` }));
  const actions: GraphAction[] = dependencies.map((inputs, i) => ({
    name: String(i) as ActionName,
    group: "group",
    argv: ["true"],
    env: {},
    inputs,
    outputs: [{ path: `${i}.o`, kind: "file" }],
    toolchains: {},
    timeoutMs: 1000,
    silenceMs: 0,
    attemptsMax: 1,
    cache: true,
  }));
  return { version: 1, name: "test", files: [], sets, actions };
}

const dags = fc
  .array(fc.array(fc.nat(), { maxLength: 4 }), { minLength: 1, maxLength: 30 })
  .map((rows) => rows.map((row, i) => (i === 0 ? [] : [...new Set(row.map((d) => d % i))])));

describe("upward ranks", () => {
  it("are an action's own time and the longest chain behind it", () => {
    const ms = [10, 50, 20, 5];
    const graph = graphOf([[], [0], [0], [1, 2]]);
    expect([...upwardRanks(graph, (a) => ms[Number(a.name)]!)]).toEqual([65, 55, 25, 5]);
  });

  it("take estimates that are no positive number as one millisecond", () => {
    expect([...upwardRanks(graphOf([[], [0]]), () => Number.NaN)]).toEqual([2, 1]);
  });

  it("make the plan list every action once, behind all it depends on", () => {
    fc.assert(
      fc.property(dags, fc.array(fc.nat(3), { minLength: 30, maxLength: 30 }), (dag, ms) => {
        const graph = graphOf(dag);
        const plan = planOf(graph, (a) => ms[Number(a.name)]!);
        const place = new Map(plan.map((step, i) => [step.action.name, i]));
        expect(place.size).toBe(dag.length);
        for (const [i, step] of plan.entries())
          for (const dependency of step.dependsOn) expect(place.get(dependency)).toBeLessThan(i);
      }),
    );
  });
});

describe("dependency order", () => {
  it("puts every action behind its dependencies, from any order", () => {
    const shuffledDags = dags.chain((dag) => {
      const places = dag.map((_, i) => i);
      return fc.tuple(
        fc.constant(dag),
        fc.shuffledSubarray(places, { minLength: places.length, maxLength: places.length }),
      );
    });
    fc.assert(
      fc.property(shuffledDags, ([dag, places]) => {
        const graph = graphOf(dag);
        const ordered = order(
          places.map((p) => graph.actions[p]!),
          graph.sets,
        );
        if (!Array.isArray(ordered)) throw new Error(`a cycle where there is none: ${ordered.cycle}`);
        const place = new Map(ordered.map((a, i) => [a.name, i]));
        expect(place.size).toBe(dag.length);
        dag.forEach((inputs, i) => {
          for (const d of inputs)
            expect(place.get(String(d) as ActionName)).toBeLessThan(place.get(String(i) as ActionName)!);
        });
      }),
    );
  });

  it("keeps the order given where nothing speaks against it", () => {
    const graph = graphOf([[], [], [0]]);
    expect(order(graph.actions, graph.sets)).toEqual(graph.actions);
  });

  it("answers with the cycle, each action taking an output of the next", () => {
    const graph = graphOf([[1], [2], [0], []]);
    expect(order(graph.actions, graph.sets)).toEqual({ cycle: ["0", "1", "2"] });
  });

  it("follows chains longer than the engine's stack", () => {
    const graph = graphOf(Array.from({ length: 50_000 }, (_, i) => (i === 49_999 ? [] : [i + 1])));
    const ordered = order(graph.actions, graph.sets) as GraphAction[];
    expect(ordered[0]?.name).toBe("49999");
  });
});

it("what is urgent goes first, and with it what it waits for", () => {
  // 0 ← 1 ← 2 is the long chain; 3 ← 4 is urgent.
  const graph = graphOf([[], [0], [1], [], [3], []]);
  const urgent = {
    ...graph,
    actions: graph.actions.map((a) =>
      a.name === "4" ? { ...a, priority: 7 } : a.name === "5" ? { ...a, priority: -1 } : a,
    ),
  };
  const ranks = upwardRanks(urgent, () => 1000);
  expect([...byUrgency(urgent, ranks)]).toEqual([3, 4, 0, 1, 2, 5]);
  expect([...byUrgency(graph, ranks)]).toEqual([0, 1, 3, 2, 4, 5]);
});
