/** What every Clock keeps: run on the machine's and on the simulated one. */
import { describe, expect, test } from "vitest";
import type { Clock } from "../../protocol/ports.ts";

export interface ClockFixture {
  readonly clock: Clock;
  /** Lets time pass, real or virtual, until the condition holds; throws when it never does. */
  settle(condition: () => boolean): Promise<void> | void;
}

export function clockContract(name: string, make: () => ClockFixture): void {
  describe(`clock: ${name}`, () => {
    test("monotonic time never goes back, and goes on", async () => {
      const { clock, settle } = make();
      const first = clock.now().monoMs;
      let last = first;
      let woken = false;
      clock.wake(first + 5, () => {
        woken = true;
      });
      await settle(() => {
        const now = clock.now().monoMs;
        expect(now).toBeGreaterThanOrEqual(last);
        last = now;
        return woken;
      });
      expect(last).toBeGreaterThan(first);
    });

    test("wall time is in milliseconds since 1970", () => {
      const { clock } = make();
      expect(Number.isFinite(clock.now().wallMs)).toBe(true);
      expect(clock.now().wallMs).toBeGreaterThan(0);
    });

    test("a wake comes once, not before its moment", async () => {
      const { clock, settle } = make();
      const dueMs = clock.now().monoMs + 7.5;
      const wokenMs: number[] = [];
      clock.wake(dueMs, () => wokenMs.push(clock.now().monoMs));
      await settle(() => wokenMs.length > 0);
      let later = false;
      clock.wake(clock.now().monoMs + 10, () => {
        later = true;
      });
      await settle(() => later);
      expect(wokenMs).toHaveLength(1);
      expect(wokenMs[0]).toBeGreaterThanOrEqual(dueMs);
    });

    test("a later call replaces the one before it, be it sooner or later", async () => {
      const { clock, settle } = make();
      const woken: string[] = [];
      const now = clock.now().monoMs;
      clock.wake(now + 5, () => woken.push("replaced"));
      clock.wake(now + 20, () => woken.push("replaced too"));
      clock.wake(now + 1, () => woken.push("last"));
      await settle(() => woken.length > 0);
      let later = false;
      clock.wake(now + 40, () => {
        later = true;
      });
      await settle(() => later);
      expect(woken).toEqual(["last"]);
    });

    test("a moment that has passed wakes soon, but never within the call", async () => {
      const { clock, settle } = make();
      let calling = true;
      let during: boolean | undefined;
      clock.wake(clock.now().monoMs - 1000, () => {
        during = calling;
      });
      calling = false;
      await settle(() => during !== undefined);
      expect(during).toBe(false);
    });

    test("waking far in the future is no wake now", async () => {
      const { clock, settle } = make();
      let early = false;
      clock.wake(clock.now().monoMs + 2 ** 40, () => {
        early = true;
      });
      const { clock: other, settle: settleOther } = make();
      let passed = false;
      other.wake(other.now().monoMs + 5, () => {
        passed = true;
      });
      await settleOther(() => passed);
      expect(early).toBe(false);
      let replaced = false;
      clock.wake(clock.now().monoMs, () => {
        replaced = true;
      });
      await settle(() => replaced);
    });
  });
}
