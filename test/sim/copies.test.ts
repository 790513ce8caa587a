/** Second copies: the end of one machine does not cost the work that would be dear to do again; and they do not slow a build down. */
import { describe, expect, test } from "vitest";
import { defaultScheduling } from "../../protocol/swarm/policy.ts";
import { Checkers } from "../../sim/checkers.ts";
import type { HostOptions } from "../../sim/host.ts";
import { Swarm } from "../../sim/swarm.ts";
import { chain, layered, type Workload } from "../../sim/workload.ts";
import { inFolders } from "./in-folders.ts";

type Copies = typeof defaultScheduling.copies;

const hostsWith = (copies: Copies, count = 3): HostOptions[] =>
  ["ann", "bob", "cat", "dan", "eve", "fay"].slice(0, count).map((name) => ({
    name,
    scheduling: { ...defaultScheduling, copies },
    bandwidthBytesPerSecond: 125_000_000,
  }));

/** How often `link0` ran when the machine that made it died for good while the next of the chain was running. */
function runsAfterLoss(
  seed: number,
  copies: Copies,
  workMs: number,
  work: Workload = chain(3, workMs),
): number {
  const swarm = new Swarm({ seed, hosts: hostsWith(copies) });
  const checkers = new Checkers(swarm);
  swarm.start();
  const build = swarm.submit(swarm.host("ann"), work);
  const first = () => swarm.executions.of(build, "link0" as never).find((e) => e.ended === "done");
  expect(swarm.world.runUntil(() => first() !== undefined, 120_000)).toBe(true);
  swarm.world.runFor(3000);
  swarm.host(first()!.host).kill();
  const outcome = swarm.finish(build, 300_000);
  expect(outcome.state).toBe("complete");
  expect(checkers.violations).toEqual([]);
  return outcome.executions.get("link0" as never)!;
}

describe.each([1, 2, 3, 4, 5, 6])(
  "the only maker of what is still needed dies for good (seed %i)",
  (seed) => {
    test("what was dear is not made again", () => {
      expect(runsAfterLoss(seed, "costly", 12_000)).toBe(1);
      expect(runsAfterLoss(seed, "costly", 12_000, inFolders(chain(3, 12_000)))).toBe(1);
    });

    test("what was cheap is made again, or nothing is where all that is needed has a second place", () => {
      expect(runsAfterLoss(seed, "costly", 4000)).toBe(2);
      expect(runsAfterLoss(seed, "needed", 4000)).toBe(1);
    });

    test("where nothing is copied all is made again", () => {
      expect(runsAfterLoss(seed, "never", 12_000)).toBe(2);
    });
  },
);

test("copies take builds at most a hundredth longer in the mean", () => {
  let copied = 0;
  const makespanMs = (copies: Copies, seed: number) => {
    const swarm = new Swarm({ seed, hosts: hostsWith(copies, 4) }).start();
    swarm.watch((_, effects) => {
      for (const effect of effects) if (effect.kind === "fetch" && effect.id.startsWith("copy:")) copied++;
    });
    const work = layered(seed, 4, 12, 8000);
    const costs = new Map([...work.costs].map(([name, cost]) => [name, { ...cost, outputBytes: 5_000_000 }]));
    return swarm.finish(swarm.submit(swarm.host("ann"), { ...work, costs }), 600_000).makespanMs;
  };
  const sumMs = (copies: Copies) =>
    [1, 2, 3, 4, 5, 6].reduce((sum, seed) => sum + makespanMs(copies, seed), 0);
  const plainMs = sumMs("never");
  expect(copied).toBe(0);
  expect(sumMs("costly") / plainMs).toBeLessThan(1.01);
  expect(copied).toBeGreaterThan(20);
  expect(sumMs("needed") / plainMs).toBeLessThan(1.01);
});
