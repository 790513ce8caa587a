/** The word of a build's end that comes before the word of what the build made. */
import { expect, test } from "vitest";
import type { BuildEvent } from "../../node/control/api.ts";
import { Queries } from "../../node/queries.ts";
import { type RebuildParts, Rebuilds } from "../../node/rebuilds.ts";
import { type TaintParts, taintsView } from "../../node/release/taints.ts";
import { watch } from "../../node/watch.ts";
import { encodeGraph, type Graph } from "../../protocol/build/graph.ts";
import type { ActionName } from "../../protocol/kernel/ids.ts";
import type { Output } from "../../protocol/timeline/events.ts";
import { decodeHistory } from "../../protocol/work/history.ts";
import { bytesOf, opened, sectionsBy } from "../recording/made.ts";
import { graphOf } from "../work/facts.ts";
import { Cores } from "./cores.ts";

const plain = graphOf({ a: [], b: ["a"], c: ["a"] });
const graph = {
  ...plain,
  release: { channel: "stable", format: "files", include: ["b", "c"] as ActionName[] },
};
const roles = ["releaser", "builder", "submitter"] as const;

/** Cy hears from ann, who sealed it, that a build is complete, and nothing of what bob said, who made most of it. */
function untold(of: Graph = graph) {
  const cores = new Cores({ ann: { slots: 1 }, bob: { slots: 4 }, cy: { slots: 1, roles } });
  const [ann, , cy] = cores.nodes;
  for (let turn = 0; turn < 50; turn++) {
    cores.rules.drops = (from, to, { kind }) => to === "cy" && (from === "bob" || kind !== "ledger");
    const build = cores.submit("ann", of);
    const known = cores.runUntil(() => cy!.build(build)?.claims?.sealed !== undefined, 2000);
    const queries = new Queries(cy!.core, {
      addresses: () => [],
      addressesOf: () => [],
      versionOf: () => undefined,
    });
    if (
      known &&
      cy!.build(build).claims!.sealed!.author === ann!.peer &&
      queries.awaited(cy!.build(build)) > 0
    )
      return { cores, cy: cy!, build, queries };
    // Bob sealed it: his word of the end comes after his word of the rest. Or ann made it all.
    cores.rules.drops = undefined;
    cores.finish(build);
  }
  throw new Error("ann sealed nothing");
}

test("a node knows that it has not heard yet what a complete build made", () => {
  const { cores, cy, build, queries } = untold();
  expect(queries.view(cy.build(build))).toMatchObject({ state: "complete", awaited: expect.any(Number) });
  cores.rules.drops = undefined;
  cores.runFor(10_000);
  expect(queries.view(cy.build(build))).toMatchObject({ state: "complete", result: { executed: 3 } });
  expect(queries.view(cy.build(build)).awaited).toBeUndefined();
});

test("who follows the build there is told of its end once it is known what it made", async () => {
  const { cores, cy, build, queries } = untold();
  const events: BuildEvent[] = [];
  let looks = 0;
  const parts = {
    queries,
    recall: { find: async () => cy.build(build) },
    changed: async () => {
      if (++looks === 2) cores.rules.drops = undefined;
      cores.runFor(5000);
    },
  };
  for await (const event of watch(parts, build, new AbortController().signal)) events.push(event);
  expect(looks).toBeGreaterThanOrEqual(2);
  expect(events.filter(({ kind }) => kind === "action").map((e) => "state" in e && e.state)).toContain(
    "done",
  );
  expect(events.at(-1)).toMatchObject({ kind: "end", result: { state: "complete", executed: 3 } });
});

test("what it releases is staged whole, by whoever is left, or not at all", () => {
  const { cores, cy, build } = untold();
  cores.kill("ann");
  cores.kill("bob");
  cores.runFor(60_000);
  expect(cy.said("release.staged").filter((event) => event.build === build)).toEqual([]);
  cores.rules.drops = undefined;
  cores.start("bob");
  cores.runFor(60_000);
  const pending = cy.core.releases.pending("stable")?.filter((one) => one.build === build);
  expect(pending?.map(({ items }) => items)).toEqual([2]);
});

test("what others have archived comes chain by chain, and leaves memory once all is heard of what it made", () => {
  const { cores, cy, build } = untold(plain);
  const learned = () =>
    new Set(cy.of("remember").flatMap(({ made }) => (made.build === build ? [made.action] : [])));
  cores.runFor(1000);
  expect(learned().size).toBeLessThan(3);
  for (const name of ["ann", "bob"]) {
    const { peer, entries } = cores.node(name);
    const said = entries.filter(({ entry }) => entry.build === build && entry.author === peer);
    cores.hand(peer, "cy", { kind: "entries", entries: said });
  }
  expect(learned()).toEqual(new Set(["a", "b", "c"]));
  expect(cy.build(build)).toBeUndefined();
});

test("words that died with whoever said them are not awaited for ever", () => {
  const { cores, cy, build } = untold(plain);
  const ann = cores.node("ann");
  const said = ann.entries.filter(({ entry }) => entry.build === build && entry.author === ann.peer);
  cores.hand(ann.peer, "cy", { kind: "entries", entries: said });
  cores.kill("bob");
  cores.kill("ann");
  cores.runFor(50_000);
  expect(cy.build(build)).toBeDefined();
  cores.runFor(20_000);
  expect(cy.build(build)).toBeUndefined();
});

test("a recording of it says what is not in it", async () => {
  const { cores, cy, build, queries } = untold();
  const left = async () => (await opened(await bytesOf(sectionsBy(cores, "cy", build), cy.peer))).left;
  const what = `what ${queries.awaited(cy.build(build))} actions of ${build} made`;
  expect(await left()).toContainEqual({ what, why: "this node has not heard of it yet" });
  cores.rules.drops = undefined;
  cores.runFor(10_000);
  expect(await left()).toEqual([]);
});

test("a check of all of it is not begun before that is known", async () => {
  const { cy, build, queries } = untold();
  const recall = { find: async () => cy.build(build) };
  const rebuilds = new Rebuilds({ desk: cy.core.desk, queries, recall } as unknown as RebuildParts);
  await expect(rebuilds.begin({ build, share: 1 })).rejects.toMatchObject({
    code: "not-found",
    message: `this node has not heard yet what ${queries.awaited(cy.build(build))} actions of ${build} made`,
  });
});

test("what it made is not taken for tainted before it is heard", async () => {
  const { cores, cy, build, queries } = untold();
  const [ann, bob] = cores.nodes;
  const from = [{ inc: bob!.core.desk.config.inc, seq: 1_000_000 }];
  const operation = { op: "taint", peer: bob!.peer, from, sinceMs: 0 } as const;
  expect(cores.command("ann", { kind: "member", operation })).toMatchObject({ ok: true });
  cores.hand(ann!.peer, "cy", { kind: "entries", entries: [ann!.entries.at(-1)!] });
  const { desk } = cy.core;
  expect(desk.members.taints.any).toBe(true);
  const { claims } = ann!.build(build);
  const items = ["b", "c"].map((name) => {
    const action = name as ActionName;
    const [{ path, digest }] = claims!.resultOf(claims!.indexOf.get(action)!)!.result.outputs as [Output];
    return { build, action, path, digest };
  });
  const parts = {
    desk,
    recall: { find: async () => cy.build(build) },
    releases: { view: () => ({ channels: [] }), manifest: undefined, stagedItems: () => [] },
    nameOf: String,
  } as unknown as TaintParts;
  expect(queries.awaited(cy.build(build))).toBeGreaterThan(0);
  expect(items.map((item) => desk.stands(item))).not.toContain(false);
  expect(await taintsView(parts)).toMatchObject({ builds: [], unread: expect.arrayContaining([build]) });
  cores.rules.drops = undefined;
  cores.runFor(10_000);
  expect(items.map((item) => desk.stands(item))).toEqual([true, true]);
  expect(await taintsView(parts)).toMatchObject({ builds: [], unread: [] });
});

test("a build whose plan is not here yet is not kept as one that was learned from", () => {
  const cores = new Cores({ ann: {}, bob: {} });
  const bob = cores.node("bob");
  let blind = "";
  cores.rules.instead = (node, effect) =>
    node === bob && effect.kind === "read-blob" && effect.want.digest === blind;
  const learned = () => decodeHistory(bob.of("keep-history").at(-1)!.history)!.learned;
  const seen = cores.submit("ann", plain);
  cores.finish(seen);
  const unseen = graphOf({ x: [] });
  blind = encodeGraph(unseen).digest;
  const dark = cores.submit("ann", unseen);
  cores.runUntil(() => cores.node("ann").build(dark).claims?.sealed !== undefined);
  const after = cores.submit("ann", graphOf({ y: [] }));
  cores.runUntil(() => bob.build(after)?.claims?.sealed !== undefined);
  cores.runFor(2000);
  expect(bob.build(dark).claims).toBeUndefined();
  expect(learned()).toEqual([seen, after]);
});
