import { beforeEach, describe, expect, test } from "vitest";
import { Process } from "../../sim/process.ts";
import { World } from "../../sim/world.ts";

describe("process", () => {
  let world: World;
  let process: Process;
  let seen: string[];
  beforeEach(() => {
    world = new World({ seed: 1 });
    process = new Process(world, "ann");
    seen = [];
  });

  test("what is due for it happens while it lives and never after", () => {
    process.after(10, () => seen.push("first"));
    process.after(20, () => seen.push("second"));
    world.runFor(15);
    process.end("kill");
    process.enter(() => seen.push("entered"));
    world.runFor(100);
    expect(seen).toEqual(["first"]);
    expect(process.alive).toBe(false);
  });

  test("what is due while it is paused happens when it goes on, in order", () => {
    for (const ms of [1, 2, 3]) process.after(ms, () => seen.push(`${ms} at ${world.nowMs}`));
    process.pause();
    world.runFor(50);
    expect(seen).toEqual([]);
    process.resume();
    world.runFor(0);
    expect(seen).toEqual(["1 at 50", "2 at 50", "3 at 50"]);
  });

  test("one killed while paused forgets what waited", () => {
    process.after(1, () => seen.push("never"));
    process.pause();
    world.runFor(5);
    process.resume();
    process.end("kill");
    world.runFor(5);
    expect(seen).toEqual([]);
  });

  test("its end is told once, with its kind", () => {
    process.onEnd((ending) => seen.push(ending));
    process.end("power");
    process.end("kill");
    expect(seen).toEqual(["power"]);
  });
});
