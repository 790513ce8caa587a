/** What every Sensors port keeps to, real or simulated. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Sensors } from "../../protocol/ports.ts";
import type { LocalVitals } from "../../protocol/swarm/vitals.ts";

export interface SensorsFixture {
  readonly sensors: Sensors;
  /** Makes a reading differ so much that it matters; absent where that cannot be arranged. */
  stir?(): void | Promise<void>;
  settle(condition: () => boolean): Promise<void>;
  close(): Promise<void>;
}

export function sensorsContract(name: string, make: () => Promise<SensorsFixture>): void {
  describe(`${name} keeps the sensors' contract`, () => {
    let fixture: SensorsFixture;
    beforeEach(async () => {
      fixture = await make();
    });
    afterEach(() => fixture.close());

    it("tells a whole reading at once", () => {
      const told: LocalVitals[] = [];
      const stop = fixture.sensors.watch((vitals) => told.push(vitals));
      stop();
      expect(told).toHaveLength(1);
      const vitals = told[0]!;
      expect(vitals.cores).toBeGreaterThan(0);
      for (const value of [vitals.load, vitals.temperatureCelsius, vitals.headroomCelsius])
        expect(value === "unknown" || Number.isFinite(value)).toBe(true);
      for (const bytes of [vitals.memoryTotalBytes, vitals.diskTotalBytes])
        expect(Number.isSafeInteger(bytes)).toBe(true);
      expect(vitals.memoryFreeBytes).toBeLessThanOrEqual(vitals.memoryTotalBytes);
      expect(vitals.diskFreeBytes).toBeLessThanOrEqual(vitals.diskTotalBytes);
    });

    it("tells again when a reading changed, and no more once stopped", async () => {
      if (!fixture.stir) return;
      const told: LocalVitals[] = [];
      const unheard: LocalVitals[] = [];
      fixture.sensors.watch((vitals) => unheard.push(vitals))();
      const stop = fixture.sensors.watch((vitals) => told.push(vitals));
      await fixture.stir();
      await fixture.settle(() => told.length > 1);
      stop();
      expect(told[1]).not.toEqual(told[0]);
      expect(unheard).toHaveLength(1);
    });
  });
}
