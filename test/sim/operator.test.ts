/** Stories of a person's words in the simulator: the daemon's own core and runtime, every invariant watched. */
import { describe, expect, test } from "vitest";
import type { Command, CommandReply, Operation } from "../../protocol/contract.ts";
import type { BuildId } from "../../protocol/kernel/ids.ts";
import { Checkers } from "../../sim/checkers.ts";
import type { Host } from "../../sim/host.ts";
import { Swarm, type SwarmOptions } from "../../sim/swarm.ts";
import { diamond, fan, layered } from "../../sim/workload.ts";

function start(options: Partial<SwarmOptions> & { seed: number }) {
  const swarm = new Swarm({ hosts: 3, ...options });
  const checkers = new Checkers(swarm);
  swarm.start();
  return { swarm, checkers, world: swarm.world, hosts: swarm.hosts };
}
type Story = ReturnType<typeof start>;

/** The reply, as a host gives it. */
function says({ world }: Story, host: Host, command: Command): CommandReply {
  const replies: CommandReply[] = [];
  host.command(command, (reply) => replies.push(reply));
  world.runUntil(() => replies.length > 0, 10_000);
  return replies[0]!;
}
const operate = (story: Story, host: Host, operation: Operation) =>
  says(story, host, { kind: "operate", operation, dryRun: false });

function expectSound({ swarm, checkers }: Story, build: BuildId) {
  expect(swarm.settle(build)).toBe(true);
  checkers.checkExecutions(build);
  expect(checkers.violations).toEqual([]);
  expect(swarm.hosts.flatMap((h) => h.refusals)).toEqual([]);
  expect(new Set(swarm.views(build).map((v) => v.build.claims?.digest())).size).toBe(1);
}
const begunBy = ({ swarm }: Story, build: BuildId, host: Host) =>
  swarm.executions.all.filter((e) => e.build === build && e.host === host.name).length;
const seeds = [1, 2, 3];

describe("hosts that a person orders about", () => {
  test.each(seeds)(
    "one is drained in the middle, also through a restart, and comes back (seed %i)",
    (seed) => {
      const story = start({ seed });
      const [ann, bob] = story.hosts as [Host, Host, Host];
      const build = story.swarm.submit(ann, layered(seed, 5, 6, 2000));
      story.world.runUntil(() => begunBy(story, build, bob) > 0, 20_000);
      expect(operate(story, ann, { op: "drain", peer: bob.peer })).toMatchObject({ ok: true, lost: 0 });
      story.world.runFor(200);
      const begun = begunBy(story, build, bob);
      bob.kill();
      story.world.runFor(1000);
      bob.start();
      story.world.runFor(6000);
      expect(begunBy(story, build, bob)).toBe(begun);
      operate(story, bob, { op: "resume", peer: bob.peer });
      const outcome = story.swarm.finish(build);
      expect(outcome.state).toBe("complete");
      expect(begunBy(story, build, bob)).toBeGreaterThan(begun);
      expectSound(story, build);
    },
  );

  test("all are paused: nothing begins; one goes on: it builds alone", () => {
    const story = start({ seed: 4 });
    const [ann, bob] = story.hosts as [Host, Host, Host];
    for (const host of story.hosts) operate(story, ann, { op: "pause", peer: host.peer });
    const build = story.swarm.submit(ann, fan(4, 1000));
    story.world.runFor(10_000);
    expect(story.swarm.executions.of(build, "root" as never)).toEqual([]);
    expect(story.swarm.views(build)[0]!.build.claims!.openClaims.size).toBe(0);
    operate(story, ann, { op: "resume", peer: bob.peer });
    const outcome = story.swarm.finish(build);
    expect(Object.keys(outcome.byHost)).toEqual(["bob"]);
    expectSound(story, build);
  });

  test("drained at once, a host's work is begun anew by others, and only that", () => {
    const story = start({ seed: 5 });
    const [ann, bob] = story.hosts as [Host, Host, Host];
    const build = story.swarm.submit(ann, fan(9, 4000));
    story.world.runUntil(() => begunBy(story, build, bob) > 0, 20_000);
    story.world.runFor(1500);
    expect(operate(story, ann, { op: "drain", peer: bob.peer, now: true })).toMatchObject({ lost: 1 });
    const outcome = story.swarm.finish(build);
    expect(outcome.state).toBe("complete");
    expect([...outcome.executions.values()].reduce((a, b) => a + b, 0)).toBe(outcome.executions.size + 1);
    expectSound(story, build);
  });
});

describe("builds that a person helps", () => {
  test.each(seeds)("unblocked after its failures ended, a build completes (seed %i)", (seed) => {
    let broken = true;
    const story = start({
      seed,
      hosts: 4,
      twist: ({ action }) =>
        action === "side1" && broken
          ? { ends: "fails" }
          : action === "side2"
            ? { workMs: 20_000 }
            : undefined,
    });
    const cat = story.hosts[2]!;
    const build = story.swarm.submit(story.hosts[0]!, diamond(4, 1000));
    const blocked = () => story.swarm.views(build).every((v) => v.build.claims?.actions.counts.blocked === 1);
    expect(story.world.runUntil(blocked, 15_000)).toBe(true);
    broken = false;
    expect(operate(story, cat, { op: "unblock", build })).toMatchObject({ ok: true, moved: 1, lost: 0 });
    expect(operate(story, cat, { op: "unblock", build })).toMatchObject({ ok: true, moved: 0 });
    expect(story.swarm.finish(build).state).toBe("complete");
    expect(story.swarm.settle(build)).toBe(true);
    expect(story.checkers.violations).toEqual([]);
  });

  test.each(seeds)("reset in the middle, it keeps its results and runs the rest anew (seed %i)", (seed) => {
    const story = start({ seed });
    const build = story.swarm.submit(story.hosts[0]!, layered(seed, 4, 5, 3000));
    const done = () => story.swarm.views(build)[0]?.build.claims?.actions.counts.done ?? 0;
    story.world.runUntil(() => done() >= 5, 60_000);
    story.world.runFor(1200);
    const kept = done();
    const reply = operate(story, story.hosts[1]!, { op: "reset", build });
    expect(reply).toMatchObject({ ok: true });
    const { lost } = reply as { lost: number };
    expect(lost).toBeGreaterThan(0);
    const outcome = story.swarm.finish(build);
    expect(outcome.state).toBe("complete");
    expect(kept).toBeGreaterThanOrEqual(5);
    const runs = [...outcome.executions.values()].reduce((a, b) => a + b, 0);
    expect(runs).toBeLessThanOrEqual(outcome.executions.size + lost);
    expectSound(story, build);
  });

  test.each(seeds)("bundles shared out anew again and again are each run once (seed %i)", (seed) => {
    const story = start({ seed });
    const build = story.swarm.submit(story.hosts[0]!, fan(150, 20));
    const recalled: number[] = [];
    for (let i = 0; i < 6; i++) {
      story.world.runFor(150);
      const reply = operate(story, story.hosts[i % 3]!, { op: "rebalance" });
      if (reply.ok) recalled.push(reply.moved ?? 0);
    }
    const outcome = story.swarm.finish(build);
    expect(outcome.state).toBe("complete");
    expect(recalled.reduce((a, b) => a + b, 0)).toBeGreaterThan(0);
    expect([...outcome.executions.values()].every((n) => n === 1)).toBe(true);
    expectSound(story, build);
  });

  test("words on both sides of a cut settle alike", () => {
    const story = start({ seed: 6 });
    const [ann, bob, cat] = story.hosts as [Host, Host, Host];
    const build = story.swarm.submit(ann, fan(12, 3000));
    story.world.runFor(2000);
    story.swarm.network.cut([ann.peer, bob.peer], [cat.peer]);
    operate(story, ann, { op: "drain", peer: cat.peer });
    operate(story, cat, { op: "pause", peer: cat.peer });
    says(story, cat, { kind: "control", build, op: "pause" });
    story.world.runFor(4000);
    story.swarm.network.heal();
    expect(
      story.world.runUntil(
        () => story.hosts.every((h) => h.core.desk.orders.of(cat.peer) === "drained"),
        30_000,
      ),
    ).toBe(true);
    expect(
      story.world.runUntil(() => story.swarm.views(build).every((v) => v.build.claims?.paused), 30_000),
    ).toBe(true);
    says(story, bob, { kind: "control", build, op: "resume" });
    expect(story.swarm.finish(build).state).toBe("complete");
    expect(story.swarm.settle(build)).toBe(true);
    expect(story.checkers.violations).toEqual([]);
  });
});
