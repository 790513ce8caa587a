import { expect, test } from "vitest";
import { Cores } from "../core/cores.ts";
import { graphOf } from "./facts.ts";

const wide = graphOf(Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`w${i}`, []])));
const three = { ann: {}, bob: {}, cy: {} };
const forever = () => ({ ms: 1, never: true });

test("a node runs no more at once than it has slots, and uses all of them", () => {
  const cores = new Cores({ ann: { slots: 3 }, bob: { slots: 1 } });
  let most = { ann: 0, bob: 0 };
  cores.rules.stepped = () => {
    most = {
      ann: Math.max(most.ann, cores.node("ann").running.size),
      bob: Math.max(most.bob, cores.node("bob").running.size),
    };
  };
  cores.finish(cores.submit("bob", wide));
  expect(most).toEqual({ ann: 3, bob: 1 });
});

test("a node without slots builds nothing and is steward of nothing", () => {
  const cores = new Cores({ ann: { slots: 0 }, bob: {} });
  cores.finish(cores.submit("ann", wide));
  expect(new Set(cores.executions.map((e) => e.node))).toEqual(new Set(["bob"]));
  expect(cores.node("ann").said("claim")).toEqual([]);
});

test("short actions say no start, long ones say it once", () => {
  const cores = new Cores(three);
  cores.rules.run = (request) => ({ ms: request.action === "w0" ? 5000 : 300 });
  cores.finish(cores.submit("ann", wide));
  expect(cores.nodes.flatMap((n) => n.said("start"))).toHaveLength(1);
});

test("inputs are brought before an action runs, from those that have them, and only what is not here", () => {
  const cores = new Cores({ ann: {}, bob: {} });
  const build = cores.submit("ann", graphOf({ a: [], b: ["a"], c: ["b"], d: ["c"] }));
  cores.finish(build);
  for (const node of cores.nodes) {
    const fetched = node.of("fetch").filter((f) => !/^(hold|gather):/.test(f.id));
    const digests = fetched.flatMap((f) => f.wants.map((w) => w.digest));
    expect(new Set(digests).size).toBe(digests.length);
    for (const want of fetched.flatMap((f) => f.wants)) expect(want.from).not.toContain(node.peer);
  }
});

test("inputs that died with their holder are reported lost, the claim is given back, and both run again", () => {
  const cores = new Cores({ ann: { slots: 50, vitals: { diskFreeBytes: 0 } }, bob: {}, cy: {} });
  const build = cores.submit("ann", graphOf({ a: [], b: ["a"], c: ["b"] }));
  cores.runUntil(() => cores.nodes.some((n) => n.said("done").length > 0));
  cores.kill(cores.executions[0]!.node);
  cores.finish(build);
  expect(cores.runs()).toEqual({ a: 2, b: 1, c: 1 });
  expect(cores.nodes.flatMap((n) => n.said("lost")).map((e) => e.action)).toEqual(["a"]);
  const back = cores.nodes.flatMap((n) => n.said("abandon")).map((e) => e.reason);
  expect(back.length).toBeGreaterThan(0);
  for (const reason of back) expect(reason).toMatch(/inputs/);
});

test("a folder that can be had from nobody is lost: its claim is given back and nobody asks for it without end", () => {
  const plain = graphOf({ a: [], b: ["a"] });
  const graph = {
    ...plain,
    actions: plain.actions.map((x) => ({
      ...x,
      outputs: [{ path: `out/${x.name}`, kind: "folder" as const }],
    })),
  };
  // Ann hands out everything and may build nothing; she alone still reads the folder.
  const cores = new Cores({ ann: { slots: 50, vitals: { diskFreeBytes: 0 } }, bob: {}, cy: {} });
  let reads = 0;
  cores.rules.instead = (node, effect) => {
    if (effect.kind !== "read-tree" || node.name === "ann") return false;
    reads++;
    if (cores.runs().a !== 1) return false;
    cores.later(node, 1, { kind: "tree-read", digest: effect.want.digest, files: null });
    return true;
  };
  cores.rules.run = () => ({ ms: 2000 });
  const build = cores.submit("ann", graph);
  cores.finish(build);
  expect(cores.runs()).toEqual({ a: 2, b: 1 });
  expect(cores.nodes.flatMap((n) => n.said("lost"))).toHaveLength(1);
  expect(cores.nodes.flatMap((n) => n.said("abandon"))).toHaveLength(1);
  expect(reads).toBeLessThan(10);
});

test("of two claims for one action the loser stops as soon as it knows, and says so", () => {
  const cores = new Cores(three);
  cores.rules.run = () => ({ ms: 3000 });
  // Two sides that each hold the other dead hand out everything twice.
  let apart = true;
  cores.rules.drops = (from, to) => apart && (from === "cy") !== (to === "cy");
  const build = cores.submit("ann", wide);
  cores.runFor(10);
  apart = false;
  cores.runFor(3000);
  apart = true;
  for (const [a, b] of [
    ["ann", "cy"],
    ["bob", "cy"],
  ] as const) {
    cores.step(cores.node(a), { kind: "disconnected", peer: cores.node(b).peer });
    cores.step(cores.node(b), { kind: "disconnected", peer: cores.node(a).peer });
  }
  cores.runFor(6000);
  apart = false;
  for (const [a, b] of [
    ["ann", "cy"],
    ["bob", "cy"],
  ] as const) {
    cores.step(cores.node(a), { kind: "connected", peer: cores.node(b).peer });
    cores.step(cores.node(b), { kind: "connected", peer: cores.node(a).peer });
  }
  cores.finish(build, 120_000);
  cores.runFor(2000);
  expect(new Set(cores.nodes.map((n) => n.build(build).claims!.digest())).size).toBe(1);
  expect(cores.states(build).ann).toEqual(Array(12).fill("done"));
  expect(cores.nodes.every((n) => n.running.size === 0)).toBe(true);
});

test("cancel stops what runs everywhere, and the build is sealed as cancelled", () => {
  const cores = new Cores(three, { run: forever });
  const build = cores.submit("ann", wide);
  cores.runUntil(() => cores.nodes.every((n) => n.running.size > 0));
  expect(cores.command("cy", { kind: "control", build, op: "cancel", reason: "enough" })).toMatchObject({
    ok: true,
    lost: 3,
  });
  cores.finish(build, 2000);
  expect(cores.nodes.every((n) => n.running.size === 0)).toBe(true);
  expect(cores.nodes.flatMap((n) => n.of("kill"))).toHaveLength(3);
  expect(cores.node("bob").build(build).claims!.sealed!.event.state).toBe("cancelled");
  expect(cores.command("bob", { kind: "control", build, op: "pause" })).toMatchObject({
    ok: false,
    code: "refused",
  });
});

test("pause lets running actions end and starts none, resume goes on", () => {
  const cores = new Cores(three, { run: () => ({ ms: 400 }) });
  const build = cores.submit("ann", wide);
  cores.runUntil(() => cores.nodes.every((n) => n.running.size > 0));
  cores.command("bob", { kind: "control", build, op: "pause" });
  cores.runFor(1000);
  const begun = cores.executions.length;
  expect(cores.nodes.every((n) => n.running.size === 0)).toBe(true);
  expect(cores.node("cy").build(build).claims!.state).toBe("paused");
  cores.runFor(3000);
  expect(cores.executions).toHaveLength(begun);
  expect(cores.nodes.flatMap((n) => n.of("kill"))).toEqual([]);
  cores.command("ann", { kind: "control", build, op: "resume" });
  cores.finish(build);
  expect(Object.values(cores.runs())).toEqual(Array(12).fill(1));
});

test("pause hands back what was granted and has not begun", () => {
  const cores = new Cores({ ann: {}, bob: {} });
  const build = cores.submit("ann", graphOf({ a: [], b: [], c: [], d: [], e: [], f: [] }));
  cores.rules.run = forever;
  // The inputs never come, so that what was granted cannot begin.
  cores.rules.instead = (_, effect) => effect.kind === "fetch";
  const holding = () => cores.nodes.flatMap((n) => [...(n.build(build)?.claims?.openClaims ?? [])]).length;
  cores.runUntil(() => holding() > 0, 5000);
  cores.runFor(100);
  cores.command("ann", { kind: "control", build, op: "pause" });
  cores.runFor(500);
  for (const claim of cores.node("ann").build(build).claims!.openClaims)
    expect([...cores.nodes.flatMap((n) => [...n.running.keys()])]).toContain(claim.id);
});

test("a claim that waits in a bundle behind a slow action is given back while others could run it", () => {
  const cores = new Cores({ ann: {}, bob: {} });
  const many = graphOf(Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`w${i}`, []])));
  const build = cores.submit("ann", many);
  let slow = 0;
  cores.rules.run = (_, node) => (node.name === "bob" && ++slow >= 5 ? { ms: 6000 } : { ms: 10 });
  cores.finish(build);
  const reasons = cores
    .node("bob")
    .said("abandon")
    .map((e) => e.reason);
  // The slow one itself may get a twin, and is stopped for it.
  expect(reasons.filter((r) => r !== "another has the result").length).toBeGreaterThan(0);
  expect(reasons).toContain("it waits behind a slow action of its bundle");
  expect(cores.states(build).ann).toEqual(Array(60).fill("done"));
});

test("short actions do not stay with nodes whose slots are held by long ones", () => {
  const cores = new Cores({ ann: {}, bob: {}, cy: {} });
  const shorts = (prefix: string, count: number) =>
    Array.from({ length: count }, (_, i) => [`${prefix}${i}`, []]);
  cores.rules.run = (request) => (request.action.startsWith("long") ? { ms: 60_000 } : { ms: 5 });
  cores.finish(cores.submit("ann", graphOf(Object.fromEntries(shorts("warm", 40)))));
  const mixed = graphOf(Object.fromEntries([...shorts("long", 2), ...shorts("short", 40)]));
  const actions = mixed.actions.map((x) => (x.name.startsWith("long") ? { ...x, group: "link" } : x));
  const build = cores.submit("ann", { ...mixed, actions });
  const from = cores.nowMs;
  cores.runUntil(() => cores.node("ann").build(build).claims?.actions.counts.done === 40);
  expect(cores.nowMs - from).toBeLessThan(5000);
});

test("a node that fails by its own doing leaves the action to others for a while, and nothing is blocked", () => {
  const cores = new Cores(three);
  cores.rules.run = (_, node) =>
    node.name === "ann"
      ? { ms: 5, outcome: { kind: "failed", cause: "infrastructure", reason: "no room" } }
      : { ms: 50 };
  const build = cores.submit("ann", wide);
  cores.finish(build);
  expect(cores.states(build).ann).toEqual(Array(12).fill("done"));
  const failed = cores.executions.filter((e) => e.node === "ann");
  expect(failed.length).toBeLessThanOrEqual(12 * 2);
});
