/** Checks by rebuilding, as a daemon begins and tells of them: of builds in memory, of archived ones, and of what cannot be checked. */
import { expect, test } from "vitest";
import { Queries } from "../node/queries.ts";
import { Rebuilds } from "../node/rebuilds.ts";
import { Recall } from "../node/recall.ts";
import type { CommandReply } from "../protocol/contract.ts";
import { digestOf } from "../protocol/kernel/digest.ts";
import type { ActionName, BuildId, Digest } from "../protocol/kernel/ids.ts";
import { Cores } from "./core/cores.ts";
import { graphOf, resultOf } from "./work/facts.ts";

const mesh = { addresses: () => [], addressesOf: () => [], versionOf: () => undefined };

/** A swarm, and what ann's daemon has to check builds with; bytes in `gone` are nowhere. */
function swarm(names: readonly string[] = ["ann", "bob"]) {
  const cores = new Cores(Object.fromEntries(names.map((name) => [name, {}])), { run: () => ({ ms: 5 }) });
  const ann = cores.node("ann");
  const { desk } = ann.core;
  const queries = new Queries(ann.core, mesh);
  const gone = new Set<Digest>();
  const recall = new Recall({
    desk,
    queries,
    events: {
      range: (author, inc, from, to, done) =>
        done(
          ann.entries.filter(
            ({ entry: e }) => e.author === author && e.inc === inc && e.seq >= from && e.seq <= to,
          ),
        ),
    },
    artifacts: { read: ({ digest }, done) => done(cores.graphs.get(digest) ?? null) },
  });
  const rebuilds = new Rebuilds({
    desk,
    queries,
    recall,
    artifacts: {
      fetch: (wants, done) =>
        done(
          wants.map(({ digest }) => digest).filter((digest) => gone.has(digest)),
          0,
        ),
      readTree: (_want, done) => done(null),
    },
    blobs: {
      has: () => false,
      put: async (bytes) => {
        const digest = digestOf(bytes);
        cores.graphs.set(digest, bytes);
        ann.blobs.add(digest);
        return digest;
      },
    },
    command: async (command) => {
      const reply = cores.command("ann", command);
      if (!reply?.ok) throw new Error(`refused: ${JSON.stringify(reply)}`);
      return reply as Extract<CommandReply, { ok: true }>;
    },
  });
  const built = (graph: Parameters<typeof graphOf>[0]) => {
    const build = cores.submit("ann", graphOf(graph));
    cores.finish(build);
    cores.runFor(500);
    return build;
  };
  return { cores, rebuilds, built, gone, queries };
}

const name = (text: string) => text as ActionName;

test("each action runs again where it did not run, and a build that ended long ago is checked like one of today", async () => {
  const { cores, rebuilds, built } = swarm();
  const build = built({ a: [], b: ["a"], c: [] });
  for (let i = 0; i < 50; i++) built({ [`x${i}`]: [] });
  expect(cores.node("ann").core.desk.builds.has(build)).toBe(false);
  const begun = await rebuilds.begin({ build, share: 1 });
  expect(begun).toMatchObject({ picked: 3, of: 3, left: 0 });
  cores.finish(begun.check);
  const view = await rebuilds.view(begun.check);
  expect(view).toMatchObject({ build, state: "complete", counts: { equal: 3, different: 0 } });
  for (const { by, again } of view.actions) expect([...by, ...again].sort()).toEqual(["ann", "bob"]);
});

test("what comes out differently is told with both sides, and counts for the build that is checked", async () => {
  const { cores, rebuilds, built, queries } = swarm();
  const build = built({ a: [], b: [] });
  const other = resultOf("a", "else");
  cores.rules.run = ({ action }, node) => {
    if (action !== "a") return { ms: 5 };
    for (const { digest } of other.outputs) node.blobs.add(digest);
    return { ms: 5, outcome: { kind: "done", result: other, usage } };
  };
  const { check } = await rebuilds.begin({ build, share: 1 });
  cores.finish(check);
  const { actions, counts } = await rebuilds.view(check);
  expect(counts).toMatchObject({ equal: 1, different: 1 });
  expect(actions[0]).toMatchObject({ action: "a", verdict: "different", outputs: [{ kind: "file" }] });
  expect(queries.divergent()).toEqual([{ build, first: "a", actions: 1, nodes: ["ann", "bob"], check }]);
});

test("what cannot be checked is told with the reason, and alone is refused", async () => {
  const { cores, rebuilds, built, gone, queries } = swarm();
  const build = built({ a: [], b: ["a"] });
  gone.add(queries.view(queries.find(build)).actionViews[0]!.outputs[0]!.digest);
  const begun = await rebuilds.begin({ build, share: 1 });
  expect(begun).toMatchObject({ picked: 1, of: 2, left: 1 });
  cores.finish(begun.check);
  const { actions } = await rebuilds.view(begun.check);
  expect(actions.map(({ action, verdict, why }) => [action, verdict, why])).toEqual([
    ["b", "unchecked", expect.stringContaining("can be had from nobody")],
    ["a", "equal", undefined],
  ]);
  const codeOf = (promise: Promise<unknown>) =>
    promise.then(
      () => "",
      (error) => error.code,
    );
  expect(await codeOf(rebuilds.begin({ build, share: 1, action: name("b") }))).toBe("no-eligible-node");
  expect(await codeOf(rebuilds.begin({ build, share: 1, action: name("z") }))).toBe("not-found");
  expect(await codeOf(rebuilds.begin({ build: begun.check, share: 1 }))).toBe("usage");
  expect(await codeOf(rebuilds.view(build))).toBe("not-found");
  expect(await codeOf(rebuilds.view("none-0000000000" as BuildId))).toBe("not-found");
});

test("a node alone has nobody to check it", async () => {
  const { rebuilds, built } = swarm(["ann"]);
  const build = built({ a: [] });
  await expect(rebuilds.begin({ build, share: 1 })).rejects.toMatchObject({ code: "no-eligible-node" });
});

const usage = { fetchMs: 0, wallMs: 5, cpuMs: 5, maxRssBytes: 0, fetchedBytes: 0 };
