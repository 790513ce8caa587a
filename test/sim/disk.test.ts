import { describe, expect, test } from "vitest";
import { Disk } from "../../sim/disk.ts";
import { type Ending, Process } from "../../sim/process.ts";
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
