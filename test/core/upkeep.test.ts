/** What a node drops of builds that ended long ago, what it still knows of them, and how it has damaged entries again. */
import { describe, expect, test } from "vitest";
import type { BuildId } from "../../protocol/kernel/ids.ts";
import { graphOf } from "../work/facts.ts";
import { Cores, type Node } from "./cores.ts";

const one = (name: string) => graphOf({ [name]: [] });
const keptMs = 60_000;
const quick = { run: () => ({ ms: 5 }) };

function many(cores: Cores, count: number): BuildId[] {
  return Array.from({ length: count }, (_, i) => {
    const build = cores.submit("ann", one(`a${i}`));
    cores.runUntil(() => cores.node("ann").build(build)?.claims?.sealed !== undefined);
    return build;
  });
}
const of = (node: Node, build: BuildId) => node.entries.filter(({ entry }) => entry.build === build);
const idsOf = (node: Node, build: BuildId) =>
  of(node, build)
    .map(({ id }) => id)
    .sort();

describe("builds that were kept long enough", () => {
  test("go from the disk, are known to have been, and nobody is asked for them or told of them again", () => {
    const traits = { timelineKeptMs: keptMs };
    const cores = new Cores({ ann: traits, bob: traits }, quick);
    const [ann, bob] = [cores.node("ann"), cores.node("bob")];
    const builds = many(cores, 54);
    cores.runFor(5000);
    const before = ann.core.desk.archive.digest();
    expect(of(ann, builds[0]!).length).toBeGreaterThan(0);
    cores.runFor(3 * keptMs);
    for (const node of [ann, bob]) {
      expect(builds.slice(0, 4).flatMap((build) => idsOf(node, build))).toEqual([]);
      // What is in memory is not old enough to be archived, and stays whole.
      expect(of(node, builds[4]!).length).toBeGreaterThan(0);
      expect(node.core.desk.archive.get(builds[0]!)).toMatchObject({ dropped: true, done: 1 });
    }
    expect(ann.core.desk.archive.digest()).toBe(before);
    for (const name of ["ann", "bob"]) {
      cores.kill(name);
      cores.start(name);
    }
    cores.runFor(20_000);
    expect(ann.core.desk.archive.digest()).toBe(before);
    expect(bob.core.desk.archive.digest()).toBe(before);
    for (const node of [ann, bob]) {
      expect(node.sent("want")).toEqual([]);
      expect(idsOf(node, builds[0]!)).toEqual([]);
    }
  });

  test("are told to who was away as that they were, and by one that keeps everything in full", () => {
    const cores = new Cores({ ann: { timelineKeptMs: keptMs }, bob: {}, cy: {} }, quick);
    const [ann, bob, cy] = [cores.node("ann"), cores.node("bob"), cores.node("cy")];
    cores.kill("cy");
    const builds = many(cores, 53);
    cores.runFor(3 * keptMs);
    expect(idsOf(ann, builds[0]!)).toEqual([]);
    cores.kill("bob");
    cores.start("cy");
    const same = (a: Node, b: Node) => () => a.core.desk.archive.digest() === b.core.desk.archive.digest();
    expect(cores.runUntil(same(ann, cy), 60_000)).toBe(true);
    expect(cy.core.desk.archive.get(builds[0]!)).toMatchObject({ dropped: true, done: 1 });
    const asked = cy.sent("want").length;
    cores.runFor(60_000);
    expect(cy.sent("want").length).toBe(asked);
    // The one that has all of it is no other swarm: nobody drops or asks for anything because of it.
    cores.start("bob");
    cores.runFor(60_000);
    expect(same(ann, bob)()).toBe(true);
    expect(of(bob, builds[0]!).length).toBeGreaterThan(0);
    expect(bob.core.desk.archive.get(builds[0]!)!.dropped).toBeUndefined();
    expect(cy.sent("want").length).toBe(asked);
  });

  test("end the work of one that was away, who then knows as little of them", () => {
    const cores = new Cores({ ann: { timelineKeptMs: keptMs }, cy: {} }, quick);
    const [ann, cy] = [cores.node("ann"), cores.node("cy")];
    cores.rules.run = (_, node) => (node === cy ? { ms: 1, never: true } : { ms: 1000 });
    const graph = graphOf(Object.fromEntries(Array.from({ length: 6 }, (_, i) => [`x${i}`, []])));
    const build = cores.submit("ann", graph);
    cores.runUntil(() => cy.running.size > 0);
    cores.rules.drops = (from, to) => from === "cy" || to === "cy";
    cores.runUntil(() => ann.build(build).claims!.sealed !== undefined, 300_000);
    cores.rules.run = () => ({ ms: 5 });
    many(cores, 52);
    cores.runFor(3 * keptMs);
    expect(idsOf(ann, build)).toEqual([]);
    cores.rules.drops = undefined;
    cores.runFor(120_000);
    expect(cy.running.size).toBe(0);
    expect(cy.core.desk.builds.has(build)).toBe(false);
    expect(cy.core.desk.archive.digest()).toBe(ann.core.desk.archive.digest());
    const asked = cy.sent("want").length + ann.sent("want").length;
    cores.runFor(60_000);
    expect(cy.sent("want").length + ann.sent("want").length).toBe(asked);
  });

  test("stay where a release was made of them, and where this node's clock is in another year than the others'", () => {
    const cores = new Cores({ ann: { timelineKeptMs: keptMs }, bob: {} }, quick);
    const ann = cores.node("ann");
    const builds = many(cores, 53);
    ann.core.desk.say(
      undefined,
      {
        kind: "release.staged",
        channel: "stable",
        build: builds[1]!,
        set: "0".repeat(64).concat("/1") as never,
        items: 1,
        bytes: 1,
        submittedAtMs: 1,
      },
      { urgent: true },
    );
    const { peers } = ann.core.desk;
    const { clockAheadMs } = peers;
    peers.clockAheadMs = () => 31_536_000_000;
    cores.runFor(3 * keptMs);
    expect(ann.core.upkeep.retention.overdue()).toEqual([]);
    peers.clockAheadMs = clockAheadMs;
    expect(ann.core.upkeep.retention.overdue().map(({ build }) => build)).toEqual(
      [builds[0]!, builds[2]!].sort(),
    );
    expect(cores.command("ann", { kind: "compact" })).toEqual({ ok: true, moved: 2 });
    expect(idsOf(ann, builds[0]!)).toEqual([]);
    expect(of(ann, builds[1]!).length).toBeGreaterThan(0);
  });
});

describe("entries that a disk gave back damaged", () => {
  const damaged = (cores: Cores, node: Node, gone: Node["entries"]) => {
    node.entries = node.entries.filter((entry) => !gone.includes(entry));
    const damages = gone.map(({ entry: { author, inc, seq, build } }) => ({
      author,
      inc,
      fromSeq: seq,
      toSeq: seq,
      shelf: build === undefined ? ("timeline" as const) : ("builds" as const),
    }));
    cores.step(node, { kind: "damaged", damages });
  };

  test("come back from one peer, of live builds, of archived ones and of the timeline; nothing else changes", () => {
    const cores = new Cores({ ann: {}, bob: {}, cy: {} }, quick);
    const [ann, bob] = [cores.node("ann"), cores.node("bob")];
    const builds = many(cores, 52);
    cores.runFor(5000);
    const all = bob.entries.map(({ id }) => id).sort();
    const inMemory = bob.core.desk.builds.size;
    const timeline = bob.entries.filter(({ entry }) => entry.build === undefined);
    expect(timeline.length).toBeGreaterThan(0);
    // More stretches than one message asks for.
    const gone = [...timeline, ...builds.flatMap((build) => of(bob, build))];
    damaged(cores, bob, gone);
    expect(bob.core.upkeep.mender.missing).toBe(gone.length);
    expect(cores.runUntil(() => bob.core.upkeep.mender.missing === 0, 5000)).toBe(true);
    expect(bob.entries.map(({ id }) => id).sort()).toEqual(all);
    expect(idsOf(bob, builds[0]!)).toEqual(idsOf(ann, builds[0]!));
    expect(bob.core.desk.builds.size).toBe(inMemory);
    expect(bob.sent("lack").length).toBeGreaterThan(1);
    expect(new Set(bob.sent("lack").map(({ to }) => to)).size).toBe(1);
    expect(bob.core.upkeep.mender.mended).toBe(gone.length);
  });

  test("are asked for of everybody in turn, and again once somebody comes back", () => {
    const cores = new Cores({ ann: {}, bob: {}, cy: {} }, quick);
    const [ann, bob, cy] = [cores.node("ann"), cores.node("bob"), cores.node("cy")];
    const [build] = many(cores, 1) as [BuildId];
    cores.runFor(2000);
    const gone = of(bob, build);
    ann.entries = ann.entries.filter(({ entry }) => entry.build !== build);
    cores.kill("cy");
    cores.runFor(1000);
    damaged(cores, bob, gone);
    cores.runFor(30_000);
    expect(bob.core.upkeep.mender.missing).toBe(gone.length);
    expect(bob.sent("lack").map(({ to }) => to)).toEqual([ann.peer]);
    cores.start("cy");
    expect(cores.runUntil(() => bob.core.upkeep.mender.missing === 0, 120_000)).toBe(true);
    expect(idsOf(bob, build)).toEqual(idsOf(cy, build));
  });
});
