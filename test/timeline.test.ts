/** The timeline as people read it, from what a node has on its disk. */
import { expect, test } from "vitest";
import type { TimelineLine, TimelineRequest } from "../node/control/account.ts";
import { Queries } from "../node/queries.ts";
import { type TimelineParts, timelineOf } from "../node/timeline.ts";
import type { SignedEntry } from "../protocol/timeline/entry.ts";
import { Cores } from "./core/cores.ts";
import { graphOf } from "./work/facts.ts";

const mesh = { addresses: () => [], addressesOf: () => [], versionOf: () => undefined };

/** A swarm of two with a build behind it, in which one action failed once. */
function lived() {
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
  const build = cores.submit("ann", graphOf({ a: [], b: ["a"] }));
  cores.finish(build);
  const ann = cores.nodes[0]!;
  const { desk } = ann.core;
  const queries = new Queries(ann.core, mesh);
  const listeners = new Set<(entries: readonly SignedEntry[]) => void>();
  let reads = 0;
  const parts: TimelineParts = {
    desk,
    queries,
    recall: { find: async (id) => queries.find(id) },
    events: {
      range: (author, inc, from, to, done) => {
        reads++;
        const fits = ({ entry: e }: SignedEntry) =>
          e.author === author && e.inc === inc && e.seq >= from && e.seq <= to;
        done(ann.entries.filter(fits).sort((a, b) => a.entry.seq - b.entry.seq));
      },
    },
    hear: (listen) => {
      listeners.add(listen);
      return () => listeners.delete(listen);
    },
  };
  const lines = async (request: Partial<TimelineRequest> = {}): Promise<TimelineLine[]> => {
    const found: TimelineLine[] = [];
    for await (const line of timelineOf({ follow: false, ...request }, new AbortController().signal, parts))
      found.push(line);
    return found;
  };
  return { cores, build, ann, parts, lines, listeners, reads: () => reads };
}

test("everything that was said is there once, in the order of its time, with words, and JSON can carry it", async () => {
  const { ann, lines } = lived();
  const all = await lines();
  const events = new Map(ann.entries.map((e) => [e.id, e.entry.events.length]));
  expect(all.length).toBe([...events.values()].reduce((sum, n) => sum + n, 0));
  expect(new Set(all.map((l) => `${l.entry} ${l.place}`)).size).toBe(all.length);
  expect(all.map((l) => l.atMs)).toEqual(all.map((l) => l.atMs).toSorted((a, b) => a - b));
  expect(all.every((l) => l.text.length > 0)).toBe(true);
  expect(JSON.parse(JSON.stringify(all))).toEqual(all);
});

test("build, node, kind, family, time and count each leave out the rest", async () => {
  const { build, lines } = lived();
  const all = await lines();
  expect(await lines({ build })).toEqual(all.filter((l) => l.build === build));
  expect(await lines({ node: "bob" })).toEqual(all.filter((l) => l.node === "bob"));
  expect(await lines({ kinds: ["claim"] })).toEqual(all.filter((l) => l.kind === "claim"));
  const failures = await lines({ kinds: ["failure_propagation"] });
  expect(failures.map((l) => l.text)).toContain("b failed (infrastructure): no room");
  expect(failures.every((l) => l.family === "failure_propagation")).toBe(true);
  expect((await lines({ kinds: ["member"] })).every((l) => l.kind.startsWith("member."))).toBe(true);
  const sinceMs = all.at(-5)!.atMs;
  expect(await lines({ sinceMs })).toEqual(all.filter((l) => l.atMs >= sinceMs));
  expect(await lines({ limit: 3 })).toEqual(all.slice(-3));
  expect(await lines({ build, limit: 2 })).toEqual(all.filter((l) => l.build === build).slice(-2));
});

test("a kind that is none is refused with the nearest, a node that nobody knows with where to look", async () => {
  const { lines } = lived();
  await expect(lines({ kinds: ["clam"] })).rejects.toMatchObject({
    code: "usage",
    remedy: "did you mean claim?",
  });
  await expect(lines({ node: "zoe" })).rejects.toMatchObject({ code: "not-found" });
});

test("who follows gets what comes, once and as wanted, until he leaves", async () => {
  const { cores, ann, parts, listeners } = lived();
  const leaving = new AbortController();
  const follow = timelineOf({ follow: true, kinds: ["build.submitted"] }, leaving.signal, parts);
  const stream = follow[Symbol.asyncIterator]();
  expect((await stream.next()).value).toMatchObject({ kind: "build.submitted" });
  const next = stream.next();
  const known = ann.entries.length;
  const other = cores.submit("ann", graphOf({ x: [] }));
  cores.finish(other);
  const fresh = ann.entries.slice(known - 1);
  for (const hear of listeners) hear(fresh);
  expect((await next).value).toMatchObject({ kind: "build.submitted", build: other });
  const last = stream.next();
  leaving.abort();
  expect((await last).done).toBe(true);
  expect(listeners.size).toBe(0);
});
