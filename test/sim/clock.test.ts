import { describe, expect, test } from "vitest";
import { HostClock, worldEpochMs } from "../../sim/clock.ts";
import { Process } from "../../sim/process.ts";
import { World } from "../../sim/world.ts";

function machine(options = {}) {
  const world = new World({ seed: 1 });
  const clock = new HostClock(world, options);
  const process = new Process(world, "ann");
  const port = clock.port(process);
  const sleep = () => {
    process.sleep();
    clock.sleep();
  };
  const wake = () => {
    clock.wake();
    process.wake();
  };
  return { world, clock, process, port, sleep, wake };
}

describe("a host's clocks", () => {
  test("monotonic time stands still in a sleep, wall time goes on", () => {
    const { world, clock, sleep, wake } = machine({ offsetMs: 5000 });
    world.runFor(1000);
    sleep();
    world.runFor(60_000);
    expect(clock.now()).toEqual({ monoMs: 1000, wallMs: worldEpochMs + 66_000 });
    wake();
    world.runFor(500);
    expect(clock.now()).toEqual({ monoMs: 1500, wallMs: worldEpochMs + 66_500 });
  });

  test("a timer set before a sleep fires when so much time was spent awake", () => {
    const { world, port, sleep, wake } = machine();
    const fired: number[] = [];
    port.wake(2000, () => fired.push(world.nowMs));
    world.runFor(500);
    sleep();
    world.runFor(10_000);
    wake();
    world.runFor(1400);
    expect(fired).toEqual([]);
    world.runFor(1000);
    expect(fired).toEqual([12_000]);
  });

  test("a timer follows a drift that begins after it was set, faster and slower", () => {
    for (const [ppm, firesMs] of [
      [1_000_000, 1500],
      [-500_000, 3000],
    ] as const) {
      const { world, clock, port } = machine();
      const fired: number[] = [];
      port.wake(2000, () => fired.push(world.nowMs));
      world.runFor(1000);
      clock.drift(ppm);
      world.runFor(10_000);
      expect(fired).toEqual([firesMs]);
    }
  });

  test("a drift that ends leaves both clocks where they are; a jump moves the wall clock alone", () => {
    const { world, clock } = machine();
    clock.drift(100_000);
    world.runFor(1000);
    clock.drift(0);
    clock.jump(-3_600_000);
    world.runFor(1000);
    expect(clock.now().monoMs).toBeCloseTo(2100, 6);
    expect(clock.now().wallMs).toBeCloseTo(worldEpochMs + 2100 - 3_600_000, 4);
  });
});
