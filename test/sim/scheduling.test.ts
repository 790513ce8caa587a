/** What the schedule is worth, at a small size and in virtual time: against perfect knowledge, along chains, with old news. */
import { expect, test } from "vitest";
import { Swarm } from "../../sim/swarm.ts";
import { chain, fan, layered, type Workload } from "../../sim/workload.ts";

const foretold = ({ graph, costs }: Workload): Workload => ({
  costs,
  graph: { ...graph, actions: graph.actions.map((a) => ({ ...a, estimateMs: costs.get(a.name)!.workMs })) },
});

/** Three equal hosts of two slots on a LAN. */
function run(workload: Workload) {
  const swarm = new Swarm({
    seed: 1,
    hosts: ["ann", "bob", "cat"].map((name) => ({ name, slots: 2 })),
    network: { conditions: { delayMs: 2, jitterMs: 0 } },
  });
  let unicasts = 0;
  let claims = 0;
  swarm.start().world.runFor(2000);
  swarm.watch((_, effects) => {
    for (const e of effects) {
      if (e.kind === "send") unicasts++;
      if (e.kind === "append") claims += e.entry.entry.events.filter((x) => x.kind === "claim").length;
    }
  });
  const outcome = swarm.finish(swarm.submit(swarm.hosts[0]!, workload));
  return { ...outcome, claims, perAction: unicasts / workload.graph.actions.length };
}

test("along a chain the next action begins a few milliseconds after the one before it", () => {
  const { makespanMs } = run(foretold(chain(20, 200)));
  expect(makespanMs).toBeLessThan(20 * 200 + 20 * 8 + 100);
});

test("a slot asks ahead: independent actions follow each other without a pause", () => {
  const { makespanMs, claims, perAction } = run(foretold(fan(60, 1000)));
  // Ten rounds, the whole, and what begins and ends a build.
  expect(makespanMs).toBeLessThan(11_000 + 250);
  expect(claims).toBe(61);
  expect(perAction).toBeLessThan(6);
});

test("where nobody can tell when runs end nothing is asked for ahead, and no claim is given back", () => {
  const { claims } = run(layered(1, 4, 12, 10_000));
  expect(claims).toBe(48);
});
