/** Small stories in full, to be read: test/golden/sim-*.txt. After a change that is meant: `npx vitest run test/sim/golden.test.ts -u`. */
import { expect, test } from "vitest";
import type { Command } from "../../protocol/contract.ts";
import type { Host } from "../../sim/host.ts";
import { Swarm } from "../../sim/swarm.ts";
import { fan, workloadOf } from "../../sim/workload.ts";

const quiet = new Set(["step", "message", "gossip", "state"]);

function begin(hosts: number) {
  const swarm = new Swarm({ seed: 1, hosts, keep: (what) => !quiet.has(what) }).start();
  return { swarm, world: swarm.world, hosts: swarm.hosts as [Host, Host, Host, ...Host[]] };
}

/** The picture, then who did what when; tenths of seconds, so that a small change of timing is no other story. */
function story(picture: string, swarm: Swarm): string {
  const lines = swarm.world.transcript
    .kept()
    .filter(({ what, detail }) => !(what === "says" && /^(view|node\.up)/.test(detail)))
    .map(({ atMs, who, what, detail }) =>
      `${(atMs / 1000).toFixed(1).padStart(5)} s  ${who.padEnd(5)} ${what.padEnd(9)} ${detail}`
        .replace(/-[0-9a-f]{8}$/, "")
        .trimEnd(),
    );
  const drawn = picture.replace(/^ {4}/gm, "").trim();
  return `${drawn}\n\n${lines.join("\n")}\n`;
}

test("two claim one action: both run it, the rule picks one, the other stops", async () => {
  const { swarm, world, hosts } = begin(2);
  const [ann, bob] = hosts;
  const task = (id: string, deps: string[], workMs: number) => ({
    id,
    deps,
    workMs,
    outputBytes: 1000,
    group: id,
    inputs: [],
  });
  const build = swarm.submit(
    ann,
    workloadOf("pair", [task("short", [], 4_000), task("long", ["short"], 20_000)]),
  );
  world.runFor(1000);
  swarm.network.cut([ann.peer], [bob.peer]);
  world.runFor(12_000);
  swarm.network.heal();
  expect(swarm.finish(build).state).toBe("complete");
  const text = story(
    `
    ann ──╳── bob        short (4 s), then long (20 s); cut after 1 s, healed after 13 s

    Each side holds the other dead, makes short for itself and claims long. When they meet again both know
    both claims, and without a word agree on the winner; the loser stops and abandons its claim.`,
    swarm,
  );
  await expect(text).toMatchFileSnapshot("../golden/sim-two-claims.txt");
});

test("a steward dies: the next in hash order takes its claims back and hands the actions out", async () => {
  const { swarm, world, hosts } = begin(3);
  const build = swarm.submit(hosts[0], fan(3, 3000));
  world.runUntil(() => swarm.executions.all.length === 3, 5000);
  world.runFor(500);
  const steward = hosts.find((h) => h.peer === hosts[0].core.desk.stewardOf(build, "whole" as never))!;
  steward.kill();
  expect(swarm.finish(build).state).toBe("complete");
  const text = story(
    `
    ann ── bob ── cat        three parts of 3 s at once, then the whole
      \\___________/

    The steward of the last action is killed while it runs a part itself.`,
    swarm,
  );
  await expect(text).toMatchFileSnapshot("../golden/sim-steward-dies.txt");
});

test("partition: both sides build on, and what both made is one result", async () => {
  const { swarm, world, hosts } = begin(4);
  const [ann, bob, cat, dan] = hosts as unknown as [Host, Host, Host, Host];
  const build = swarm.submit(ann, fan(6, 4000));
  world.runFor(1000);
  swarm.network.cut([ann.peer, bob.peer], [cat.peer, dan.peer]);
  world.runFor(20_000);
  swarm.network.heal();
  expect(swarm.finish(build).state).toBe("complete");
  expect(swarm.settle(build)).toBe(true);
  const text = story(
    `
    ann ── bob   ╳   cat ── dan        six parts of 4 s, then the whole; cut after 1 s for 20 s

    Each side takes over what the other had in hand. Both finish; when they meet, equal results confirm each other.`,
    swarm,
  );
  await expect(text).toMatchFileSnapshot("../golden/sim-partition.txt");
});

test("a person steps: one action at a time where it was foreseen, then all the rest", async () => {
  const { swarm, world, hosts } = begin(3);
  const [ann, bob] = hosts;
  const build = swarm.submit(ann, fan(3, 2000));
  const say = (host: Host, command: Command) => {
    host.command(command, () => {});
    world.runFor(500);
  };
  const [part] = ann.core.desk.builds.get(build)!.claims!.graph.actions;
  say(ann, { kind: "control", build, op: "pause" });
  say(bob, { kind: "debug", build, word: { op: "break", action: "whole" as never }, dryRun: false });
  say(bob, {
    kind: "debug",
    build,
    word: { op: "place", action: part!.name, peer: bob.peer },
    dryRun: false,
  });
  say(ann, {
    kind: "debug",
    build,
    word: { op: "step", actions: [part!.name] },
    reason: "look",
    dryRun: false,
  });
  world.runFor(3000);
  say(ann, { kind: "control", build, op: "resume" });
  world.runFor(5000);
  say(ann, { kind: "debug", build, word: { op: "step" }, dryRun: false });
  expect(swarm.finish(build).state).toBe("complete");
  const text = story(
    `
    ann ── bob ── cat        three parts of 2 s, then the whole; paused by ann as it begins
      \\___________/

    Bob holds the whole by a breakpoint and places a part on himself. Ann lets that part go by a step, then resumes: the other
    parts run, the whole waits until she steps once more.`,
    swarm,
  );
  await expect(text).toMatchFileSnapshot("../golden/sim-debugged.txt");
});
