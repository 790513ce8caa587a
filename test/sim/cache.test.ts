/** The action cache of a whole swarm: what any member has built is not built again, wherever and whenever it is asked for. */
import { expect, test } from "vitest";
import { Checkers } from "../../sim/checkers.ts";
import type { Host } from "../../sim/host.ts";
import { type Outcome, Swarm } from "../../sim/swarm.ts";
import { chain, fan, layered } from "../../sim/workload.ts";

const ran = (outcome: Outcome) => [...outcome.executions.values()].reduce((a, b) => a + b, 0);

function start(seed: number, hosts: number, late = 0) {
  const swarm = new Swarm({ seed, hosts: hosts + late });
  const checkers = new Checkers(swarm);
  for (const host of swarm.hosts.slice(0, hosts)) host.start();
  swarm.world.runFor(500);
  return { swarm, checkers, hosts: swarm.hosts };
}

test("what was built before a member joined, in builds that ended long ago, it does not build again", () => {
  const { swarm, checkers, hosts } = start(1, 3, 1);
  const work = fan(12, 1000);
  swarm.finish(swarm.submit(hosts[0]!, work));
  // So many builds later nobody keeps its ledger in memory, nor hands it to a newcomer.
  for (let n = 0; n < 51; n++) swarm.finish(swarm.submit(hosts[n % 3]!, chain(1, 50 + n)));
  const dan = hosts[3]!;
  dan.start();
  swarm.world.runFor(3000);
  const again = swarm.finish(swarm.submit(dan, work));
  expect(again.state).toBe("complete");
  expect(ran(again)).toBe(0);
  // It knows by itself: what it fetched of those builds has fed its own cache.
  const said = dan.core.desk.builds
    .get(again.build)!
    .facts()
    .filter((e) => e.entry.author === dan.peer)
    .flatMap((e) => e.entry.events.filter((x) => x.kind === "cached"));
  expect(said.length).toBeGreaterThan(0);
  expect(said.filter((x) => "told" in x)).toEqual([]);
  expect(checkers.violations).toEqual([]);
});

test("builds in which somebody took part that has left since reach a newcomer all the same, and feed its cache", () => {
  const { swarm, checkers, hosts } = start(5, 3, 1);
  const [ann, bob, , dan] = hosts as [Host, Host, Host, Host];
  const work = fan(12, 1000);
  const first = swarm.submit(ann, work);
  swarm.finish(first);
  const holders = [...ann.core.desk.builds.get(first)!.claims!.claims.values()].map((c) => c.holder);
  expect(holders).toContain(bob.peer);
  for (let n = 0; n < 51; n++) swarm.finish(swarm.submit(ann, chain(1, 50 + n)));
  bob.command({ kind: "member", operation: { op: "leave" } }, () => {});
  swarm.world.runFor(3000);
  expect(ann.core.desk.members.former(bob.peer)?.parting.why).toBe("left");
  dan.start();
  swarm.world.runFor(6000);
  expect(dan.core.desk.archive.digest()).toBe(ann.core.desk.archive.digest());
  expect(dan.core.borrower.behind).toBe(0);
  const entry = dan.core.desk.archive.get(first);
  expect(entry?.sum).toBe(ann.core.desk.archive.get(first)!.sum);
  expect(checkers.violations).toEqual([]);
});

test("after a restart of everybody nothing is built again", () => {
  const { swarm, checkers, hosts } = start(2, 3);
  const work = layered(2, 3, 5, 1000);
  swarm.finish(swarm.submit(hosts[0]!, work));
  swarm.world.runFor(5000);
  for (const host of hosts) host.kill();
  for (const host of hosts) host.start();
  swarm.world.runFor(3000);
  const again = swarm.finish(swarm.submit(hosts[2]!, work));
  expect(ran(again)).toBe(0);
  expect(checkers.violations).toEqual([]);
});

test.each([1, 2, 3, 4])(
  "two builds of one thing, submitted at once on two nodes, run each action once (seed %i)",
  (seed) => {
    const { swarm, checkers, hosts } = start(seed, 4);
    const work = fan(12, 3000);
    const taken: boolean[] = [];
    const builds = [0, 1].map((n) => swarm.hand(hosts[n]!, work, (reply) => taken.push(reply.ok)));
    swarm.world.runUntil(() => taken.length === 2, 10_000);
    const sealed = () =>
      builds.every((id) => hosts[0]!.core.desk.builds.get(id)?.claims?.sealed?.event.state === "complete");
    expect(swarm.world.runUntil(sealed, 60_000)).toBe(true);
    const done = swarm.executions.all.filter((e) => e.ended === "done").map((e) => e.action);
    expect(done.length).toBe(new Set(done).size);
    expect(new Set(done).size).toBe(13);
    expect(checkers.violations).toEqual([]);
  },
);
