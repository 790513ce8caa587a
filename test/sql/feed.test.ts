import { expect, test } from "vitest";
import { Feed, type FeedParts } from "../../node/sql/feed.ts";
import { marked } from "../../node/sql/marked.ts";
import type { Chain } from "../../node/sql/speech.ts";
import type { BuildId } from "../../protocol/kernel/ids.ts";
import { Build } from "../../protocol/work/build.ts";
import type { Desk } from "../../protocol/work/desk.ts";
import { Estimates } from "../../protocol/work/estimates.ts";
import { Ledger } from "../../protocol/work/ledger.ts";
import { Author, graphOf, build as id, rolesOf } from "../work/facts.ts";

test("what is gone from the disk is looked for once, and what comes near the end with the next question", async () => {
  const ann = new Author("ann");
  const entries = Array.from({ length: 3000 }, () => ann.say({ kind: "node.down", reason: "why" }));
  const disk = new Set(entries.slice(2000).filter(({ entry }) => entry.seq !== 2990));
  let asked = 0;
  const feed = new Feed({
    desk: { members: rolesOf() },
    chains: () => [{ author: ann.peer, inc: ann.inc, seq: 2999 }],
    events: {
      range: ((_author, _inc, from, to, done) => {
        asked++;
        done([...disk].filter(({ entry: { seq } }) => from <= seq && seq <= to));
      }) as FeedParts["events"]["range"],
    },
  } as unknown as FeedParts);
  const runs: number[] = [];
  const question = async (nowMs: number) => {
    asked = 0;
    let given = 0;
    const known: Chain[] = [{ author: ann.peer, inc: ann.inc, runs }];
    await feed.entries(known, nowMs, async (page) => {
      given += page.length;
    });
    return [given, asked];
  };
  expect((await question(0))[0]).toBe(999);
  for (let seq = 2000; seq < 3000; seq++) if (seq !== 2990) marked(runs, seq);
  expect(await question(1000)).toEqual([0, 1]);
  disk.add(entries[2990]!);
  expect(await question(2000)).toEqual([1, 1]);
  disk.add(entries[5]!);
  expect((await question(100_000))[0]).toBe(2);
});

/** A build with one word of it on the disk, whose plan is not read yet. */
function young() {
  const ann = new Author("ann");
  const entry = ann.say({ kind: "control", op: "pause", id: "p", answers: [] });
  const members = rolesOf() as unknown as Desk["members"];
  const build = new Build(id, new Ledger(id, 0), 0);
  build.take([entry], members);
  const summary = { build: id, state: "paused", wallMs: 1, counts: {} };
  const feed = new Feed({
    desk: { members: { ...members, all: () => [], formers: () => [] }, builds: new Map([[id, build]]) },
    queries: { builds: () => [summary], nodes: () => [] },
    releases: async () => ({ channels: [], mirrors: [] }),
    chains: () => [{ author: ann.peer, inc: ann.inc, seq: 0 }],
    events: { range: ((_author, _inc, _from, _to, done) => done([entry])) as FeedParts["events"]["range"] },
    blob: async () => null,
  } as unknown as FeedParts);
  return { build, feed, open: () => build.open(graphOf({ a: [] }), new Estimates(), members) };
}

test("the plan of a build is given up once it is known not to lie here, not while it is on its way", async () => {
  const { feed, open } = young();
  expect(await feed.graph(id, "plan")).toBeUndefined();
  open();
  expect(await feed.graph(id, "plan")).toBeNull();
  expect(await feed.graph("old-0123456789" as BuildId, "plan")).toBeNull();
});

test("how a build stands is told again after words of it were read in that it knew before", async () => {
  const { feed, open } = young();
  open();
  const told = async () => (await feed.present(0)).builds.map(({ build }) => build);
  expect(await told()).toEqual([id]);
  expect(await told()).toEqual([]);
  await feed.entries([], 0, async () => {});
  expect(await told()).toEqual([id]);
});
