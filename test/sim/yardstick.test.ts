import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { lowerBoundMs } from "../../sim/bound.ts";
import { type Cluster, clusterOfKinds, clusterSchema, readCluster } from "../../sim/cluster.ts";
import { cpop, heft } from "../../sim/heft.ts";
import { chain, fan, layered, readWorkload, type Workload, workloadOf } from "../../sim/workload.ts";
import { yardstickOf } from "../../sim/yardstick.ts";

const clusterOf = (...nodes: { slots: number; speed: number }[]): Cluster =>
  clusterSchema.parse({ latency_s: 0, nodes: nodes.map((n, i) => ({ id: `n${i}`, ...n })) });
const file = (path: string) => readFileSync(new URL(`../../specs/${path}`, import.meta.url), "utf8");

describe("the lower bound", () => {
  test("is the longest path at the fastest speed", () => {
    const cluster = clusterOf({ slots: 4, speed: 1 }, { slots: 1, speed: 2 });
    expect(yardstickOf(chain(5, 1000), cluster).boundMs).toBe(2500);
  });

  test("is all work over all slots", () => {
    const cluster = clusterOf({ slots: 2, speed: 1 }, { slots: 1, speed: 2 });
    const even = workloadOf(
      "even",
      Array.from({ length: 400 }, (_, i) => ({
        id: `t${i}`,
        deps: [],
        workMs: 10,
        outputBytes: 0,
        group: "g",
        inputs: [],
      })),
    );
    expect(yardstickOf(even, cluster).boundMs).toBe(1000);
  });

  test("counts tasks that must share a slot", () => {
    // Five equal tasks on four slots: one slot has two, whatever the area says.
    expect(
      lowerBoundMs({
        slots: [4],
        kinds: [0],
        needs: [[], [], [], [], []],
        cost: () => 10,
        transfer: () => 0,
      }),
    ).toBe(20);
  });

  test("no plan goes below it", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1000 }),
        fc.array(fc.record({ slots: fc.integer({ min: 1, max: 3 }), speed: fc.constantFrom(0.5, 1, 2, 3) }), {
          minLength: 1,
          maxLength: 5,
        }),
        (seed, nodes) => {
          const { heftMs, boundMs } = yardstickOf(layered(seed, 4, 6, 1000), clusterOf(...nodes));
          expect(heftMs).toBeGreaterThanOrEqual(boundMs - 1e-6);
        },
      ),
      { numRuns: 50 },
    );
  });

  test("holds where processors are good at different tasks", () => {
    // Two tasks, each fast on its own processor.
    const shop = {
      slots: [1, 1],
      kinds: [0, 1],
      needs: [[], []],
      cost: (task: number, kind: number) => (task === kind ? 10 : 100),
      transfer: () => 0,
    };
    expect(lowerBoundMs(shop)).toBe(10);
    expect(heft(shop).makespanMs).toBe(10);
    expect(cpop(shop).makespanMs).toBeGreaterThanOrEqual(10);
  });
});

describe("HEFT over a cluster", () => {
  test("pays the latency and the bytes of an output that another node takes", () => {
    const two = clusterSchema.parse({
      latency_s: 0.5,
      nodes: [
        { id: "a", slots: 1, bandwidth_Bps: 1000 },
        { id: "b", slots: 1, bandwidth_Bps: 500 },
      ],
    });
    const task = (id: string, deps: string[], workMs: number) => ({
      id,
      deps,
      workMs,
      outputBytes: 1000,
      group: "g",
      inputs: [],
    });
    // Both halves take 10 s each; moving one output takes 0.5 s and 2 s.
    const halves = workloadOf("w", [
      task("x", [], 10_000),
      task("y", [], 10_000),
      task("z", ["x", "y"], 1000),
    ]);
    expect(yardstickOf(halves, two).heftMs).toBe(13_500);
  });

  test("keeps actions off nodes that lack what they ask for", () => {
    const plain = fan(4, 1000);
    const graph = {
      ...plain.graph,
      actions: plain.graph.actions.map((a) => ({
        ...a,
        requires: { memoryBytes: 16 * 2 ** 30, cpus: 2, labels: ["big"] },
      })),
    };
    const heavy: Workload = { ...plain, graph };
    const cluster = clusterOf({ slots: 8, speed: 1 });
    expect(() => yardstickOf(heavy, cluster)).toThrow(RangeError);
    const nodes = [
      ...cluster.nodes,
      { ...cluster.nodes[0]!, id: "big", slots: 4, labels: ["big"], memory_bytes: 64 * 2 ** 30 },
    ];
    const { plan, boundMs } = yardstickOf(heavy, { ...cluster, nodes });
    expect(plan.makespanMs).toBe(3000);
    expect(boundMs).toBeLessThanOrEqual(3000);
    for (const { node, slots } of plan.placements)
      expect({ node, slots: slots.length }).toEqual({ node: 1, slots: 2 });
  });

  test("takes the shared clusters and measured builds", () => {
    const leveldb = readWorkload(file("workloads/build-leveldb.json"));
    for (const [name, count] of [
      ["c4.json", 4],
      ["c32.json", 32],
      ["c32-thermal.json", 32],
      ["c1024.json", 1024],
    ] as const) {
      const cluster = readCluster(file(`clusters/${name}`), name);
      expect(cluster.nodes).toHaveLength(count);
      const { heftMs, boundMs } = yardstickOf(leveldb, cluster);
      expect(heftMs).toBeGreaterThanOrEqual(boundMs);
      expect(heftMs).toBeLessThan(2 * boundMs);
    }
  });

  test("plans ten thousand tasks on a thousand nodes in seconds", () => {
    const nodes = readCluster(file("clusters/c1024.json"), "c1024.json");
    const { heftMs, boundMs } = yardstickOf(layered(1, 3, 3334, 10_000), nodes);
    expect(heftMs).toBeLessThan(3 * boundMs);
  });
});

describe("a cluster", () => {
  const refusal = (text: string) => {
    try {
      readCluster(text, "c.json");
    } catch (error) {
      return (error as Error).message;
    }
    return undefined;
  };

  test("that could build nothing is refused at its place", () => {
    expect(refusal('{"nodes":\n []}')).toMatch(/^c\.json:2:2: a cluster of no nodes/);
    expect(refusal('{"nodes": [{"id": "a", "slots": 0},\n {"id": "b", "slots": 0}]}')).toMatch(
      /^c\.json:1:\d+: no node has a slot/,
    );
    expect(refusal('{"nodes": [{"id": "a"},\n{"id": "a"}]}')).toMatch(/^c\.json:2:8: two nodes are named a/);
    expect(refusal('{"nodes": [{"id": "a", "speed": 0}]}')).toMatch(
      /^c\.json:1:33: nodes\.0\.speed: must be above 0/,
    );
    expect(refusal('{"nodes": [{"id": "a", "sped": 1}]}')).toMatch(
      /^c\.json:1:24: unknown key "sped"\n {2}hint: did you mean "speed"\?/,
    );
    expect(refusal('{"nodes": [{"id": "a b"}]}')).toMatch(/^c\.json:1:19: /);
    expect(refusal("nodes: [{id: a},\n {id: a}]")).toMatch(/^c\.json:2:7: two nodes/);
    expect(refusal("{")).toMatch(/^c\.json:1:\d: /);
  });

  test("may be counted out in kinds", () => {
    const { nodes } = clusterOfKinds({
      name: "k",
      latency_s: 0,
      kinds: [
        { count: 2, speed: 1, slots: 4, labels: [], bandwidth_Bps: 1 },
        { count: 1, speed: 2, slots: 8, labels: ["fast"], bandwidth_Bps: 1 },
      ],
    });
    expect(nodes.map((n) => [n.id, n.slots])).toEqual([
      ["n0", 4],
      ["n1", 4],
      ["n2", 8],
    ]);
  });
});
