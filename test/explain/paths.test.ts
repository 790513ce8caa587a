/** What a build's duration hung on, asked of swarms that built it. */
import { expect, test } from "vitest";
import { Queries } from "../../node/queries.ts";
import type { ActionName } from "../../protocol/kernel/ids.ts";
import { Swarm } from "../../sim/swarm.ts";
import { workloadOf } from "../../sim/workload.ts";
import { Cores } from "../core/cores.ts";
import { graphOf } from "../work/facts.ts";
import { accountsOf } from "./accounts.ts";

const mesh = { addresses: () => [], addressesOf: () => [], versionOf: () => undefined };

test("the path of fact adds up to the build's duration, and what waits is told from what runs", async () => {
  const cores = new Cores(
    { ann: {} },
    { run: ({ action }) => ({ ms: action === "long" ? 900 : action === "wide" ? 400 : 100 }) },
  );
  const { core } = cores.node("ann");
  const queries = new Queries(core, mesh);
  const accounts = accountsOf(core, queries);
  const build = cores.submit(
    "ann",
    graphOf({ first: [], long: ["first"], wide: ["first"], last: ["long", "wide"] }),
  );
  cores.finish(build);
  const { fact, plan, shorten, forecast, state } = await accounts.criticalPath(build);
  expect(state).toBe("complete");
  expect(forecast).toBeUndefined();
  expect(fact.steps.at(-1)!.action).toBe("last");
  expect(fact.runMs + fact.waitMs + fact.fetchMs).toBe(fact.totalMs);
  // One slot: of the two in the middle one waited for the other.
  expect(fact.waitMs).toBeGreaterThanOrEqual(400);
  expect(shorten.map(({ action }) => action)).toContain("long");
  expect(shorten[0]!.savesMs).toBe(Math.max(...shorten.map(({ savesMs }) => savesMs)));
  expect(shorten.find(({ action }) => action === "long")!.savesMs).toBe(500);
  const waiter = fact.steps.toSorted((a, b) => b.waitMs - a.waitMs)[0]!.action;
  expect(shorten.find(({ text }) => text.startsWith("beginning at once"))!.text).toContain(
    `swarmd why ${build} ${waiter}`,
  );
  expect(plan.steps.map(({ action }) => action)).toEqual(["first", "long", "last"]);
});

test("while it runs it says when it will end, and that lies in the range; a paused one says why it cannot", async () => {
  const tasks = Array.from({ length: 40 }, (_, i) => ({
    id: `t${i}`,
    deps: i < 8 ? [] : [`t${i - 8}`],
    workMs: 300 + (i % 5) * 200,
    outputBytes: 1000,
    group: "make",
    inputs: [100],
  }));
  const swarm = new Swarm({ seed: 3, hosts: 3 }).start();
  const [ann] = swarm.hosts as [Swarm["hosts"][0]];
  const id = swarm.submit(ann, workloadOf("made", tasks));
  const queries = new Queries(ann.core, mesh);
  const accounts = accountsOf(ann.core, queries);
  const asked: { lowMs: number; highMs: number; left: number }[] = [];
  for (const done of [8, 16, 24, 32]) {
    swarm.world.runUntil(() => (queries.find(id).claims?.actions.counts.done ?? 0) >= done, 60_000);
    const { forecast } = await accounts.criticalPath(id);
    asked.push(forecast!);
  }
  swarm.finish(id);
  const { fact } = await accounts.criticalPath(id);
  const endMs = queries.find(id).submission!.wallMs + fact.totalMs;
  for (const { lowMs, highMs } of asked) {
    expect(lowMs).toBeLessThanOrEqual(endMs);
    expect(highMs).toBeGreaterThanOrEqual(endMs);
  }
  const other = swarm.submit(ann, workloadOf("other", tasks));
  ann.command({ kind: "control", build: other, op: "pause" }, () => {});
  swarm.world.runFor(500);
  const paused = await accounts.criticalPath(other);
  expect(paused.forecast).toBeUndefined();
  expect(paused.noForecast).toMatch(/^\S+ paused it; to go on: swarmd resume other-/);
  const { lowMs, likelyMs, highMs, left } = paused.onceFree!;
  expect([left, lowMs <= likelyMs, likelyMs <= highMs]).toEqual([40, true, true]);
  // However long it rests, and whatever else is done by then: it takes that long from the resume on.
  swarm.world.runFor(60_000);
  ann.command({ kind: "control", build: other, op: "resume" }, () => {});
  const fromMs = swarm.world.nowMs;
  swarm.finish(other);
  expect(swarm.world.nowMs - fromMs).toBeGreaterThanOrEqual(lowMs);
  expect(swarm.world.nowMs - fromMs).toBeLessThanOrEqual(highMs);
});

test("a breakpoint that is still ahead leaves no moment of its end, only how long it takes once it is let go", async () => {
  const cores = new Cores(
    { ann: { slots: 2 } },
    { run: ({ action }) => ({ ms: action === "long" ? 5_000 : 500 }) },
  );
  const { core } = cores.node("ann");
  const accounts = accountsOf(core, new Queries(core, mesh));
  const graph = graphOf({ first: [], long: ["first"], link: ["long"], pack: ["link"] });
  cores.finish(cores.submit("ann", graph));
  const build = cores.submit("ann", graph, 0, true);
  cores.runFor(100);
  const link = "link" as ActionName;
  const debug = { kind: "debug", build, dryRun: false } as const;
  const stop = { op: "break", action: link } as const;
  expect(cores.command("ann", { ...debug, word: stop, reason: "a look at it" })).toMatchObject({ ok: true });
  cores.runFor(200);
  const ahead = await accounts.criticalPath(build);
  expect(ahead.forecast).toBeUndefined();
  expect(ahead.noForecast).toBe(
    `link has a breakpoint of ann (a look at it); to let it go: swarmd step ${build} link`,
  );
  expect(ahead.onceFree!.left).toBe(4);
  // Let go when all before it is done, it takes no more than link and pack.
  expect(ahead.onceFree!.lowMs).toBeLessThanOrEqual(1_000);
  expect(ahead.onceFree!.likelyMs).toBeGreaterThan(5_000);
  cores.runFor(20_000);
  const there = await accounts.criticalPath(build);
  expect(there.onceFree!.left).toBe(2);
  expect(there.onceFree!.likelyMs).toBeLessThan(3_000);
  cores.command("ann", { ...debug, word: { op: "step", actions: [link] } });
  expect((await accounts.criticalPath(build)).onceFree).toBeUndefined();
  expect((await accounts.criticalPath(build)).forecast).toMatchObject({ left: 2 });
});
