/** Two that do not reach each other work through a third, as if they did. */
import { expect, test } from "vitest";
import { Checkers } from "../../sim/checkers.ts";
import type { Host } from "../../sim/host.ts";
import { Swarm } from "../../sim/swarm.ts";
import { layered } from "../../sim/workload.ts";

test.each([1, 2])(
  "two that do not reach each other ask each other for work through a third, each action once (seed %i)",
  (seed) => {
    const swarm = new Swarm({ seed, hosts: 3 });
    const checkers = new Checkers(swarm);
    const [ann, , cat] = swarm.hosts as [Host, Host, Host];
    swarm.network.cut([ann.peer], [cat.peer]);
    swarm.start();
    swarm.world.runFor(5_000);
    const build = swarm.submit(ann, layered(seed, 8, 6, 500));
    const outcome = swarm.finish(build);
    expect(swarm.settle(build)).toBe(true);
    expect(checkers.violations).toEqual([]);
    expect(swarm.hosts.flatMap((h) => h.refusals)).toEqual([]);
    expect([...outcome.executions.values()].every((n) => n === 1)).toBe(true);
    const claims = [...swarm.views(build)[0]!.build.claims!.claims.values()];
    // Only an answer to an ask says why its holder asked.
    const asked = (holder: Host, steward: Host) =>
      claims.filter((c) => c.holder === holder.peer && c.steward === steward.peer && c.why).length;
    expect(asked(ann, cat)).toBeGreaterThan(0);
    expect(asked(cat, ann)).toBeGreaterThan(0);
  },
);
