/** What a build's duration hung on, asked of swarms that built it. */
import { expect, test } from "vitest";
import { Queries } from "../../node/queries.ts";
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
  expect((await accounts.criticalPath(other)).noForecast).toBe("the build is paused");
});
