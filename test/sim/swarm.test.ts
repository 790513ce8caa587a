/** Stories of small swarms: the daemon's own core and runtime under faults, in virtual time, with every invariant watched. */
import { describe, expect, test } from "vitest";
import type { BuildId } from "../../protocol/kernel/ids.ts";
import { Checkers } from "../../sim/checkers.ts";
import type { Host } from "../../sim/host.ts";
import { type Outcome, Swarm, type SwarmOptions } from "../../sim/swarm.ts";
import { chain, diamond, fan, layered } from "../../sim/workload.ts";

function start(options: Partial<SwarmOptions> & { seed: number }) {
  const swarm = new Swarm({ hosts: 3, ...options });
  const checkers = new Checkers(swarm);
  swarm.start();
  return { swarm, checkers, world: swarm.world, hosts: swarm.hosts };
}

/** Everything that must hold once a build has ended and the swarm is whole again. */
function expectSound({ swarm, checkers }: ReturnType<typeof start>, build: BuildId) {
  expect(swarm.settle(build)).toBe(true);
  swarm.world.runFor(6_000);
  checkers.checkExecutions(build);
  expect(checkers.violations).toEqual([]);
  expect(swarm.hosts.flatMap((h) => h.refusals)).toEqual([]);
  const digests = swarm.views(build).map((v) => v.build.claims?.digest());
  expect(digests).toHaveLength(swarm.hosts.filter((h) => h.up).length);
  expect(new Set(digests).size).toBe(1);
}
const expectComplete = (outcome: Outcome) => {
  expect(outcome.state).toBe("complete");
  expect(outcome.counts.done).toBe(outcome.executions.size);
};
const executionsIn = (outcome: Outcome) => [...outcome.executions.values()].reduce((a, b) => a + b, 0);
/** The host that hands out the claims of an action, as another host sees it. */
const stewardOf = (hosts: readonly Host[], seenBy: Host, build: BuildId, action: string) =>
  hosts.find((h) => h.peer === seenBy.core.desk.stewardOf(build, action))!;
const seeds = [1, 2, 3, 4];

describe("a swarm without faults", () => {
  test("three hosts build a graph, each action once, and share the work", () => {
    const all = start({ seed: 1 });
    const build = all.swarm.submit(all.hosts[0]!, layered(1, 4, 6, 2000));
    const outcome = all.swarm.finish(build);
    expectComplete(outcome);
    expect([...outcome.executions.values()].every((n) => n === 1)).toBe(true);
    for (const host of all.hosts) expect(outcome.byHost[host.name]).toBeGreaterThan(3);
    expectSound(all, build);
  });

  test("a lone host builds at full speed", () => {
    const all = start({ seed: 1, hosts: 1 });
    const build = all.swarm.submit(all.hosts[0]!, chain(10, 1000));
    const outcome = all.swarm.finish(build);
    expectComplete(outcome);
    expect(outcome.makespanMs).toBeLessThan(10_500);
    expectSound(all, build);
  });

  test("idle slots are filled: the whole takes little longer than its longest path allows", () => {
    const all = start({
      seed: 2,
      hosts: [
        { name: "ann", slots: 4 },
        { name: "bob", slots: 4 },
      ],
    });
    const build = all.swarm.submit(all.hosts[0]!, fan(16, 5000));
    const outcome = all.swarm.finish(build);
    expectComplete(outcome);
    // Two rounds of eight and the action that needs them all.
    expect(outcome.makespanMs).toBeLessThan(15_000 * 1.05);
    expectSound(all, build);
  });

  test("the same build again is served from the cache", () => {
    const all = start({ seed: 3 });
    const first = all.swarm.finish(all.swarm.submit(all.hosts[0]!, diamond(4, 1000)));
    expect(executionsIn(first)).toBe(6);
    const again = all.swarm.finish(all.swarm.submit(all.hosts[1]!, diamond(4, 1000)));
    expect(again.state).toBe("complete");
    expect(again.counts.done).toBe(6);
    expect(executionsIn(again)).toBe(0);
    expect(again.makespanMs).toBeLessThan(1000);
  });

  test("an action that fails everywhere is blocked, and the build fails with the rest done", () => {
    const all = start({
      seed: 4,
      twist: ({ action }) => (action === "side1" ? { ends: "fails" } : undefined),
    });
    const build = all.swarm.submit(all.hosts[0]!, diamond(4, 1000));
    const outcome = all.swarm.finish(build);
    expect(outcome.state).toBe("failed");
    expect(outcome.counts).toMatchObject({ done: 4, blocked: 1, held: 1 });
    expect(new Set(all.swarm.executions.of(build, "side1" as never).map((e) => e.host)).size).toBe(2);
    expectSound(all, build);
  });

  test("an action that one host fails is done by another", () => {
    const all = start({
      seed: 5,
      twist: ({ action }, { before }) => (action === "side1" && before === 0 ? { ends: "fails" } : undefined),
    });
    const build = all.swarm.submit(all.hosts[0]!, diamond(4, 1000));
    expectComplete(all.swarm.finish(build));
    const hosts = all.swarm.executions.of(build, "side1" as never).map((e) => e.host);
    expect(new Set(hosts).size).toBe(hosts.length);
    expectSound(all, build);
  });
});

describe("a swarm whose hosts die", () => {
  test.each(seeds)(
    "a steward dies: within five seconds its actions are handed out by others (seed %i)",
    (seed) => {
      const all = start({ seed, hosts: 4 });
      const { swarm, world, hosts } = all;
      const build = swarm.submit(hosts[0]!, chain(4, 3000));
      world.runUntil(() => swarm.executions.all.length === 1, 10_000);
      const runner = swarm.host(swarm.executions.all[0]!.host);
      const steward = stewardOf(hosts, runner, build, "link1");
      // It dies while the first action runs elsewhere; if it runs it itself, that work is taken over as well.
      steward.kill();
      const diedMs = world.nowMs;
      const workEndsMs = steward === runner ? diedMs : diedMs + 3000;
      const action = steward === runner ? "link0" : "link1";
      const taken = () =>
        swarm.executions
          .of(build, action as never)
          .some((e) => e.host !== steward.name && e.beganMs >= diedMs);
      expect(world.runUntil(taken, 20_000)).toBe(true);
      expect(world.nowMs).toBeLessThan(Math.max(diedMs, workEndsMs) + 5000);
      expectComplete(swarm.finish(build));
      expectSound(all, build);
    },
  );

  test.each(seeds)(
    "the submitter dies right after it took the build in: the others finish it (seed %i)",
    (seed) => {
      const all = start({ seed });
      const build = all.swarm.submit(all.hosts[0]!, layered(seed, 3, 5, 2000));
      all.hosts[0]!.kill();
      expectComplete(all.swarm.finish(build));
      all.hosts[0]!.start();
      expectSound(all, build);
    },
  );

  test.each(seeds)("the only holder of a needed output dies: the output is made again (seed %i)", (seed) => {
    const all = start({ seed });
    const { swarm, world, hosts } = all;
    const build = swarm.submit(hosts[0]!, chain(3, 4000));
    const first = () => swarm.executions.of(build, "link0" as never)[0];
    world.runUntil(() => first()?.ended === "done", 20_000);
    // The fact is out, the bytes are not: nobody has fetched them yet.
    const holder = swarm.host(first()!.host);
    world.runUntil(
      () => hosts.every((h) => h.core.desk.builds.get(build)!.claims!.actions.counts.done > 0),
      5000,
    );
    const second = swarm.executions.of(build, "link1" as never)[0];
    holder.kill();
    const outcome = swarm.finish(build);
    expect(outcome.state).toBe("complete");
    // Where another host had fetched them already, nothing was lost.
    if (second === undefined || second.host === holder.name)
      expect(outcome.executions.get("link0" as never)).toBe(2);
    holder.start();
    expectSound(all, build);
  });

  test.each(seeds)(
    "killed and unplugged hosts come back as new incarnations, and no chain forks (seed %i)",
    (seed) => {
      const all = start({ seed });
      const { swarm, world, hosts } = all;
      const build = swarm.submit(hosts[0]!, layered(seed, 4, 5, 2000));
      const random = world.randomFor("faults");
      for (let round = 0; round < 6; round++) {
        world.runFor(500 + random.below(3000));
        const host = random.pick(hosts);
        if (!host.up) host.start();
        else if (random.below(2)) host.kill();
        else host.unplug();
      }
      for (const host of hosts) if (!host.up) host.start();
      expect(swarm.finish(build).state).toBe("complete");
      for (const { incarnations } of hosts) {
        expect(new Set(incarnations).size).toBe(incarnations.length);
        expect(incarnations.map((i) => Number.parseInt(i, 10))).toEqual(incarnations.map((_, i) => i + 1));
      }
      expectSound(all, build);
    },
  );

  test("a paused host loses its work to others and gives it up when it goes on", () => {
    const all = start({ seed: 1 });
    const { swarm, world, hosts } = all;
    const build = swarm.submit(hosts[0]!, fan(3, 10_000));
    world.runFor(2000);
    hosts[1]!.pause();
    world.runFor(15_000);
    hosts[1]!.resume();
    expect(swarm.finish(build).state).toBe("complete");
    expectSound(all, build);
  });
});

describe("a swarm with a bad network", () => {
  test.each(seeds)(
    "a third of the gossip is lost, some comes twice or late: the build completes (seed %i)",
    (seed) => {
      const all = start({
        seed,
        hosts: 4,
        network: { conditions: { gossipLoss: 0.33, gossipTwice: 0.1, gossipLate: 0.2 } },
      });
      const build = all.swarm.submit(all.hosts[0]!, layered(seed, 4, 5, 2000));
      expectComplete(all.swarm.finish(build));
      expectSound(all, build);
    },
  );

  test.each(seeds)("connections break again and again: the build completes (seed %i)", (seed) => {
    const all = start({ seed, network: { conditions: { reset: 0.03, gossipLoss: 0.2 } } });
    const build = all.swarm.submit(all.hosts[0]!, layered(seed, 4, 5, 2000));
    expectComplete(all.swarm.finish(build));
    all.swarm.network.setConditions({ reset: 0, gossipLoss: 0 });
    expectSound(all, build);
  });

  test.each(seeds)(
    "cut in two for 20 s, both sides build on; healed, each action has one result (seed %i)",
    (seed) => {
      const all = start({ seed, hosts: 4 });
      const { swarm, world, hosts } = all;
      const build = swarm.submit(hosts[0]!, layered(seed, 6, 6, 3000));
      world.runFor(3000);
      const sides = [hosts.slice(0, 2), hosts.slice(2)] as const;
      swarm.network.cut(
        sides[0].map((h) => h.peer),
        sides[1].map((h) => h.peer),
      );
      const doneBy = (side: readonly Host[]) =>
        Math.min(...side.map((h) => h.core.desk.builds.get(build)!.claims!.actions.counts.done));
      const before = sides.map(doneBy);
      world.runFor(20_000);
      sides.forEach((side, i) => {
        expect(doneBy(side)).toBeGreaterThan(before[i]! + 4);
      });
      swarm.network.heal();
      const outcome = swarm.finish(build);
      expect(outcome.state).toBe("complete");
      expectSound(all, build);
      const { claims } = swarm.views(build)[0]!.build;
      claims!.graph.actions.forEach((_, index) => {
        expect(claims!.resultsOf(index)).toHaveLength(1);
      });
    },
  );

  test.each(seeds)(
    "what a host claims that one hears only through a third is left alone (seed %i)",
    (seed) => {
      const swarm = new Swarm({ seed, hosts: 3, keep: (what) => what === "says" });
      swarm.network.cut([swarm.hosts[0]!.peer], [swarm.hosts[1]!.peer]);
      swarm.start();
      swarm.submit(swarm.hosts[0]!, fan(12, 2000));
      swarm.world.runFor(8_000);
      const said = swarm.world.transcript.kept().map((line) => line.detail);
      expect(said.filter((s) => s.startsWith("done ")).length).toBeGreaterThan(6);
      expect(said.filter((s) => s.startsWith("expire "))).toEqual([]);
    },
  );

  test.each(seeds)("clocks that are off, drift and jump change nothing (seed %i)", (seed) => {
    const all = start({
      seed,
      hosts: [
        { name: "ann", clock: { offsetMs: -3_600_000, driftPpm: 200 } },
        { name: "bob", clock: { offsetMs: 1_800_000, driftPpm: -200 } },
        { name: "cat" },
      ],
    });
    const { swarm, world, hosts } = all;
    const build = swarm.submit(hosts[0]!, layered(seed, 4, 5, 2000));
    for (const byMs of [3_600_000, -7_200_000, 86_400_000]) {
      world.runFor(2000);
      hosts[2]!.clock.jump(byMs);
    }
    const outcome = swarm.finish(build);
    expectComplete(outcome);
    expect(executionsIn(outcome)).toBe(20);
    expectSound(all, build);
  });
});

test("in a large swarm a host that starts anew is ready once six others have answered it, long before a lease is over", () => {
  const swarm = new Swarm({ seed: 1, hosts: 24 }).start();
  const host = swarm.hosts[23]!;
  host.kill();
  swarm.world.runFor(2000);
  let answered = 0;
  swarm.watch((by, _, input) => {
    if (by === host && !host.core.desk.settled && input.kind === "message" && input.message.kind === "sync")
      answered += input.message.reply ? 0 : 1;
  });
  host.start();
  expect(swarm.world.runUntil(() => host.core.desk.settled, 1000)).toBe(true);
  expect(answered).toBeLessThanOrEqual(6);
  expect(answered).toBeGreaterThan(0);
});
