/** A build as it stood at any moment, and event by event. */
import { expect, test } from "vitest";
import { Queries } from "../../node/queries.ts";
import type { Moment, ReplayStep } from "../../protocol/explain/replay.ts";
import type { BuildId } from "../../protocol/kernel/ids.ts";
import { Cores } from "../core/cores.ts";
import { graphOf } from "../work/facts.ts";
import { accountsOf } from "./accounts.ts";

const mesh = { addresses: () => [], addressesOf: () => [], versionOf: () => undefined };

function lived() {
  const cores = new Cores({ ann: { slots: 2 }, bob: {} }, { run: () => ({ ms: 80 }) });
  const asked = new Map<number, string>();
  const build = cores.submit("ann", graphOf({ a: [], b: ["a"], c: ["a"], d: ["b", "c"] }));
  const claims = () => cores.node("ann").build(build).claims!;
  for (let moment = 0; moment < 6; moment++) {
    cores.runFor(60);
    asked.set(cores.now().wallMs, claims().digest());
  }
  cores.finish(build);
  cores.runFor(1000);
  const of = (name: string) => {
    const { core } = cores.node(name);
    return accountsOf(core, new Queries(core, mesh));
  };
  const moment = async (name: string, id: BuildId, atMs?: number): Promise<Moment> => {
    for await (const line of of(name).replay({
      build: id,
      steps: false,
      ...(atMs === undefined ? {} : { atMs }),
    }))
      if (line.kind === "moment") return line;
    throw new Error("no moment");
  };
  return { cores, build, asked, of, moment, claims };
}

test("at its end it is what it is now, on every node byte for byte; before its submit it is nothing", async () => {
  const { build, moment, claims } = lived();
  const [ann, bob] = [await moment("ann", build), await moment("bob", build)];
  expect(ann).toMatchObject({ state: "complete", entries: ann.of, digest: claims().digest() });
  expect(ann.counts.done).toBe(4);
  expect({ ...bob, nodes: [] }).toEqual({ ...ann, nodes: [] });
  const before = await moment("ann", build, 0);
  expect(before).toMatchObject({ state: "not submitted", entries: 0, running: [] });
});

test("in between, all that is counted adds up, and what runs and waits is named", async () => {
  const { build, moment, asked } = lived();
  let seen = 0;
  for (const atMs of asked.keys()) {
    const { counts, running, queue, nodes } = await moment("ann", build, atMs);
    expect(Object.values(counts).reduce((sum, n) => sum + n, 0)).toBe(4);
    expect(running.length).toBe(counts.claimed + counts.running);
    expect(queue.length).toBe(counts.ready);
    expect(nodes.reduce((sum, node) => sum + node.running, 0)).toBe(running.length);
    seen += running.length;
  }
  expect(seen).toBeGreaterThan(0);
});

test("step by step every event comes once, in the order of time, and the changes lead to the end", async () => {
  const { build, of, moment } = lived();
  const steps: ReplayStep[] = [];
  for await (const line of of("ann").replay({ build, steps: true }))
    if (line.kind === "step") steps.push(line);
  expect(steps.map(({ atMs }) => atMs)).toEqual(steps.map(({ atMs }) => atMs).toSorted((a, b) => a - b));
  const last = new Map(steps.flatMap(({ changed }) => changed.map(({ action, state }) => [action, state])));
  expect([...last.values()]).toEqual(["done", "done", "done", "done"]);
  expect(steps.at(-1)!.counts).toEqual((await moment("ann", build)).counts);
  expect(steps.map(({ event }) => event)).toContain("sealed");
  expect(steps[0]).toMatchObject({ event: "build.submitted", changed: [{ action: "a", state: "ready" }] });
});

test("a step says whose claim it is about and what becomes of it, and whom a decision saw", async () => {
  const { build, of } = lived();
  const steps: ReplayStep[] = [];
  for await (const line of of("ann").replay({ build, steps: true }))
    if (line.kind === "step") steps.push(line);
  const claims = steps.flatMap(({ claim }) => claim ?? []);
  for (const action of ["a", "b", "c", "d"]) {
    const own = claims.filter((claim) => claim.action === action);
    expect(own[0]!.is).toBe("given");
    expect(own.at(-1)).toMatchObject({ is: "done", runMs: 80, holder: own[0]!.holder, id: own[0]!.id });
  }
  const seen = steps.find(({ event }) => event === "view")!.nodes!;
  expect(seen.map(({ node }) => node).sort()).toEqual(["ann", "bob"]);
  expect(seen.find(({ node }) => node === "ann")).toMatchObject({ slots: 2 });
});
