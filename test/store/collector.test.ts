import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type DiskBlobs, openBlobStore } from "../../node/store/blobs.ts";
import { Collector, type CollectorOptions } from "../../node/store/collector.ts";
import { encodeDirectory } from "../../protocol/build/reapi.ts";
import type { ActionName, Digest } from "../../protocol/kernel/ids.ts";
import { encodeManifest, encodeSet } from "../../protocol/release/manifest.ts";
import type { Root } from "../../protocol/work/reachable.ts";
import { build } from "../work/facts.ts";

const hours = 3_600_000;
const silent = { info() {}, warn() {} };

let home: string;
let blobs: DiskBlobs;
beforeEach(async () => {
  home = await mkdtemp(path.join(tmpdir(), "swarmd-collector-"));
  blobs = await openBlobStore(path.join(home, "blobs"));
});
afterEach(() => rm(home, { recursive: true }));

const put = (name: string, bytes = 100_000): Promise<Digest> =>
  blobs.put(Buffer.concat([Buffer.from(name), Buffer.alloc(bytes)]));

function collectorOf(roots: () => Root[], more: Partial<CollectorOptions> = {}) {
  const gone: Digest[] = [];
  const collector = new Collector({
    blobs,
    roots,
    disk: () => ({ diskTotalBytes: 1e9, diskFreeBytes: 9e8 }),
    gone: (digests) => gone.push(...digests),
    log: silent,
    nowMs: () => Date.now() + 24 * hours,
    ...more,
  });
  return { collector, gone };
}

test("where there is room nothing goes, unless it is asked for; a dry run removes nothing", async () => {
  const digest = await put("spare");
  const { collector, gone } = collectorOf(() => []);
  await collector.look();
  expect((await collector.collect()).goes).toEqual([]);
  const dry = await collector.collect({ dryRun: true, unusedMs: hours });
  expect(dry.goes.map((one) => one.digest)).toContain(digest);
  expect(blobs.has(digest)).toBe(true);
  expect(gone).toEqual([]);
  expect((await collector.collect({ unusedMs: 48 * hours })).goes).toEqual([]);
  await collector.collect({ unusedMs: hours });
  expect(blobs.has(digest)).toBe(false);
  expect(gone).toContain(digest);
});

test("over the limit what nothing needs goes until there is room, and what is needed stays, folders with all below them", async () => {
  const file = await put("in a folder");
  const deep = await blobs.put(
    encodeDirectory({
      files: [{ name: "f", digest: file, executable: false }],
      directories: [],
      symlinks: [],
    }),
  );
  const folder = await blobs.put(
    encodeDirectory({ files: [], directories: [{ name: "d", digest: deep }], symlinks: [] }),
  );
  const single = await put("by itself");
  const spare = await Promise.all([1, 2, 3, 4, 5].map((n) => put(`spare ${n}`)));
  const roots: Root[] = [
    { digest: folder, kind: "folder", need: "live" },
    { digest: single, kind: "blob", need: "own" },
  ];
  const { collector, gone } = collectorOf(() => roots, { bytesMax: 600_000 });
  await collector.look();
  for (const digest of [file, deep, folder, single]) expect(blobs.has(digest)).toBe(true);
  const left = spare.filter((digest) => blobs.has(digest));
  expect(left).toHaveLength(2);
  expect(gone.toSorted()).toEqual(spare.filter((digest) => !left.includes(digest)).toSorted());
});

test("what a staged set and an epoch's manifest name stays with them", async () => {
  const [staged, released, spare] = await Promise.all(
    ["staged", "released", "spare"].map((name) => put(name)),
  );
  const itemOf = (digest: Digest) => ({ path: "tool", digest, build, action: "all" as ActionName });
  const set = await blobs.put(
    encodeSet({ v: 1, channel: "stable", build, format: "files", items: [itemOf(staged!)] }),
  );
  const manifest = await blobs.put(
    encodeManifest({
      v: 1,
      swarm: "a".repeat(64) as never,
      channel: "stable",
      epoch: 1,
      parent: null,
      atMs: 0,
      format: "files",
      items: [itemOf(released!)],
      builds: [],
    }),
  );
  const { collector } = collectorOf(() => [
    { digest: set, kind: "set", need: "released" },
    { digest: manifest, kind: "manifest", need: "released" },
  ]);
  const { kept } = await collector.collect({ unusedMs: hours });
  expect(kept.released.count).toBe(4);
  expect([set, manifest, staged!, released!, spare!].map((digest) => blobs.has(digest))).toEqual([
    true,
    true,
    true,
    true,
    false,
  ]);
});

test("a disk that others fill makes room too, by what was stored since without measuring all anew", async () => {
  let diskFreeBytes = 9e8;
  let listed = 0;
  const watched = new Proxy(blobs, {
    get(target, key) {
      if (key === "list") listed++;
      return Reflect.get(target, key);
    },
  });
  const { collector, gone } = collectorOf(() => [], {
    blobs: watched,
    disk: () => ({ diskTotalBytes: 1e9, diskFreeBytes }),
    freeBytesMin: 1e8,
    bytesMax: 1e9,
  });
  const digest = await put("spare");
  await collector.look();
  await collector.look();
  expect([listed, gone]).toEqual([1, []]);
  diskFreeBytes = 9e7;
  await collector.look();
  expect(listed).toBe(2);
  expect(gone).toContain(digest);
  await collector.look();
  expect(listed).toBe(2);
});

test("what is used while others go stays, and so does what was stored just now", async () => {
  const digest = await put("spare");
  const [held] = (await blobs.list()).filter((one) => one.digest === digest);
  expect(blobs.drop({ ...held!, usedMs: held!.usedMs - 1 })).toBe(false);
  expect(blobs.has(digest)).toBe(true);
  const { collector } = collectorOf(() => [], { bytesMax: 1, nowMs: Date.now });
  const { goes, kept } = await collector.collect();
  expect(goes).toEqual([]);
  expect(kept.recent.count).toBeGreaterThan(0);
  expect(blobs.has(digest)).toBe(true);
});

test("while a folder cannot be read nothing goes: nobody knows what lies below it", async () => {
  const file = await put("below");
  const files = [{ name: "f", digest: file, executable: false }];
  const folder = await blobs.put(encodeDirectory({ files, directories: [], symlinks: [] }));
  let readable = false;
  const failing: CollectorOptions["blobs"] = {
    list: () => blobs.list(),
    drop: (held) => blobs.drop(held),
    bytesHere: (digest) => blobs.bytesHere(digest),
    writtenBytes: 0,
    read: (digest) =>
      readable
        ? blobs.read(digest)
        : Promise.reject(Object.assign(new Error("too many open files"), { code: "EMFILE" })),
  };
  const { collector } = collectorOf(() => [{ digest: folder, kind: "folder", need: "live" }], {
    blobs: failing,
  });
  await expect(collector.collect({ unusedMs: 0 })).rejects.toMatchObject({ code: "EMFILE" });
  expect(blobs.has(file)).toBe(true);
  readable = true;
  expect((await collector.collect({ unusedMs: 0 })).kept.live.count).toBe(2);
  expect(blobs.has(file)).toBe(true);
});

test("logs of what ran here stay while they are kept, and go once they are overdue, also where there is room", async () => {
  const [kept, overdue, spare] = [await put("kept"), await put("overdue"), await put("spare")];
  let forgot = 0;
  const logs = {
    at: () => ({ kept: new Set([kept]), overdue: new Set([overdue]) }),
    forget: () => void forgot++,
  };
  const { collector, gone } = collectorOf(() => [], { logs });
  const dry = await collector.collect({ dryRun: true });
  expect(dry.goes.map(({ digest }) => digest)).toEqual([overdue]);
  expect(dry.kept.logs.count).toBe(1);
  expect(forgot).toBe(0);
  await collector.look();
  expect(gone).toEqual([overdue]);
  expect(forgot).toBe(1);
  await collector.collect({ unusedMs: hours });
  expect([kept, overdue, spare].map((one) => blobs.has(one))).toEqual([true, false, false]);
});

test("what is needed for something else stays though it is overdue as a log", async () => {
  const digest = await put("said and needed");
  const logs = { at: () => ({ kept: new Set<Digest>(), overdue: new Set([digest]) }), forget() {} };
  const { collector, gone } = collectorOf(() => [{ digest, kind: "blob", need: "own" }], { logs });
  await collector.collect();
  expect(gone).toEqual([]);
});
