/** Every fault of the vocabulary on a swarm of real cores: what it shows there, and that the builds end. */
import { describe, expect, test } from "vitest";
import type { BuildId } from "../../protocol/kernel/ids.ts";
import { type FaultInput, faultKinds, faultSchema } from "../../sim/faults.ts";
import type { Host } from "../../sim/host.ts";
import { Swarm, type SwarmOptions } from "../../sim/swarm.ts";
import { apply } from "../../sim/trouble.ts";
import { chain, fan, layered, type Workload } from "../../sim/workload.ts";

const thermal = { ambient: 40, heat: 2.5, cool: 0.04, limit: 85, factor: 0.6, hyst: 5, initial: 50 };

function start(options: Partial<SwarmOptions> = {}) {
  const swarm = new Swarm({ seed: 1, hosts: 4, keep: (what) => what !== "step", ...options }).start();
  const [ann, bob, cat, dan] = swarm.hosts as [Host, Host, Host, Host];
  return { swarm, world: swarm.world, ann, bob, cat, dan };
}
const lines = (swarm: Swarm, what: string) =>
  swarm.world.transcript.kept().filter((line) => line.what === what);
/** Actions that hang are given up within a story. */
const bounded = ({ graph, costs }: Workload): Workload => ({
  costs,
  graph: { ...graph, actions: graph.actions.map((a) => ({ ...a, timeoutMs: 20_000 })) },
});
const runsOn = (swarm: Swarm, name: string) => swarm.executions.all.filter((e) => e.host === name);
const doneOn = (host: Host, build: BuildId) => host.core.desk.builds.get(build)!.claims!.actions.counts.done;

describe("faults as data", () => {
  test("every kind is listed once, and a key or a host that nobody knows is refused", () => {
    expect(new Set(faultKinds).size).toBe(faultKinds.length);
    expect(faultKinds).toContain("mixed-version");
    const { swarm } = start();
    const refused = (fault: unknown) => {
      try {
        apply(swarm, fault as FaultInput);
        return "taken";
      } catch (error) {
        return (error as { code: string }).code;
      }
    };
    expect(refused({ kind: "crash", host: "bob", when: 3 })).toBe("spec-invalid");
    expect(refused({ kind: "crash", host: "nobody" })).toBe("spec-invalid");
    expect(refused({ kind: "cut", from: ["bob"], to: ["nobody"] })).toBe("spec-invalid");
    expect(refused({ kind: "earthquake" })).toBe("spec-invalid");
    expect(refused({ kind: "crash", host: "bob" })).toBe("taken");
  });

  const forMs = 5_000;
  const each: FaultInput[] = [
    { kind: "crash", host: "bob", backAfterMs: 3_000 },
    { kind: "power", host: "bob", backAfterMs: 3_000 },
    { kind: "pause", host: "bob", forMs },
    { kind: "suspend", host: "bob", forMs },
    { kind: "disk-full", host: "bob", forMs },
    { kind: "disk-error", host: "bob", on: "write", forMs },
    { kind: "disk-error", host: "bob", on: "read", forMs },
    { kind: "disk-error", host: "bob", on: "rot" },
    { kind: "clock-jump", host: "bob", byMs: 3_600_000 },
    { kind: "clock-drift", host: "bob", ppm: 50_000, forMs },
    { kind: "cut", from: ["bob"], forMs },
    { kind: "flap", from: ["bob"], downMs: 700, upMs: 700, forMs },
    { kind: "swizzle", forMs },
    { kind: "network", loss: 0.3, twice: 0.2, late: 0.2, corrupt: 0.05, reset: 0.02, forMs },
    { kind: "stragglers", share: 0.2, factor: 4, forMs },
    { kind: "hang", hosts: ["bob"], share: 0.2, forMs },
    { kind: "break", share: 0.3, forMs },
    { kind: "black-hole", host: "bob", forMs },
    { kind: "slow", host: "bob", forMs },
    { kind: "byzantine", host: "bob", how: "forged-results", forMs },
    { kind: "clone", host: "bob", forMs },
    { kind: "restore", host: "bob", ageMs: 3_000 },
    { kind: "mixed-version", host: "bob", how: "newer" },
    { kind: "join", host: "zoe" },
    { kind: "revoke", host: "bob" },
    { kind: "demote", host: "bob" },
    { kind: "leave", host: "bob" },
    { kind: "churn", sharePerMinute: 4, backAfterMs: 2_000, forMs },
    { kind: "hot", byCelsius: 40, forMs },
    { kind: "owner", host: "bob", forMs },
  ];

  test("all kinds are told here", () => {
    expect(new Set(each.map((f) => f.kind))).toEqual(new Set(faultKinds));
  });

  const tell = (fault: FaultInput) => {
    const hosts = ["ann", "bob", "cat", "dan"].map((name) => ({ name, slots: 2, thermal }));
    const { swarm, ann } = start({ hosts: [...hosts, { name: "zoe", stranger: true }] });
    const applied = apply(swarm, { ...fault, atMs: 1_000 } as FaultInput);
    expect(applied.state).toBe("due");
    const build = swarm.submit(ann, bounded(layered(1, 4, 7, 1500)));
    const outcome = swarm.finish(build);
    return { swarm, build, outcome, applied };
  };

  test.each(each.map((fault) => [`${fault.kind} ${"how" in fault ? fault.how : ""}`.trim(), fault] as const))(
    "%s: it is told when it begins and when it ends, and the build completes",
    (_kind, fault) => {
      const { swarm, outcome, applied } = tell(fault);
      expect(outcome.state).toBe("complete");
      expect(lines(swarm, "fault").map((l) => l.detail.split(" ")[0])).toEqual([fault.kind]);
      expect(lines(swarm, "fault")[0]!.atMs).toBe(1_500);
      swarm.world.runFor(10_000);
      applied.end();
      applied.end();
      expect(applied.state).toBe("over");
      expect(lines(swarm, "mended").map((l) => l.detail)).toEqual([fault.kind]);
      expect(swarm.network.flawless).toBe(true);
      expect(swarm.network.lopsided).toBe(false);
    },
  );

  test("one seed gives one story, whatever goes wrong in it", () => {
    const mixed = () => {
      const names = ["ann", "bob", "cat", "dan"].map((name) => ({ name }));
      const { swarm, ann } = start({ seed: 9, hosts: [...names, { name: "zoe", stranger: true }] });
      for (const fault of each.filter((f) => f.kind !== "byzantine" && f.kind !== "clone"))
        apply(swarm, { ...fault, atMs: 500 } as FaultInput);
      swarm.submit(ann, bounded(layered(9, 3, 5, 1000)));
      swarm.world.runFor(20_000);
      return swarm.world.transcript.hash();
    };
    expect(mixed()).toBe(mixed());
  });

  test("what is ended before its moment never happens", () => {
    const { swarm, bob } = start();
    apply(swarm, { kind: "crash", host: "bob", atMs: 1_000 }).end();
    swarm.world.runFor(2_000);
    expect(bob.up).toBe(true);
    expect(lines(swarm, "fault")).toEqual([]);
  });

  test("a fault is what its schema makes of it, with defaults", () => {
    expect(faultSchema.parse({ kind: "stragglers" })).toEqual({
      kind: "stragglers",
      atMs: 0,
      share: 0.02,
      factor: 8,
    });
  });
});

describe("a machine that sleeps", () => {
  test("its actions stand still and go on, and its place is taken meanwhile", () => {
    const { swarm, world, ann, bob } = start({ hosts: 2 });
    const build = swarm.submit(ann, fan(2, 10_000));
    world.runUntil(() => runsOn(swarm, "bob").length === 1, 5_000);
    const [run] = runsOn(swarm, "bob");
    bob.suspend();
    world.runFor(20_000);
    expect(run!.ended).toBeUndefined();
    bob.wake();
    expect(swarm.finish(build).state).toBe("complete");
    expect(swarm.executions.of(build, run!.action).map((e) => e.host)).toContain("ann");
    expect(run!.endedMs! - run!.beganMs).toBeGreaterThan(20_000);
    expect(swarm.settle(build)).toBe(true);
  });

  test("what ran is stopped at once where the owner wants sleep to end it, and goes elsewhere", () => {
    const { swarm, world, ann, bob } = start({
      hosts: ["ann", "bob", "cat", "dan"].map((name) => ({ name, scheduling: { suspend: "abandon" } })),
    });
    const build = swarm.submit(ann, fan(2, 10_000));
    world.runUntil(() => runsOn(swarm, "bob").length === 1, 5_000);
    const [run] = runsOn(swarm, "bob");
    bob.suspend();
    world.runFor(20_000);
    expect(run!.ended).toBeUndefined();
    bob.wake();
    world.runFor(1000);
    expect(run!.ended).toBe("stopped");
    expect(swarm.finish(build).state).toBe("complete");
    expect(swarm.settle(build)).toBe(true);
  });

  test.each([1, 2, 3, 4])(
    "awake, it hears what the others know before it grants or asks (seed %i)",
    (seed) => {
      const { swarm, world, ann, bob } = start({ seed });
      const build = swarm.submit(ann, layered(seed, 8, 8, 2_000));
      world.runFor(3_000);
      bob.suspend();
      world.runFor(20_000);
      const early: string[] = [];
      let first: boolean | undefined;
      swarm.watch((host, effects) => {
        if (host !== bob) return;
        first ??= host.core.desk.settled;
        if (host.core.desk.settled) return;
        for (const effect of effects) {
          if (effect.kind === "send" && effect.message.kind === "ask") early.push("ask");
          if (effect.kind === "append" && effect.entry.entry.events.some((e) => e.kind === "claim"))
            early.push("claim");
        }
      });
      bob.wake();
      const known = Math.max(...swarm.hosts.filter((h) => h !== bob).map((h) => doneOn(h, build)));
      expect(doneOn(bob, build)).toBeLessThan(known);
      expect(world.runUntil(() => first !== undefined && bob.core.desk.settled, 10_000)).toBe(true);
      expect(first).toBe(false);
      expect(doneOn(bob, build)).toBeGreaterThanOrEqual(known);
      expect(early).toEqual([]);
      expect(swarm.finish(build).state).toBe("complete");
      expect(runsOn(swarm, "bob").some((e) => e.beganMs > world.nowMs - 60_000)).toBe(true);
    },
  );

  test("one that is stopped for a lease settles anew as well; a short stop is none", () => {
    for (const [stoppedMs, settled] of [
      [500, true],
      [8_000, false],
    ] as const) {
      const { world, bob, swarm } = start();
      bob.pause();
      world.runFor(stoppedMs);
      let first: boolean | undefined;
      swarm.watch((host) => {
        if (host === bob) first ??= host.core.desk.settled;
      });
      bob.resume();
      world.runUntil(() => first !== undefined, 5_000);
      expect(first).toBe(settled);
      expect(world.runUntil(() => bob.core.desk.settled, 10_000)).toBe(true);
    }
  });
});

describe("machines that are not what they seem", () => {
  test("a clone is another start of the same identity, and the newer: the other ends, and the build completes", () => {
    const { swarm, world, ann, bob } = start({ hosts: 3 });
    const build = swarm.submit(ann, layered(1, 6, 8, 2_000));
    world.runFor(3_000);
    const twin = swarm.clone(bob);
    expect(twin.peer).toBe(bob.peer);
    expect(twin.place).not.toBe(bob.place);
    twin.start();
    world.runFor(6_000);
    expect(twin.incarnations.at(-1)).not.toBe(bob.incarnations.at(-1));
    expect(doneOn(twin, build)).toBeGreaterThan(0);
    expect([bob.up, twin.up]).toEqual([false, true]);
    twin.kill();
    expect(swarm.finish(build).state).toBe("complete");
  });

  test("a disk set back to an old backup forgets starts and facts, and hears them again from the others", () => {
    const { swarm, world, ann, bob } = start();
    const build = swarm.submit(ann, layered(1, 5, 8, 2_000));
    world.runFor(3_000);
    const image = bob.image();
    bob.kill();
    bob.start();
    world.runFor(3_000);
    bob.kill();
    world.runFor(5_000);
    bob.setBack(image);
    bob.start();
    expect(bob.incarnations.map((inc) => Number.parseInt(inc, 10))).toEqual([1, 2, 2]);
    expect(new Set(bob.incarnations).size).toBe(3);
    const known = doneOn(ann, build);
    const sizeOn = (host: Host) => host.core.desk.builds.get(build)!.ledger.size;
    expect(sizeOn(bob)).toBeLessThan(sizeOn(ann));
    world.runFor(5_000);
    expect(doneOn(bob, build)).toBeGreaterThanOrEqual(known);
    expect(swarm.finish(build).state).toBe("complete");
    expect(swarm.settle(build)).toBe(true);
  });

  test("power, an owner and a slow machine are seen where they should be", () => {
    const { swarm, world, ann, bob } = start({ hosts: [{ name: "ann" }, { name: "bob", slots: 4 }] });
    apply(swarm, { kind: "owner", host: "bob", share: 0.5, atMs: 100, forMs: 5_000 });
    world.runFor(3_000);
    expect(ann.core.desk.peers.vitals(bob.peer)!.ownerActive).toBe(true);
    world.runFor(6_000);
    expect(ann.core.desk.peers.vitals(bob.peer)!.ownerActive).toBe(false);
    apply(swarm, { kind: "slow", host: "ann", factor: 0.5 });
    apply(swarm, { kind: "slow", host: "bob", factor: 0.5 });
    const build = swarm.submit(ann, chain(1, 4_000));
    swarm.finish(build);
    expect(swarm.executions.all[0]!.endedMs! - swarm.executions.all[0]!.beganMs).toBeCloseTo(8_000, 3);
  });

  test("warmer air shows on a sensor without a model behind it, and is gone with the fault", () => {
    const vitals = { temperatureCelsius: 50, headroomCelsius: 35 };
    const { swarm, world, ann } = start({ hosts: [{ name: "ann", vitals }, { name: "bob" }] });
    apply(swarm, { kind: "hot", byCelsius: 20, forMs: 5_000 });
    world.runFor(1_000);
    expect(ann.core.desk.sensed).toMatchObject({ temperatureCelsius: 70, headroomCelsius: 15 });
    world.runFor(5_000);
    expect(ann.core.desk.sensed).toMatchObject(vitals);
    expect(swarm.host("bob").core.desk.sensed!.temperatureCelsius).toBe("unknown");
  });

  test("an action takes the slots and the memory it asks for, and what does not fit is noted", () => {
    const gib = 2 ** 30;
    const { swarm, world, ann } = start({ hosts: [{ name: "ann", slots: 4, memoryBytes: 8 * gib }] });
    const { graph, costs } = fan(4, 10_000);
    const requires = { cpus: 2, memoryBytes: 5 * gib };
    const greedy = { ...graph, actions: graph.actions.map((a) => ({ ...a, requires })) };
    const build = swarm.submit(ann, { graph: greedy, costs });
    world.runUntil(() => swarm.executions.all.length > 0, 5_000);
    const running = () => swarm.executions.runningOn("ann").length;
    expect(ann.cores.usedSlots).toBe(2 * running());
    expect(ann.cores.usedMemoryBytes).toBe(5 * gib * running());
    expect(swarm.finish(build).state).toBe("complete");
    // The daemon keeps within what there is; whoever forces more onto the machine is seen.
    expect(ann.cores).toMatchObject({ peakSlots: 2, memoryOverruns: 0, slotOverruns: 0 });
    for (const slots of [3, 3])
      ann.cores.begin({ workMs: 1000, limitMs: 1e9, slots, memoryBytes: 5 * gib, ended: () => {} });
    expect(ann.cores).toMatchObject({ peakSlots: 6, memoryOverruns: 1, slotOverruns: 1 });
  });

  test("stragglers are as many as it says, and as slow", () => {
    const { swarm, ann } = start({ hosts: [{ name: "ann", slots: 16 }] });
    apply(swarm, { kind: "stragglers", share: 0.25, factor: 3 });
    swarm.world.runFor(1);
    swarm.finish(swarm.submit(ann, fan(200, 1_000)));
    const slow = swarm.executions.all.filter((e) => e.endedMs! - e.beganMs > 2_900).length;
    expect(slow).toBeGreaterThan(30);
    expect(slow).toBeLessThan(70);
  });

  test("a black hole fails whatever it is given within 10 ms, by the node's doing", () => {
    const { swarm, ann } = start({ hosts: [{ name: "ann" }, { name: "bob", speed: 4 }] });
    apply(swarm, { kind: "black-hole", host: "bob" });
    swarm.world.runFor(1);
    expect(swarm.finish(swarm.submit(ann, fan(6, 1_000))).state).toBe("complete");
    const swallowed = runsOn(swarm, "bob");
    expect(swallowed.length).toBeGreaterThan(0);
    for (const run of swallowed) expect(run.endedMs! - run.beganMs).toBeCloseTo(10, 6);
    expect(lines(swarm, "says").filter((l) => / infrastructure/.test(l.detail)).length).toBe(
      swallowed.length,
    );
  });
});
