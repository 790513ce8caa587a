import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { Level } from "level";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type DiskEvents, openEventStore } from "../../node/store/events.ts";
import type { BuildId } from "../../protocol/kernel/ids.ts";
import type { EventBatch } from "../../protocol/ports.ts";
import type { SignedEntry } from "../../protocol/timeline/entry.ts";
import { entryAt, madeBy, peerNamed } from "../contract/chain.ts";
import { eventsContract } from "../contract/events.ts";

let folder: string;
let opened: DiskEvents[] = [];

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "swarmd-events-"));
});
afterEach(async () => {
  for (const store of opened) await store.close();
  opened = [];
  await rm(folder, { recursive: true, force: true });
});

async function open(at = folder): Promise<DiskEvents> {
  const store = await openEventStore(at);
  opened.push(store);
  return store;
}

const batch = (parts: Partial<EventBatch>): EventBatch => ({
  entries: [],
  updates: [],
  dropped: [],
  durable: false,
  ...parts,
});
const write = (store: DiskEvents, parts: Partial<EventBatch>) =>
  new Promise<string>((resolve) => store.write(batch(parts), (error) => resolve(error?.code ?? "ok")));

/** Real time passes by itself: every turn of the event loop looks again. */
async function settle(condition: () => boolean) {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

eventsContract("on disk", async () => {
  const home = await mkdtemp(path.join(tmpdir(), "swarmd-events-"));
  let store = await openEventStore(home);
  return {
    store,
    settle,
    async restart() {
      await store.close();
      store = await openEventStore(home);
      return { store, restored: await store.restore() };
    },
    async stop() {
      await store.close();
      await rm(home, { recursive: true, force: true });
    },
  };
});

const child = path.join(import.meta.dirname, "writer.ts");

test("what was answered before a kill -9 is there afterwards", async () => {
  const writer = spawn(process.execPath, [child, folder], { stdio: ["ignore", "pipe", "inherit"] });
  let told = "";
  for await (const chunk of writer.stdout) {
    told += chunk;
    if (told.split("\n").length > 50) break;
  }
  writer.kill("SIGKILL");
  await once(writer, "exit");
  const answered = told.split("\n").slice(0, -1).map(Number);
  const store = await open();
  const { entries, unreadable } = await store.restore();
  const found = new Set(entries.map((e) => e.entry.seq));
  expect(answered.length).toBeGreaterThan(40);
  expect(answered.filter((seq) => !found.has(seq))).toEqual([]);
  expect(unreadable).toBe(0);
});

test("a torn tail costs the last writes and nothing else, and the store goes on", async () => {
  let store = await open();
  for (let seq = 0; seq < 20; seq++) await write(store, { entries: [entryAt(seq)] });
  await store.close();
  const log = (await readdir(folder)).find((file) => file.endsWith(".log"))!;
  const { size } = await stat(path.join(folder, log));
  await truncate(path.join(folder, log), size - 5);
  store = await open();
  expect((await store.restore()).entries.map((e) => e.entry.seq)).toEqual([...Array(19).keys()]);
  expect(await write(store, { entries: [entryAt(19)] })).toBe("ok");
  expect((await store.restore()).entries).toHaveLength(20);
});

test("wherever the log is cut, what is left is what was written first, each entry of a build with its update", async () => {
  const build = "a-0123456789" as BuildId;
  const store = await open();
  for (let seq = 0; seq < 24; seq++)
    await write(
      store,
      seq % 3 === 0
        ? { entries: [entryAt(seq)] }
        : { entries: [entryAt(seq, { build })], updates: [{ build, update: Uint8Array.of(seq) }] },
    );
  await store.close();
  const log = path.join(folder, (await readdir(folder)).find((file) => file.endsWith(".log"))!);
  const whole = await readFile(log);
  const left: number[] = [];
  for (let bytes = whole.length; bytes > 200; bytes -= 97) {
    const place = await mkdtemp(`${folder}-cut`);
    await cp(folder, place, { recursive: true });
    await truncate(path.join(place, path.basename(log)), bytes);
    const cut = await openEventStore(place);
    const { entries, ledgers } = await cut.restore();
    const timeline = entries.map((e) => e.entry.seq);
    const updates = ledgers.flatMap((l) => l.updates.map((u) => u[0]!));
    const all = [...timeline, ...updates].sort((a, b) => a - b);
    expect(all).toEqual([...Array(all.length).keys()]);
    left.push(all.length);
    const found = await new Promise<number[]>((resolve) => {
      const { author, inc } = entryAt(0).entry;
      cut.range(author, inc, 0, 99, (of) => resolve(of.map((e) => e.entry.seq)));
    });
    expect(found).toEqual(all);
    await cut.close();
    await rm(place, { recursive: true });
  }
  expect(left).toEqual([...left].sort((a, b) => b - a));
  expect(new Set(left).size).toBeGreaterThan(15);
});

test("a batch is there as a whole or not at all", async () => {
  let store = await open();
  const build = "a-0123456789" as BuildId;
  await write(store, { entries: [entryAt(0)] });
  await write(store, {
    entries: [entryAt(1), entryAt(2)],
    updates: [{ build, update: new Uint8Array(3000) }],
  });
  await store.close();
  const log = (await readdir(folder)).find((file) => file.endsWith(".log"))!;
  const { size } = await stat(path.join(folder, log));
  await truncate(path.join(folder, log), size - 1);
  store = await open();
  const restored = await store.restore();
  expect(restored.entries.map((e) => e.entry.seq)).toEqual([0]);
  expect(restored.ledgers).toEqual([]);
});

test("writes of one turn go to the disk as one batch", async () => {
  const store = await open();
  const count = 300;
  let answers = 0;
  for (let seq = 0; seq < count; seq++)
    store.write(batch({ entries: [entryAt(seq)], durable: true }), () => answers++);
  await settle(() => answers > 0);
  expect(answers).toBe(count);
});

test("a second process is refused while the store is open, and the first is not disturbed", async () => {
  const store = await open();
  await expect(openEventStore(folder)).rejects.toMatchObject({ code: "home-locked" });
  expect(await write(store, { entries: [entryAt(0)] })).toBe("ok");
});

test("a store of a newer format is left alone", async () => {
  await (await open()).close();
  const level = new Level(folder);
  await level.put("version", "99");
  await level.close();
  await expect(openEventStore(folder)).rejects.toMatchObject({ code: "store-newer" });
});

test("a folder that holds no readable store is refused with a remedy", async () => {
  await writeFile(path.join(folder, "CURRENT"), "MANIFEST-999999\n");
  await expect(openEventStore(folder)).rejects.toMatchObject({
    code: "home-invalid",
    remedy: expect.any(String),
  });
});

test("an entry that no longer decodes is left out and counted", async () => {
  const store = await open();
  await write(store, { entries: [entryAt(0), entryAt(1)] });
  await store.close();
  const level = new Level<string, Uint8Array>(folder, { valueEncoding: "view" });
  const [key] = await level.keys({ gte: "e/", limit: 1 }).all();
  await level.put(key!, new Uint8Array([1, 2, 3]));
  await level.close();
  const again = await open();
  const restored = await again.restore();
  expect(restored.unreadable).toBe(1);
  expect(restored.entries.map((e) => e.entry.seq)).toEqual([1]);
});

test("a closed store refuses to write and answers what was written before", async () => {
  const store = await open();
  let first: string | undefined;
  store.write(batch({ entries: [entryAt(0)] }), (error) => {
    first = error?.code ?? "ok";
  });
  await store.close();
  expect(first).toBe("ok");
  expect(await write(store, { entries: [entryAt(1)] })).toBe("refused");
});

test("different results and holders of one action key are bounded", async () => {
  const store = await open();
  const key = `${"a".repeat(64)}/1` as Parameters<DiskEvents["remember"]>[0];
  for (let n = 0; n < 100; n++) {
    const digest = `${n.toString(16).padStart(64, "0")}/1` as typeof key;
    store.remember(key, { outputs: [{ path: "o", digest, kind: "file" }] }, madeBy(peerNamed("ann")));
    store.remember(key, { outputs: [] }, madeBy(peerNamed(`holder ${n}`)));
  }
  await write(store, {});
  await store.close();
  const level = new Level<string, Uint8Array>(folder, { valueEncoding: "view" });
  const value = await level.get(`r/${key}`);
  await level.close();
  expect(value!.length).toBeLessThan(4096);
});

const tmpfs = mountable();

test.skipIf(!tmpfs)("a full disk is told as such, and once there is room the store goes on", async () => {
  const mount = path.join(folder, "small");
  execFileSync("mkdir", [mount]);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "swarmd-test", mount]);
  try {
    const store = await openEventStore(path.join(mount, "timeline"));
    const build = "a-0123456789" as BuildId;
    await write(store, { entries: [entryAt(0)], durable: true });
    await writeFile(path.join(mount, "ballast"), new Uint8Array(700 << 10));
    let answer = "ok";
    for (let n = 0; n < 40 && answer === "ok"; n++)
      answer = await write(store, { updates: [{ build, update: new Uint8Array(32 << 10).fill(n) }] });
    expect(answer).toBe("disk-full");
    await rm(path.join(mount, "ballast"));
    expect(await write(store, { entries: [entryAt(1)], durable: true })).toBe("ok");
    expect((await store.restore()).entries.map((e) => e.entry.seq)).toEqual([0, 1]);
    await store.close();
  } finally {
    execFileSync("umount", [mount]);
  }
});

function mountable(): boolean {
  try {
    execFileSync("unshare", ["--mount", "mount", "-t", "tmpfs", "swarmd-test", tmpdir()], {
      stdio: "ignore",
    });
    return true;
  } catch {
    process.stderr.write("a full disk is not tried: mounting a tmpfs is not allowed here\n");
    return false;
  }
}

describe("a store that spares its disk", () => {
  test("gathers what nobody waits for, and writes it with whatever somebody waits for", async () => {
    const store = await openEventStore(folder, { gatherMs: 3_600_000 });
    opened.push(store);
    const landed: string[] = [];
    const note = (name: string, quiet: boolean, seq: number) =>
      store.write(batch({ entries: [entryAt(seq)], quiet }), () => landed.push(name));
    note("quiet", true, 0);
    note("quiet too", true, 1);
    expect(landed).toEqual([]);
    note("awaited", false, 2);
    await settle(() => landed.length === 3);
    expect(landed).toEqual(["quiet", "quiet too", "awaited"]);
  });

  test("knows what it has gathered, and writes it before it is closed", async () => {
    const store = await openEventStore(folder, { gatherMs: 3_600_000 });
    const { entry } = entryAt(0);
    const range = () =>
      new Promise<number>((resolve) =>
        store.range(entry.author, entry.inc, 0, 9, (found) => resolve(found.length)),
      );
    store.write(batch({ entries: [entryAt(0)], quiet: true }), () => {});
    expect(await range()).toBe(1);
    store.write(batch({ entries: [entryAt(1)], quiet: true }), () => {});
    await store.close();
    expect((await (await open()).restore()).entries).toHaveLength(2);
  });

  test("keeps of builds what its own node said, and all that belongs to no build", async () => {
    const { entry } = entryAt(0);
    const store = await openEventStore(folder, { keepsOnly: entry.author });
    opened.push(store);
    const build = "x-0123456789" as BuildId;
    const entries = [
      entryAt(0, { author: "ann", build }),
      entryAt(0, { author: "bob", build }),
      entryAt(1, { author: "bob" }),
    ];
    expect(await write(store, { entries })).toBe("ok");
    const of = (one: SignedEntry) =>
      new Promise<number>((resolve) =>
        store.range(one.entry.author, one.entry.inc, 0, 9, (found) => resolve(found.length)),
      );
    expect([await of(entries[0]!), await of(entries[1]!)]).toEqual([1, 1]);
  });
});
