/** Data of a node that lived through a build, from what it has on its disk. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createData, type DataQueries } from "../node/data.ts";
import { Queries } from "../node/queries.ts";
import { WireLog } from "../node/wire-log.ts";
import { encodeGraph } from "../protocol/build/graph.ts";
import type { BuildId, Digest } from "../protocol/kernel/ids.ts";
import { Cores } from "./core/cores.ts";
import { graphOf } from "./work/facts.ts";

const mesh = { addresses: () => [], addressesOf: () => [], versionOf: () => undefined };
const graph = graphOf({ a: [], b: ["a"], c: ["a"] });

let dir: string;
let parts: Parameters<typeof createData>[0];
let data: DataQueries;
let build: BuildId;
let queries: Queries;

beforeAll(() => {
  dir = mkdtempSync(path.join(tmpdir(), "swarmd-data-"));
  let fails = 1;
  const cores = new Cores(
    { ann: {}, bob: {} },
    {
      run: ({ action }) =>
        action === "b" && fails-- > 0
          ? { ms: 5, outcome: { kind: "failed", cause: "infrastructure", reason: "no room" } }
          : { ms: 5 },
    },
  );
  build = cores.submit("ann", graph);
  cores.finish(build);
  const ann = cores.nodes[0]!;
  queries = new Queries(ann.core, mesh);
  const { bytes, digest } = encodeGraph(graph);
  parts = {
    desk: ann.core.desk,
    queries,
    events: {
      range: (author, inc, from, to, done) =>
        done(
          ann.entries.filter(
            ({ entry: e }) => e.author === author && e.inc === inc && e.seq >= from && e.seq <= to,
          ),
        ),
    },
    blobs: { has: (one: Digest) => one === digest, read: async () => bytes },
    releases: async () => ({ channels: [], mirrors: [] }),
    file: path.join(dir, "projection", "timeline.sqlite"),
    wireLog: new WireLog(),
    limits: { queryMsMax: 600_000, readMsMax: 600_000 },
    nowMs: () => ann.core.desk.now.wallMs,
  };
  data = createData(parts);
});
afterAll(async () => {
  await data.close();
  rmSync(dir, { recursive: true, force: true });
});

const rows = async (sql: string) => (await data.sqlQuery(sql)).rows;

test("the tables say what the fold says", async () => {
  const view = queries.view(queries.find(build));
  expect(await rows("SELECT build, name, state, submitter, wall_ms FROM builds")).toEqual([
    [build, "demo", "complete", "ann", view.wallMs],
  ]);
  expect(await rows("SELECT action, kind, state, attempts FROM actions ORDER BY action")).toEqual(
    view.actionViews
      .map(({ name, group, state, attempts }) => [name, group, state, attempts.length])
      .sort(([a], [b]) => (a! < b! ? -1 : 1)),
  );
  expect(
    await rows("SELECT claim, action, node, steward, state, reason FROM attempts ORDER BY claim"),
  ).toEqual(
    view.actionViews
      .flatMap(({ name, attempts }) =>
        attempts.map((one) => [one.claim, name, one.node, one.steward, one.state, one.reason ?? null]),
      )
      .sort(([a], [b]) => (a! < b! ? -1 : 1)),
  );
  expect(await rows("SELECT count(*) FROM events WHERE counts = 0")).toEqual([[0]]);
  expect(await rows("SELECT node, state FROM nodes ORDER BY node")).toEqual([
    ["ann", "self"],
    ["bob", "alive"],
  ]);
});

test("a peer that nobody knows is refused, and no query holds a path of this machine", async () => {
  const read = async () =>
    Array.fromAsync(data.wire({ peer: "nobody", follow: false }, new AbortController().signal));
  await expect(read()).rejects.toMatchObject({
    code: "not-found",
    remedy: "see the nodes: swarmd node list",
  });
  const mistyped = data.wire({ peer: "bbo", follow: false }, new AbortController().signal);
  await expect(Array.fromAsync(mistyped)).rejects.toMatchObject({ remedy: "did you mean bob?" });
  expect(JSON.stringify(await data.sqlQuery("SELECT * FROM events"))).not.toContain(dir);
});

test("code that cannot be read is looked for again with the next question, and keeps nothing from closing", async () => {
  let tries = 0;
  const replaced = createData({
    ...parts,
    load: async () => {
      tries++;
      throw new Error("Cannot find module");
    },
  });
  for (let asked = 0; asked < 2; asked++)
    await expect(replaced.sqlSchema()).rejects.toThrow("Cannot find module");
  expect(tries).toBe(2);
  await replaced.close();
});
