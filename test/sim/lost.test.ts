/** Bytes that are gone, or out of reach: what is needed is had by another way, made again, or given up with a cause; nothing runs for ever. */
import { describe, expect, test } from "vitest";
import type { BuildId } from "../../protocol/kernel/ids.ts";
import { knownEvent } from "../../protocol/timeline/events.ts";
import { Checkers } from "../../sim/checkers.ts";
import type { Host } from "../../sim/host.ts";
import { Swarm, type SwarmOptions } from "../../sim/swarm.ts";
import { chain, layered, type Workload, workloadOf } from "../../sim/workload.ts";
import { inFolders } from "./in-folders.ts";

const seeds = [1, 2, 3, 4, 5, 6];

function start(options: Partial<SwarmOptions> & { seed: number }) {
  const swarm = new Swarm({ hosts: 3, ...options });
  const checkers = new Checkers(swarm);
  swarm.start();
  const [ann, bob, cat] = swarm.hosts as [Host, Host, Host];
  return { swarm, checkers, ann, bob, cat };
}

/** Actions whose results were reported lost, as any living host knows. */
const lostIn = ({ hosts }: Swarm, build: BuildId): string[] => {
  const facts = hosts
    .find((h) => h.up)!
    .core.desk.builds.get(build)!
    .facts();
  const events = facts.flatMap(({ entry }) => entry.events.flatMap((e) => knownEvent(e) ?? []));
  return [...new Set(events.flatMap((e) => (e.kind === "lost" ? [e.action] : [])))].sort();
};

describe("two members that cannot connect to each other", () => {
  const works: [string, (seed: number) => Workload][] = [
    ["lone results", (seed) => layered(seed, 1, 4 + seed, 1000)],
    ["layers", (seed) => layered(seed, 3, 4, 1000)],
    ["folders", (seed) => inFolders(layered(seed, 2, 3 + seed, 1000))],
  ];
  for (const seed of seeds)
    test.each(works)(`%s are had through a third, and nothing runs again (seed ${seed})`, (what, work) => {
      // A twin is a second run on purpose.
      const hosts = ["ann", "bob", "cat"].map((name) => ({ name, scheduling: { twinAfter: 0 } }));
      const { swarm, checkers, ann, bob, cat } = start({ seed, hosts });
      swarm.network.cut([ann.peer], [bob.peer]);
      swarm.world.runFor(15_000);
      const outcome = swarm.finish(swarm.submit(cat, work(seed)), 120_000);
      expect(outcome.state).toBe("complete");
      expect([...outcome.executions.values()].every((n) => n === 1)).toBe(true);
      // Of lone results none, where who seals the build reaches all.
      expect(swarm.blobs.errands).toBeGreaterThanOrEqual(what === "lone results" ? 0 : 1);
      expect(checkers.violations).toEqual([]);
    });
});

describe("the only holder of what is needed dies for good", () => {
  test.each(seeds)("what it needs is gone too: the whole chain is made again (seed %i)", (seed) => {
    const { swarm, checkers, ann } = start({ seed });
    const build = swarm.submit(ann, chain(5, 3000));
    const ended = () => swarm.executions.of(build, "link2" as never).find((e) => e.ended === "done");
    swarm.world.runUntil(() => ended() !== undefined, 60_000);
    swarm.world.runFor(200);
    // Whatever the chain has made so far lies nowhere else.
    const made = swarm.executions.all.map((e) => e.host);
    for (const host of swarm.hosts) {
      const keep = new Set(host.core.desk.builds.get(build)!.graph!.files.map((f) => f.digest));
      if (host.name !== made.at(-1) && host.name !== ended()!.host)
        for (const digest of swarm.blobs.image(host.peer))
          if (!keep.has(digest) && digest !== host.core.desk.builds.get(build)!.submission!.event.graph)
            swarm.blobs.remove(host.peer, digest);
    }
    swarm.host(ended()!.host).kill();
    const outcome = swarm.finish(build, 300_000);
    expect(outcome.state).toBe("complete");
    expect(lostIn(swarm, build)).toContain("link2");
    expect(outcome.executions.get("link0" as never)).toBeGreaterThan(1);
    expect(checkers.violations).toEqual([]);
  });

  test.each(seeds)("all that only it had is found lost at once, however long the chain (seed %i)", (seed) => {
    const { swarm, checkers, ann } = start({ seed, hosts: 5 });
    const build = swarm.submit(ann, chain(24, 300));
    const ended = () => swarm.executions.of(build, "link19" as never).find((e) => e.ended === "done");
    swarm.world.runUntil(() => ended() !== undefined, 60_000);
    const makers = new Set(swarm.executions.all.map((e) => e.host));
    expect([...makers]).toEqual([ended()!.host]);
    swarm.host(ended()!.host).kill();
    const diedMs = swarm.world.nowMs;
    const gone = () => lostIn(swarm, build).length;
    swarm.world.runUntil(() => gone() > 0, 60_000);
    swarm.world.runFor(1000);
    expect(gone()).toBeGreaterThanOrEqual(19);
    const again = () => swarm.executions.of(build, "link0" as never).length > 1;
    expect(swarm.world.runUntil(again, diedMs + 5000 - swarm.world.nowMs)).toBe(true);
    expect(swarm.finish(build, 60_000).state).toBe("complete");
    expect(checkers.violations).toEqual([]);
  });

  test.each(seeds)(
    "and it fails wherever it is tried again: the build ends as failed, with the cause (seed %i)",
    (seed) => {
      const { swarm, checkers, ann } = start({ seed, hosts: 4 });
      const build = swarm.submit(ann, chain(2, 4000));
      const first = () => swarm.executions.of(build, "link0" as never).find((e) => e.ended === "done");
      swarm.world.runUntil(() => first() !== undefined, 60_000);
      // The others have heard of it.
      swarm.world.runFor(100);
      swarm.twist(({ action }) => (action === "link0" ? { ends: "fails" } : undefined));
      const holder = first()!.host;
      swarm.host(holder).kill();
      for (const host of swarm.hosts)
        if (host.up)
          for (const digest of swarm.blobs.image(host.peer)) {
            const claims = host.core.desk.builds.get(build)!.claims!;
            if (claims.resultOf(0)?.result.outputs.some((o) => o.digest === digest))
              swarm.blobs.remove(host.peer, digest);
          }
      const outcome = swarm.finish(build, 300_000);
      expect(outcome.state).toBe("failed");
      expect(lostIn(swarm, build)).toEqual(["link0"]);
      expect(outcome.counts).toMatchObject({ blocked: 1, held: 1 });
      expect(
        swarm.executions.of(build, "link0" as never).filter((e) => e.ended === "failed").length,
      ).toBeLessThanOrEqual(3);
      expect(checkers.violations).toEqual([]);
    },
  );

  test.each([5, 6])(
    "and it comes out otherwise: both are kept, the rest takes one of them, and it ends (seed %i)",
    (seed) => {
      const { swarm, checkers, ann } = start({ seed });
      const build = swarm.submit(ann, layered(seed, 3, 4, 3000));
      swarm.world.runUntil(() => swarm.executions.all.filter((e) => e.ended === "done").length >= 3, 60_000);
      swarm.world.runFor(100);
      swarm.twist(() => ({ variant: "again" }));
      const holder = swarm.executions.all.find((e) => e.ended === "done" && e.host !== "ann")?.host ?? "bob";
      swarm.host(holder).kill();
      const outcome = swarm.finish(build, 300_000);
      expect(outcome.state).toBe("complete");
      expect(lostIn(swarm, build)).not.toEqual([]);
      const { claims } = swarm.hosts.find((h) => h.up)!.core.desk.builds.get(build)!;
      expect(claims!.divergent.size).toBeGreaterThan(0);
      expect(checkers.violations).toEqual([]);
    },
  );
});

describe("the holders of a build's inputs are gone", () => {
  const needy = () =>
    workloadOf(
      "needy",
      Array.from({ length: 12 }, (_, i) => ({
        id: `part${i}`,
        deps: [],
        workMs: 1_000,
        outputBytes: 1_000,
        group: "part",
        inputs: [1_000 + i],
      })),
    );

  test("the others ask for them more and more seldom, and go on at once when one of them is back", () => {
    const hosts = ["ann", "bob", "cat", "dan"].map((name) => ({ name, slots: 1 }));
    const { swarm, ann } = start({ seed: 1, hosts });
    const build = swarm.submit(ann, needy());
    const holders = ann.core.desk.builds.get(build)!.submission!.event.holders;
    swarm.world.runFor(1_500);
    const gone = swarm.hosts.filter((host) => holders.includes(host.peer));
    const left = swarm.hosts.filter((host) => !holders.includes(host.peer));
    expect([gone.length, left.length]).toEqual([2, 2]);
    for (const host of gone) host.kill();
    swarm.world.runFor(30_000);
    const said = () => left[0]!.core.desk.builds.get(build)!.facts().length;
    const before = said();
    swarm.world.runFor(60_000);
    // A claim and what gives it back, of each action by each of two nodes, twice.
    expect(said() - before).toBeLessThan(12 * 2 * 2 * 2);
    gone[0]!.start();
    expect(swarm.finish(build, 60_000).state).toBe("complete");
  });
});
