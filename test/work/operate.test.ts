import { describe, expect, test } from "vitest";
import type { Graph } from "../../protocol/build/graph.ts";
import type { CommandReply, ExecuteOutcome, Operation } from "../../protocol/contract.ts";
import type { ActionName, BuildId, ClaimId } from "../../protocol/kernel/ids.ts";
import type { Claims } from "../../protocol/work/claims.ts";
import { Cores, type Node } from "../core/cores.ts";
import { graphOf } from "./facts.ts";

const three = { ann: {}, bob: {}, cy: {} };
const many = graphOf(Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`w${i}`, []])));
const failed: ExecuteOutcome = { kind: "failed", cause: "deterministic", reason: "it is broken" };
const broken: ExecuteOutcome = { kind: "failed", cause: "infrastructure", reason: "the disk is gone" };
const forever = () => ({ ms: 1, never: true });

const operate = (cores: Cores, at: string, operation: Operation, dryRun = false): CommandReply =>
  cores.command(at, { kind: "operate", operation, dryRun })!;
const running = (cores: Cores) => cores.nodes.reduce((sum, n) => sum + (n.up ? n.running.size : 0), 0);
const orderOf = (seenBy: Node, node: Node) => seenBy.core.desk.orders.of(node.peer);
/** Hands a build in; it is open on ann, but nothing of it has begun to matter. */
function submit(cores: Cores, graph: Graph) {
  const build = cores.submit("ann", graph);
  cores.runUntil(() => cores.node("ann").build(build).claims !== undefined);
  return { build, claims: cores.node("ann").build(build).claims! };
}
const everySees = (cores: Cores, build: BuildId, holds: (claims: Claims) => boolean) =>
  cores.runUntil(() => cores.nodes.every((n) => holds(n.build(build).claims!)));
const events = (cores: Cores, kind: string) => cores.nodes.flatMap((n) => n.said(kind));

/** `bad` fails wherever it runs while `mended` is false; `long` keeps the build alive. */
function blocked(outcome = failed) {
  const cores = new Cores({ ann: {}, bob: {}, cy: {}, dee: {} });
  const state = { mended: false };
  cores.rules.run = ({ action }) =>
    action === "long" ? forever() : action === "bad" && !state.mended ? { ms: 50, outcome } : undefined;
  return { cores, state, ...submit(cores, graphOf({ long: [], bad: [], after: ["bad"] })) };
}

describe("failures that a person forgives", () => {
  test.each(["unblock", "retry", "retry-failures", "clear-failures"] as const)(
    "%s makes a blocked action runnable once; asked again it does nothing",
    (op) => {
      const { cores, build, state, claims } = blocked();
      everySees(cores, build, (c) => c.actions.counts.blocked === 1);
      expect(claims.actions.counts.held).toBe(1);
      state.mended = true;
      expect(operate(cores, "cy", { op, build }, true)).toEqual({ ok: true, build, moved: 1, lost: 0 });
      expect(events(cores, "forgive")).toEqual([]);
      expect(operate(cores, "cy", { op, build })).toEqual({ ok: true, build, moved: 1, lost: 0 });
      cores.runFor(1500);
      expect(claims.actions.counts).toMatchObject({ done: 2, blocked: 0, held: 0 });
      expect(operate(cores, "dee", { op: "unblock", build })).toMatchObject({ ok: true, moved: 0 });
      expect(events(cores, "forgive")).toHaveLength(1);
    },
  );

  test("unblock leaves failures alone that block nothing; clear-failures lifts that it failed there before", () => {
    const { cores, build, claims } = blocked(broken);
    cores.rules.run = ({ action }, node) =>
      action === "bad" ? (node.name === "ann" ? undefined : { ms: 20, outcome: broken }) : forever();
    cores.runUntil(() => claims.actions.counts.done === 1, 10_000);
    const index = claims.indexOf.get("bad" as ActionName)!;
    const failedOn = () => cores.nodes.filter((n) => claims.failedAt(index, n.peer)).length;
    const before = failedOn();
    expect(operate(cores, "ann", { op: "unblock", build })).toMatchObject({ ok: true, moved: 0 });
    expect(failedOn()).toBe(before);
    operate(cores, "ann", { op: "clear-failures", build });
    cores.runFor(100);
    expect(failedOn()).toBe(0);
  });

  test("one action is named among several; a word that is none gets the nearest", () => {
    const { cores, build } = blocked();
    everySees(cores, build, (c) => c.actions.counts.blocked === 1);
    const unblock = (action: string) =>
      operate(cores, "bob", { op: "unblock", build, action: action as ActionName });
    expect(unblock("bda")).toMatchObject({ ok: false, code: "not-found", remedy: "did you mean bad?" });
    expect(unblock("long")).toMatchObject({ ok: true, moved: 0 });
    expect(unblock("bad")).toMatchObject({ ok: true, moved: 1 });
  });

  test("of an action that is held, what it is held behind is meant", () => {
    const { cores, build } = blocked();
    everySees(cores, build, (c) => c.actions.counts.held === 1);
    const action = "after" as ActionName;
    expect(operate(cores, "cy", { op: "unblock", build, action })).toMatchObject({ ok: true, moved: 1 });
  });

  test("a forgive of made-up claims, or by one who may not, does nothing", () => {
    const { cores, build, claims } = blocked();
    everySees(cores, build, (c) => c.actions.counts.blocked === 1);
    const before = claims.digest();
    cores.node("dee").core.desk.say(build, {
      kind: "forgive",
      action: "bad" as ActionName,
      claims: ["nobody.1-00000000.7" as ClaimId, "x".repeat(160) as ClaimId],
    });
    cores.tick(cores.node("dee"));
    cores.runFor(200);
    expect(events(cores, "forgive")).toHaveLength(1);
    expect(claims.digest()).toBe(before);
  });
});

describe("claims that a person takes back", () => {
  test("rebalance shares out anew what was not begun, and leaves alone what runs", () => {
    const cores = new Cores({ ann: {}, bob: { slots: 3 }, cy: { slots: 3 } });
    cores.rules.run = () => ({ ms: 3000 });
    // Bob's inputs never come: what he holds is not begun.
    cores.rules.instead = (node, effect) =>
      node.name === "bob" && effect.kind === "fetch" && !effect.id.startsWith("hold:");
    const { build, claims } = submit(cores, many);
    const held = () => [...claims.openClaims].filter((c) => c.holder === cores.node("bob").peer);
    cores.runUntil(() => held().length === 3, 5000);
    cores.runFor(300);
    const before = held().map((c) => c.id);
    expect(operate(cores, "cy", { op: "rebalance", build }, true)).toMatchObject({ ok: true, lost: 0 });
    cores.rules.instead = undefined;
    const reply = operate(cores, "bob", { op: "rebalance" });
    expect(reply).toMatchObject({ ok: true, lost: 0 });
    expect((reply as { moved: number }).moved).toBeGreaterThanOrEqual(3);
    cores.runFor(500);
    expect(before.filter((id) => claims.claims.get(id)!.abandoned === "a person took it back")).toEqual(
      before,
    );
    expect(cores.nodes.flatMap((n) => n.of("kill"))).toEqual([]);
    cores.finish(build);
    expect(Object.values(cores.runs())).toEqual(Array(12).fill(1));
  });

  test("reset stops what runs, keeps results, forgets failures, and the build goes on", () => {
    const cores = new Cores({ ann: {}, bob: {}, cy: {}, dee: {} });
    let calm = false;
    cores.rules.run = ({ action }) =>
      calm || action === "quick" ? undefined : action === "bad" ? { ms: 30, outcome: failed } : forever();
    const { build, claims } = submit(cores, graphOf({ quick: [], bad: [], long: [], other: [] }));
    cores.runUntil(() => claims.actions.counts.blocked === 1 && running(cores) === 2);
    cores.runFor(300);
    // What runs for ever may have got a twin by now.
    const lost = running(cores);
    const hands = (action: string) =>
      cores.nodes.flatMap((n) => [...n.running.values()]).filter((r) => r.action === action).length;
    const [longs, others] = [hands("long"), hands("other")];
    const told = operate(cores, "bob", { op: "reset", build }, true);
    expect(told).toEqual({ ok: true, build, moved: 3, lost });
    expect(running(cores)).toBe(lost);
    calm = true;
    expect(operate(cores, "bob", { op: "reset", build })).toEqual(told);
    cores.finish(build, 10_000);
    expect(claims.sealed!.event.state).toBe("complete");
    expect(cores.nodes.flatMap((n) => n.of("kill"))).toHaveLength(lost);
    expect(cores.runs()).toMatchObject({ quick: 1, long: longs + 1, other: others + 1, bad: 3 });
  });

  test("pausing twice, resuming twice, is said once, and what it moves is counted", () => {
    const cores = new Cores(three, { run: () => ({ ms: 400 }) });
    const build = cores.submit("ann", many);
    cores.runUntil(() => running(cores) === 3);
    const control = (op: "pause" | "resume" | "cancel", dryRun = false) =>
      cores.command("bob", { kind: "control", build, op, dryRun });
    expect(control("cancel", true)).toEqual({ ok: true, build, moved: 12, lost: 3 });
    expect(control("resume")).toMatchObject({ moved: 0 });
    control("pause");
    control("pause");
    cores.runFor(1000);
    expect(control("resume")).toMatchObject({ ok: true, moved: 9 });
    control("resume");
    expect(events(cores, "control")).toMatchObject([
      { op: "pause", moved: 0, lost: 0 },
      { op: "resume", moved: 9, lost: 0 },
    ]);
    cores.finish(build);
  });
});

describe("orders to a node", () => {
  const nodes = { ann: { roles: ["builder", "submitter", "admin"] as const }, bob: { slots: 2 }, cy: {} };

  test("a paused node ends what it has, takes nothing new, and goes on when resumed; all see why", () => {
    const cores = new Cores(nodes, { run: () => ({ ms: 300 }) });
    const bob = cores.node("bob");
    const build = cores.submit(
      "ann",
      graphOf(Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`w${i}`, []]))),
    );
    cores.runUntil(() => bob.running.size === 2);
    expect(operate(cores, "ann", { op: "pause", peer: bob.peer })).toMatchObject({ ok: true, lost: 0 });
    cores.runFor(1000);
    expect(bob.running.size).toBe(0);
    const begun = cores.executions.filter((e) => e.node === "bob").length;
    cores.runFor(2000);
    expect(cores.executions.filter((e) => e.node === "bob")).toHaveLength(begun);
    expect(cores.node("cy").core.desk.vitalsOf(bob.peer)).toMatchObject({ slots: 0, limitedBy: "paused" });
    expect(bob.core.desk.vitalsOf(bob.peer)).toMatchObject({ slots: 0, limitedBy: "paused" });
    operate(cores, "bob", { op: "resume", peer: bob.peer });
    cores.runUntil(() => bob.running.size === 2, 2000);
    expect(bob.running.size).toBe(2);
    cores.finish(build);
    expect(Object.values(cores.runs())).toEqual(Array(40).fill(1));
  });

  test("a drained node gives back what it has not begun and finishes what runs", () => {
    const cores = new Cores(nodes);
    const bob = cores.node("bob");
    let stuck = true;
    cores.rules.run = () => ({ ms: 500 });
    cores.rules.instead = (node, effect) =>
      stuck && node === bob && effect.kind === "fetch" && !effect.id.startsWith("hold:");
    const { build, claims } = submit(cores, {
      ...many,
      actions: many.actions.map((a) => ({ ...a, estimateMs: 5000 })),
    });
    const held = () => [...claims.openClaims].filter((c) => c.holder === bob.peer);
    cores.runUntil(() => held().length === 2, 5000);
    cores.runFor(4500);
    expect(operate(cores, "ann", { op: "drain", peer: bob.peer }, true)).toMatchObject({ moved: 2, lost: 0 });
    expect(operate(cores, "ann", { op: "drain", peer: bob.peer })).toMatchObject({ moved: 2, lost: 0 });
    cores.runFor(200);
    expect(held()).toEqual([]);
    expect(bob.said("abandon").map((e) => e.reason)).toEqual(Array(2).fill("the node was drained"));
    expect(operate(cores, "ann", { op: "drain", peer: bob.peer })).toMatchObject({ ok: true, moved: 0 });
    stuck = false;
    cores.finish(build);
    expect(cores.executions.filter((e) => e.node === "bob")).toEqual([]);
    expect(events(cores, "node.control")).toHaveLength(1);
  });

  test("drain now stops what runs too, and says before how much would be lost", () => {
    const cores = new Cores(nodes, { run: (_, node) => (node.name === "bob" ? forever() : { ms: 200 }) });
    const bob = cores.node("bob");
    const build = cores.submit("ann", many);
    cores.runUntil(() => bob.running.size === 2);
    cores.runFor(1200);
    const now = { op: "drain", peer: bob.peer, now: true } as const;
    expect(operate(cores, "ann", now, true)).toMatchObject({ ok: true, moved: 2, lost: 2 });
    expect(bob.running.size).toBe(2);
    expect(operate(cores, "bob", now)).toMatchObject({ ok: true, moved: 2, lost: 2 });
    expect(events(cores, "node.control")).toMatchObject([{ op: "drain", moved: 2, lost: 2 }]);
    expect(events(cores, "recall")).toMatchObject([{ running: true, moved: 2, lost: 2 }]);
    cores.finish(build);
    expect(bob.running.size).toBe(0);
    expect(cores.executions.filter((e) => e.node === "bob")).toHaveLength(2);
  });

  test("a node without the role submitter may drain itself at once", () => {
    const cores = new Cores({ ann: {}, bob: { roles: ["builder"] } }, { run: forever });
    const bob = cores.node("bob");
    cores.submit("ann", many);
    cores.runUntil(() => bob.running.size === 1);
    expect(operate(cores, "bob", { op: "drain", peer: bob.peer, now: true })).toMatchObject({ lost: 1 });
    cores.runFor(500);
    expect(bob.running.size).toBe(0);
  });

  test("only an admin or the node itself may order it about; the refusal says where to do it", () => {
    const cores = new Cores(nodes);
    const reply = operate(cores, "cy", { op: "drain", peer: cores.node("bob").peer });
    expect(reply).toMatchObject({ ok: false, code: "role-missing" });
    expect((reply as { remedy: string }).remedy).toContain("bob");
    const stranger = operate(cores, "cy", { op: "drain", peer: `${"1".repeat(52)}` as never });
    expect(stranger).toMatchObject({ ok: false, code: "not-found" });
  });

  test("an order outlives a restart of the node and of who gave it", () => {
    const cores = new Cores(nodes);
    const bob = cores.node("bob");
    operate(cores, "ann", { op: "drain", peer: bob.peer });
    cores.runFor(100);
    for (const name of ["bob", "ann"]) {
      cores.kill(name);
      cores.runFor(500);
      cores.start(name);
      cores.runFor(1500);
    }
    expect(cores.nodes.map((n) => orderOf(n, bob))).toEqual(Array(3).fill("drained"));
    cores.finish(cores.submit("ann", many));
    expect(cores.executions.filter((e) => e.node === "bob")).toEqual([]);
  });

  test("orders given on both sides of a cut settle alike on all nodes", () => {
    const cores = new Cores(nodes);
    const bob = cores.node("bob");
    cores.rules.drops = (from, to) => (from === "bob") !== (to === "bob");
    operate(cores, "ann", { op: "drain", peer: bob.peer });
    operate(cores, "bob", { op: "pause", peer: bob.peer });
    expect(orderOf(bob, bob)).toBe("paused");
    cores.rules.drops = undefined;
    cores.runFor(8000);
    expect(cores.nodes.map((n) => orderOf(n, bob))).toEqual(Array(3).fill("drained"));
    operate(cores, "bob", { op: "resume", peer: bob.peer });
    cores.runFor(500);
    expect(cores.nodes.map((n) => orderOf(n, bob))).toEqual(Array(3).fill(undefined));
  });

  test("ungrounding is said each time and changes no order", () => {
    const cores = new Cores(nodes);
    const { peer } = cores.node("bob");
    operate(cores, "ann", { op: "pause", peer });
    for (const _ of [1, 2])
      expect(operate(cores, "ann", { op: "unground", peer })).toMatchObject({ ok: true });
    cores.runFor(100);
    const { orders } = cores.node("cy").core.desk;
    expect([orders.of(peer), orders.ungrounded(peer)]).toEqual(["paused", 2]);
  });
});

describe("refusals", () => {
  test("name what there is to do instead", () => {
    const cores = new Cores({ ann: {}, eve: { roles: ["observer"] } });
    const build = cores.submit("ann", many);
    cores.runFor(500);
    const unblock = (at: string, id: BuildId) => operate(cores, at, { op: "unblock", build: id });
    expect(unblock("eve", build)).toMatchObject({ ok: false, code: "role-missing" });
    expect(unblock("ann", "gone-0123456789" as BuildId)).toMatchObject({ ok: false, code: "not-found" });
    cores.finish(build);
    expect(unblock("ann", build)).toMatchObject({ ok: false, code: "refused" });
  });

  test("a build that failed names the way to build it again", () => {
    const cores = new Cores(three, { run: () => ({ ms: 10, outcome: failed }) });
    const build = cores.submit("ann", graphOf({ bad: [] }));
    cores.finish(build);
    expect(operate(cores, "ann", { op: "retry", build })).toMatchObject({
      ok: false,
      remedy: `build again what failed: swarmd retry ${build}`,
    });
  });
});
