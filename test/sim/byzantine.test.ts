/** Members that lie, and daemons of other versions, among honest ones: what they do shows, what must be refused is, and builds end. */
import { describe, expect, test } from "vitest";
import type { BuildId } from "../../protocol/kernel/ids.ts";
import type { Made } from "../../protocol/timeline/events.ts";
import { Claims } from "../../protocol/work/claims.ts";
import { inputsOf } from "../../protocol/work/inputs.ts";
import type { ByzantineWay, Fault } from "../../sim/faults.ts";
import type { Host } from "../../sim/host.ts";
import { Swarm } from "../../sim/swarm.ts";
import { apply } from "../../sim/trouble.ts";
import { fan, layered, type Task, workloadOf } from "../../sim/workload.ts";

function begin(how?: ByzantineWay, seed = 1) {
  const swarm = new Swarm({ seed, hosts: 4, keep: (what) => what === "says" || what === "forges" });
  swarm.start();
  const [ann, bob, cat, dan] = swarm.hosts as [Host, Host, Host, Host];
  if (how) {
    apply(swarm, { kind: "byzantine", host: "bob", how });
    swarm.world.runFor(2_000);
  }
  return { swarm, world: swarm.world, ann, bob, cat, dan, honest: [ann, cat, dan] };
}
const codes = (hosts: readonly Host[]) =>
  new Set(hosts.flatMap((h) => h.refusals.map((r) => r.split(" ")[0])));
const claimsOf = (host: Host, build: BuildId) => host.core.desk.builds.get(build)!.claims!;
/** Kinds of events in what a host keeps of an author's entries of a build. */
const kindsFrom = (host: Host, author: Host, build: BuildId) =>
  host.core.desk.builds
    .get(build)!
    .facts()
    .filter((f) => f.entry.author === author.peer)
    .flatMap((f) => f.entry.events.map((e) => e.kind));

describe("a member that lies", () => {
  test("is told from honest ones for ever, by the world alone", () => {
    const { swarm, bob } = begin("never-runs");
    expect(swarm.hosts.map((h) => h.honest)).toEqual([true, false, true, true]);
    bob.bend(undefined);
    expect(bob.honest).toBe(false);
  });

  test("forged results are believed, and those without bytes are made again", () => {
    const { swarm, world, ann } = begin("forged-results");
    const build = swarm.submit(ann, layered(1, 4, 7, 1_500));
    expect(swarm.finish(build).state).toBe("complete");
    const forged = world.transcript.kept().filter((l) => l.what === "forges").length;
    expect(forged).toBeGreaterThan(2);
    expect(world.transcript.kept().some((l) => l.detail.startsWith("lost "))).toBe(true);
    expect(swarm.executions.all.filter((e) => e.host === "bob")).toEqual([]);
  });

  test("once the forger is revoked and disowned no forged result counts, and what it said is done is made by others", () => {
    const { swarm, world, ann, bob, cat, dan } = begin("forged-results");
    const build = swarm.submit(ann, layered(1, 6, 7, 3_000));
    const forged = (host: Host) =>
      claimsOf(host, build)
        .graph.actions.flatMap((_, index) => claimsOf(host, build).resultsOf(index))
        .filter((result) => [...result.sources.values()].includes(bob.peer)).length;
    for (let i = 0; i < 200 && forged(cat) < 3; i++) world.runFor(50);
    expect(forged(cat)).toBeGreaterThan(2);
    const operation = { op: "revoke", peer: bob.peer, disown: true } as const;
    ann.command({ kind: "member", operation, reason: "forged" }, () => {});
    world.runFor(1_000);
    for (const host of [ann, cat, dan]) expect(forged(host)).toBe(0);
    expect(swarm.finish(build).state).toBe("complete");
    world.runFor(2_000);
    for (const host of [ann, cat, dan]) {
      expect(forged(host)).toBe(0);
      expect(claimsOf(host, build).state).toBe("complete");
    }
    expect(new Set([ann, cat, dan].map((h) => claimsOf(h, build).digest())).size).toBe(1);
  });

  /** Actions of which the result was made from other files than the results before it are now. */
  const unfounded = (host: Host, build: BuildId): number => {
    const { desk } = host.core;
    const { inputFiles } = desk.builds.get(build)!;
    const claims = claimsOf(host, build);
    return claims.graph.actions.filter((_, index) => {
      const inputs = inputsOf(claims, index, desk.trees, inputFiles);
      return inputs.kind === "known" && claims.resultOf(index)?.key !== inputs.key;
    }).length;
  };

  /** A forger is disowned once others have made something from what it forged; how many results are unfounded when the build ends. */
  const disownedLate = (): number => {
    const { swarm, world, ann, bob, cat } = begin("forged-results", 3);
    const build = swarm.submit(ann, layered(3, 8, 7, 2_000));
    const onForged = () => {
      const claims = claimsOf(cat, build);
      return claims.graph.actions.filter(
        (_, index) =>
          claims.resultOf(index) !== undefined &&
          !claims.holdersOf(index, claims.resultOf(index)!).includes(bob.peer) &&
          claims.dependencies[index]!.some((d) =>
            [...(claims.resultOf(d)?.sources.values() ?? [])].includes(bob.peer),
          ),
      ).length;
    };
    expect(world.runUntil(() => onForged() > 2, 60_000)).toBe(true);
    const operation = { op: "revoke", peer: bob.peer, disown: true } as const;
    ann.command({ kind: "member", operation, reason: "forged" }, () => {});
    world.runFor(1_000);
    expect(swarm.finish(build).state).toBe("complete");
    world.runFor(2_000);
    return unfounded(cat, build);
  };

  test("once the forger is disowned, what others made from forged results is made again too", () => {
    expect(disownedLate()).toBe(0);
  });

  test("planted: were grounds not looked at, what was made from forged results would stand", () => {
    const fold = Claims.prototype as unknown as { stands: () => boolean };
    const { stands } = fold;
    fold.stands = () => true;
    try {
      expect(disownedLate()).toBeGreaterThan(0);
    } finally {
      fold.stands = stands;
    }
  });

  test("answers for the cache count by the word of who made a result alone, and no longer once that one is disowned", () => {
    const { swarm, world, ann, bob, cat, dan } = begin("forged-answers");
    const build = swarm.submit(ann, layered(1, 6, 7, 3_000));
    const found = (host: Host) =>
      host.core.desk.builds
        .get(build)!
        .facts()
        .flatMap((f) => f.entry.events.filter((e) => e.kind === "cached")) as unknown as {
        made: Made;
        told: string;
      }[];
    const ways = () =>
      new Set(world.transcript.kept().flatMap((l) => (l.what === "forges" ? [l.detail] : []))).size;
    expect(world.runUntil(() => ways() === 3 && found(cat).length > 2, 20_000)).toBe(true);
    // Signed in another's name: refused as a whole. Without proof: none. Its own word: its own fault.
    expect([ann, cat, dan].some((h) => h.refusals.some((r) => r.startsWith("unauthentic")))).toBe(true);
    expect(new Set(found(cat).map(({ made }) => made.by))).toEqual(new Set([bob.peer]));
    expect(found(cat).every(({ told }) => told === bob.peer)).toBe(true);
    const operation = { op: "revoke", peer: bob.peer, disown: true } as const;
    ann.command({ kind: "member", operation, reason: "forged" }, () => {});
    world.runFor(1_000);
    expect(swarm.finish(build).state).toBe("complete");
    world.runFor(2_000);
    for (const host of [ann, cat, dan]) {
      expect(unfounded(host, build)).toBe(0);
      const holders = claimsOf(host, build).graph.actions.flatMap((_, index) =>
        claimsOf(host, build)
          .resultsOf(index)
          .flatMap((r) => [...r.sources.values()]),
      );
      expect(holders).not.toContain(bob.peer);
    }
  });

  test("equivocation: each half of the swarm holds another entry at one place of its chain, and both are told to all", () => {
    const { swarm, world, ann, bob, cat, dan } = begin("equivocation");
    const inc = bob.incarnations.at(-1)!;
    const heads = [ann, cat, dan].map((h) => h.core.desk.chains.head(bob.peer, inc)?.sum);
    expect(new Set(heads).size).toBe(2);
    const build = swarm.submit(ann, layered(1, 4, 7, 1_500));
    expect(swarm.finish(build).state).toBe("complete");
    world.runFor(3_000);
    for (const { core } of [ann, cat, dan]) expect(core.desk.members.forks.has(bob.peer, inc)).toBe(true);
  });

  test.each<ByzantineWay>(["never-runs", "flooding", "equivocation", "never-answers", "foreign-keys"])(
    "a build takes at most five quarters of what it takes without the member: %s",
    (how) => {
      const took = (trouble: Fault, seed: number) => {
        const swarm = new Swarm({ seed, hosts: 5, keep: () => false }).start();
        apply(swarm, trouble);
        swarm.world.runFor(5_000);
        return swarm.finish(swarm.submit(swarm.hosts[0]!, layered(seed, 6, 12, 2_500))).makespanMs;
      };
      const seeds = [1, 2, 3];
      const sum = (trouble: Fault) => seeds.reduce((ms, seed) => ms + took(trouble, seed), 0);
      const without = sum({ atMs: 0, kind: "crash", host: "bob" });
      expect(sum({ atMs: 0, kind: "byzantine", host: "bob", how })).toBeLessThan(1.25 * without);
    },
  );

  test("what a liar never gives back holds up the end of a short build no longer than honest ones need to", () => {
    const took = (trouble: Fault) => {
      const hosts = ["ann", "bob", "cat", "dan"].map((name) => ({ name, slots: 1 }));
      const swarm = new Swarm({ seed: 1, hosts, keep: () => false }).start();
      apply(swarm, trouble);
      swarm.world.runFor(6_000);
      return swarm.finish(swarm.submit(swarm.hosts[0]!, fan(40, 1_000))).makespanMs;
    };
    const without = took({ atMs: 0, kind: "crash", host: "bob" });
    expect(took({ atMs: 0, kind: "byzantine", host: "bob", how: "never-runs" })).toBeLessThan(1.25 * without);
  });

  test("a flood is taken in, and the honest ones build on as fast as four fifths of before", () => {
    const took = (how?: ByzantineWay) => {
      const { swarm, ann } = begin(how);
      const before = swarm.network.counts.gossips;
      const { makespanMs } = swarm.finish(swarm.submit(ann, fan(40, 1_000)));
      return { makespanMs, perSecond: (swarm.network.counts.gossips - before) / (makespanMs / 1000) };
    };
    const calm = took();
    const flooded = took("flooding");
    expect(flooded.perSecond).toBeGreaterThan(calm.perSecond + 150);
    expect(flooded.makespanMs).toBeLessThan(calm.makespanMs / 0.8);
  });

  test("foreign keys, missing and wrong signatures are refused by every honest member, and nothing of them is kept", () => {
    const { swarm, world, ann, honest } = begin("foreign-keys");
    const build = swarm.submit(ann, layered(1, 4, 7, 1_500));
    expect(swarm.finish(build).state).toBe("complete");
    world.runFor(5_000);
    for (const host of honest) {
      expect(codes([host])).toEqual(new Set(["unauthentic", "malformed"]));
      const forged = host.core.desk.builds
        .get(build)!
        .facts()
        .filter((f) => f.entry.events.some((e) => e.reason === "forged"));
      expect(forged).toEqual([]);
    }
    expect(swarm.settle(build)).toBe(true);
  });

  /** Some actions at once, and a line of others that needs the first of them: the build goes on long after those are done. */
  const chained = () =>
    workloadOf("chained", [
      ...Array.from({ length: 12 }, (_, i) => task(`part${i}`, [])),
      ...Array.from({ length: 14 }, (_, i) => task(`step${i}`, [i === 0 ? "part0" : `step${i - 1}`])),
    ]);
  const task = (id: string, deps: readonly string[]): Task => ({
    id,
    deps,
    workMs: 1_000,
    outputBytes: 1_000,
    group: id.replace(/[0-9]+$/, ""),
    inputs: [],
  });

  test("who claims and never runs holds what it claimed for a while, and gets less and less", () => {
    const { swarm, world, ann, bob, cat } = begin("never-runs");
    const build = swarm.submit(ann, chained());
    expect(swarm.finish(build).state).toBe("complete");
    world.runFor(1_000);
    const taken = [...claimsOf(ann, build).claims.values()].filter((c) => c.holder === bob.peer);
    expect(taken.length).toBeLessThan(12);
    expect(taken.some((c) => c.expired !== undefined)).toBe(true);
    expect(taken.every((c) => c.done === undefined)).toBe(true);
    expect([...claimsOf(cat, build).openClaims].every((c) => c.holder === bob.peer)).toBe(true);
    expect(swarm.executions.all.filter((e) => e.host === "bob")).toEqual([]);
    expect([...claimsOf(ann, build).claims.values()].some((c) => c.holder === bob.peer)).toBe(true);
  });

  test("who never answers is passed over: the build completes", () => {
    for (const seed of [1, 2, 3]) {
      const { swarm, ann } = begin("never-answers", seed);
      const build = swarm.submit(ann, layered(seed, 4, 7, 1_500));
      expect(swarm.finish(build).state).toBe("complete");
    }
  });

  test("mended, it is one more start of an honest daemon that works again", () => {
    const { swarm, world, ann, bob } = begin();
    const lie = apply(swarm, { kind: "byzantine", host: "bob", how: "never-runs", forMs: 3_000 });
    world.runFor(4_000);
    expect(lie.state).toBe("over");
    expect(bob.incarnations).toHaveLength(3);
    expect(swarm.finish(swarm.submit(ann, fan(12, 1_000))).state).toBe("complete");
    expect(swarm.executions.all.some((e) => e.host === "bob" && e.ended === "done")).toBe(true);
  });
});

describe("daemons of other versions", () => {
  const mixed = (how: "newer" | "older" | "other-fold") => {
    const told = begin();
    apply(told.swarm, { kind: "mixed-version", host: "bob", how });
    told.world.runFor(2_000);
    return told;
  };

  test("what a newer one says in words of its own is stored and passed on, and changes nothing", () => {
    const { swarm, ann, bob, cat, honest } = mixed("newer");
    expect(ann.core.desk.peers.vitals(bob.peer)!.version).toBe("9.0.0");
    const build = swarm.submit(ann, layered(1, 4, 7, 1_500));
    expect(swarm.finish(build).state).toBe("complete");
    expect(kindsFrom(ann, bob, build)).toContain("future.novelty");
    expect(swarm.settle(build)).toBe(true);
    // One who was away hears of it from others.
    bob.kill();
    cat.kill();
    cat.start();
    expect(swarm.settle(build)).toBe(true);
    expect(kindsFrom(cat, bob, build)).toContain("future.novelty");
    expect(new Set(honest.map((h) => claimsOf(h, build).digest())).size).toBe(1);
    expect(swarm.hosts.flatMap((h) => h.refusals)).toEqual([]);
    expect(swarm.hosts.every((h) => h.honest)).toBe(true);
  });

  test("an older one that lacks words works with the others, and holds the same facts", () => {
    const { swarm, ann, bob } = mixed("older");
    const build = swarm.submit(ann, layered(1, 4, 7, 1_500));
    expect(swarm.finish(build).state).toBe("complete");
    expect(swarm.settle(build)).toBe(true);
    expect(swarm.executions.all.some((e) => e.host === "bob")).toBe(true);
    expect(claimsOf(bob, build).digest()).toBe(claimsOf(ann, build).digest());
  });

  test("one that does not know the fold of a build keeps its facts and does nothing there", () => {
    const { swarm, world, ann, bob } = mixed("other-fold");
    const build = swarm.submit(ann, fan(12, 1_000));
    world.runFor(10_000);
    expect(bob.core.desk.builds.get(build)!.claims).toBeUndefined();
    expect(swarm.executions.all.filter((e) => e.host === "bob")).toEqual([]);
    expect(bob.core.desk.builds.get(build)!.ledger.size).toBeGreaterThan(3);
  });
});
