import { describe, expect, test } from "vitest";
import { Random } from "../../protocol/kernel/random.ts";
import { Queue } from "../../sim/queue.ts";
import { World } from "../../sim/world.ts";

describe("queue", () => {
  test("gives events by time, those of one moment in the order they came", () => {
    const random = Random.fromNumber(1);
    const queue = new Queue();
    const given: [number, number][] = [];
    const expected: [number, number][] = [];
    for (let i = 0; i < 2000; i++) {
      const atMs = random.below(50);
      expected.push([atMs, i]);
      queue.push(atMs, () => given.push([atMs, i]));
    }
    for (let next = queue.pop(); next; next = queue.pop()) next.run();
    expect(given).toEqual(expected.sort((a, b) => a[0] - b[0] || a[1] - b[1]));
  });

  test("events put in together stand where each would stand that was put in by itself", () => {
    const random = Random.fromNumber(3);
    const [together, alone] = [new Queue(), new Queue()];
    const given = new Map<Queue, string[]>([
      [together, []],
      [alone, []],
    ]);
    const take = (queue: Queue) => queue.pop()?.run();
    for (let round = 0; round < 300; round++) {
      const momentsMs = Array.from({ length: random.below(6) }, () => round + random.below(20));
      const single = round + random.below(20);
      together.pushAll(momentsMs, (event) => given.get(together)!.push(`${round} ${event}`));
      momentsMs.forEach((atMs, event) => {
        alone.push(atMs, () => given.get(alone)!.push(`${round} ${event}`));
      });
      for (const queue of [together, alone])
        queue.push(single, () => given.get(queue)!.push(`${round} alone`));
      expect(together.nextMs()).toBe(alone.nextMs());
      for (const queue of [together, alone]) for (let left = round % 4; left > 0; left--) take(queue);
      expect(together.size).toBe(alone.size);
    }
    while (alone.size > 0) for (const queue of [together, alone]) take(queue);
    expect(together.pop()).toBe(undefined);
    expect(given.get(together)).toEqual(given.get(alone));
  });

  test("keeps its order when events are pushed while others are taken", () => {
    const random = Random.fromNumber(2);
    const queue = new Queue();
    let nowMs = 0;
    for (let i = 0; i < 1000; i++) queue.push(random.below(100), () => {});
    for (let i = 0; i < 5000; i++) {
      const next = queue.pop()!;
      expect(next.atMs).toBeGreaterThanOrEqual(nowMs);
      nowMs = next.atMs;
      queue.push(nowMs + random.below(100), () => {});
    }
    expect(queue.size).toBe(1000);
  });
});

describe("world", () => {
  test("time stands still while an event runs and moves only to the next", () => {
    const world = new World({ seed: 1 });
    const seen: number[] = [];
    world.after(10, () => {
      seen.push(world.nowMs);
      world.after(0, () => seen.push(world.nowMs));
      world.after(5.5, () => seen.push(world.nowMs));
    });
    world.runFor(100);
    expect(seen).toEqual([10, 10, 15.5]);
    expect(world.nowMs).toBe(100);
  });

  test("a moment that has passed is now, but after what is already due", () => {
    const world = new World({ seed: 1 });
    const seen: string[] = [];
    world.runFor(50);
    world.at(50, () => seen.push("due"));
    world.at(3, () => seen.push("late"));
    world.runFor(0);
    expect(seen).toEqual(["due", "late"]);
  });

  test("runs until a condition, and says when it never came", () => {
    const world = new World({ seed: 1 });
    let count = 0;
    const tick = () => {
      count++;
      world.after(10, tick);
    };
    tick();
    expect(world.runUntil(() => count === 5, 1000)).toBe(true);
    expect(world.nowMs).toBe(40);
    expect(world.runUntil(() => count === -1, 1000)).toBe(false);
    expect(world.nowMs).toBeLessThanOrEqual(1040);
  });

  test("an endless loop within one moment stops the world and names the seed", () => {
    const world = new World({ seed: 77 });
    const again = () => world.after(0, again);
    again();
    expect(() => world.runFor(1)).toThrow(/seed 77/);
  });

  test("randomness for one purpose does not depend on another's draws, but on the seed", () => {
    const draw = (seed: number, disturb: boolean) => {
      const world = new World({ seed });
      if (disturb) world.randomFor("disk").hex(100);
      return world.randomFor("network").hex(16);
    };
    expect(draw(1, true)).toBe(draw(1, false));
    expect(draw(1, false)).not.toBe(draw(2, false));
  });

  test("the transcript's hash covers every line, kept or not, and reading it changes nothing", () => {
    const tell = (detail: string, read: boolean) => {
      const world = new World({ seed: 1, keep: (what) => what === "kept" });
      for (let i = 0; i < 5000; i++) {
        world.record("ann", i % 2 ? "kept" : "other", i === 4000 ? detail : `line ${i}`);
        if (read && i % 997 === 0) world.transcript.hash();
      }
      expect(world.transcript.kept()).toHaveLength(2500);
      return world.transcript.hash();
    };
    expect(tell("a", true)).toBe(tell("a", false));
    expect(tell("a", false)).not.toBe(tell("b", false));
  });
});
