/** Releases under faults: what votes make is one for each epoch, found again, and shown whole. Bugs that are planted: `bugs.test.ts`. */
import { expect, test } from "vitest";
import { releaseMixOf } from "../../sim/release-mix.ts";
import { runSeed } from "../../sim/trial.ts";

test("releases hold under faults, and go on once a majority is whole", () => {
  let released = 0;
  for (let seed = 1; seed <= 8; seed++) {
    const { violations } = runSeed(seed, {
      mix: releaseMixOf(seed),
      told: (swarm) => {
        released += Math.max(
          0,
          ...swarm.hosts.map((h) => (h.up ? (h.core.releases.epochs("stable")?.current ?? 0) : 0)),
        );
      },
    });
    expect(violations, `seed ${seed}`).toEqual([]);
  }
  expect(released).toBeGreaterThan(20);
}, 120_000);
