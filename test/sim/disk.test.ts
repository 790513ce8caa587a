import { describe, expect, test } from "vitest";
import { Disk } from "../../sim/disk.ts";
import type { Host } from "../../sim/host.ts";
import { type Ending, Process } from "../../sim/process.ts";
import { Swarm } from "../../sim/swarm.ts";
import { layered } from "../../sim/workload.ts";
import { World } from "../../sim/world.ts";
import { entryAt } from "../contract/chain.ts";

const none = { entries: [], updates: [], dropped: [], durable: false };

/** Ten entries, the fourth durable, and a crash before the last two were answered: how many are there after the restart? */
function survivors(seed: number, ending: Ending): number {
  const world = new World({ seed });
  const disk = new Disk(world, "ann", { writeMs: 1, syncMs: 0 });
  const process = new Process(world, "ann");
  const store = disk.port(process);
  let answered = 0;
  for (let seq = 0; seq < 8; seq++)
    world.at(seq, () =>
      store.write({ ...none, entries: [entryAt(seq)], durable: seq === 3 }, () => answered++),
    );
  world.runUntil(() => answered === 8, 1000);
  for (const seq of [8, 9]) store.write({ ...none, entries: [entryAt(seq)] }, () => answered++);
  process.end(ending);
  world.runFor(100);
  expect(answered).toBe(8);
  const seqs = disk
    .port(new Process(world, "ann"))
    .restore()
    .entries.map((e) => e.entry.seq);
  // Whatever is lost is lost from the end.
  expect(seqs).toEqual([...seqs.keys()]);
  return seqs.length;
}

const seeds = Array.from({ length: 200 }, (_, i) => i);

describe("virtual disk", () => {
  test("a kill loses nothing that was answered; what was on its way may have landed or not", () => {
    const counts = new Set(seeds.map((seed) => survivors(seed, "kill")));
    expect([...counts].sort((a, b) => a - b)).toEqual([8, 9, 10]);
  });

  test("a power cut may take everything after the last durable write, never more", () => {
    const counts = new Set(seeds.map((seed) => survivors(seed, "power")));
    expect(Math.min(...counts)).toBe(4);
    expect(Math.max(...counts)).toBe(10);
  });

  test("a stop loses nothing at all", () => {
    expect(new Set(seeds.map((seed) => survivors(seed, "stop")))).toEqual(new Set([10]));
  });

  test("a full disk refuses what does not fit, keeps what it has and takes what fits again", () => {
    const world = new World({ seed: 1 });
    const sizeBytes = entryAt(0).bytes.length;
    const disk = new Disk(world, "ann", { maxBytes: 2.5 * sizeBytes });
    const store = disk.port(new Process(world, "ann"));
    const answers: (string | undefined)[] = [];
    const write = (seq: number) =>
      store.write({ ...none, entries: [entryAt(seq)] }, (error) => answers.push(error?.code));
    for (const seq of [0, 1, 2]) write(seq);
    world.runFor(100);
    expect(answers).toHaveLength(3);
    expect(answers.filter((a) => a === "disk-full")).toHaveLength(1);
    expect(disk.usedBytes).toBe(2 * sizeBytes);
    disk.resize(10 * sizeBytes);
    write(3);
    world.runFor(100);
    expect(answers.at(-1)).toBeUndefined();
    expect(disk.usedBytes).toBe(3 * sizeBytes);
  });

  test("a batch that a power cut tears is not restored in part", () => {
    let torn = 0;
    for (const seed of seeds) {
      const world = new World({ seed });
      const disk = new Disk(world, "ann");
      const process = new Process(world, "ann");
      const store = disk.port(process);
      for (let batch = 0; batch < 4; batch++)
        store.write({ ...none, entries: [0, 1, 2].map((i) => entryAt(3 * batch + i)) }, () => {});
      world.runFor(100);
      process.end("power");
      torn += disk.torn;
      const left = disk.port(new Process(world, "ann")).restore().entries.length;
      expect(left % 3).toBe(0);
      expect(left).toBeLessThanOrEqual(12);
    }
    expect(torn).toBeGreaterThan(seeds.length / 3);
  });

  test("what rots is noticed as it is read, left out, and may be written again", () => {
    const world = new World({ seed: 1 });
    const disk = new Disk(world, "ann");
    const process = new Process(world, "ann");
    const store = disk.port(process);
    const entries = Array.from({ length: 20 }, (_, seq) => entryAt(seq));
    store.write({ ...none, entries }, () => {});
    world.runFor(10);
    const count = disk.rot(0.5);
    expect(count).toBeGreaterThan(4);
    const { author, inc } = entries[0]!.entry;
    const read = () => {
      const seqs: number[] = [];
      store.range(author, inc, 0, 100, (found) => seqs.push(...found.map((e) => e.entry.seq)));
      world.runFor(10);
      return seqs.length;
    };
    expect(disk.refused).toBe(0);
    expect(read()).toBe(20 - count);
    expect(disk.refused).toBe(count);
    store.write({ ...none, entries }, () => {});
    world.runFor(10);
    expect(read()).toBe(20);
    process.end("power");
    expect(disk.refused).toBe(count);
  });

  test("an I/O error fails writes and hides what is there from reads, until it is over", () => {
    const world = new World({ seed: 1 });
    const disk = new Disk(world, "ann");
    const store = disk.port(new Process(world, "ann"));
    const { author, inc } = entryAt(0).entry;
    const answers: (string | undefined)[] = [];
    const write = (seq: number) => {
      store.write({ ...none, entries: [entryAt(seq)] }, (error) => answers.push(error?.code));
      world.runFor(10);
    };
    const read = () => {
      let found = -1;
      store.range(author, inc, 0, 100, (entries) => {
        found = entries.length;
      });
      world.runFor(10);
      return found;
    };
    write(0);
    disk.fail("write", true);
    write(1);
    disk.fail("write", false);
    disk.fail("read", true);
    write(2);
    expect(answers).toEqual([undefined, "home-invalid", undefined]);
    expect(read()).toBe(0);
    disk.fail("read", false);
    expect(read()).toBe(2);
  });

  test("a disk set back to an image is what it was, and nothing of later", () => {
    const world = new World({ seed: 1 });
    const disk = new Disk(world, "ann");
    const process = new Process(world, "ann");
    const store = disk.port(process);
    store.write({ ...none, entries: [entryAt(0)], durable: true }, () => {});
    world.runFor(10);
    const image = disk.image();
    store.write({ ...none, entries: [entryAt(1)], durable: true }, () => {});
    world.runFor(10);
    process.end("kill");
    disk.setBack(image);
    const back = disk.port(new Process(world, "ann")).restore();
    expect(back.entries.map((e) => e.entry.seq)).toEqual([0]);
  });

  test("a dropped ledger gives its room back", () => {
    const world = new World({ seed: 1 });
    const disk = new Disk(world, "ann");
    const store = disk.port(new Process(world, "ann"));
    const build = "demo-0123456789" as never;
    store.write({ ...none, updates: [{ build, update: new Uint8Array(100) }] }, () => {});
    world.runFor(10);
    expect(disk.usedBytes).toBe(100);
    store.write({ ...none, dropped: [build] }, () => {});
    world.runFor(10);
    expect(disk.usedBytes).toBe(0);
  });
});

describe("a rotten disk in a swarm", () => {
  test.each([1, 2, 3, 4])("has from the others what it lost, while it runs (seed %i)", (seed) => {
    const swarm = new Swarm({ seed, hosts: 3 }).start();
    const [ann, bob] = swarm.hosts as [Host, Host];
    const build = swarm.submit(ann, layered(seed, 2, 5, 1000));
    swarm.finish(build);
    expect(swarm.settle(build)).toBe(true);
    const stored = () => {
      const ids = new Set<string>();
      // A look at the whole disk is what finds rot, as a daemon's rounds do.
      for (const { entry } of bob.core.desk.builds.get(build)!.facts())
        bob.disk
          .port(new Process(swarm.world, "looker"))
          .range(entry.author, entry.inc, 0, 1e6, (found) => found.map(({ id }) => ids.add(id)));
      swarm.world.runFor(10);
      return ids;
    };
    const before = stored();
    expect(before.size).toBeGreaterThan(20);
    expect(bob.disk.rot(0.4)).toBeGreaterThan(5);
    expect(stored().size).toBeLessThan(before.size);
    swarm.world.runFor(30_000);
    expect(stored()).toEqual(before);
    expect(bob.core.upkeep.mender).toMatchObject({ missing: 0 });
    expect(bob.core.upkeep.mender.mended).toBeGreaterThan(0);
  });
});
