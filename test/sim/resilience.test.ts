/** Starts that are not what they seem, holders that never end, members of another fold, forks and full disks: the swarm goes on. */
import { describe, expect, test } from "vitest";
import type { BuildId } from "../../protocol/kernel/ids.ts";
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

describe("a disk set back by several starts", () => {
  test.each([1, 2])("the node learns of what it forgot and starts above it, and works (seed %i)", (seed) => {
    const { swarm, world, ann, bob } = start({ seed });
    const image = bob.image();
    for (let restarts = 0; restarts < 3; restarts++) {
      bob.kill();
      bob.start();
      world.runFor(2_000);
    }
    bob.kill();
    world.runFor(5_000);
    bob.setBack(image);
    bob.start();
    world.runFor(15_000);
    expect(bob.incarnations.map((inc) => Number.parseInt(inc, 10))).toEqual([1, 2, 3, 4, 2, 5]);
    expect(ann.core.desk.status(bob.peer)).toBe("alive");
    expect(ann.core.desk.peers.incarnationOf(bob.peer)).toBe(bob.incarnations.at(-1));
    const build = swarm.submit(ann, fan(12, 1_000));
    expect(swarm.finish(build).byHost.bob).toBeGreaterThan(0);
  });
});

describe("one identity on two machines", () => {
  test.each([1, 2, 3])("the newer start stays, the older one ends and says so (seed %i)", (seed) => {
    const { swarm, world, ann, bob } = start({ seed, keep: (what) => what === "says" });
    const build = swarm.submit(ann, layered(seed, 6, 8, 2_000));
    world.runFor(3_000);
    const twin = swarm.clone(bob);
    twin.start();
    world.runFor(6_000);
    expect(bob.up).toBe(false);
    expect(twin.up).toBe(true);
    const last = swarm.world.transcript.kept().filter((l) => l.who === "bob" && l.what === "says");
    expect(last.at(-1)!.detail).toContain("node.down");
    const outcome = swarm.finish(build);
    expect(outcome.state).toBe("complete");
    expect(outcome.byHost[twin.name]).toBeGreaterThan(0);
    expect(swarm.settle(build)).toBe(true);
  });

  test.each([1, 2])(
    "of two of one counter neither works; once one is gone the other starts above both (seed %i)",
    (seed) => {
      const { swarm, world, ann, bob, cat } = start({ seed });
      const twin = swarm.clone(bob);
      bob.kill();
      world.runFor(5_000);
      bob.start();
      twin.start();
      world.runFor(8_000);
      expect(bob.incarnations.at(-1)).not.toBe(twin.incarnations.at(-1));
      expect([bob.up, twin.up]).toEqual([true, true]);
      expect(ann.core.desk.peers.vitals(bob.peer)).toMatchObject({ slots: 0, limitedBy: "clone" });
      expect(cat.core.desk.builders().map((b) => b.peer)).not.toContain(bob.peer);
      const build = swarm.submit(ann, fan(12, 1_000));
      const outcome = swarm.finish(build, 60_000);
      expect(outcome.state).toBe("complete");
      expect(outcome.byHost.bob ?? outcome.byHost[twin.name]).toBeUndefined();
      twin.kill();
      world.runFor(10_000);
      expect(Number.parseInt(bob.incarnations.at(-1)!, 10)).toBe(3);
      expect(swarm.finish(swarm.submit(ann, layered(seed, 3, 6, 1_000))).byHost.bob).toBeGreaterThan(0);
    },
  );
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
      // Nobody runs beside it what it has in hand.
      const hosts = ["ann", "bob", "cat", "dan"].map((name) => ({ name, scheduling: { twinAfter: 0 } }));
      const { swarm, world, ann, bob } = start({ seed, hosts });
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

describe("a disk that takes nothing", () => {
  const long = () => fan(4, 12_000);
  const bobsExpired = (host: Host, build: BuildId, bob: Host) =>
    [...host.core.desk.builds.get(build)!.claims!.claims.values()].filter(
      (c) => c.holder === bob.peer && c.expired !== undefined,
    );

  test.each([1, 2])(
    "for a while: the node lives, takes nothing, and what it runs counts in the end (seed %i)",
    (seed) => {
      const { swarm, world, ann, bob, cat } = start({ seed });
      const build = swarm.submit(ann, long());
      world.runUntil(() => swarm.executions.runningOn("bob").length > 0, 5_000);
      apply(swarm, { kind: "disk-full", host: "bob", forMs: 8_000 });
      world.runFor(6_000);
      expect(ann.core.desk.status(bob.peer)).toBe("alive");
      expect(ann.core.desk.peers.vitals(bob.peer)).toMatchObject({ slots: 0, limitedBy: "disk" });
      expect(cat.core.desk.builders().map((b) => b.peer)).not.toContain(bob.peer);
      const outcome = swarm.finish(build);
      expect(outcome.state).toBe("complete");
      expect(bobsExpired(ann, build, bob)).toEqual([]);
      expect([...outcome.executions.values()].every((n) => n === 1)).toBe(true);
      world.runFor(3_000);
      expect(ann.core.desk.peers.vitals(bob.peer)!.limitedBy).toBeUndefined();
    },
  );

  test.each([1, 2, 3, 4])("nor what others say: the rest builds on without it (seed %i)", (seed) => {
    const { swarm, world, ann, bob, cat } = start({ seed });
    apply(swarm, { kind: "disk-full", host: "bob" });
    world.runFor(1_000);
    const build = swarm.submit(ann, layered(seed, 4, 7, 500));
    world.runUntil(() => cat.core.desk.builds.get(build)?.claims?.sealed !== undefined, 60_000);
    expect(cat.core.desk.builds.get(build)!.claims!.sealed!.event.state).toBe("complete");
    expect(ann.core.desk.builders().map((b) => b.peer)).not.toContain(bob.peer);
  });

  test.each([1, 2])("for good: others do its work, and the build ends (seed %i)", (seed) => {
    const { swarm, world, ann, bob } = start({ seed });
    const build = swarm.submit(ann, long());
    world.runUntil(() => swarm.executions.runningOn("bob").length > 0, 5_000);
    apply(swarm, { kind: "disk-error", host: "bob", on: "write" });
    expect(swarm.finish(build, 60_000).state).toBe("complete");
    expect(bobsExpired(ann, build, bob).map((c) => c.expired)).toEqual(["the holder cannot write"]);
  });
});

describe("a member that tells two stories", () => {
  test.each([1, 2, 3])(
    "is found out by all honest ones, counts for nothing, and the build ends (seed %i)",
    (seed) => {
      const { swarm, world, ann, bob, cat, dan } = start({ seed });
      apply(swarm, { kind: "byzantine", host: "bob", how: "equivocation" });
      world.runFor(6_000);
      const honest = [ann, cat, dan];
      const inc = bob.incarnations.at(-1)!;
      for (const { core } of honest) {
        expect(core.desk.members.forks.has(bob.peer, inc)).toBe(true);
        expect(core.desk.builders().map((b) => b.peer)).not.toContain(bob.peer);
      }
      const build = swarm.submit(ann, layered(seed, 4, 7, 1_500));
      expect(swarm.finish(build, 120_000).state).toBe("complete");
      world.runFor(6_000);
      expect(new Set(honest.map((h) => h.core.desk.builds.get(build)!.claims!.digest())).size).toBe(1);
      // What differs for good is not asked about for good.
      const before = swarm.network.counts.unicasts;
      world.runFor(10_000);
      expect(swarm.network.counts.unicasts - before).toBeLessThan(20);
    },
  );
});
