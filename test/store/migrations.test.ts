import { cp, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { Level } from "level";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openEventStore } from "../../node/store/events.ts";
import type { Migration } from "../../node/store/migrations.ts";
import { entryAt } from "../contract/chain.ts";

let dir: string;
let folder: string;

beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "swarmd-migrations-"));
  folder = path.join(dir, "timeline");
  const store = await openEventStore(folder, {}, []);
  await new Promise<void>((done) =>
    store.write({ entries: [entryAt(0), entryAt(1)], updates: [], dropped: [], durable: false }, () =>
      done(),
    ),
  );
  await store.close();
});
afterEach(() => rm(dir, { recursive: true, force: true }));

/** Gives every entry of the timeline another first letter; runs once or the second time finds nothing. */
const moves: Migration = {
  what: "entries move to another shelf",
  async run(records) {
    for await (const [key, value] of records.iterator({ gte: "e/", lt: "e0" }))
      await records.batch([
        { type: "put", key: `x${key}`, value },
        { type: "del", key },
      ]);
  },
};
const movesBack: Migration = {
  what: "and back again",
  async run(records) {
    for await (const [key, value] of records.iterator({ gte: "xe/", lt: "xe0" }))
      await records.batch([
        { type: "put", key: key.slice(1), value },
        { type: "del", key },
      ]);
  },
};
const fails: Migration = {
  what: "breaks off",
  async run(records) {
    await moves.run(records);
    throw new Error("a value cannot be read");
  },
};

async function keysIn(at: string): Promise<string[]> {
  const level = new Level(at);
  const keys = await level.keys().all();
  await level.close();
  return keys.map((key) => key.split("/")[0]!);
}
const untouched = ["e", "e", "version", "writer"];

test("a store of an older format is brought up once, and as it was it stays beside it", async () => {
  const once = await openEventStore(folder, {}, [moves]);
  await once.close();
  expect(once.migrated).toEqual({
    from: 1,
    to: 2,
    what: ["entries move to another shelf"],
    backup: `${folder}.v1`,
  });
  expect(await keysIn(folder)).toEqual(["version", "writer", "xe", "xe"]);
  expect(await keysIn(`${folder}.v1`)).toEqual(untouched);
  const again = await openEventStore(folder, {}, [moves]);
  await again.close();
  expect(again.migrated).toBeUndefined();
  expect((await readdir(dir)).sort()).toEqual(["timeline", "timeline.v1"]);
});

test("only the steps that a store lacks are run, in their order, and its entries are read as before", async () => {
  await (await openEventStore(folder, {}, [moves])).close();
  const store = await openEventStore(folder, {}, [fails, movesBack]);
  const { entries } = await store.restore();
  await store.close();
  expect(store.migrated).toMatchObject({ from: 2, to: 3, what: ["and back again"] });
  expect(entries.map(({ entry }) => entry.seq)).toEqual([0, 1]);
});

test("a new store has the newest format at once", async () => {
  const store = await openEventStore(path.join(dir, "new"), {}, [fails]);
  await store.close();
  expect(store.migrated).toBeUndefined();
});

test("a step that fails leaves the store as it was, for the program that wrote it", async () => {
  await expect(openEventStore(folder, {}, [fails])).rejects.toMatchObject({
    code: "home-invalid",
    message: expect.stringContaining("cannot be brought to format 2: a value cannot be read"),
    remedy: expect.stringContaining("the version of swarmd that wrote it"),
  });
  expect(await readdir(dir)).toEqual(["timeline"]);
  expect(await keysIn(folder)).toEqual(untouched);
  await (await openEventStore(folder, {}, [])).close();
});

test("an older program refuses a newer store, names both versions, and how to go back", async () => {
  await (await openEventStore(folder, {}, [moves])).close();
  const refused = openEventStore(folder, {}, []);
  await expect(refused).rejects.toMatchObject({
    code: "store-newer",
    message: expect.stringMatching(
      /has format 2, written by swarmd \d+\.\d+\.\d+.*; this is swarmd \d+\.\d+\.\d+.*formats up to 1$/,
    ),
    remedy: expect.stringContaining(`mv ${folder}.v1 ${folder}`),
  });
  expect(await keysIn(folder)).toEqual(["version", "writer", "xe", "xe"]);
  // As the remedy says.
  await rename(folder, `${folder}.newer`);
  await rename(`${folder}.v1`, folder);
  const back = await openEventStore(folder, {}, []);
  expect((await back.restore()).entries).toHaveLength(2);
  await back.close();
});

test("broken off before the exchange it begins anew; between the two renames, it is ended", async () => {
  await cp(folder, `${folder}.migrating`, { recursive: true });
  await cp(folder, `${folder}.migrated`, { recursive: true });
  const anew = await openEventStore(folder, {}, [moves]);
  await anew.close();
  expect(anew.migrated).toBeDefined();
  expect((await readdir(dir)).sort()).toEqual(["timeline", "timeline.v1"]);
  await rename(folder, `${folder}.migrated`);
  const ended = await openEventStore(folder, {}, [moves]);
  await ended.close();
  expect(ended.migrated).toBeUndefined();
  expect(await keysIn(folder)).toEqual(["version", "writer", "xe", "xe"]);
  expect((await readdir(dir)).sort()).toEqual(["timeline", "timeline.v1"]);
});

test("a copy that never became whole takes nobody's place", async () => {
  await rename(folder, `${folder}.migrating`);
  const store = await openEventStore(folder, {}, []);
  const { entries } = await store.restore();
  await store.close();
  expect(entries).toEqual([]);
});

test("a voter votes on after its store was brought up, and under another name once it went back", async () => {
  const old = await openEventStore(folder, {}, []);
  const log = await old.voteLog();
  await old.close();
  const store = await openEventStore(folder, {}, [moves]);
  expect(await store.voteLog()).toBe(log);
  await store.close();
  await rename(folder, `${folder}.newer`);
  await rename(`${folder}.v1`, folder);
  const back = await openEventStore(folder, {}, []);
  expect(await back.voteLog()).not.toBe(log);
  await back.close();
});
