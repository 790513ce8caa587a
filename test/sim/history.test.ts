/** What a swarm learns outlives its daemons, and the next build of the same spec is planned with it. */
import { expect, test } from "vitest";
import { Core } from "../../protocol/core.ts";
import type { BuildId } from "../../protocol/kernel/ids.ts";
import { teach } from "../../sim/history.ts";
import { Swarm } from "../../sim/swarm.ts";
import { synthesize } from "../../sim/synthetic.ts";

const workload = synthesize({ shape: "layered", layers: 4, width: 12, workMs: 2000 }, 3);
const traits = [
  { name: "ann", slots: 2, speed: 1 },
  { name: "bob", slots: 2, speed: 2 },
  { name: "cat", slots: 2, speed: 0.5 },
];

/** One build, after which what it taught is on all disks. */
function built() {
  const swarm = new Swarm({ seed: 1, hosts: traits });
  swarm.start().world.runFor(2000);
  const build = swarm.submit(swarm.host("ann"), workload);
  swarm.finish(build);
  swarm.settle(build);
  swarm.world.runFor(2000);
  return { swarm, build };
}

const restart = (swarm: Swarm, how: "kill" | "unplug") => {
  for (const host of swarm.hosts) host[how]();
  swarm.start().world.runFor(4000);
};

/** Per action: what the submitted graph says, over what it takes. */
const ratios = (swarm: Swarm, build: BuildId): number[] =>
  swarm
    .views(build)[0]!
    .build.graph!.actions.map((a) => (a.estimateMs ?? Number.NaN) / workload.costs.get(a.name)!.workMs);

test("fresh daemons submit the second build of a spec with the durations of the first", () => {
  const { swarm, build } = built();
  expect(ratios(swarm, build).every(Number.isNaN)).toBe(true);
  const learned = new Map(swarm.host("ann").core.desk.estimates.actions);
  restart(swarm, "kill");
  const again = swarm.submit(swarm.host("ann"), workload);
  expect(again).not.toBe(build);
  expect(swarm.finish(again).state).toBe("complete");
  const { actions } = swarm.views(again)[0]!.build.graph!;
  expect(actions.map((a) => a.estimateMs)).toEqual(
    actions.map((a) => learned.get(`${workload.graph.name}\n${a.name}`)),
  );
  // Speeds were unknown to begin with: nodes are at most so much faster or slower than the one they count as.
  for (const ratio of ratios(swarm, again)) {
    expect(ratio).toBeGreaterThan(0.45);
    expect(ratio).toBeLessThan(2.2);
  }
  // Everybody has the same guess, whoever learned what.
  const views = swarm.views(again).filter(({ build: b }) => b.graph);
  expect(new Set(views.map(({ build: b }) => b.submission!.event.graph)).size).toBe(1);
});

test("what is learned once is not learned again from the same results after a restart", () => {
  const { swarm } = built();
  const known = () => {
    const { estimates, records } = swarm.host("bob").core.desk;
    const { groups, speeds } = estimates;
    return { groups: [...groups], speeds: [...speeds], records: [...records.runs] };
  };
  const before = known();
  expect(before.records.length).toBeGreaterThan(0);
  expect(before.groups.length).toBeGreaterThan(0);
  restart(swarm, "kill");
  expect(known()).toEqual(before);
  restart(swarm, "kill");
  expect(known()).toEqual(before);
});

test("a history that rots on the disk is as good as none", () => {
  const { swarm } = built();
  for (const host of swarm.hosts) {
    host.kill();
    host.disk.prepare([], new Uint8Array([1, 2, 3]));
  }
  swarm.start().world.runFor(4000);
  const again = swarm.submit(swarm.host("ann"), workload);
  // What its ledger still says is learned from it.
  expect(swarm.finish(again).state).toBe("complete");
});

test("a core that was saved knows and keeps what the other does", () => {
  const { swarm } = built();
  const { core } = swarm.host("cat");
  const copy = Core.load(core.save());
  expect(copy.desk.estimates).toEqual(core.desk.estimates);
  const now = { monoMs: core.desk.now.monoMs + 5, wallMs: core.desk.now.wallMs + 5 };
  const stop = { kind: "command", id: 7, command: { kind: "stop", reason: "enough" } } as const;
  expect(copy.step(stop, now)).toEqual(core.step(stop, now));
});

test("hosts that were taught know each other's speed at every start", () => {
  const swarm = new Swarm({ seed: 1, hosts: traits });
  teach(swarm);
  swarm.start().world.runFor(2000);
  const speeds = () => swarm.hosts.map(({ peer }) => swarm.host("ann").core.desk.estimates.speedOf(peer));
  for (const [i, speed] of speeds().entries()) expect(speed).toBeCloseTo(traits[i]!.speed);
  restart(swarm, "unplug");
  for (const [i, speed] of speeds().entries()) expect(speed).toBeCloseTo(traits[i]!.speed);
});
