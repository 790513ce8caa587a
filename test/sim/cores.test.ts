import { describe, expect, test } from "vitest";
import { Cores } from "../../sim/cores.ts";
import { World } from "../../sim/world.ts";

function machine(slots: number, speed = 1) {
  const world = new World({ seed: 1 });
  const sensed: unknown[] = [];
  const cores = new Cores(world, {
    slots,
    speed,
    memoryBytes: 1000,
    memoryFreeBytes: 800,
    sensed: (changes) => sensed.push(changes),
  });
  const ended: [string, number, string][] = [];
  const begin = (name: string, workMs: number, takes = 1, memoryBytes = 0, limitMs = 1e9) =>
    cores.begin({
      workMs,
      limitMs,
      slots: takes,
      memoryBytes,
      ended: (by) => ended.push([name, Math.round(world.nowMs), by]),
    });
  return { world, cores, ended, begin, sensed };
}

describe("cores", () => {
  test("what runs on free slots does not slow down what runs", () => {
    const { world, begin, ended } = machine(4, 2);
    begin("a", 1000);
    begin("b", 3000, 3);
    world.runFor(10_000);
    expect(ended).toEqual([
      ["a", 500, "work"],
      ["b", 1500, "work"],
    ]);
  });

  test("more than there are slots share them, and go on faster once one is done", () => {
    const { world, begin, ended, cores } = machine(2);
    begin("a", 1000);
    begin("b", 2000, 3);
    world.runFor(10_000);
    // Half speed until a is done at 2000, then two of three.
    expect(ended).toEqual([
      ["a", 2000, "work"],
      ["b", 3500, "work"],
    ]);
    expect(cores).toMatchObject({ peakSlots: 4, slotOverruns: 1, usedSlots: 0 });
  });

  test("an owner takes a share, a slow machine works slower, a sleeping one not at all", () => {
    const { world, begin, ended, cores } = machine(2);
    begin("a", 1000, 2);
    world.runFor(100);
    cores.occupy(1); // four wanted, two there: half speed
    world.runFor(200);
    cores.occupy(0);
    cores.slow(0.1);
    world.runFor(1000);
    cores.slow(1);
    cores.sleep();
    world.runFor(5000);
    cores.wake();
    world.runFor(10_000);
    expect(ended).toEqual([["a", 6300 + 700, "work"]]);
  });

  test("time spent asleep counts for no limit, time spent waiting for a core does", () => {
    const { world, begin, ended, cores } = machine(1);
    begin("a", 1000, 1, 0, 1500);
    begin("b", 1000, 1, 0, 5000);
    cores.sleep();
    world.runFor(10_000);
    cores.wake();
    world.runFor(10_000);
    expect(ended).toEqual([
      ["a", 11_500, "limit"],
      ["b", 11_750, "work"],
    ]);
  });

  test("memory in use is counted, an overrun is noted, and both are sensed at most once a second", () => {
    const { world, begin, cores, sensed } = machine(4);
    begin("a", 500, 1, 600);
    begin("b", 5000, 1, 500);
    expect(cores).toMatchObject({ usedMemoryBytes: 1100, peakMemoryBytes: 1100, memoryOverruns: 1 });
    world.runFor(10_000);
    expect(cores.usedMemoryBytes).toBe(0);
    expect(sensed).toMatchObject([
      { memoryFreeBytes: 200 },
      { memoryFreeBytes: 300 },
      { memoryFreeBytes: 800 },
    ]);
  });

  test("what is taken off never ends", () => {
    const { world, begin, ended, cores } = machine(1);
    const a = begin("a", 1000);
    begin("b", 1000);
    world.runFor(500);
    cores.take(a);
    cores.take(a);
    world.runFor(10_000);
    expect(ended).toEqual([["b", 1250, "work"]]);
  });

  test("pressure is what wants a core and has none", () => {
    const { world, begin, sensed } = machine(2);
    begin("a", 10_000, 2);
    begin("b", 10_000, 2);
    world.runFor(1);
    expect(sensed).toMatchObject([{ pressurePercent: { cpu: 50 } }]);
  });
});
