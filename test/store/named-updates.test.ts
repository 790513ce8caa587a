import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { Level } from "level";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type DiskEvents, openEventStore } from "../../node/store/events.ts";
import { byName, lengthened, namedIn, shortened } from "../../node/store/named-updates.ts";
import type { BuildId } from "../../protocol/kernel/ids.ts";
import type { EventBatch } from "../../protocol/ports.ts";
import { clientOf, Ledger } from "../../protocol/work/ledger.ts";
import { entryAt } from "../contract/chain.ts";

const build = "demo-0123456789" as BuildId;
const entries = [0, 1, 2, 3].map((seq) => entryAt(seq, { build, note: "x".repeat(200) }));
const ledgerOf = () => new Ledger(build, clientOf(entries[0]!.entry.author, entries[0]!.entry.inc));

let dir: string;
let store: DiskEvents;
beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "swarmd-named-"));
  store = await openEventStore(dir);
});
afterEach(async () => {
  await store.close();
  await rm(dir, { recursive: true, force: true });
});
const write = (batch: Partial<EventBatch>) =>
  new Promise<void>((resolve, reject) =>
    store.write({ entries: [], updates: [], dropped: [], durable: false, ...batch }, (error) =>
      error ? reject(error) : resolve(),
    ),
  );
/** What a ledger is after a restart, and the bytes its updates took on the disk. */
async function restarted() {
  await store.close();
  const level = new Level<string, Uint8Array>(dir, { valueEncoding: "view" });
  const kept = await level.values({ gte: "u/", lt: "u0" }).all();
  await level.close();
  store = await openEventStore(dir);
  const { ledgers, unreadable } = await store.restore();
  const ledger = ledgerOf();
  const back = ledger.restore(ledgers.find((l) => l.build === build)?.updates ?? []);
  return { ledger, back, unreadable, keptBytes: kept.reduce((sum, value) => sum + value.length, 0) };
}

test("a ledger comes back whole, and its entries lie on the disk once", async () => {
  const ledger = ledgerOf();
  for (const entry of entries)
    await write({ entries: [entry], updates: [{ build, update: ledger.add(entry) }] });
  const { ledger: again, back, unreadable, keptBytes } = await restarted();
  expect(back.map((entry) => entry.id)).toEqual(entries.map((entry) => entry.id));
  expect([again.digest(), unreadable]).toEqual([ledger.digest(), 0]);
  expect([...again.vector()]).toEqual([...ledger.vector()]);
  expect(keptBytes).toBeLessThan(0.5 * entries.reduce((sum, entry) => sum + entry.bytes.length, 0));
});

test("an update that adds what does not go to the disk with it is kept as it came", async () => {
  const ledger = ledgerOf();
  const updates = entries.map((entry) => ({ build, update: ledger.add(entry) }));
  await write({ updates: updates.slice(0, 2) });
  await write({ entries: entries.slice(2), updates: updates.slice(2) });
  const { back } = await restarted();
  expect(back.map((entry) => entry.id)).toEqual(entries.map((entry) => entry.id));
});

test("where another entry lies in the place by now only that one is left out, and had again from others", async () => {
  const ledger = ledgerOf();
  for (const entry of entries)
    await write({ entries: [entry], updates: [{ build, update: ledger.add(entry) }] });
  await write({ entries: [entryAt(3, { build, note: "another" })] });
  const { back, unreadable } = await restarted();
  expect(back.map((entry) => entry.id)).toEqual(entries.slice(0, 3).map((entry) => entry.id));
  expect(unreadable).toBe(0);
});

test("what is kept says which it is", () => {
  const update = ledgerOf().add(entries[0]!);
  const kept = shortened(update, byName(entries));
  const [chain] = namedIn(kept)!;
  expect(Buffer.compare(lengthened(chain!, chain!.entries[0]!, entries[0]!.bytes)!, update)).toBe(0);
  expect(lengthened(chain!, chain!.entries[0]!, entries[1]!.bytes)).toBeUndefined();
  for (const bare of [update, Uint8Array.of(0, 0), Uint8Array.of(7, 7)]) {
    expect(shortened(bare, new Map())).toBe(bare);
    expect(namedIn(bare)).toBeUndefined();
  }
});
