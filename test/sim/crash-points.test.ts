/** Who makes, votes on or shows a release falls right before or right after each of its durable steps, one after the other: nothing is half, lost or taken back. */
import { expect, test } from "vitest";
import type { CommandReply } from "../../protocol/contract.ts";
import { decodeManifest } from "../../protocol/release/manifest.ts";
import { Checkers } from "../../sim/checkers.ts";
import { type CrashPoint, CrashPoints } from "../../sim/crash-points.ts";
import type { Host } from "../../sim/host.ts";
import { Swarm } from "../../sim/swarm.ts";
import { fan, type Workload } from "../../sim/workload.ts";

const names = ["ann", "bob", "cat", "dan"] as const;
type Name = (typeof names)[number];

/** When the epoch that the crash disturbs is asked for; everything before takes less. */
const askedMs = 6_000;

/** A build that releases both of what it makes. */
function releasing(name: string): Workload {
  const { graph, costs } = fan(1, 50);
  const include = graph.actions.map((action) => action.name);
  return { graph: { ...graph, name, release: { channel: "stable", format: "files", include } }, costs };
}

function ask(host: Host, kind: "finalize" | "mirror"): CommandReply[] {
  const replies: CommandReply[] = [];
  const command =
    kind === "mirror"
      ? ({ kind, op: "add", votes: true } as const)
      : ({ kind, channel: "stable", reason: "asked" } as const);
  host.command(command, (reply) => replies.push(reply));
  return replies;
}

/** Runs it once, with a crash of `who` at that point; the steps that `who` took from the moment on at which `coordinator` was asked. */
function run(coordinator: Name, who: Name, point?: CrashPoint): CrashPoints {
  const swarm = new Swarm({ seed: 1, hosts: names.map((name) => ({ name, slots: 2 })) });
  const checkers = new Checkers(swarm);
  const crash = new CrashPoints(swarm.host(who), askedMs, point);
  const { world } = swarm;
  swarm.start();
  const [ann, bob] = [swarm.host("ann"), swarm.host("bob")];
  for (const host of swarm.hosts) if (host.name !== "dan") ask(host, "mirror");
  const builds = [swarm.submit(ann, releasing("first"))];
  swarm.finish(builds[0]!);
  world.runFor(500);
  const first = ask(ann, "finalize");
  world.runFor(1_000);
  expect(first).toMatchObject([{ ok: true, epoch: 1 }]);
  builds.push(swarm.submit(swarm.host("dan"), releasing("second")));
  swarm.finish(builds[1]!);
  expect(world.nowMs).toBeLessThan(askedMs);
  world.runFor(askedMs - world.nowMs);

  ask(swarm.host(coordinator), "finalize");
  world.runFor(1_500);
  const host = swarm.host(who);
  if (point) expect(crash.crashed).toBe(true);
  if (!host.up) host.start();
  world.runFor(500);
  builds.push(swarm.submit(ann, releasing("third")));
  swarm.finish(builds[2]!);
  world.runFor(200);
  const last = ask(bob, "finalize");
  world.runUntil(() => last.length > 0, 30_000);
  expect(last).toMatchObject([{ ok: true }]);

  const newest = checkers.releases.count("stable");
  const mirrors = swarm.hosts.filter(({ name }) => name !== "dan");
  const shows = () => mirrors.map(({ showcase }) => showcase.shown("stable")?.epoch);
  world.runUntil(() => shows().every((epoch) => epoch === newest), 30_000);
  expect(shows()).toEqual([newest, newest, newest]);
  const { manifest } = bob.core.releases.epochs("stable")!.tip!.proposal;
  expect(decodeManifest(swarm.blobs.read(manifest)!).builds.toSorted()).toEqual(builds.toSorted());
  expect(checkers.violations).toEqual([]);
  return crash;
}

const roles: readonly (readonly [what: string, coordinator: Name, who: Name])[] = [
  ["a coordinator that neither votes nor serves", "dan", "dan"],
  ["a coordinator that votes and serves", "bob", "bob"],
  ["the voter and mirror that founded the swarm", "dan", "ann"],
  ["a voter and mirror", "dan", "cat"],
];

test.each(roles)(
  "%s falls at each of its durable steps",
  (_, coordinator, who) => {
    const { steps } = run(coordinator, who);
    const wanted = [
      ...(coordinator === who ? ["put", "write release.prepared", "write release.proposed"] : []),
      ...(who === "dan" ? [] : ["write release.promised", "write release.accepted"]),
      ...(who === "dan" ? [] : ["begin 2", "fill 2", "index 2", "keep 2", "switch 2"]),
    ];
    expect(steps).toEqual(expect.arrayContaining(wanted));
    const upTo = 1 + Math.max(...wanted.map((step) => steps.indexOf(step)));
    for (let nth = 0; nth < upTo; nth++)
      for (const moment of ["before", "after"] as const)
        for (const power of steps[nth]!.startsWith("write") ? [false, true] : [false])
          expect(
            () => run(coordinator, who, { nth, moment, power }),
            `${moment} ${steps[nth]}`,
          ).not.toThrow();
  },
  300_000,
);
