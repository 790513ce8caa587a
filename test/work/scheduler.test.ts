import { expect, test } from "vitest";
import { Cores } from "../core/cores.ts";
import { graphOf } from "./facts.ts";

const many = (count: number) =>
  graphOf(Object.fromEntries(Array.from({ length: count }, (_, i) => [`w${i}`, []])));
/** Ann hands out nearly everything and builds nothing. */
const ruled = () => ({ ann: { slots: 60, vitals: { diskFreeBytes: 0 } }, bob: {}, cy: {} });

test("short actions are asked for in bundles once they are known to be short, long ones one by one", () => {
  const counts = (ms: number): number[] => {
    const cores = new Cores(ruled(), { run: () => ({ ms }) });
    cores.finish(cores.submit("ann", many(200)), 600_000);
    return cores
      .node("bob")
      .sent("ask")
      .map(({ message }) => message.count);
  };
  const short = counts(5);
  expect(Math.max(...short)).toBeGreaterThan(10);
  expect(Math.max(...short)).toBeLessThanOrEqual(64);
  expect(short.length).toBeLessThan(60);
  expect(new Set(counts(700))).toEqual(new Set([1]));
});

test("the steward gives what is ready to nodes that idle: each gets something else", () => {
  const cores = new Cores({
    ann: { slots: 60, vitals: { diskFreeBytes: 0 } },
    b: {},
    c: {},
    d: {},
    e: {},
    f: {},
  });
  cores.rules.run = () => ({ ms: 1, never: true });
  cores.submit("ann", many(60));
  cores.runFor(400);
  const holders = cores.nodes.flatMap((n) => n.said("claim").map((c) => c.holder));
  expect(new Set(holders).size).toBe(5);
  expect(holders).toHaveLength(5);
});

test("an ask tells why, and the view it stands on is said once", () => {
  const cores = new Cores({ ann: { slots: 2 }, bob: {} });
  const build = cores.submit("ann", many(10));
  cores.finish(build);
  const claims = cores.nodes.flatMap((n) => n.said("claim")).filter((c) => c.why) as {
    why: Record<string, unknown>;
  }[];
  expect(claims.length).toBeGreaterThan(0);
  const views = cores.nodes.flatMap((n) => n.said("view").map((v) => v.digest));
  for (const { why } of claims) {
    expect(why).toMatchObject({ seen: 2, parts: { free: expect.any(Number), speed: expect.any(Number) } });
    expect(views).toContain(why.view);
  }
  for (const node of cores.nodes) {
    const said = node.said("view").map((v) => v.digest);
    expect(new Set(said).size).toBe(said.length);
  }
});

test("a node that sees fewer than half of the members says so", () => {
  const cores = new Cores({ ann: {}, bob: {}, cy: {}, dee: {}, eve: {} });
  for (const name of ["bob", "cy", "dee"]) cores.kill(name);
  cores.runFor(4000);
  cores.finish(cores.submit("ann", many(4)));
  const whys = cores.nodes.flatMap((n) => n.said("claim")).flatMap((c) => (c.why ? [c.why] : []));
  expect(whys.length).toBeGreaterThan(0);
  for (const why of whys) expect(why).toMatchObject({ partial: true, seen: 2 });
});

test("nothing waits while a node that may build it idles", () => {
  const cores = new Cores({ ann: { slots: 2 }, bob: { slots: 2 }, cy: {} }, { run: () => ({ ms: 1000 }) });
  const from = cores.nowMs;
  cores.finish(cores.submit("ann", many(50)));
  // Ten rounds of a second on five slots, and some asking.
  expect(cores.nowMs - from).toBeLessThan(11_500);
});

test("what is left to a faster node is not taken by a slower one while that node goes on with what ranks before it", () => {
  const speeds = { fay: 8, sid: 1 };
  const cores = new Cores(
    { fay: {}, sid: {} },
    { run: ({ action }, { name }) => ({ ms: (action === "leaf" ? 3000 : 800) / speeds[name as "fay"] }) },
  );
  for (const node of cores.nodes)
    node.core.desk.estimates.know({
      groups: new Map(),
      actions: new Map(),
      speeds: new Map(
        cores.nodes.map(({ peer, name }) => [
          peer,
          { sum: 100 * Math.log(speeds[name as "fay"]), weight: 100 },
        ]),
      ),
    });
  const line = Object.fromEntries(
    Array.from({ length: 70 }, (_, i) => [`c${i}`, i > 0 ? [`c${i - 1}`] : []]),
  );
  const graph = graphOf({ ...line, leaf: [] });
  const actions = graph.actions.map((a) => ({ ...a, estimateMs: a.name === "leaf" ? 3000 : 800 }));
  cores.finish(cores.submit("fay", { ...graph, actions }));
  expect(cores.executions.filter((e) => e.action === "leaf").map((e) => e.node)).toEqual(["fay"]);
});

test("of two builds the one with the higher priority is worked on first", () => {
  const cores = new Cores({ ann: {} }, { run: () => ({ ms: 100 }) });
  const low = cores.submit("ann", many(30));
  const urgent = cores.submit("ann", graphOf({ u0: [], u1: [], u2: [], u3: [], u4: [] }), 9);
  const after = cores.executions.length;
  cores.finish(low);
  const order = cores.executions.slice(after).map((e) => e.build);
  expect(order.filter((b) => b === urgent)).toHaveLength(5);
  // What was in hand already is done before it.
  expect(order.lastIndexOf(urgent)).toBeLessThan(10);
});

test("in a large swarm a view names the asking node and the best of the others, and counts the rest", () => {
  const others = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`n${i}`, {}]));
  const cores = new Cores({ ann: { slots: 2 }, ...others });
  cores.finish(cores.submit("ann", many(60)));
  const whys = cores.nodes.flatMap((n) => n.said("claim")).flatMap((c) => (c.why ? [c.why] : []));
  expect(whys.some((why) => (why as { seen: number }).seen === 21)).toBe(true);
  for (const node of cores.nodes)
    for (const view of node.said("view")) {
      const { nodes, rest } = view as unknown as { nodes: { peer: string }[]; rest?: { nodes: number } };
      expect(nodes.length).toBeLessThanOrEqual(16);
      expect(nodes.map((n) => n.peer)).toContain(node.peer);
      expect(nodes.length + (rest?.nodes ?? 0)).toBeGreaterThan(16);
    }
});
