/** Who got what, among whom and why: the decisions of a build, asked of cores that lived through it. */
import { beforeAll, describe, expect, test } from "vitest";
import type { AccountQueries } from "../../node/account-queries.ts";
import { densityOf, stepsOf } from "../../node/gateway/steps.ts";
import type { Views } from "../../node/gateway/views.ts";
import { Queries } from "../../node/queries.ts";
import type { DecisionsQuestion, DecisionsView } from "../../protocol/explain/decisions.ts";
import type { Moment } from "../../protocol/explain/replay.ts";
import type { ActionName, BuildId } from "../../protocol/kernel/ids.ts";
import { Swarm } from "../../sim/swarm.ts";
import { chain } from "../../sim/workload.ts";
import { Cores } from "../core/cores.ts";
import { graphOf } from "../work/facts.ts";
import { accountsOf } from "./accounts.ts";

const mesh = { addresses: () => [], addressesOf: () => [], versionOf: () => undefined };
const wide = Array.from({ length: 12 }, (_, i) => `part-${i}`);

let accounts: AccountQueries;
let build: BuildId;
beforeAll(() => {
  const cores = new Cores({ ann: { slots: 2 }, bob: { slots: 2 } }, { run: () => ({ ms: 80 }) });
  const graph = graphOf({ ...Object.fromEntries(wide.map((name) => [name, []])), all: wide });
  build = cores.submit("ann", graph);
  cores.finish(build);
  cores.runFor(1000);
  const { core } = cores.node("ann");
  accounts = accountsOf(core, new Queries(core, mesh));
});

const decided = (question: Partial<DecisionsQuestion> = {}): Promise<DecisionsView> =>
  accounts.decisions({ build, offset: 0, limit: 100, ...question });

describe("the decisions of a build", () => {
  test("are one for each grant, in the order of time, each with who it was chosen among and why", async () => {
    const { items, total, next, counts, nodes } = await decided();
    expect([total, next, nodes]).toEqual([13, null, ["ann", "bob"]]);
    expect(items.map(({ claimedMs }) => claimedMs)).toEqual(
      items.map(({ claimedMs }) => claimedMs).toSorted((a, b) => a - b),
    );
    expect(counts.asked + counts.given).toBe(13);
    for (const one of items) {
      expect(one).toMatchObject({ outcome: "done", openMs: expect.any(Number) });
      expect(one.candidates[0]).toMatchObject({ node: one.node, chosen: true });
      expect(one.text).toContain(one.steward);
      const { here } = await accounts.why(build, one.action);
      expect(one).toMatchObject({ ...here });
    }
    const asked = items.find(({ kind }) => kind === "asked")!;
    expect(Object.keys(asked.parts!).length).toBeGreaterThan(0);
    expect(asked.view!.nodes).toBe(2);
    expect(asked.candidates.map(({ node }) => node).sort()).toEqual(["ann", "bob"]);
  });

  test("are found by node, action and kind, and come in pages", async () => {
    const bob = await decided({ node: "bob" });
    expect(bob.total).toBeGreaterThan(0);
    expect(new Set(bob.items.map(({ node }) => node))).toEqual(new Set(["bob"]));
    expect(bob.counts).toEqual((await decided()).counts);
    expect((await decided({ action: "part-1" })).items.map(({ action }) => action).sort()).toEqual([
      "part-1",
      "part-10",
      "part-11",
    ]);
    await expect(decided({ node: "bbo" })).rejects.toMatchObject({
      code: "not-found",
      remedy: "did you mean bob?",
    });
    const names: string[] = [];
    for (let offset: number | null = 0; offset !== null; ) {
      const page = await decided({ offset, limit: 5 });
      names.push(...page.items.map(({ action }) => action));
      offset = page.next;
    }
    expect(new Set(names).size).toBe(13);
    expect((await decided({ kind: "twin" })).items).toEqual([]);
  });

  test("name who made what was known already", async () => {
    const swarm = new Swarm({ seed: 1, hosts: 2 }).start();
    const [ann] = swarm.hosts as [Swarm["hosts"][0]];
    const first = swarm.submit(ann, chain(2, 300));
    swarm.finish(first);
    const again = swarm.submit(ann, chain(2, 300));
    swarm.finish(again);
    const of = accountsOf(ann.core, new Queries(ann.core, mesh));
    const known = await of.decisions({ build: again, kind: "known", offset: 0, limit: 9 });
    expect(known).toMatchObject({ total: 2, counts: { known: 2, asked: 0, given: 0 } });
    expect(known.items[0]).toMatchObject({ candidates: [], attempt: 0, outcome: "done" });
    expect(known.items[0]!.text).toContain(first);
  });
});

describe("a replay in one answer", () => {
  const views = () => ({ replay: (request: never) => accounts.replay(request) }) as unknown as Views;

  test("comes to the same state as the fold at every moment that is asked", async () => {
    const { fromMs, toMs, actions, states, steps } = await stepsOf(views(), build);
    for (let part = 0; part <= 8; part++) {
      const atMs = Math.round(fromMs + ((toMs - fromMs) * part) / 8);
      const now = new Map<string, string>();
      for (const [ms, , , , changed] of steps)
        if (fromMs + ms <= atMs)
          for (let i = 0; i < changed.length; i += 2)
            now.set(actions[changed[i]!]!, states[changed[i + 1]!]!);
      const moment = await momentAt(atMs);
      for (const [state, count] of Object.entries(moment.counts))
        if (state !== "waiting")
          expect([...now.values()].filter((one) => one === state).length, `${state} at ${part}`).toBe(count);
      for (const { action } of moment.running) expect(["claimed", "running"]).toContain(now.get(action));
    }
  });

  test("names runs and what was seen, and is counted in parts of its time", async () => {
    const { steps, outcomes, nodes, actions, kinds } = await stepsOf(views(), build);
    const ended = steps.flatMap(([, , , , , claim]) =>
      claim && outcomes[claim[3]] === "done" ? [claim] : [],
    );
    expect(ended.map(([, action]) => actions[action]!).sort()).toEqual(["all", ...wide].sort());
    for (const [, , holder, , , runMs] of ended) {
      expect(["ann", "bob"]).toContain(nodes[holder]);
      expect(runMs).toBe(80);
    }
    expect(steps.flatMap(([, , , , , , seen]) => seen ?? []).map(([node]) => nodes[node])).toContain("bob");
    expect(kinds).toContainEqual(["claim", "schedule_decision"]);
    const { counts } = await densityOf(views(), build, 10);
    expect(counts.pipeline).toHaveLength(10);
    expect(
      Object.values(counts)
        .flat()
        .reduce((sum, n) => sum + n, 0),
    ).toBe(steps.length);
  });

  test("of a build that is not here is refused", async () => {
    await expect(stepsOf(views(), "nothing-0123456789" as BuildId)).rejects.toMatchObject({
      code: "not-found",
    });
    await expect(accounts.why(build, "nothing" as ActionName)).rejects.toMatchObject({ code: "not-found" });
  });

  async function momentAt(atMs: number): Promise<Moment> {
    for await (const line of accounts.replay({ build, atMs, steps: false }))
      if (line.kind === "moment") return line;
    throw new Error("no moment");
  }
});
