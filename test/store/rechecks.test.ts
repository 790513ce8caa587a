import { describe, expect, it } from "vitest";
import { Rechecks } from "../../node/store/rechecks.ts";
import { digestOf } from "../../protocol/kernel/digest.ts";
import type { Digest } from "../../protocol/kernel/ids.ts";

const [one, two, absent] = ["one", "two", "absent"].map((text) => digestOf(Buffer.from(text)));

/** A disk on which reading takes 10 ms of a clock of its own. */
function disk(rotten: readonly Digest[] = []) {
  const state = { nowMs: 0, read: [] as Digest[], wrong: [] as Digest[], pausedMs: [] as number[] };
  const here = new Set([one!, two!]);
  const rechecks = new Rechecks({
    has: (digest) => here.has(digest),
    async recheck(digest) {
      state.nowMs += 10;
      state.read.push(digest);
      if (rotten.includes(digest)) here.delete(digest);
      return here.has(digest);
    },
    wrong: (digest) => state.wrong.push(digest),
    now: () => state.nowMs,
    async pause(ms) {
      state.pausedMs.push(ms);
    },
  });
  return { state, rechecks };
}

describe("blobs that others doubt", () => {
  it("are read again, and what is wrong is told once", async () => {
    const { state, rechecks } = disk([one!]);
    expect(await rechecks.doubt(one!)).toBe(false);
    expect(await rechecks.doubt(two!)).toBe(true);
    expect(await rechecks.doubt(one!)).toBe(false);
    expect(state.wrong).toEqual([one]);
    expect(state.read).toEqual([one, two]);
  });

  it("are read seldom and one by one, however often somebody doubts them", async () => {
    const { state, rechecks } = disk();
    await Promise.all(Array.from({ length: 50 }, () => rechecks.doubt(one!)));
    await rechecks.doubt(one!);
    expect(state.read).toEqual([one]);
    expect(state.pausedMs).toEqual([30]);
    state.nowMs += 600_000;
    await rechecks.doubt(one!);
    expect(state.read).toEqual([one, one]);
  });

  it("are not looked for when they are not here", async () => {
    const { state, rechecks } = disk();
    expect(await rechecks.doubt(absent!)).toBe(false);
    expect(state.read).toEqual([]);
  });
});
