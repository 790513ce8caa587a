/** Swarms whose nodes offer different toolchains, and nodes that are upgraded in the middle of a build. */
import { expect, test } from "vitest";
import type { HostOptions } from "../../sim/host.ts";
import { Swarm } from "../../sim/swarm.ts";
import { fan, type Workload } from "../../sim/workload.ts";

const gcc12 = "12.2.0/x86_64-linux-gnu/aaaa";
const gcc13 = "13.3.0/x86_64-linux-gnu/bbbb";
const arm = "12.2.0/aarch64-linux-gnu/cccc";

/** The same work, each action with the toolchains that are said for it. */
function needing(workload: Workload, toolchainsOf: (name: string) => Record<string, string>): Workload {
  const actions = workload.graph.actions.map((a) => ({ ...a, toolchains: toolchainsOf(a.name) }));
  return { ...workload, graph: { ...workload.graph, actions } };
}
const host = (name: string, toolchains: Record<string, string>): HostOptions => ({
  name,
  slots: 2,
  vitals: { toolchains },
});

function start(hosts: readonly HostOptions[]) {
  const swarm = new Swarm({ seed: 1, hosts });
  swarm.start();
  const claims = (on: string) => [...swarm.host(on).core.desk.builds.values()][0]?.claims;
  return { swarm, world: swarm.world, claims, ends: () => claims("ann")?.sealed?.event.state };
}

test("each action runs where its toolchain is, and the build ends", () => {
  const { swarm, world, ends } = start([
    host("ann", { gcc: gcc12 }),
    host("bob", { gcc: gcc12, "aarch64-linux-gnu-gcc": arm }),
    host("cat", { gcc: gcc13 }),
  ]);
  const work = needing(
    fan(12, 500),
    (name): Record<string, string> =>
      name.startsWith("part1") ? { "aarch64-linux-gnu-gcc": arm } : { gcc: gcc12 },
  );
  world.runFor(3_000);
  swarm.hand(swarm.host("cat"), work, () => {});
  world.runFor(60_000);
  expect(ends()).toBe("complete");
  for (const { host: on, action } of swarm.executions.all) {
    expect(on).not.toBe("cat");
    if (action.startsWith("part1")) expect(on).toBe("bob");
  }
});

test("a toolchain that is replaced in the middle of a build: nothing runs with the new one, and others end it", () => {
  const { swarm, world, ends } = start([host("ann", { gcc: gcc12 }), host("bob", { gcc: gcc12 })]);
  world.runFor(3_000);
  swarm.hand(
    swarm.host("ann"),
    needing(fan(20, 1_000), () => ({ gcc: gcc12 })),
    () => {},
  );
  world.runFor(2_500);
  swarm.host("bob").sense({ toolchains: { gcc: gcc13 } });
  const replacedMs = world.nowMs;
  world.runFor(60_000);
  expect(ends()).toBe("complete");
  const late = swarm.executions.all.filter((e) => e.host === "bob" && e.beganMs > replacedMs);
  expect(late.filter((e) => e.ended === "done")).toEqual([]);
});

test("a toolchain that is gone everywhere: the build waits and says which, and goes on once it is back", () => {
  const { swarm, world, claims, ends } = start([host("ann", {}), host("bob", { gcc: gcc12 })]);
  world.runFor(3_000);
  swarm.hand(
    swarm.host("ann"),
    needing(fan(8, 1_000), () => ({ gcc: gcc12 })),
    () => {},
  );
  world.runFor(1_500);
  swarm.host("bob").sense({ toolchains: { gcc: gcc13 } });
  world.runFor(30_000);
  expect(ends()).toBeUndefined();
  const { core } = swarm.host("ann");
  const build = [...core.desk.builds.values()][0]!;
  const ready = build.claims!.graph.actions.findIndex((_, i) => claims("ann")!.actions.get(i) === "ready");
  const { unfit } = core.scheduler.candidates(build, ready);
  expect(unfit.flatMap((u) => u.shortfalls.map((s) => s.text))).toEqual(
    expect.arrayContaining(["lacks gcc 12.2.0", "has gcc 13.3.0, 12.2.0 is needed"]),
  );
  swarm.host("bob").sense({ toolchains: { gcc: gcc12 } });
  world.runFor(60_000);
  expect(ends()).toBe("complete");
});
