import fc from "fast-check";
import { expect, test } from "vitest";
import type { Digest } from "../../protocol/kernel/ids.ts";
import { collect, excessOf, type Held, recentMs } from "../../protocol/work/collection.ts";
import type { Need } from "../../protocol/work/reachable.ts";
import { keyOf } from "./facts.ts";

const nowMs = 1_764_000_000_000;
const hours = 3_600_000;
const held = (name: string, bytes: number, agedHours: number): Held => ({
  digest: keyOf(name),
  bytes,
  usedMs: nowMs - agedHours * hours,
});
const at = (excessBytes: number, least = recentMs) => ({ nowMs, recentMs: least, excessBytes });
const needed =
  (needs: Record<string, Need>) =>
  (digest: Digest): Need | undefined =>
    new Map(Object.entries(needs).map(([name, need]) => [keyOf(name), need])).get(digest);

test.each<[string, number, number, number]>([
  ["half full", 50, 100, 0],
  ["at nine tenths of what it may take: down to eight", 90, 100, 10],
  ["over it", 130, 100, 50],
  ["a disk with less free than is to be kept: a fifth more than that", 10, 39, 9],
  ["both: the larger counts", 95, 39, 15],
])("room is made before there is none: %s", (_, usedBytes, freeBytes, excess) => {
  expect(excessOf({ usedBytes, usedBytesMax: 100, freeBytes, freeBytesMin: 40 })).toBe(excess);
});

test("what was used longest ago goes first, and no more than must", () => {
  const { goes, goesBytes, kept } = collect(
    [held("b", 10, 3), held("a", 10, 9), held("c", 10, 5), held("d", 10, 2)],
    () => undefined,
    at(15),
  );
  expect(goes.map(({ digest }) => digest)).toEqual([keyOf("a"), keyOf("c")]);
  expect(goesBytes).toBe(20);
  expect(kept.room).toEqual({ count: 2, bytes: 20 });
});

test("what is needed stays however old it is, what was used just now stays although nothing needs it", () => {
  const { goes, kept } = collect(
    [
      held("live", 10, 999),
      held("released", 20, 999),
      held("own", 30, 999),
      held("new", 5, 0.1),
      held("old", 1, 1),
    ],
    needed({ live: "live", released: "released", own: "own" }),
    at(Number.POSITIVE_INFINITY),
  );
  expect(goes.map(({ digest }) => digest)).toEqual([keyOf("old")]);
  expect(kept).toEqual({
    live: { count: 1, bytes: 10 },
    released: { count: 1, bytes: 20 },
    own: { count: 1, bytes: 30 },
    logs: { count: 0, bytes: 0 },
    recent: { count: 1, bytes: 5 },
    room: { count: 0, bytes: 0 },
  });
});

test("what a clock from the future wrote does not stay for ever", () => {
  const future = [held("a", 1, -24 * 365), held("b", 1, -0.5)];
  const { goes } = collect(future, () => undefined, at(1));
  expect(goes.map(({ digest }) => digest)).toEqual([keyOf("a")]);
});

test("whatever the disk holds: nothing needed goes, enough goes if there is enough, and not one more than that", () => {
  const one = fc.record({ n: fc.nat(500), bytes: fc.nat(1000), agedHours: fc.integer({ min: -3, max: 99 }) });
  const disks = fc.uniqueArray(one, { selector: ({ n }) => n, maxLength: 40 });
  fc.assert(
    fc.property(disks, fc.nat(20_000), (disk, excess) => {
      const all = disk.map(({ n, bytes, agedHours }) => held(`blob ${n}`, bytes, agedHours));
      const live = new Set(all.filter((_, i) => disk[i]!.n % 3 === 0).map(({ digest }) => digest));
      const needOf = (digest: Digest) => (live.has(digest) ? ("live" as const) : undefined);
      const { goes, goesBytes, kept } = collect(all, needOf, at(excess));
      expect(goes.some(({ digest }) => live.has(digest))).toBe(false);
      if (goesBytes < excess) expect(kept.room.count).toBe(0);
      else if (goes.length > 0) expect(goesBytes - goes.at(-1)!.bytes).toBeLessThan(excess);
      const total = Object.values(kept).reduce((sum, { count }) => sum + count, goes.length);
      expect(total).toBe(all.length);
      expect(collect(all.toReversed(), needOf, at(excess)).goes).toEqual(goes);
    }),
  );
});
