/** Other ways to share out work: each ends a build under the same rules, at the price it is known for. */
import { describe, expect, test } from "vitest";
import { handsOf, type Rival, rivals } from "../../sim/rivals/rivals.ts";
import { Swarm } from "../../sim/swarm.ts";
import { synthesize } from "../../sim/synthetic.ts";

const gossipAgeMs = 50;
const workload = synthesize({ shape: "layered", layers: 3, width: 16, workMs: 1000 }, 1);

function run(rival: Rival) {
  const swarm = new Swarm({
    seed: 1,
    hosts: [1, 1, 2, 0.5].map((speed, i) => ({
      name: `n${i}`,
      slots: 2,
      speed,
      hands: handsOf(rival, gossipAgeMs),
    })),
    network: { conditions: { delayMs: 2, jitterMs: 0.2, gossipDelayMs: gossipAgeMs } },
  });
  const sent = { ask: 0, grant: 0 };
  swarm.watch((_, effects) => {
    for (const e of effects)
      if (e.kind === "send" && (e.message.kind === "ask" || e.message.kind === "grant"))
        sent[e.message.kind]++;
  });
  swarm.start().world.runFor(4000);
  const outcome = swarm.finish(swarm.submit(swarm.hosts[0]!, workload));
  const runs = [...outcome.executions.values()].reduce((sum, n) => sum + n, 0);
  return { outcome, sent, again: runs - outcome.executions.size, hash: swarm.world.transcript.hash() };
}

const ran = new Map(rivals.map((rival) => [rival, run(rival)]));
const of = (rival: Rival) => ran.get(rival)!;

describe("rivals", () => {
  test.each(rivals)("%s: a build ends with every action done", (rival) => {
    const { outcome } = of(rival);
    expect(outcome.state).toBe("complete");
    expect(outcome.counts.done).toBe(workload.graph.actions.length);
    expect(Object.keys(outcome.byHost).length).toBeGreaterThan(1);
  });

  test("the steward is what daemons do when nothing is said", () => {
    const plain = new Swarm({ seed: 1, hosts: 1 });
    expect(plain.hosts[0]!.start()).toBeUndefined();
    const { granter, scheduler } = plain.hosts[0]!.core;
    const { Granter, Scheduler } = handsOf("steward", 0);
    expect(granter.constructor).toBe(Granter);
    expect(scheduler.constructor).toBe(Scheduler);
  });

  test("who claims by himself asks nobody and is granted nothing; a steward that draws is not asked", () => {
    expect(of("rank-delay").sent).toEqual({ ask: 0, grant: 0 });
    expect(of("first-come").sent).toEqual({ ask: 0, grant: 0 });
    expect(of("two-choices").sent.ask).toBe(0);
    expect(of("two-choices").sent.grant).toBeGreaterThan(0);
    expect(of("steward").sent.ask).toBeGreaterThan(0);
  });

  test("claims without a steward collide, and the rule over facts leaves one result", () => {
    expect(of("steward").again).toBe(0);
    expect(of("two-choices").again).toBe(0);
    expect(of("first-come").again).toBeGreaterThan(0);
    expect(of("rank-delay").again).toBeGreaterThan(0);
  });

  test("one seed is one run", () => {
    expect(run("rank-delay").hash).toBe(of("rank-delay").hash);
    expect(of("first-come").hash).not.toBe(of("rank-delay").hash);
  });
});
