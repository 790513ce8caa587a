/** A build that ran becomes a workload and a cluster. */
import { expect, test } from "vitest";
import type { ActionName } from "../../protocol/kernel/ids.ts";
import { recordedOf } from "../../sim/recorded.ts";
import { workloadOf } from "../../sim/workload.ts";

const tasks = Array.from({ length: 40 }, (_, i) => ({
  id: `t${i}`,
  deps: i === 0 ? [] : ["t0"],
  workMs: 1,
  outputBytes: 1,
  group: i % 2 === 0 ? "compile" : "test",
  inputs: [100],
}));
const { graph } = workloadOf("was", tasks);
const names = graph.actions.map((a) => a.name);
const node = (name: string, slots: number) => ({ name, slots, labels: ["x86_64"], memoryBytes: 2 ** 33 });

test("durations are brought to speed 1, by how fast each node turned out to be", () => {
  // Compiles take 4 s and tests 1 s; bob takes half of that.
  const ran = names.map((action, i) => ({
    action,
    node: i % 4 < 2 ? "ann" : "bob",
    wallMs: (i % 2 === 0 ? 4000 : 1000) / (i % 4 < 2 ? 1 : 2),
  }));
  const { workload, cluster } = recordedOf({
    graph,
    ran,
    outputBytes: new Map([["t0" as ActionName, 500]]),
    nodes: [node("ann", 4), node("bob", 2), node("idle", 1)],
  });
  const speed = new Map(cluster.nodes.map((n) => [n.id, n.speed]));
  expect(speed.get("bob")! / speed.get("ann")!).toBeGreaterThan(1.6);
  expect(speed.get("bob")! / speed.get("ann")!).toBeLessThan(2.1);
  expect(speed.get("idle")).toBe(1);
  expect(cluster.nodes.map((n) => n.slots)).toEqual([4, 2, 1]);
  for (const { action, node: where, wallMs } of ran)
    expect(workload.costs.get(action)!.workMs / speed.get(where)!).toBeCloseTo(wallMs);
  expect(workload.costs.get("t0" as ActionName)?.outputBytes).toBe(500);
  expect(workload.graph.actions.map((a) => a.name)).toEqual(names);
});

test("what came from the cache takes no time, and a node that is gone is there as it was", () => {
  const { workload, cluster } = recordedOf({
    graph,
    ran: [{ action: names[0]!, node: "gone", wallMs: 70 }],
    outputBytes: new Map(),
    nodes: [node("ann", 2)],
  });
  expect([...workload.costs.values()].reduce((sum, c) => sum + c.workMs, 0)).toBe(70);
  expect(cluster.nodes.map((n) => [n.id, n.slots, n.speed])).toEqual([
    ["ann", 2, 1],
    ["gone", 1, 1],
  ]);
});
