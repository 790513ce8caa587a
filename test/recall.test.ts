/** Archived builds, read back from what the disk holds. */
import { expect, test } from "vitest";
import { Queries } from "../node/queries.ts";
import { Recall } from "../node/recall.ts";
import type { BuildId } from "../protocol/kernel/ids.ts";
import { Cores } from "./core/cores.ts";
import { graphOf } from "./work/facts.ts";

const mesh = { addresses: () => [], addressesOf: () => [], versionOf: () => undefined };

/** A swarm in which one build ended so long ago that nobody has it in memory. */
function old() {
  const cores = new Cores(
    { ann: { roles: ["admin", "builder", "submitter"] }, bob: {} },
    { run: () => ({ ms: 5 }) },
  );
  const build = cores.submit("ann", graphOf({ a: [], b: ["a"] }));
  cores.finish(build);
  const [ann] = cores.nodes;
  const queries = new Queries(ann!.core, mesh);
  const before = queries.view(queries.find(build));
  for (let i = 0; i < 50; i++) cores.finish(cores.submit("ann", graphOf({ [`x${i}`]: [] })));
  expect(ann!.core.desk.builds.has(build)).toBe(false);
  let reads = 0;
  const recall = new Recall({
    desk: ann!.core.desk,
    queries,
    events: {
      range: (author, inc, from, to, done) => {
        reads++;
        done(
          ann!.entries.filter(
            ({ entry: e }) => e.author === author && e.inc === inc && e.seq >= from && e.seq <= to,
          ),
        );
      },
    },
    artifacts: { read: ({ digest }, done) => done(cores.graphs.get(digest) ?? null) },
  });
  return { cores, build, before, queries, recall, reads: () => reads };
}

test("a build that ended long ago is what it was, and is read once for several questions", async () => {
  const { build, before, queries, recall, reads } = old();
  const first = await recall.find(build);
  expect(queries.view(first)).toEqual(before);
  expect(reads()).toBe(2);
  expect(await recall.find(build)).toBe(first);
  expect(reads()).toBe(2);
});

test("one whose plan is nowhere any more says so, and is found once it is back; one that never was is refused", async () => {
  const { cores, build, recall } = old();
  const graphs = new Map(cores.graphs);
  cores.graphs.clear();
  await expect(recall.find(build)).rejects.toMatchObject({ code: "blob-missing" });
  for (const [digest, bytes] of graphs) cores.graphs.set(digest, bytes);
  expect((await recall.find(build)).claims?.sealed?.event.state).toBe("complete");
  await expect(recall.find("nobody-0000000000" as BuildId)).rejects.toMatchObject({ code: "not-found" });
});

test("one that was read before a member's word ceased to count is read anew", async () => {
  const { cores, build, recall } = old();
  const bob = cores.node("bob").peer;
  const madeByBob = (await recall.find(build)).claims!.claimsOf(0)[0]!;
  expect(madeByBob).toMatchObject({ holder: bob, done: {} });
  const operation = { op: "revoke", peer: bob, disown: true } as const;
  expect(cores.command("ann", { kind: "member", operation })).toMatchObject({ ok: true });
  expect((await recall.find(build)).claims!.resultsOf(0)).toEqual([]);
});
