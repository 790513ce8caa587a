/** Turns of builds: who waits gains priority at the very moment the deadline names, however the clock's figures are rounded. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { BuildId } from "../../protocol/kernel/ids.ts";
import { Shares } from "../../protocol/work/shares.ts";
import { peerNamed } from "../contract/chain.ts";

const build = "demo-0123456789" as BuildId;
const waiting = { build, user: peerNamed("ann"), priority: 0, slots: 0, ready: true };
const turn = { ...waiting, submittedWallMs: 0 };

test("a deadline is later than the moment it is asked at, and at that moment the build has gained", () => {
  const moments = fc.integer({ min: 0, max: 2 ** 52 }).map((n) => (n / 2 ** 52) * 100_000);
  fc.assert(
    fc.property(moments, fc.integer({ min: 1, max: 40 }), (since, rounds) => {
      const shares = new Shares();
      shares.order([turn], since);
      let now = since;
      for (let gained = 1; gained <= rounds; gained++) {
        const next = shares.deadline(now);
        expect(next).toBeGreaterThan(now);
        now = next;
        expect(shares.order([turn], now)[0]!.effectivePriority).toBe(gained);
      }
    }),
  );
});
