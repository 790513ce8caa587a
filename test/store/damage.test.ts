/** Disks that give back other bytes than they were given: what is damaged is found, put aside and told; the rest is read on. And archived builds, packed. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { Level } from "level";
import { afterEach, beforeEach, expect, test } from "vitest";
import { checked, summed } from "../../node/store/checked.ts";
import { type DiskEvents, openEventStore } from "../../node/store/events.ts";
import { Quarantine } from "../../node/store/quarantine.ts";
import { encode } from "../../protocol/kernel/codec.ts";
import { digestOf } from "../../protocol/kernel/digest.ts";
import type { BuildId, Incarnation } from "../../protocol/kernel/ids.ts";
import type { EventBatch } from "../../protocol/ports.ts";
import type { ActionResult } from "../../protocol/timeline/events.ts";
import type { Damage } from "../../protocol/timeline/places.ts";
import { entryAt, madeBy, peerNamed } from "../contract/chain.ts";

const build = "demo-0123456789" as BuildId;
const other = "demo-012345678a" as BuildId;
const ann = peerNamed("ann");
const inc = "1-00000001" as Incarnation;

let dir: string;
let store: DiskEvents;
let quarantine: Quarantine;
let damages: Damage[];

beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "swarmd-damage-"));
  quarantine = new Quarantine(path.join(dir, "quarantine"));
  await open();
});
afterEach(async () => {
  await store.close();
  await quarantine.list(); // what was put aside is there
  await rm(dir, { recursive: true, force: true });
});

const folder = () => path.join(dir, "timeline");
async function open(): Promise<void> {
  damages = [];
  store = await openEventStore(folder(), { quarantine });
  store.watch((some) => damages.push(...some));
}
const write = (parts: Partial<EventBatch>) =>
  new Promise<void>((resolve, reject) =>
    store.write({ entries: [], updates: [], dropped: [], durable: false, ...parts }, (error) =>
      error ? reject(new Error(error.message)) : resolve(),
    ),
  );
const range = (from = 0, to = 1e6) =>
  new Promise<number[]>((resolve) =>
    store.range(ann, inc, from, to, (found) => resolve(found.map(({ entry }) => entry.seq))),
  );
/** What lies in the closed store under these keys, changed. */
async function change(prefix: string, change: (value: Buffer, nth: number) => void): Promise<number> {
  await store.close();
  const level = new Level<string, Uint8Array>(folder(), { valueEncoding: "view" });
  let count = 0;
  for (const [key, value] of await level.iterator({ gte: prefix, lt: `${prefix}~` }).all()) {
    const bytes = Buffer.from(value);
    change(bytes, count++);
    await level.put(key, bytes);
  }
  await level.close();
  await open();
  return count;
}
/** What lies in the log goes into a table when the store is opened; of that a part changes. */
async function damageTable(): Promise<void> {
  await store.close();
  await (await openEventStore(folder())).close();
  const tables = (await readdir(folder())).filter((file) => file.endsWith(".ldb"));
  const table = path.join(folder(), tables[0]!);
  const bytes = await readFile(table);
  // Compressed blocks: what follows does not unpack any more.
  bytes.fill(0xff, 40_000, 40_400);
  await writeFile(table, bytes);
  await open();
}
const flip = (value: Buffer) => {
  value[value.length >> 1]! ^= 1;
};
/** The record of an archived build, as its core would have it made, as far as the store reads it. */
const archived = (seqs: readonly (readonly [number, number])[], of = build) => {
  const places = [{ author: ann, inc, runs: seqs.flat() }];
  const first = entryAt(0, { build: of }).bytes;
  const rows = places.map((place) => [place.author, place.inc, place.runs]);
  const record = encode({
    v: 1,
    build: of,
    submission: first,
    seal: first,
    places: rows,
    sum: "0".repeat(16),
    entries: 1,
    done: 0,
  });
  return { build: of, record, places };
};
const keys = async (prefix: string) => {
  await store.close();
  const level = new Level(folder());
  const found = await level.keys({ gte: prefix, lt: `${prefix}~` }).all();
  await level.close();
  await open();
  return found.length;
};

test("a value with one bit changed anywhere is not what was written", () => {
  const value = Buffer.from(summed(Uint8Array.of(1, 2, 3)));
  expect(checked(value)).toEqual(Uint8Array.of(1, 2, 3));
  for (let bit = 0; bit < value.length * 8; bit++) {
    const wrong = Buffer.from(value);
    wrong[bit >> 3]! ^= 1 << (bit & 7);
    expect(checked(wrong)).toBeUndefined();
  }
});

test("a damaged entry is left out, put aside and told once, and read again once it came back", async () => {
  await write({ entries: [0, 1, 2].map((seq) => entryAt(seq)) });
  await change("e/", (value, nth) => nth === 1 && flip(value));
  expect(await range()).toEqual([0, 2]);
  expect(await range()).toEqual([0, 2]);
  expect(damages).toEqual([{ author: ann, inc, fromSeq: 1, toSeq: 1, shelf: "timeline" }]);
  expect((await quarantine.list()).map(({ what }) => what)).toEqual(["entry"]);
  await write({ entries: [entryAt(1)] });
  expect(await range()).toEqual([0, 1, 2]);
});

test("an archived build is packed: its entries are read as before, by range, and take less room", async () => {
  const entries = Array.from({ length: 300 }, (_, seq) =>
    entryAt(seq, { build: seq % 3 === 0 ? other : build }),
  );
  await write({ entries });
  const runs = Array.from({ length: 100 }, (_, n) => [n * 3 + 1, n * 3 + 2] as const);
  await write({ archived: [archived(runs)] });
  await store.packed();
  expect(await range()).toEqual(entries.map(({ entry }) => entry.seq));
  expect(await range(7, 12)).toEqual([7, 8, 9, 10, 11, 12]);
  expect(await keys("b/")).toBe(100);
  expect(await keys("s/")).toBe(1);
  expect(await range(295, 400)).toEqual([295, 296, 297, 298, 299]);
});

test("a damaged segment is told with its build and its stretch; what comes back is packed over it", async () => {
  const entries = [0, 1, 2, 3].map((seq) => entryAt(seq, { build }));
  await write({ entries });
  await write({ archived: [archived([[0, 3]])] });
  await store.packed();
  expect(await change("s/", flip)).toBe(1);
  expect(await range()).toEqual([]);
  expect(damages).toEqual([{ author: ann, inc, fromSeq: 0, toSeq: 3, shelf: "builds", build }]);
  expect((await quarantine.list()).map(({ what }) => what)).toEqual(["segment"]);
  await write({ entries });
  expect(await range()).toEqual([0, 1, 2, 3]);
  await store.close();
  await open();
  await store.restore();
  await store.packed();
  expect(await keys("b/")).toBe(0);
  expect(await range()).toEqual([0, 1, 2, 3]);
  expect(damages).toEqual([]);
});

test("what broke off while it was packed is packed at the next start", async () => {
  await write({ entries: [0, 1].map((seq) => entryAt(seq, { build })) });
  await write({ archived: [archived([[0, 1]])] });
  await store.packed();
  await write({ entries: [entryAt(2, { build })], archived: [] });
  await write({ archived: [{ ...archived([[0, 2]]), places: [] }] });
  await store.close();
  await open();
  await store.restore();
  await store.packed();
  expect(await keys("b/")).toBe(0);
  expect(await range()).toEqual([0, 1, 2]);
});

test("a forgotten build leaves nothing but its record, packed or not, and takes nothing of others with it", async () => {
  await write({ entries: [0, 1, 2, 3].map((seq) => entryAt(seq, { build: seq === 2 ? other : build })) });
  const { places } = archived([
    [0, 1],
    [3, 3],
  ]);
  await write({ archived: [archived([[0, 1]])] });
  await store.packed();
  const outline = Uint8Array.of(7);
  await write({ forgotten: [{ build, places, record: outline }] });
  expect(await range()).toEqual([2]);
  await store.close();
  await open();
  expect((await store.restore()).archived).toEqual([outline]);
  await write({ forgotten: [{ build, places: [] }] });
  expect((await store.restore()).archived).toEqual([]);
});

test("a look at everything finds what nobody reads", async () => {
  await write({ entries: Array.from({ length: 1500 }, (_, seq) => entryAt(seq)) });
  await change("e/", (value, nth) => nth % 500 === 250 && flip(value));
  let looks = 1;
  while (!(await store.scrub(100_000))) looks++;
  expect(looks).toBeGreaterThan(2);
  expect(damages.map(({ fromSeq }) => fromSeq)).toEqual([250, 750, 1250]);
});

test("results in a table that LevelDB cannot read are forgotten, and remembered anew", async () => {
  const keyed = Array.from({ length: 2000 }, (_, n) => digestOf(Buffer.from(`key ${n}`)));
  const remember = () => {
    for (const key of keyed) store.remember(key, result, madeBy(ann));
  };
  const remembered = async () => {
    let count = 0;
    for (const key of keyed)
      count += await new Promise<number>((resolve) => store.results(key, (found) => resolve(found.length)));
    return count;
  };
  const result: ActionResult = {
    outputs: Array.from({ length: 4 }, (_, n) => ({ path: `o${n}`, digest: keyed[n]!, kind: "file" })),
  };
  remember();
  await damageTable();
  remember();
  await write({});
  expect(await remembered()).toBeGreaterThan(500);
  remember();
  expect(await remembered()).toBe(2000);
});

test("a table that LevelDB cannot read is put aside; the rest is taken over, and what is missing is told", async () => {
  const entries = Array.from({ length: 2000 }, (_, seq) => entryAt(seq, { build, note: "n".repeat(200) }));
  await write({ entries });
  await write({ archived: [{ ...archived([[0, 1999]]), places: [] }] });
  await damageTable();
  const left = await range();
  expect(left.length).toBeLessThan(2000);
  expect(left.length).toBeGreaterThan(500);
  const missing = damages.filter(({ shelf }) => shelf === "builds").map(({ fromSeq }) => fromSeq);
  expect([...new Set([...left, ...missing])].length).toBe(2000);
  expect((await quarantine.list()).map(({ what }) => what)).toContain("table");
  await write({ entries });
  expect(await range()).toHaveLength(2000);
});
