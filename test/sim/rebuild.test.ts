/** Checks by rebuilding, in a world: what was forged or left to chance is found, and a check is a build like any other. */
import { describe, expect, test } from "vitest";
import type { Graph } from "../../protocol/build/graph.ts";
import type { Command, CommandReply } from "../../protocol/contract.ts";
import { digestFrom, sha256Hex } from "../../protocol/kernel/digest.ts";
import type { ActionName, BuildId } from "../../protocol/kernel/ids.ts";
import { makersOf, planRebuild } from "../../protocol/work/rebuild.ts";
import { type RebuiltAction, rebuiltOf } from "../../protocol/work/rebuilt.ts";
import type { ByzantineWay } from "../../sim/faults.ts";
import type { Host } from "../../sim/host.ts";
import { Swarm, type SwarmOptions } from "../../sim/swarm.ts";
import { apply } from "../../sim/trouble.ts";
import { layered, type Workload } from "../../sim/workload.ts";

function begin(more: Partial<SwarmOptions> = {}, how?: ByzantineWay) {
  const swarm = new Swarm({ seed: 1, hosts: 4, ...more }).start();
  const [ann, bob, cat, dan] = swarm.hosts as [Host, Host, Host, Host];
  if (how) {
    apply(swarm, { kind: "byzantine", host: "bob", how });
    swarm.world.runFor(2_000);
  }
  return { swarm, ann, bob, cat, dan };
}

const claimsOf = (host: Host, build: BuildId) => host.core.desk.builds.get(build)!.claims!;

/** What a daemon does when somebody asks it for a check. */
function check(
  swarm: Swarm,
  at: Host,
  workload: Workload,
  build: BuildId,
  share = 1,
  bend = (graph: Graph) => graph,
): BuildId {
  const { inputFiles, claims } = at.core.desk.builds.get(build)!;
  const plan = planRebuild({
    build,
    claims: claims!,
    inputFiles,
    trees: at.core.desk.trees,
    share,
    salt: "drawn later",
    gone: new Set(),
    nobody: () => undefined,
  });
  if (plan.kind !== "planned") throw new Error("it takes folders");
  return swarm.submit(at, { ...workload, graph: bend(plan.graph) }, { fresh: true, checks: build });
}

const verdictsOf = (host: Host, id: BuildId): readonly RebuiltAction[] => {
  const { builds, members } = host.core.desk;
  const build = builds.get(id)!;
  const checked = builds.get(build.submission!.event.checks!)!.claims;
  return rebuiltOf(build, (peer) => members.nameOf(peer) ?? peer, checked)!.actions;
};

/** Of what differs, whoever made one of the two results. */
const blamed = (host: Host, found: readonly RebuiltAction[]): string[][] =>
  found
    .filter(({ verdict }) => verdict === "different")
    .map(({ by }) => by.map((peer) => host.core.desk.members.nameOf(peer)!));

test("what a forger made differs when others make it again, and it alone is behind what differs", () => {
  const { swarm, ann, bob, cat } = begin({}, "forged-results");
  const work = layered(1, 4, 7, 1_500);
  const build = swarm.submit(ann, work);
  expect(swarm.finish(build).state).toBe("complete");
  swarm.world.runFor(2_000);
  const claims = claimsOf(ann, build);
  const forged = claims.graph.actions.filter((_, i) =>
    makersOf(claims, i).some((c) => c.holder === bob.peer),
  );
  expect(forged.length).toBeGreaterThan(0);
  // The liar lives on among those that check: what it says of others' results must not pass for their fault alone.
  const id = check(swarm, cat, work, build);
  expect(swarm.finish(id).state).toBe("complete");
  swarm.world.runFor(2_000);
  const found = verdictsOf(ann, id);
  expect(found).toEqual(verdictsOf(cat, id));
  const differing = found.filter(({ verdict }) => verdict === "different");
  expect(differing.every(({ by, again }) => [...by, ...again].includes(bob.peer))).toBe(true);
  const caught = new Set(differing.filter(({ by }) => by.includes(bob.peer)).map(({ action }) => action));
  for (const { name } of forged)
    expect(caught.has(name) || found.find((f) => f.action === name)?.verdict === "unchecked").toBe(true);
  expect(caught.size).toBeGreaterThan(0);
});

test("equal results are found equal, none is made again where it was made, and the build that is checked stays as it was", () => {
  const { swarm, ann, cat } = begin();
  const work = layered(2, 4, 7, 1_000);
  const build = swarm.submit(ann, work);
  swarm.finish(build);
  swarm.world.runFor(2_000);
  const before = claimsOf(ann, build).digest();
  const id = check(swarm, cat, work, build);
  expect(swarm.finish(id).state).toBe("complete");
  const found = verdictsOf(cat, id);
  expect(found.map(({ verdict }) => verdict)).toEqual(found.map(() => "equal"));
  expect(found).toHaveLength(28);
  expect(found.every(({ by, again }) => again.length > 0 && again.every((peer) => !by.includes(peer)))).toBe(
    true,
  );
  expect(claimsOf(ann, build).digest()).toBe(before);
  // The same commands on the same files: what is known of one is known of the other.
  const keys = (of: BuildId) =>
    new Map(claimsOf(cat, of).graph.actions.map(({ name }, i) => [name, claimsOf(cat, of).resultOf(i)!.key]));
  expect([...keys(id)].sort()).toEqual([...keys(build)].sort());
});

test("what chance is in is told from what it is not in, also when who asked for it dies and comes back", () => {
  const { swarm, ann, dan } = begin({
    twist: ({ action }, { host }) => (action.endsWith("3") ? { variant: host } : undefined),
  });
  const work = layered(3, 3, 7, 1_500);
  const build = swarm.submit(ann, work);
  swarm.finish(build);
  swarm.world.runFor(2_000);
  const id = check(swarm, dan, work, build);
  dan.kill();
  swarm.world.runFor(5_000);
  dan.start();
  expect(swarm.finish(id).state).toBe("complete");
  swarm.world.runFor(3_000);
  for (const { action, verdict } of verdictsOf(dan, id))
    expect([action, verdict]).toEqual([action, action.endsWith("3") ? "different" : "equal"]);
  expect(blamed(ann, verdictsOf(ann, id)).flat().length).toBeGreaterThan(0);
});

test("a check that calls something a result that is none accuses nobody", () => {
  const { swarm, ann, cat } = begin();
  const work = layered(2, 2, 4, 500);
  const build = swarm.submit(ann, work);
  swarm.finish(build);
  swarm.world.runFor(2_000);
  const other = digestFrom(sha256Hex("other"), 1024);
  const id = check(swarm, cat, work, build, 1, (graph) => ({
    ...graph,
    actions: graph.actions.map((action, at) => ({
      ...action,
      ...(at > 0
        ? {}
        : { checks: { by: [ann.peer], outputs: [{ ...action.checks!.outputs[0]!, digest: other }] } }),
    })),
  }));
  expect(swarm.finish(id).state).toBe("complete");
  swarm.world.runFor(2_000);
  const [first, ...rest] = verdictsOf(ann, id);
  expect(first).toMatchObject({ verdict: "unchecked", why: expect.stringContaining("none of the build") });
  expect(rest.map(({ verdict }) => verdict)).toEqual(rest.map(() => "equal"));
});

test("a share is drawn by hashes: of ten a tenth is one, always the same for one word, others for another", () => {
  const { swarm, ann } = begin();
  const work = layered(4, 5, 4, 200);
  const build = swarm.submit(ann, work);
  swarm.finish(build);
  const { claims, inputFiles } = ann.core.desk.builds.get(build)!;
  const drawn = (share: number, salt: string): ActionName[] => {
    const plan = planRebuild({
      build,
      claims: claims!,
      inputFiles,
      trees: ann.core.desk.trees,
      share,
      salt,
      gone: new Set(),
      nobody: () => undefined,
    });
    return plan.kind === "planned" ? plan.graph.actions.map(({ name }) => name) : [];
  };
  expect(drawn(0.1, "a")).toHaveLength(2);
  expect(drawn(0.001, "a")).toHaveLength(1);
  expect(drawn(1, "a")).toHaveLength(20);
  expect(drawn(0.3, "a")).toEqual(drawn(0.3, "a"));
  expect(new Set(["a", "b", "c", "d"].map((salt) => drawn(0.1, salt).join())).size).toBeGreaterThan(1);
  // More of them hold those that fewer held.
  expect(drawn(0.5, "a")).toEqual(expect.arrayContaining(drawn(0.2, "a")));
});

describe("a check of what is staged", () => {
  const released = (seed: number, include: (names: readonly ActionName[]) => ActionName[]): Workload => {
    const work = layered(seed, 2, 4, 800);
    const names = work.graph.actions.map(({ name }) => name);
    return {
      ...work,
      graph: { ...work.graph, release: { channel: "stable", format: "files", include: include(names) } },
    };
  };
  const ask = (swarm: Swarm, at: Host, command: Command): CommandReply => {
    const replies: CommandReply[] = [];
    at.command(command, (reply) => replies.push(reply));
    swarm.world.runFor(15_000);
    return replies[0]!;
  };
  const verify = { kind: "verify", channel: "stable" } as const;
  const finalize = { kind: "finalize", channel: "stable" } as const;
  const chancy: Partial<SwarmOptions> = {
    twist: ({ action }, { host }) => (action.endsWith("3") ? { variant: host } : undefined),
  };
  const staged = (more: Partial<SwarmOptions>, work: Workload) => {
    const begun = begin(more);
    const build = begun.swarm.submit(begun.ann, work);
    expect(begun.swarm.finish(build).state).toBe("complete");
    begun.swarm.world.runFor(3_000);
    expect(ask(begun.swarm, begun.dan, verify)).toMatchObject({ ok: true, risk: { score: 0 } });
    return { ...begun, build };
  };
  const partOf = (reply: CommandReply) =>
    reply.ok ? reply.risk?.parts.find(({ kind }) => kind === "rebuilt-otherwise") : undefined;

  test("that finds a difference is part of its risk, for whoever finalizes", () => {
    const work = released(5, (names) => [...names]);
    const { swarm, bob, cat, dan, build } = staged(chancy, work);
    const id = check(swarm, cat, work, build);
    expect(swarm.finish(id).state).toBe("complete");
    swarm.world.runFor(3_000);
    const different = verdictsOf(bob, id).filter(({ verdict }) => verdict === "different");
    expect(different.length).toBeGreaterThan(0);
    for (const host of [bob, dan]) {
      const part = partOf(ask(swarm, host, verify))!;
      expect(part.count).toBe(different.length);
      expect(part.findings.map(({ where }) => where).sort()).toEqual(
        different.map(({ action }) => `${build} ${action}`).sort(),
      );
    }
    expect(ask(swarm, dan, finalize)).toMatchObject({
      ok: false,
      code: "refused",
      message: expect.stringMatching(/rebuilt-otherwise/),
    });
    expect(ask(swarm, dan, { ...finalize, reason: "only a date" })).toMatchObject({ ok: true, epoch: 1 });
  });

  test("that finds a difference in what the release is not made of, or none, is no risk of it", () => {
    const work = released(6, (names) => names.filter((name) => name.endsWith("0")).slice(0, 1));
    const { swarm, cat, dan, build } = staged(chancy, work);
    const id = check(swarm, cat, work, build);
    expect(swarm.finish(id).state).toBe("complete");
    swarm.world.runFor(3_000);
    expect(verdictsOf(dan, id).some(({ verdict }) => verdict === "different")).toBe(true);
    expect(ask(swarm, dan, verify)).toMatchObject({ ok: true, risk: { score: 0 } });
    expect(ask(swarm, dan, finalize)).toMatchObject({ ok: true, epoch: 1 });
  });
});
