import { expect, test } from "vitest";
import { Heat } from "../../protocol/work/heat.ts";

/** A machine that warms by 2.5 °C/s at full load and cools by 4 % of its difference to 40 °C per second, as its sensor tells it. */
class Machine {
  readonly heat = new Heat();
  celsius = 45;
  nowMs = 0;

  run(load: number, seconds: number): this {
    this.heat.works(load, this.nowMs);
    for (let i = 0; i < seconds; i++) {
      this.celsius = this.level(load) + (this.celsius - this.level(load)) * Math.exp(-0.04);
      this.nowMs += 1000;
      this.heat.reads(this.celsius, this.nowMs);
    }
    return this;
  }

  level(load: number): number {
    return 40 + (2.5 / 0.04) * load;
  }

  peak(load: number, seconds: number): number {
    return this.heat.peak(load, seconds * 1000, this.nowMs)!;
  }
}

test("without a reading nothing is foreseen", () => {
  expect(new Heat().peak(1, 10_000, 0)).toBeUndefined();
});

test("a few readings at different loads tell how warm any load gets, and when", () => {
  const machine = new Machine().run(0.5, 10).run(0.25, 5);
  for (const load of [0.5, 0.75, 1])
    for (const seconds of [5, 15, 30]) {
      const true_ = machine.level(load) + (machine.celsius - machine.level(load)) * Math.exp(-0.04 * seconds);
      expect(Math.abs(machine.peak(load, seconds) - Math.max(true_, machine.celsius))).toBeLessThan(4);
    }
});

test("a machine that only ever worked at one load is taken to cool to the lowest it was seen at", () => {
  const machine = new Machine().run(0.5, 10);
  expect(machine.peak(1, 300)).toBeGreaterThan(85);
  expect(machine.peak(0.5, 300)).toBeGreaterThan(65);
  expect(machine.peak(0.5, 300)).toBeLessThan(78);
});

test("it counts as tried after some work, or as soon as it is understood", () => {
  const machine = new Machine();
  expect(machine.heat.tried).toBe(false);
  machine.run(0.5, 6);
  expect(machine.heat.tried).toBe(true);
  const steady = new Heat();
  steady.works(1, 0);
  steady.reads(50, 0);
  steady.works(1, 10_000);
  expect(steady.tried).toBe(true);
  expect(steady.peak(1, 60_000, 10_000)).toBe(50);
});
