import { expect, test } from "vitest";
import { digestOf } from "../../protocol/kernel/digest.ts";
import type { Digest } from "../../protocol/kernel/ids.ts";
import { type Need, rootsOf } from "../../protocol/work/reachable.ts";
import { Cores } from "../core/cores.ts";
import { blob, graphOf } from "./facts.ts";

/** What one node needs, each with why. */
function needsOf(cores: Cores, name: string): Map<string, Need> {
  const { core } = cores.node(name);
  const needs = new Map<string, Need>();
  for (const { digest, need } of rootsOf(core.desk, core.releases))
    if (!needs.has(digest)) needs.set(digest, need);
  return needs;
}

function outputsOf(cores: Cores, name: string, build: ReturnType<Cores["submit"]>): Digest[] {
  const claims = cores.node(name).build(build).claims!;
  return claims.graph.actions.flatMap((_, index) =>
    claims.resultsOf(index).flatMap(({ result }) => result.outputs.map(({ digest }) => digest)),
  );
}

test("a live build needs its graph and all its results on every node; once it has ended, its end where it was submitted", () => {
  const cores = new Cores({ ann: {}, bob: {} });
  let begun = 0;
  cores.rules.run = () => (++begun > 1 ? { ms: 5000 } : undefined);
  const build = cores.submit("ann", graphOf({ a: [], b: ["a"] }));
  cores.runUntil(() =>
    ["ann", "bob"].every((name) => cores.node(name).build(build).claims?.actions.counts.done === 1),
  );
  const { graph } = cores.node("ann").build(build).submission!.event;
  const [a] = outputsOf(cores, "bob", build);
  for (const name of ["ann", "bob"]) {
    expect(needsOf(cores, name).get(graph)).toBe("live");
    expect(needsOf(cores, name).get(a!)).toBe("live");
  }
  cores.finish(build);
  cores.runFor(5000);
  const [, b] = outputsOf(cores, "ann", build);
  const own = needsOf(cores, "ann");
  expect([graph, a!, b!].map((digest) => own.get(digest))).toEqual(["own", undefined, "own"]);
  // Bob needs as much if it sealed it, else nothing.
  const sealer = cores.node("bob").build(build).claims!.sealed!.author;
  const others = needsOf(cores, "bob");
  expect([...others.keys()].sort()).toEqual(sealer === cores.node("bob").peer ? [...own.keys()].sort() : []);
});

test("logs of an own build are needed until its time is over, its results as before", () => {
  const cores = new Cores({ ann: {} });
  const said = digestOf(Buffer.from("said"));
  cores.rules.run = ({ outputs }) => ({
    ms: 5,
    outcome: {
      kind: "done",
      result: {
        outputs: outputs.map(({ path, kind }) => ({ path, kind, digest: blob(path) })),
        stdout: said,
      },
      usage: { fetchMs: 0, wallMs: 5, cpuMs: 5, maxRssBytes: 1, fetchedBytes: 0 },
    },
  });
  const build = cores.submit("ann", graphOf({ a: [] }));
  cores.finish(build);
  const { core } = cores.node("ann");
  const { wallMs } = core.desk.builds.get(build)!.submission!;
  const needed = (logsSinceMs: number) =>
    new Set([...rootsOf(core.desk, core.releases, logsSinceMs)].map(({ digest }) => digest));
  const [output] = outputsOf(cores, "ann", build);
  expect([...needed(wallMs)]).toEqual(expect.arrayContaining([output, said]));
  expect(needed(wallMs + 1).has(said)).toBe(false);
  expect(needed(wallMs + 1).has(output!)).toBe(true);
});

test("of own builds of one name the latest is needed alone", () => {
  const cores = new Cores({ ann: {} });
  const graphs = [graphOf({ a: [] }), graphOf({ a: [], b: [] })];
  const digests = graphs.map((graph) => {
    const build = cores.submit("ann", graph);
    cores.finish(build);
    cores.runFor(1000);
    return cores.node("ann").build(build).submission!.event.graph;
  });
  const needs = needsOf(cores, "ann");
  expect(digests.map((digest) => needs.get(digest))).toEqual([undefined, "own"]);
});

test("what made room is no longer taken for being here", () => {
  const cores = new Cores({ ann: {} });
  const build = cores.submit("ann", graphOf({ a: [] }));
  cores.finish(build);
  const { desk } = cores.node("ann").core;
  const claims = cores.node("ann").build(build).claims!;
  const { digest } = claims.resultOf(0)!.result.outputs[0]!;
  expect(desk.isLocal(digest)).toBe(true);
  cores.step(cores.node("ann"), { kind: "collected", digests: [digest] });
  expect(desk.isLocal(digest)).toBe(false);
});

test("whoever sealed a build keeps its results, also for a submitter that has none of them", () => {
  const cores = new Cores({ ann: { slots: 0 }, bob: {}, cy: {} });
  const build = cores.submit("ann", graphOf({ a: [] }));
  cores.finish(build);
  cores.runFor(5000);
  const { sealed } = cores.node("bob").build(build).claims!;
  const [a] = outputsOf(cores, "bob", build);
  const keeps = cores.nodes.filter(({ name }) => needsOf(cores, name).has(a!)).map(({ peer }) => peer);
  expect(keeps.toSorted()).toEqual([...new Set([cores.node("ann").peer, sealed!.author])].toSorted());
  expect(sealed!.author).not.toBe(cores.node("ann").peer);
});
