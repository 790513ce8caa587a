import { describe, expect, test } from "vitest";
import { Swarm } from "../../sim/swarm.ts";
import { Thermal, type ThermalOptions } from "../../sim/thermal.ts";
import { apply } from "../../sim/trouble.ts";
import { chain, fan } from "../../sim/workload.ts";

const options: ThermalOptions = {
  ambient: 40,
  heat: 2.5,
  cool: 0.04,
  limit: 85,
  factor: 0.6,
  hyst: 5,
  initial: 50,
};

describe("thermal model", () => {
  test("follows dT/dt = heat × load − cool × (T − ambient), whatever the steps", () => {
    const closed = new Thermal(options);
    const steps = new Thermal(options);
    let euler = options.initial;
    for (let ms = 0; ms < 60_000; ms++) {
      steps.advance(1, 0.5);
      euler += (2.5 * 0.5 - 0.04 * (euler - 40)) / 1000;
    }
    closed.advance(60_000, 0.5);
    expect(closed.celsius).toBeCloseTo(steps.celsius, 9);
    expect(closed.celsius).toBeCloseTo(euler, 2);
    closed.advance(3_600_000, 0.5);
    expect(closed.celsius).toBeCloseTo(40 + (2.5 / 0.04) * 0.5, 6);
  });

  test("throttles at its limit and recovers below the hysteresis, exactly when it says", () => {
    const thermal = new Thermal(options);
    const heatsMs = thermal.turnMs(1);
    expect(heatsMs).toBeCloseTo((Math.log(52.5 / 17.5) / 0.04) * 1000, 6);
    thermal.advance(heatsMs - 1, 1);
    expect(thermal.throttled).toBe(false);
    thermal.advance(1, 1);
    expect(thermal.throttled).toBe(true);
    // As warm as full load makes it, it never recovers; idle it does.
    expect(thermal.turnMs(1)).toBe(Number.POSITIVE_INFINITY);
    thermal.advance(10_000, 1);
    const coolsMs = thermal.turnMs(0);
    thermal.advance(coolsMs - 1, 0);
    expect(thermal.throttled).toBe(true);
    thermal.advance(1, 0);
    expect(thermal.throttled).toBe(false);
    expect(thermal.celsius).toBeCloseTo(80, 5);
    expect(thermal.throttles).toBe(1);
  });

  test("counts the time above the limit, in all and in one go, and the peak", () => {
    const thermal = new Thermal(options);
    thermal.advance(thermal.turnMs(1), 1);
    expect(thermal.aboveMs).toBe(0);
    thermal.advance(5_000, 1);
    const peak = thermal.celsius;
    const backMs = thermal.reachMs(85, 0);
    thermal.advance(60_000, 0);
    expect(thermal.peakCelsius).toBe(peak);
    expect(thermal.aboveMs).toBeCloseTo(5_000 + backMs, 3);
    const once = thermal.aboveMs;
    thermal.advance(60_000, 1);
    thermal.advance(60_000, 0);
    expect(thermal.aboveMs).toBeGreaterThan(2 * once);
    expect(thermal.longestAboveMs).toBeCloseTo(thermal.aboveMs - once, 3);
  });
});

describe("a host that gets hot", () => {
  test("works slower from the moment it throttles, and its actions end exactly that much later", () => {
    const swarm = new Swarm({ seed: 1, hosts: [{ name: "ann", thermal: options }] }).start();
    const [ann] = swarm.hosts as [Swarm["hosts"][0]];
    const build = swarm.submit(ann, chain(1, 60_000));
    swarm.world.runUntil(() => swarm.executions.all.length === 1, 1000);
    const beganMs = swarm.world.nowMs;
    // It had 40 °C to go down to while it idled.
    const before = new Thermal({ ...options, initial: ann.cores.celsius()! });
    const heatsMs = before.turnMs(1);
    swarm.finish(build, 200_000);
    const { endedMs } = swarm.executions.all[0]!;
    expect(endedMs! - beganMs).toBeCloseTo(heatsMs + (60_000 - heatsMs) / 0.6, 1);
    expect(ann.cores.thermal).toMatchObject({ throttles: 1, throttled: true });
  });

  test("tells its temperature on a change of a degree, at most once a second, and its headroom", () => {
    const swarm = new Swarm({ seed: 1, hosts: [{ name: "ann", thermal: options }] });
    const read: { atMs: number; celsius: unknown; headroom: unknown }[] = [];
    swarm.watch((_host, _effects, input) => {
      if (input.kind !== "sensed") return;
      const { temperatureCelsius: celsius, headroomCelsius: headroom } = input.vitals;
      read.push({ atMs: swarm.world.nowMs, celsius, headroom });
    });
    swarm.start();
    swarm.submit(swarm.hosts[0]!, chain(1, 100_000));
    swarm.world.runFor(100_000);
    const told = read.slice(2);
    expect(told.length).toBeGreaterThan(20);
    for (const [i, { atMs, celsius, headroom }] of told.entries()) {
      expect((celsius as number) + (headroom as number)).toBeCloseTo(85, 6);
      if (i === 0) continue;
      expect(atMs - told[i - 1]!.atMs).toBeGreaterThanOrEqual(999.9);
      expect(Math.abs((celsius as number) - (told[i - 1]!.celsius as number))).toBeGreaterThan(0.85);
    }
    expect(swarm.hosts[0]!.core.desk.sensed!.temperatureCelsius).toBeGreaterThan(95);
  });

  test("throttles sooner in warmer air, and a swarm in it still builds", () => {
    const host = (name: string) => ({ name, slots: 2, thermal: options });
    const swarm = new Swarm({ seed: 1, hosts: [host("ann"), host("bob")] }).start();
    const hot = apply(swarm, { kind: "hot", hosts: ["bob"], byCelsius: 40 });
    const build = swarm.submit(swarm.hosts[0]!, fan(24, 5_000));
    expect(swarm.finish(build).state).toBe("complete");
    const [ann, bob] = swarm.hosts.map((h) => h.cores.thermal!);
    expect(bob!.peakCelsius).toBeGreaterThan(ann!.peakCelsius + 2);
    expect(bob!.throttles).toBeGreaterThan(0);
    hot.end();
    swarm.world.runFor(300_000);
    expect(swarm.host("bob").cores.celsius()).toBeCloseTo(40, 1);
  });
});
