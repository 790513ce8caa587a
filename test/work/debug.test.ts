import { describe, expect, test } from "vitest";
import type { Graph } from "../../protocol/build/graph.ts";
import type { CommandReply, DebugWord, ExecuteOutcome } from "../../protocol/contract.ts";
import type { ActionName, BuildId, PeerId } from "../../protocol/kernel/ids.ts";
import type { EventOf } from "../../protocol/timeline/events.ts";
import { foresee } from "../../protocol/work/foresight.ts";
import { waitsOf } from "../../protocol/work/waits.ts";
import { Cores } from "../core/cores.ts";
import { graphOf } from "./facts.ts";

const three = { ann: {}, bob: {}, cy: {} };
const name = (action: string) => action as ActionName;
const failed: ExecuteOutcome = { kind: "failed", cause: "deterministic", reason: "it is broken" };
const fan = (count: number): Graph =>
  graphOf(Object.fromEntries(Array.from({ length: count }, (_, i) => [`w${i}`, []])));

const layers = graphOf(
  Object.fromEntries(
    Array.from({ length: 12 }, (_, i) => [
      `w${i}`,
      i < 4 ? [] : [`w${i - 4}`, `w${4 * Math.floor(i / 4) - 1}`],
    ]),
  ),
);

type Ok = Extract<CommandReply, { ok: true }>;
const debug = (cores: Cores, at: string, build: BuildId, word: DebugWord, dryRun = false): Ok => {
  const reply = cores.command(at, { kind: "debug", build, word, dryRun })!;
  expect(reply).toMatchObject({ ok: true });
  return reply as Ok;
};
const control = (cores: Cores, at: string, build: BuildId, op: "pause" | "resume") =>
  cores.command(at, { kind: "control", build, op });

/** A build that is paused as soon as it is there: nothing of it has begun. */
function paused(graph: Graph, hosts: ConstructorParameters<typeof Cores>[0] = three) {
  const cores = new Cores(hosts);
  cores.runFor(500);
  const build = cores.submit("ann", graph);
  const [first] = cores.nodes;
  cores.runUntil(() => first!.build(build).claims !== undefined);
  control(cores, first!.name, build, "pause");
  cores.runUntil(() => cores.nodes.every((n) => n.build(build)?.claims?.paused));
  cores.runFor(1000);
  return { cores, build, claims: first!.build(build).claims!, first: first! };
}
const claimsSaid = (cores: Cores): EventOf<"claim">[] =>
  cores.nodes.flatMap((n) => n.said("claim")) as unknown as EventOf<"claim">[];
const ranBy = (cores: Cores, action: string): string[] =>
  cores.nodes.filter((n) => n.of("execute").some((e) => e.request.action === action)).map((n) => n.name);

describe("a step", () => {
  test("lets exactly the named actions run, said by any member; asked again it does nothing", () => {
    const { cores, build, claims } = paused(fan(6));
    const before = claims.actions.counts.done;
    const left = [...claims.actions.ready()].map((index) => claims.action(index).name);
    const [one, two] = left as [ActionName, ActionName];
    expect(debug(cores, "cy", build, { op: "step", actions: [one, two] }, true)).toMatchObject({ moved: 2 });
    cores.runFor(300);
    expect(claims.actions.counts.done).toBe(before);
    expect(debug(cores, "cy", build, { op: "step", actions: [one, two] })).toMatchObject({
      moved: 2,
      actions: [one, two],
    });
    cores.runFor(2000);
    expect(claims.actions.counts.done).toBe(before + 2);
    expect([one, two].map((action) => claims.actions.get(claims.indexOf.get(action)!))).toEqual([
      "done",
      "done",
    ]);
    const again = debug(cores, "bob", build, { op: "step", actions: [one] });
    expect(again).toMatchObject({ moved: 0, word: `${one} is done` });
    expect(cores.nodes.flatMap((n) => n.said("step"))).toHaveLength(1);
    control(cores, "bob", build, "resume");
    cores.finish(build);
    expect(Object.values(cores.runs())).toEqual(Array(6).fill(1));
  });

  test("without names lets through what would be chosen next, and its fact names it", () => {
    const { cores, build, claims } = paused(fan(6));
    const core = cores.node("bob").core;
    const next = foresee(core, core.desk.builds.get(build)!, { countMax: 2, past: () => true });
    const names = next.map(({ index }) => claims.action(index).name);
    const before = claims.actions.counts.done;
    expect(debug(cores, "bob", build, { op: "step", count: 2 }).actions).toEqual(names);
    cores.runFor(2000);
    expect(claims.actions.counts.done).toBe(before + 2);
    expect(names.flatMap((action) => ranBy(cores, action))).toHaveLength(2);
  });

  test("an action that waits may go once what it takes is there; what nothing holds is said by no event", () => {
    const { cores, build, claims } = paused(graphOf({ a: [], b: ["a"], c: ["a"] }));
    if (claims.actions.get(0) !== "done") debug(cores, "ann", build, { op: "step", actions: [name("a")] });
    debug(cores, "ann", build, { op: "step", actions: [name("b")] });
    cores.runFor(2000);
    expect(["a", "b", "c"].map((n) => claims.actions.get(claims.indexOf.get(name(n))!))).toEqual([
      "done",
      "done",
      "ready",
    ]);
    control(cores, "ann", build, "resume");
    const running = debug(cores, "ann", build, { op: "step", actions: [name("c")] });
    expect(running.moved).toBe(0);
    expect(running.word).toMatch(/^nothing holds c/);
    expect(
      cores.command("ann", {
        kind: "debug",
        build,
        word: { op: "step", actions: [name("d")] },
        dryRun: false,
      }),
    ).toMatchObject({ ok: false, code: "not-found" });
  });

  test("a failure of what was let through is not tried again until the next step", () => {
    const { cores, build, claims } = paused(graphOf({ bad: [], other: [] }));
    cores.rules.run = ({ action }) => (action === "bad" ? { ms: 20, outcome: failed } : undefined);
    debug(cores, "ann", build, { op: "step", actions: [name("bad")] });
    cores.runFor(3000);
    expect(ranBy(cores, "bad")).toHaveLength(1);
    expect(claims.actions.get(claims.indexOf.get(name("bad"))!)).toBe("ready");
    debug(cores, "cy", build, { op: "step", actions: [name("bad")] });
    cores.runFor(3000);
    expect(claims.actions.get(claims.indexOf.get(name("bad"))!)).toBe("blocked");
  });
});

describe("a breakpoint", () => {
  test("holds its action while the rest goes on, through a restart of all, until it is cleared", () => {
    const cores = new Cores(three);
    const build = cores.submit("ann", graphOf({ a: [], b: ["a"], c: ["a"] }));
    cores.runUntil(() => cores.node("ann").build(build).claims !== undefined);
    expect(debug(cores, "ann", build, { op: "break", action: name("b") })).toMatchObject({ moved: 0 });
    const state = (action: string) => {
      const claims = cores.node("ann").build(build).claims!;
      return claims.actions.get(claims.indexOf.get(name(action))!);
    };
    cores.runUntil(() => state("c") === "done");
    cores.runFor(3000);
    expect(state("b")).toBe("ready");
    for (const node of cores.nodes) cores.kill(node.name);
    for (const node of cores.nodes) cores.start(node.name);
    cores.runFor(10_000);
    expect(state("b")).toBe("ready");
    expect(debug(cores, "cy", build, { op: "break", action: name("b") }).word).toBe("b has its breakpoint");
    expect(debug(cores, "cy", build, { op: "break", action: name("b"), clear: true }).moved).toBe(1);
    cores.finish(build);
    expect(cores.runs()).toMatchObject({ a: 1, b: 1, c: 1 });
  });

  test("on failure nothing new is begun after the first, until somebody resumes; then after the next", () => {
    const cores = new Cores(three);
    cores.rules.run = ({ action }) => (action.startsWith("bad") ? { ms: 30, outcome: failed } : { ms: 1500 });
    const build = cores.submit("ann", graphOf({ bad1: [], ok1: [], ok2: [], ok3: [], ok4: [], ok5: [] }));
    cores.runUntil(() => cores.node("ann").build(build).claims !== undefined);
    debug(cores, "bob", build, { op: "break" });
    const claims = cores.node("ann").build(build).claims!;
    cores.runUntil(() => claims.state === "paused", 10_000);
    cores.runFor(4000);
    const { done, ready } = claims.actions.counts;
    expect(ready).toBeGreaterThan(0);
    cores.runFor(4000);
    expect(claims.actions.counts.done).toBe(done);
    const resumes = () => cores.nodes.flatMap((n) => n.said("control")).length;
    for (let nth = 1; !claims.sealed && nth < 4; nth++) {
      control(cores, "cy", build, "resume");
      expect(resumes()).toBe(nth);
      cores.runFor(200);
      cores.runUntil(() => (claims.paused && !claims.settled) || claims.sealed !== undefined, 20_000);
      cores.runFor(200);
    }
    expect(claims.sealed?.event.state).toBe("failed");
    expect(claims.actions.counts).toMatchObject({ done: 5, blocked: 1 });
  });
});

test("a resume answers failures only where the build breaks at them, and counts nothing that has a breakpoint", () => {
  const cores = new Cores({ ann: {}, bob: {}, cy: {}, dee: {} });
  cores.rules.run = ({ action }) => (action === "bad" ? { ms: 30, outcome: failed } : { ms: 2000 });
  const build = cores.submit("ann", graphOf({ bad: [], a: [], b: [], c: [], d: [], e: [], f: [], g: [] }));
  const claims = cores.node("ann").build(build).claims!;
  cores.runUntil(() => claims.holds.failuresOf(name("bad")) > 0);
  control(cores, "ann", build, "pause");
  const answers = () => cores.node("ann").said("control").at(-1)!.answers as string[];
  expect(control(cores, "ann", build, "resume")).toMatchObject({ ok: true });
  expect(answers()).toHaveLength(1);
  control(cores, "ann", build, "pause");
  debug(cores, "ann", build, { op: "break", action: name("g") });
  expect(debug(cores, "ann", build, { op: "break" }).word).toMatch(/^bad failed already/);
  cores.runFor(200);
  const ready = [...claims.actions.ready()].length;
  expect(claims.actions.get(claims.indexOf.get(name("g"))!)).toBe("ready");
  expect(control(cores, "ann", build, "resume")).toMatchObject({ moved: ready - 1 });
  expect(answers().length).toBeGreaterThan(1);
  expect(claims.paused).toBe(false);
});

describe("a place", () => {
  test("is where the action runs, and nowhere else; its wait names what keeps the node, and what ends it", () => {
    const { cores, build, claims, first } = paused(fan(3));
    const bob = cores.node("bob").peer;
    const [action] = [...claims.actions.ready()].map((index) => claims.action(index).name) as [ActionName];
    expect(debug(cores, "cy", build, { op: "place", action, peer: bob })).toMatchObject({ moved: 1 });
    expect(debug(cores, "cy", build, { op: "place", action, peer: bob })).toMatchObject({ moved: 1 - 1 });
    cores.command("ann", { kind: "operate", operation: { op: "pause", peer: bob }, dryRun: false });
    cores.command("bob", { kind: "operate", operation: { op: "pause", peer: bob }, dryRun: false });
    control(cores, "ann", build, "resume");
    cores.runFor(8000);
    expect(claims.actions.counts).toMatchObject({ done: 2, ready: 1 });
    const [wait] = waitsOf(first.core.desk, first.build(build), () => 0);
    expect(wait).toMatchObject({ first: action, placed: "bob", never: true });
    expect(wait!.unfit).toEqual([{ peer: bob, shortfalls: [{ text: "is paused", never: true, share: 0 }] }]);
    const told = debug(cores, "ann", build, { op: "place", action, peer: bob }, true);
    expect(told.word).toContain(
      `bob is paused; to let others have it: swarmd place ${build} ${action} --clear`,
    );
    cores.command("bob", { kind: "operate", operation: { op: "resume", peer: bob }, dryRun: false });
    cores.finish(build);
    expect(ranBy(cores, action)).toEqual(["bob"]);
  });

  test("cleared, others have it; a stranger is no place", () => {
    const { cores, build, claims } = paused(fan(3));
    const [action] = [...claims.actions.ready()].map((index) => claims.action(index).name) as [ActionName];
    cores.kill("cy");
    debug(cores, "ann", build, { op: "place", action, peer: cores.node("cy").peer });
    control(cores, "ann", build, "resume");
    cores.runFor(20_000);
    expect(claims.actions.counts).toMatchObject({ done: 2, ready: 1 });
    debug(cores, "bob", build, { op: "place", action });
    cores.finish(build);
    expect(
      cores.command("ann", {
        kind: "debug",
        build,
        word: { op: "place", action, peer: "nobody" as PeerId },
        dryRun: false,
      }),
    ).toMatchObject({ ok: false });
  });
});

describe("a preview", () => {
  test.each(["ann", "bob", "cy"])("names what is then chosen, step by step, asked on %s", (at) => {
    const { cores, build, claims } = paused(layers, { ann: { slots: 2 }, bob: {}, cy: {} });
    const { core } = cores.node(at);
    cores.rules.run = ({ action }) => ({ ms: 200 + 100 * Number(action.at(-1)) });
    const agreed: [string, string, PeerId, PeerId][] = [];
    for (;;) {
      cores.runFor(100);
      cores.runUntil(() => claims.openClaims.size === 0 || claims.sealed !== undefined);
      cores.runFor(100);
      if (claims.sealed) break;
      const [next] = foresee(core, core.desk.builds.get(build)!, { countMax: 1, past: () => true });
      const before = new Set(claimsSaid(cores).map(({ claim }) => claim));
      const fresh = () => claimsSaid(cores).filter(({ claim }) => !before.has(claim));
      debug(cores, at, build, { op: "step" });
      cores.runUntil(() => fresh().length > 0);
      const [{ action, holder }] = fresh() as [EventOf<"claim">];
      agreed.push([claims.action(next!.index).name, action, next!.peer, holder]);
    }
    expect(agreed.map(([action, , peer]) => [action, peer])).toEqual(
      agreed.map(([, action, , peer]) => [action, peer]),
    );
    expect(new Set(agreed.map(([, , , peer]) => peer)).size).toBeGreaterThan(1);
  });

  test("leaves out what has a breakpoint, and changes nothing; recorded, it is an event", () => {
    const { cores, build, claims } = paused(fan(4));
    const [action] = [...claims.actions.ready()].map((index) => claims.action(index).name) as [ActionName];
    debug(cores, "ann", build, { op: "break", action });
    const reply = debug(cores, "ann", build, { op: "record", count: 2 });
    expect(reply.actions).toHaveLength(2);
    expect(reply.actions).not.toContain(action);
    const [event] = cores.node("ann").said("preview") as unknown as [EventOf<"preview">];
    expect(event.choices.map((choice) => choice.action)).toEqual(reply.actions);
    cores.runFor(1000);
    expect(claims.actions.counts.claimed + claims.actions.counts.running).toBe(0);
  });
});
