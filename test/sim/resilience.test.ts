/** Starts that are not what they seem, holders that never end, members of another fold, forks and full disks: the swarm goes on. */
import { describe, expect, test } from "vitest";
import type { Host } from "../../sim/host.ts";
import { Swarm, type SwarmOptions } from "../../sim/swarm.ts";
import { apply } from "../../sim/trouble.ts";
import { fan, layered } from "../../sim/workload.ts";

function start(options: Partial<SwarmOptions> = {}) {
  const swarm = new Swarm({ seed: 1, hosts: 4, ...options }).start();
  const [ann, bob, cat, dan] = swarm.hosts as [Host, Host, Host, Host];
  return { swarm, world: swarm.world, ann, bob, cat, dan };
}

test("what is heavy waits for its room without stopping the clock", () => {
  const gib = 2 ** 30;
  const { swarm, ann } = start({ hosts: [{ name: "ann", slots: 4, memoryBytes: 8 * gib }] });
  const { graph, costs } = fan(4, 10_000);
  const requires = { cpus: 2, memoryBytes: 5 * gib };
  const heavy = { ...graph, actions: graph.actions.map((a) => ({ ...a, requires })) };
  expect(swarm.finish(swarm.submit(ann, { graph: heavy, costs })).state).toBe("complete");
});

describe("a disk set back", () => {
  test.each([1, 2, 3])("claims of the start that nobody remembers are taken back (seed %i)", (seed) => {
    const { swarm, world, ann, bob } = start({ seed });
    const build = swarm.submit(ann, layered(1, 5, 8, 2_000));
    world.runFor(3_000);
    const image = bob.image();
    bob.kill();
    bob.start();
    world.runFor(8_000);
    bob.kill();
    bob.setBack(image);
    bob.start();
    expect(swarm.finish(build, 120_000).state).toBe("complete");
    expect(swarm.settle(build)).toBe(true);
  });
});

describe("daemons of another fold", () => {
  test.each([1, 2, 3])("one of them is steward of nothing: builds end without it (seed %i)", (seed) => {
    const { swarm, world, ann } = start({ seed });
    apply(swarm, { kind: "mixed-version", host: "bob", how: "other-fold" });
    world.runFor(2_000);
    const build = swarm.submit(ann, fan(12, 1_000));
    const outcome = swarm.finish(build, 60_000);
    expect(outcome.state).toBe("complete");
    expect(outcome.byHost.bob).toBeUndefined();
  });
});

describe("a holder that says start and never ends", () => {
  test.each([1, 2, 3])(
    "loses its claim once the action's time is over, and the build ends (seed %i)",
    (seed) => {
      const { swarm, world, ann, bob } = start({ seed });
      apply(swarm, { kind: "byzantine", host: "bob", how: "never-runs" });
      world.runFor(2_000);
      const { graph, costs } = fan(12, 1_000);
      const bounded = { ...graph, actions: graph.actions.map((a) => ({ ...a, timeoutMs: 20_000 })) };
      const build = swarm.submit(ann, { graph: bounded, costs });
      expect(swarm.finish(build, 300_000).state).toBe("complete");
      const expired = [...ann.core.desk.builds.get(build)!.claims!.claims.values()].filter(
        (c) => c.holder === bob.peer && c.expired !== undefined,
      );
      expect(expired.length).toBeGreaterThan(0);
    },
  );
});
