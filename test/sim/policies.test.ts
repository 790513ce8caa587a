/** Who takes work and how much, on whole swarms in virtual time: limits, standby, requirements, fair shares, black holes. */
import { describe, expect, test } from "vitest";
import type { Requirements } from "../../protocol/build/graph.ts";
import type { Entry } from "../../protocol/timeline/entry.ts";
import { Checkers } from "../../sim/checkers.ts";
import type { Execution } from "../../sim/executions.ts";
import type { Host, HostOptions } from "../../sim/host.ts";
import { Swarm, type SwarmOptions } from "../../sim/swarm.ts";
import { fan, layered, type Workload } from "../../sim/workload.ts";

const gib = 2 ** 30;

function start(
  hosts: readonly HostOptions[],
  { checked, ...options }: Partial<SwarmOptions> & { checked?: boolean } = {},
) {
  const swarm = new Swarm({ seed: 1, hosts, ...options });
  const said: { author: string; event: Entry["events"][number] }[] = [];
  swarm.watch((host, effects) => {
    for (const effect of effects)
      if (effect.kind === "append")
        for (const event of effect.entry.entry.events) said.push({ author: host.name, event });
  });
  const checkers = checked ? new Checkers(swarm) : undefined;
  swarm.start();
  const on = (name: string) => swarm.executions.all.filter((e) => e.host === name);
  const events = (kind: string) => said.filter((s) => s.event.kind === kind);
  return { swarm, world: swarm.world, checkers, on, events };
}

/** The same work, of which some actions ask for more. */
function requiring(workload: Workload, requires: Requirements, which: (name: string) => boolean): Workload {
  const actions = workload.graph.actions.map((a) => (which(a.name) ? { ...a, requires } : a));
  return { ...workload, graph: { ...workload.graph, actions } };
}

/** Most that ran at once, each execution weighing as much as is said. */
function atOnce(executions: readonly Execution[], weight: (e: Execution) => number = () => 1): number {
  const moments = executions.flatMap((e) => [
    { atMs: e.beganMs, by: weight(e) },
    { atMs: e.endedMs ?? Number.POSITIVE_INFINITY, by: -weight(e) },
  ]);
  moments.sort((a, b) => a.atMs - b.atMs || a.by - b.by);
  let now = 0;
  return moments.reduce((most, { by }) => {
    now += by;
    return Math.max(most, now);
  }, 0);
}

const run = (host: Host, changes: Parameters<Host["sense"]>[0]) => host.sense(changes);

describe("limits", () => {
  const two = [
    { name: "ann", slots: 4 },
    { name: "bob", slots: 4 },
  ];

  test("a hot node takes nothing new, finishes what it runs, and goes on once it is cool", () => {
    const { swarm, world, on } = start(two);
    const build = swarm.submit(swarm.host("ann"), fan(60, 2000));
    world.runFor(3000);
    run(swarm.host("bob"), { temperatureCelsius: 86, headroomCelsius: -1 });
    const hotMs = world.nowMs;
    world.runFor(4000);
    expect(on("bob").filter((e) => e.beganMs > hotMs)).toEqual([]);
    expect(on("bob").every((e) => e.ended === "done")).toBe(true);
    expect(swarm.host("ann").core.desk.vitalsOf(swarm.host("bob").peer)).toMatchObject({
      slots: 0,
      slotsMax: 4,
      limitedBy: "hot",
    });
    run(swarm.host("bob"), { temperatureCelsius: 70, headroomCelsius: 15 });
    const coolMs = world.nowMs;
    expect(swarm.finish(build).state).toBe("complete");
    expect(on("bob").some((e) => e.beganMs >= coolMs && e.beganMs < coolMs + 1000)).toBe(true);
  });

  test("under lasting pressure a node works with half of its slots", () => {
    const { swarm, world, on } = start(two);
    const build = swarm.submit(swarm.host("ann"), fan(900, 1000));
    run(swarm.host("bob"), { pressurePercent: { cpu: 0, memory: 60, io: 0 } });
    world.runFor(62_000);
    const fromMs = world.nowMs;
    world.runFor(20_000);
    const later = on("bob").filter((e) => e.beganMs >= fromMs);
    expect(later.length).toBeGreaterThan(20);
    expect(atOnce(later)).toBe(2);
    run(swarm.host("bob"), { pressurePercent: { cpu: 0, memory: 0, io: 0 } });
    world.runFor(32_000);
    const backMs = world.nowMs;
    expect(swarm.finish(build).state).toBe("complete");
    expect(atOnce(on("bob").filter((e) => e.beganMs >= backMs))).toBe(4);
  });

  test("a node in use by its owner begins nothing, and what runs there goes on", () => {
    const { swarm, world, on } = start(two);
    const build = swarm.submit(swarm.host("ann"), fan(60, 2000));
    world.runFor(3000);
    run(swarm.host("bob"), { ownerActive: true });
    const hereMs = world.nowMs;
    const running = on("bob").filter((e) => e.endedMs === undefined);
    expect(running.length).toBe(4);
    world.runFor(5000);
    expect(on("bob").filter((e) => e.beganMs > hereMs)).toEqual([]);
    expect(running.every((e) => e.ended === "done")).toBe(true);
    // Nothing waits in the owner's way: what was not begun went back.
    expect(swarm.host("bob").core.holder.size).toBe(0);
    run(swarm.host("bob"), { ownerActive: false });
    const awayMs = world.nowMs;
    expect(swarm.finish(build).state).toBe("complete");
    expect(on("bob").some((e) => e.beganMs >= awayMs)).toBe(true);
  });
});

describe("standby", () => {
  const hosts: HostOptions[] = [
    { name: "ann", slots: 1 },
    { name: "main", slots: 2, scheduling: { labels: ["gpu"] } },
    { name: "spare", slots: 2, scheduling: { labels: ["gpu"], policy: "standby" } },
  ];
  const gpuWork = () => requiring(fan(400, 1000), { labels: ["gpu"] }, () => true);

  test("a standby node idles while a primary with its label works, takes over within 5 s of the hold-off, and steps back", () => {
    const { swarm, world, on } = start(hosts);
    const build = swarm.submit(swarm.host("ann"), gpuWork());
    world.runFor(40_000);
    expect(on("spare")).toEqual([]);
    expect(on("main").length).toBeGreaterThan(60);
    swarm.host("main").kill();
    const deadMs = world.nowMs;
    world.runFor(29_900);
    expect(on("spare")).toEqual([]);
    world.runFor(5100);
    expect(on("spare").length).toBeGreaterThan(0);
    world.runFor(20_000);
    expect(on("spare").length).toBeGreaterThan(20);
    swarm.host("main").start();
    world.runFor(3000);
    const backMs = world.nowMs;
    world.runFor(20_000);
    expect(on("spare").filter((e) => e.beganMs > backMs)).toEqual([]);
    expect(on("spare").every((e) => e.ended === "done")).toBe(true);
    expect(on("main").filter((e) => e.beganMs > backMs).length).toBeGreaterThan(30);
    expect(deadMs).toBeLessThan(backMs);
    expect(swarm.finish(build).state).toBe("complete");
  });

  test("a primary that is over its limits is none", () => {
    const { swarm, world, on } = start(hosts);
    swarm.submit(swarm.host("ann"), gpuWork());
    run(swarm.host("main"), { temperatureCelsius: 90, headroomCelsius: -5 });
    world.runFor(29_000);
    expect(on("spare")).toEqual([]);
    world.runFor(6000);
    expect(on("spare").length).toBeGreaterThan(0);
    run(swarm.host("main"), { temperatureCelsius: 60, headroomCelsius: 25 });
    world.runFor(2500);
    const backMs = world.nowMs;
    world.runFor(10_000);
    expect(on("spare").filter((e) => e.beganMs > backMs)).toEqual([]);
  });
});

describe("requirements", () => {
  const hosts: HostOptions[] = [
    { name: "ann", slots: 4 },
    { name: "bob", slots: 4 },
    { name: "cat", slots: 2 },
  ];
  const isHeavy = (name: string) => name === "part150";

  test("a heavy action in a flood of small ones gets a machine soon, and others go on", () => {
    const { swarm, on, checkers } = start(hosts, { checked: true });
    const build = swarm.submit(swarm.host("ann"), requiring(fan(300, 1000), { cpus: 4 }, isHeavy));
    expect(swarm.finish(build).state).toBe("complete");
    const [heavy] = swarm.executions.of(build, "part150" as Execution["action"]);
    expect(heavy!.beganMs).toBeLessThan(8000);
    expect(["ann", "bob"]).toContain(heavy!.host);
    const beside = on(heavy!.host).filter((e) => e.beganMs < heavy!.endedMs! && e.endedMs! > heavy!.beganMs);
    expect(beside).toEqual([heavy]);
    for (const { name, slots } of hosts)
      expect(atOnce(on(name), (e) => (isHeavy(e.action) ? 4 : 1))).toBeLessThanOrEqual(slots!);
    expect(checkers!.violations).toEqual([]);
  });

  test("many heavy actions among small ones all run, and no node is asked for more slots or memory than it has", () => {
    const { swarm, on } = start(hosts.map((h) => ({ ...h, memoryBytes: 16 * gib })));
    const some = (name: string) => /^part\d*[05]$/.test(name);
    const requires = { cpus: 3, memoryBytes: 9 * gib };
    const build = swarm.submit(swarm.host("ann"), requiring(fan(100, 1000), requires, some));
    expect(swarm.finish(build).state).toBe("complete");
    for (const { name, slots } of hosts) {
      expect(atOnce(on(name), (e) => (some(e.action) ? 3 : 1))).toBeLessThanOrEqual(slots!);
      expect(atOnce(on(name), (e) => (some(e.action) ? 9 : 0))).toBeLessThanOrEqual(16);
    }
    expect(on("cat").some((e) => some(e.action))).toBe(false);
  });

  test("what fits nowhere waits with its reason, and what lacks least is named; the rest is built", () => {
    const { swarm, world } = start(hosts);
    const huge = requiring(fan(20, 500), { cpus: 16, memoryBytes: 64 * gib }, (n) => n === "part3");
    const build = swarm.submit(swarm.host("ann"), huge);
    world.runFor(20_000);
    const { core } = swarm.host("ann");
    const view = core.desk.builds.get(build)!;
    expect(view.claims!.actions.counts).toMatchObject({ done: 19, ready: 1, waiting: 1 });
    const { scored, unfit } = core.gate.candidates(
      view,
      view.claims!.indexOf.get("part3" as Execution["action"])!,
    );
    expect(scored).toEqual([]);
    expect(unfit.map((u) => u.reason)).toContain("has 4 slots, 16 are needed");
  });

  test("a fenced node takes only what names its label", () => {
    const { swarm, on } = start([
      { name: "ann", slots: 2 },
      { name: "gpu", slots: 2, scheduling: { labels: ["gpu"], fenced: true } },
    ]);
    const labelled = (name: string) => name.endsWith("7");
    const build = swarm.submit(swarm.host("ann"), requiring(fan(40, 500), { labels: ["gpu"] }, labelled));
    expect(swarm.finish(build).state).toBe("complete");
    expect(on("gpu").every((e) => labelled(e.action))).toBe(true);
    expect(on("gpu")).toHaveLength(4);
  });
});

describe("turns", () => {
  test("two users share the swarm about evenly, however many builds each has", () => {
    const { swarm, world } = start([
      { name: "ann", slots: 4 },
      { name: "bob", slots: 4 },
    ]);
    const builds = [0, 1, 2].map((i) => swarm.submit(swarm.host("ann"), named(fan(300, 1000), `a${i}`)));
    const lone = swarm.submit(swarm.host("bob"), named(fan(300, 1000), "b"));
    const fromMs = world.nowMs;
    world.runFor(60_000);
    const began = swarm.executions.all.filter((e) => e.beganMs >= fromMs);
    const share = began.filter((e) => e.build === lone).length / began.length;
    expect(share).toBeGreaterThan(0.4);
    expect(share).toBeLessThan(0.6);
    for (const build of builds)
      expect(began.filter((e) => e.build === build).length / began.length).toBeGreaterThan(0.1);
  });
});

const named = (workload: Workload, name: string): Workload => ({
  ...workload,
  graph: { ...workload.graph, name },
});

describe("black holes", () => {
  const hosts: HostOptions[] = ["ann", "bob", "cat", "hole"].map((name) => ({ name, slots: 2 }));
  const hole: SwarmOptions["twist"] = (_, { host }) =>
    host === "hole" ? { workMs: 10, ends: "breaks" } : undefined;

  test("a node that fails fast attracts no work, is grounded by one word, and costs the build little", () => {
    const { swarm, world, on, events } = start(hosts, { twist: hole });
    const build = swarm.submit(swarm.host("ann"), fan(150, 10_000));
    world.runFor(200_000);
    expect(on("hole").length).toBeLessThanOrEqual(10);
    expect(on("hole").length).toBeGreaterThanOrEqual(8);
    const grounded = events("node.grounded");
    expect(grounded).toHaveLength(1);
    expect(grounded[0]!.author).not.toBe("hole");
    expect(grounded[0]!.event).toMatchObject({ peer: swarm.host("hole").peer, forMs: 300_000 });
    const outcome = swarm.finish(build);
    expect(outcome.state).toBe("complete");
    // Six slots for 150 actions of 10 s, and the one that needs them all.
    expect(outcome.makespanMs).toBeLessThan(1.06 * 260_000);
  });

  test("a grounded node gets one action as a probe: one that fails grounds it again for longer, one that succeeds ends it", () => {
    // Eight failures by default; here fewer, and shorter times.
    const grounding = { failures: 4, windowMs: 600_000, forMs: 20_000 };
    const quick = hosts.map((host) => ({ ...host, scheduling: { grounding } }));
    const { swarm, world, on, events } = start(quick, { twist: hole });
    const build = swarm.submit(swarm.host("ann"), fan(110, 6000));
    const grounded = () => events("node.grounded").length;
    expect(world.runUntil(() => grounded() === 1, 60_000)).toBe(true);
    const groundedMs = world.nowMs;
    world.runFor(19_000);
    expect(on("hole").filter((e) => e.beganMs > groundedMs)).toEqual([]);
    expect(world.runUntil(() => grounded() === 2, 5000)).toBe(true);
    expect(on("hole").filter((e) => e.beganMs > groundedMs)).toHaveLength(1);
    expect(events("node.grounded").map((s) => [s.event.failures, s.event.forMs])).toEqual([
      [4, 20_000],
      [1, 40_000],
    ]);
    swarm.twist((_, { host }) => (host === "hole" ? { workMs: 2000, ends: "done" } : undefined));
    const mendedMs = world.nowMs;
    expect(swarm.finish(build).state).toBe("complete");
    expect(grounded()).toBe(2);
    const after = on("hole").filter((e) => e.beganMs > mendedMs);
    expect(after[0]!.beganMs).toBeGreaterThan(mendedMs + 39_000);
    // One alone to prove itself, then as many as it has slots.
    expect(after[1]!.beganMs).toBeGreaterThanOrEqual(after[0]!.endedMs!);
    expect(atOnce(after)).toBe(2);
  });

  test("the last node that may build is never grounded", () => {
    const { swarm, world, events } = start(
      [
        { name: "ann", slots: 1 },
        { name: "hole", slots: 2, scheduling: { labels: ["gpu"] } },
      ],
      {
        twist: (_, { host, before }) =>
          host === "hole" && before < 14 ? { workMs: 10, ends: "breaks" } : undefined,
      },
    );
    const build = swarm.submit(
      swarm.host("ann"),
      requiring(fan(2, 500), { labels: ["gpu"] }, () => true),
    );
    const outcome = swarm.finish(build, 900_000);
    expect(outcome.state).toBe("complete");
    // Whether it was said or not: while nobody else may build, it keeps building.
    expect(world.nowMs).toBeLessThan(700_000);
    expect(events("fail").length).toBeGreaterThan(20);
  });
});

describe("modes", () => {
  const cluster = (mode: NonNullable<HostOptions["scheduling"]>["mode"]): HostOptions[] =>
    ["a", "b", "c", "d"].map((name, i) => ({
      name,
      slots: 4,
      ...(i % 2 === 0
        ? { thermal: { ambient: 40, heat: 2.5, cool: 0.04, limit: 85, factor: 0.6, hyst: 5, initial: 50 } }
        : {}),
      scheduling: { mode },
    }));

  test("thermal-aware is at least 5 % shorter than unaware where half of the nodes throttle, and keeps them below their limit", () => {
    const outcome = (mode: "unified" | "thermal-aware") => {
      // One build may be lucky: three are added up.
      const runs = [1, 2, 3].map((seed) => {
        const { swarm } = start(cluster(mode));
        const build = swarm.submit(swarm.host("b"), layered(seed, 2, 150, 8000));
        const { makespanMs } = swarm.finish(build);
        const thermals = swarm.hosts.flatMap((h) => h.cores.thermal ?? []);
        return { makespanMs, aboveMs: Math.max(...thermals.map((t) => t.longestAboveMs)) };
      });
      return {
        makespanMs: runs.reduce((sum, r) => sum + r.makespanMs, 0),
        aboveMs: Math.max(...runs.map((r) => r.aboveMs)),
      };
    };
    const unaware = outcome("unified");
    const aware = outcome("thermal-aware");
    expect(aware.makespanMs).toBeLessThan(0.95 * unaware.makespanMs);
    expect(aware.aboveMs).toBeLessThanOrEqual(10_000);
    expect(unaware.aboveMs).toBeGreaterThan(0);
  }, 60_000);

  test("cache-first moves fewer bytes than unified", () => {
    const moved = (mode: "unified" | "cache-first") => {
      const { swarm, events } = start(
        ["a", "b", "c", "d"].map((name) => ({ name, slots: 2, scheduling: { mode } })),
      );
      swarm.finish(swarm.submit(swarm.host("a"), layered(3, 5, 40, 2000)));
      return events("done").reduce(
        (sum, { event }) => sum + (event.usage as { fetchedBytes: number }).fetchedBytes,
        0,
      );
    };
    expect(moved("cache-first")).toBeLessThan(0.8 * moved("unified"));
  });

  test("target-isolated keeps labelled nodes to their own, and learned says how it judged", () => {
    const hosts = (mode: "target-isolated" | "learned"): HostOptions[] => [
      { name: "ann", slots: 2, scheduling: { mode } },
      { name: "gpu", slots: 4, scheduling: { mode, labels: ["gpu"] } },
    ];
    const labelled = (name: string) => name.endsWith("7");
    const isolated = start(hosts("target-isolated"));
    const work = requiring(fan(40, 500), { labels: ["gpu"] }, labelled);
    isolated.swarm.finish(isolated.swarm.submit(isolated.swarm.host("ann"), work));
    expect(isolated.on("gpu").every((e) => labelled(e.action))).toBe(true);
    const learned = start(hosts("learned"));
    learned.swarm.finish(learned.swarm.submit(learned.swarm.host("ann"), work));
    expect(learned.on("gpu").length).toBeGreaterThan(4);
    const whys = learned.events("claim").flatMap(({ event }) => (event.why ? [event.why] : []));
    expect(whys.length).toBeGreaterThan(0);
    for (const why of whys)
      expect(why).toMatchObject({ mode: "learned", parts: { history: expect.any(Number) } });
  });
});
