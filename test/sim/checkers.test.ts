/** Every checker is proved by a bug planted into one host: what it watches must be seen to break. */
import { describe, expect, test } from "vitest";
import type { BuildId } from "../../protocol/kernel/ids.ts";
import type { Claims } from "../../protocol/work/claims.ts";
import type { Invariant } from "../../sim/checkers/violation.ts";
import { Checkers } from "../../sim/checkers.ts";
import type { Host } from "../../sim/host.ts";
import { Swarm } from "../../sim/swarm.ts";
import { chain, fan, layered } from "../../sim/workload.ts";

interface Story {
  readonly swarm: Swarm;
  readonly checkers: Checkers;
  readonly ann: Host;
  readonly bob: Host;
  readonly cat: Host;
}

function begin(seed: number): Story {
  const swarm = new Swarm({ seed, hosts: 3 });
  const checkers = new Checkers(swarm);
  const [ann, bob, cat] = swarm.start().hosts as [Host, Host, Host];
  return { swarm, checkers, ann, bob, cat };
}

/** What the daemon keeps to itself, for planting. */
type Insides = Record<string, (...args: never[]) => unknown>;
const inside = (part: unknown) => part as Insides;

/** Submits, and waits until all hosts have the graph open. */
function submit({ swarm, ann }: Story, workload = fan(8, 3000)): BuildId {
  const build = swarm.submit(ann, workload);
  swarm.world.runUntil(() => swarm.views(build).filter((v) => v.build.claims).length === 3, 5000);
  return build;
}
const claimsOn = (host: Host, build: BuildId): Claims => host.core.desk.builds.get(build)!.claims!;
const found = (checkers: Checkers) => new Set(checkers.violations.map((v) => v.invariant));

/** The same story told without the bug and with it: the checker must be silent, then speak. */
function expectCaught(invariant: Invariant, tell: (story: Story, plant: boolean) => void) {
  const sound = begin(7);
  tell(sound, false);
  expect(sound.checkers.violations).toEqual([]);
  const broken = begin(7);
  tell(broken, true);
  expect(found(broken.checkers)).toContain(invariant);
}

describe("checkers", () => {
  test("one register per action: a late claim hides a finished result", () => {
    expectCaught("done absorbs", (story, plant) => {
      const { swarm, ann, bob, cat } = story;
      const build = submit(story, chain(2, 20_000));
      swarm.world.runFor(2000);
      swarm.network.cut([ann.peer], [bob.peer, cat.peer]);
      if (plant)
        for (const host of swarm.hosts) {
          const claims = claimsOn(host, build);
          const stateOf = inside(claims).stateOf!.bind(claims) as (index: number) => string;
          inside(claims).stateOf = ((index: number) =>
            claims.winnerOf(index) ? "claimed" : stateOf(index)) as never;
        }
      // One side has its result, the other still runs its own claim.
      swarm.world.runUntil(() => swarm.executions.all.some((e) => e.ended === "done"), 60_000);
      swarm.network.heal();
      swarm.world.runFor(30_000);
    });
  });

  test("a fold that forgets a kind of fact", () => {
    expectCaught("equal facts, equal states", (story, plant) => {
      const build = submit(story);
      const claims = claimsOn(story.bob, build);
      const fold = inside(claims).foldOnClaim!.bind(claims);
      if (plant)
        inside(claims).foldOnClaim = ((id: never, event: { kind: string }, ...rest: never[]) =>
          event.kind === "start" ? undefined : fold(id, event as never, ...rest)) as never;
      story.swarm.world.runFor(10_000);
    });
  });

  test("a holder that runs what it has run", () => {
    expectCaught("bounded executions", (story, plant) => {
      const build = submit(story);
      const { holder } = story.bob.core;
      const executed = holder.executed.bind(holder);
      const again = new Set<string>();
      if (plant)
        holder.executed = (claim, outcome) => {
          const held = (inside(holder).held as unknown as Map<string, unknown>).get(claim);
          const view = story.bob.core.desk.builds.get(build);
          if (again.has(claim)) return executed(claim, outcome);
          again.add(claim);
          inside(holder).execute!(view as never, held as never);
        };
      story.swarm.finish(build);
      story.swarm.world.runFor(10_000);
      story.checkers.checkExecutions(build);
    });
  });

  test("a node that forgets to ask for work", () => {
    expectCaught("nobody idles beside work", (story, plant) => {
      submit(story, fan(12, 3000));
      if (plant) story.bob.core.scheduler.pump = () => {};
      story.swarm.world.runFor(12_000);
    });
  });

  test("a node that speaks in another's name", () => {
    expectCaught("own prefix", (story, plant) => {
      if (plant) Object.assign(story.cat.core.desk.voice, { author: story.ann.peer });
      story.cat.command({ kind: "stop", reason: "enough" }, () => {});
      story.swarm.world.runFor(5000);
      expect(story.cat.up).toBe(false);
    });
  });

  test("a restart that takes the incarnation of the start before", () => {
    expectCaught("no honest fork", (story, plant) => {
      const build = submit(story, layered(7, 4, 4, 2000));
      story.swarm.world.runFor(3000);
      story.bob.unplug();
      if (plant) story.bob.incarnations.length = 0;
      story.bob.start();
      story.swarm.world.runFor(20_000);
      expect(claimsOn(story.ann, build)).toBeDefined();
    });
  });
});
