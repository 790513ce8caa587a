import { beforeAll, describe, expect, test } from "vitest";
import { encodeGraph } from "../../protocol/build/graph.ts";
import type { BuildId } from "../../protocol/kernel/ids.ts";
import type { SignedEntry } from "../../protocol/timeline/entry.ts";
import type { Invariant } from "../../sim/checkers/violation.ts";
import { Swarm } from "../../sim/swarm.ts";
import { layered } from "../../sim/workload.ts";
import { type Disk, judge } from "./disks.ts";

describe("disks of a swarm that built without faults", () => {
  let disks: Disk[];
  let build: BuildId;
  let swarm: Swarm;

  beforeAll(() => {
    swarm = new Swarm({ seed: 1, hosts: 3 });
    const entries = new Map(
      swarm.hosts.map((h) => [h.name, new Map(swarm.certificates.map((c) => [c.id, c]))]),
    );
    const keep = (name: string, kept: readonly SignedEntry[]) => {
      for (const entry of kept) entries.get(name)!.set(entry.id, entry);
    };
    swarm.watch((host, effects) => {
      for (const effect of effects)
        if (effect.kind === "append") keep(host.name, [effect.entry]);
        else if (effect.kind === "keep" || effect.kind === "keep-update") keep(host.name, effect.entries);
    });
    swarm.start();
    build = swarm.submit(swarm.hosts[0]!, layered(1, 4, 6, 2000));
    swarm.finish(build);
    swarm.settle(build);
    swarm.world.runFor(10_000);
    disks = swarm.hosts.map(({ name, peer }) => ({ name, peer, entries: [...entries.get(name)!.values()] }));
  });

  const found = (some: readonly Disk[], builds: readonly string[] = [build]) => {
    const seen: Invariant[] = [];
    const { bytes } = encodeGraph(swarm.hosts[0]!.core.desk.builds.get(build)!.graph!);
    const circumstances = {
      swarm: swarm.certificates[0]!.entry.swarm,
      blob: () => bytes,
      builds,
      divisions: 0,
    };
    judge(some, circumstances, (invariant) => seen.push(invariant));
    return [...new Set(seen)];
  };
  /** The disks, one of them without or with other entries. */
  const but = (at: number, change: (entries: readonly SignedEntry[]) => SignedEntry[]): Disk[] =>
    disks.map((disk, i) => (i === at ? { ...disk, entries: change(disk.entries) } : disk));
  const says = (kind: string) => (signed: SignedEntry) => signed.entry.events.some((e) => e.kind === kind);

  test("pass", () => {
    expect(found(disks)).toEqual([]);
  });

  test("do not pass when one lacks what the others know", () => {
    const other = disks[1]!.entries.find((e) => says("done")(e) && e.entry.author !== disks[1]!.peer)!;
    expect(found(but(1, (entries) => entries.filter((e) => e.id !== other.id)))).toContain("frontiers meet");
  });

  test("do not pass when an author forgot what others heard of it", () => {
    const own = disks[1]!.entries.findLast((e) => e.entry.author === disks[1]!.peer)!;
    expect(found(but(1, (entries) => entries.filter((e) => e.id !== own.id)))).toContain("own prefix");
  });

  test("do not pass when a chain has a hole", () => {
    const own = disks[1]!.entries.filter((e) => e.entry.author === disks[1]!.peer);
    expect(found(but(1, (entries) => entries.filter((e) => e.id !== own[1]!.id)))).toContain(
      "no honest fork",
    );
  });

  test("do not pass without the seal, nor with a build that nobody knows", () => {
    const unsealed = disks.map((disk) => ({
      ...disk,
      entries: disk.entries.filter((e) => !says("sealed")(e)),
    }));
    expect(found(unsealed)).toContain("work ends");
    expect(found(disks, ["b9-0000000000"])).toContain("work ends");
  });
});
