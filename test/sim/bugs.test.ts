/** The checkers' proof: a bug planted into the hosts of a sweep is caught, by the checker that is there for it, within few seeds. */
import { expect, test } from "vitest";
import { type Bug, bugs } from "../../sim/bugs.ts";
import { invariants } from "../../sim/checkers/violation.ts";
import { mixOf } from "../../sim/mix.ts";
import { releaseBugs } from "../../sim/release-bugs.ts";
import { runSeed } from "../../sim/trial.ts";

const all: readonly Bug[] = [...bugs, ...releaseBugs];

/** The first seed in which a bug's invariant breaks, counted from 1; undefined when it is none of the first `most`. */
function caughtAt(bug: Bug, most: number): number | undefined {
  for (let seed = 1; seed <= most; seed++) {
    const { violations } = runSeed(seed, {
      mix: bug.mix?.(seed) ?? mixOf(seed, bug.faults),
      plant: (swarm) => bug.plant(swarm),
      untilBroken: bug.breaks,
    });
    if (violations.some((v) => v.invariant === bug.breaks)) return seed;
  }
  return undefined;
}

test.each(all.map((bug) => [bug.name, bug] as const))(
  "caught: %s",
  (_, bug) => {
    expect(caughtAt(bug, 500)).toBeDefined();
  },
  120_000,
);

test.each(all.flatMap((bug) => (bug.mix ? [[bug.name, bug.mix, bug.breaks] as const] : [])))(
  "without the bug its mix holds: %s",
  (_, mix, breaks) => {
    const { violations } = runSeed(1, { mix: mix(1), untilBroken: breaks });
    expect(violations).toEqual([]);
  },
  120_000,
);

test("every invariant has a bug that breaks it", () => {
  expect(new Set(all.map((b) => b.breaks))).toEqual(new Set(Object.keys(invariants)));
});

test("what was planted is taken out again: the same seed without the bug holds", () => {
  const planted = bugs.find((b) => b.breaks === "done absorbs")!;
  const faults = ["crash", "pause"] as const;
  runSeed(1, { mix: mixOf(1, faults), plant: (swarm) => planted.plant(swarm) });
  const { violations } = runSeed(1, { mix: mixOf(1, faults) });
  expect(violations).toEqual([]);
});
