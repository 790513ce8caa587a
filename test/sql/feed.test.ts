import { expect, test } from "vitest";
import { Feed, type FeedParts } from "../../node/sql/feed.ts";
import { marked } from "../../node/sql/marked.ts";
import type { Chain } from "../../node/sql/speech.ts";
import { Author, rolesOf } from "../work/facts.ts";

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
