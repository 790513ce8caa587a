import fc from "fast-check";
import { expect, test } from "vitest";
import type { BuildId } from "../../protocol/kernel/ids.ts";
import { Shares, type Turn } from "../../protocol/work/shares.ts";
import { peerNamed } from "../contract/chain.ts";

const [ann, bob] = [peerNamed("ann"), peerNamed("bob")];
const turn = (name: string, fields: Partial<Turn> = {}): Turn => ({
  build: `${name}-0000000000` as BuildId,
  user: ann,
  priority: 0,
  slots: 0,
  ready: true,
  submittedWallMs: 0,
  ...fields,
});
const names = (shares: Shares, turns: readonly Turn[], nowMonoMs: number) =>
  shares.order(turns, nowMonoMs).map((r) => r.build.slice(0, -11));

test("priority goes first, then the user with fewer slots, then the build with fewer, then the older", () => {
  expect(
    names(
      new Shares(),
      [
        turn("late", { submittedWallMs: 5 }),
        turn("early", { submittedWallMs: 1 }),
        turn("busy", { slots: 4 }),
        turn("other", { user: bob, slots: 1 }),
        turn("urgent", { priority: 1, slots: 9 }),
        turn("idle", { ready: false, priority: 9 }),
      ],
      0,
    ),
  ).toEqual(["urgent", "other", "early", "late", "busy"]);
});

test("what was lately used counts, and fades", () => {
  const shares = new Shares();
  const both = (aSlots: number) => [
    turn("a", { slots: aSlots }),
    turn("b", { user: bob, submittedWallMs: 1 }),
  ];
  names(shares, both(8), 0);
  expect(names(shares, both(0), 4000)).toEqual(["b", "a"]);
  const used = shares.order(both(0), 4000).find((r) => r.build.startsWith("a"))!.userShare;
  const faded = shares.order(both(0), 64_000).find((r) => r.build.startsWith("a"))!.userShare;
  expect(faded).toBeCloseTo(used / 2);
});

test("a build that waits with nothing in hand gains priority until it gets its turn, and loses it then", () => {
  const shares = new Shares();
  const both = (slots: number) => [
    turn("urgent", { priority: 10, slots: 4 }),
    turn("meek", { user: bob, slots }),
  ];
  expect(names(shares, both(0), 0)).toEqual(["urgent", "meek"]);
  expect(shares.deadline(0)).toBe(5000);
  expect(names(shares, both(0), 49_999)).toEqual(["urgent", "meek"]);
  expect(names(shares, both(0), 55_000)).toEqual(["meek", "urgent"]);
  expect(names(shares, both(1), 55_001)).toEqual(["urgent", "meek"]);
});

test("no build starves, whatever the priorities: one slot, given to whose turn it is, comes round to all", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: -100, max: 100 }), { minLength: 2, maxLength: 6 }),
      (priorities) => {
        const shares = new Shares();
        const served = new Set<BuildId>();
        let holder: BuildId | undefined;
        for (let nowMs = 0; nowMs < 3_000_000 && served.size < priorities.length; nowMs += 1000) {
          const turns = priorities.map((priority, i) => {
            const made = turn(`b${i}`, { priority, submittedWallMs: i });
            return { ...made, slots: made.build === holder ? 1 : 0 };
          });
          holder = shares.order(turns, nowMs)[0]!.build;
          served.add(holder);
        }
        expect(served.size).toBe(priorities.length);
      },
    ),
    { numRuns: 30 },
  );
});

test("two users with endless work share a slot evenly, however many builds each has", () => {
  const shares = new Shares();
  const builds = ["a", "b", "c", "d"].map((n) => turn(n)).concat(turn("lone", { user: bob }));
  let lone = 0;
  let holder: BuildId | undefined;
  for (let i = 0; i < 400; i++) {
    const turns = builds.map((b) => ({ ...b, slots: b.build === holder ? 1 : 0 }));
    // The slot is free again when it is asked for.
    shares.order(turns, i * 100);
    holder = shares.order(builds, i * 100 + 99)[0]!.build;
    if (holder.startsWith("lone")) lone++;
  }
  expect(lone / 400).toBeGreaterThan(0.4);
  expect(lone / 400).toBeLessThan(0.6);
});
