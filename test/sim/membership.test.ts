/** Members that come, lose their roles, are revoked and go while a build runs, with every invariant watched. */
import { expect, test } from "vitest";
import type { BuildId } from "../../protocol/kernel/ids.ts";
import { Checkers } from "../../sim/checkers.ts";
import type { FaultInput } from "../../sim/faults.ts";
import type { Host, HostOptions } from "../../sim/host.ts";
import { Swarm } from "../../sim/swarm.ts";
import { apply } from "../../sim/trouble.ts";
import { layered } from "../../sim/workload.ts";

const member = (name: string): HostOptions => ({ name, slots: 2 });
const admin = (name: string): HostOptions => ({
  ...member(name),
  roles: ["admin", "builder", "submitter"],
});

function start(...more: readonly HostOptions[]) {
  const hosts = [member("ann"), admin("bob"), member("cat"), member("dan"), ...more];
  const swarm = new Swarm({ seed: 3, hosts });
  const checkers = new Checkers(swarm);
  swarm.start();
  swarm.world.runFor(15_000);
  const build = swarm.submit(swarm.hosts[0]!, layered(3, 4, 16, 2_000));
  swarm.world.runFor(4_000);
  return { swarm, checkers, build, world: swarm.world };
}
const named = (swarm: Swarm, name: string) => (host: Host) =>
  host.core.desk.members.get(swarm.host(name).peer);
const others = (swarm: Swarm, name: string) => swarm.hosts.filter((h) => h.up && h.name !== name);
const lastBegin = (swarm: Swarm, name: string, build: BuildId) =>
  Math.max(
    0,
    ...swarm.executions.all.filter((e) => e.host === name && e.build === build).map((e) => e.beganMs),
  );

test("a stranger asks, is let in, known to all, and builds with the others", () => {
  const { swarm, checkers, build, world } = start({ name: "zoe", slots: 4, speed: 4, stranger: true });
  const before = world.nowMs;
  apply(swarm, { kind: "join", host: "zoe" });
  const known = () => others(swarm, "zoe").every(named(swarm, "zoe")) && swarm.host("zoe").up;
  expect(world.runUntil(known, 5_000)).toBe(true);
  expect(named(swarm, "zoe")(swarm.hosts[0]!)).toMatchObject({
    name: "zoe",
    roles: ["builder", "submitter"],
  });
  expect(swarm.finish(build).state).toBe("complete");
  expect(lastBegin(swarm, "zoe", build)).toBeGreaterThan(before);
  expect(checkers.violations).toEqual([]);
});

const goes: [string, FaultInput][] = [
  ["is revoked", { kind: "revoke", host: "cat" }],
  ["is revoked, itself an admin", { kind: "revoke", host: "bob" }],
  ["leaves", { kind: "leave", host: "cat" }],
  ["may only look on", { kind: "demote", host: "cat" }],
];
test.each(goes)(
  "who %s: all heed it within 5 s, it begins nothing more, and the build completes",
  (_, fault) => {
    const { host: name } = fault as { host: string };
    const { swarm, checkers, build, world } = start();
    apply(swarm, fault);
    const builds = (host: Host) => named(swarm, name)(host)?.roles.includes("builder") === true;
    expect(world.runUntil(() => !others(swarm, name).some(builds), 5_000)).toBe(true);
    if (fault.kind !== "demote") expect(world.runUntil(() => !swarm.host(name).up, 5_000)).toBe(true);
    const heededMs = world.nowMs;
    expect(swarm.finish(build).state).toBe("complete");
    expect(lastBegin(swarm, name, build)).toBeLessThanOrEqual(heededMs + 1_000);
    expect(swarm.settle(build)).toBe(true);
    world.runFor(30_000);
    checkers.checkExecutions(build);
    expect(checkers.violations).toEqual([]);
  },
);

test("a member that forges results is revoked: nothing it says from then on counts anywhere", () => {
  const { swarm, checkers, build, world } = start();
  checkers.distrust(swarm.host("dan").peer);
  apply(swarm, { kind: "byzantine", host: "dan", how: "forged-results", atMs: 0 });
  world.runFor(1_000);
  apply(swarm, { kind: "revoke", host: "dan" });
  world.runFor(5_000);
  expect(others(swarm, "dan").some(named(swarm, "dan"))).toBe(false);
  expect(swarm.finish(build).state).toBe("complete");
  expect(checkers.violations).toEqual([]);
});

test("who is revoked behind a cut hears of it first thing when it comes back, and what it said meanwhile is void", () => {
  const { swarm, checkers, build, world } = start();
  const cut = apply(swarm, { kind: "cut", from: ["cat"] });
  apply(swarm, { kind: "revoke", host: "cat" });
  world.runFor(8_000);
  expect(named(swarm, "cat")(swarm.host("cat"))).toBeDefined();
  const alone = swarm.host("cat").core.desk.builds.get(build)!.ledger.size;
  cut.end();
  expect(world.runUntil(() => !swarm.host("cat").up, 20_000)).toBe(true);
  expect(alone).toBeGreaterThan(0);
  expect(swarm.finish(build).state).toBe("complete");
  expect(checkers.violations).toEqual([]);
});
