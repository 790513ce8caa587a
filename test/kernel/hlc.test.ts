import fc from "fast-check";
import { expect, test } from "vitest";
import { type Hlc, hlcBefore, hlcHear, hlcLeadMsMax, hlcNext } from "../../protocol/kernel/hlc.ts";

const stamp: fc.Arbitrary<Hlc> = fc.tuple(fc.nat({ max: 10_000 }), fc.nat({ max: 5 }));
const wall = fc.double({ min: 0, max: 10_000, noNaN: true });

test("the next stamp is later than the last and not behind the wall", () => {
  fc.assert(
    fc.property(stamp, wall, (last, wallMs) => {
      const next = hlcNext(last, wallMs);
      expect(hlcBefore(last, next)).toBe(true);
      expect(next[0]).toBeGreaterThanOrEqual(Math.floor(wallMs));
      expect(Number.isInteger(next[0])).toBe(true);
    }),
  );
});

test("what is said after hearing something is later than what was heard", () => {
  fc.assert(
    fc.property(stamp, stamp, wall, (last, remote, wallMs) => {
      fc.pre(remote[0] <= wallMs + hlcLeadMsMax);
      expect(hlcBefore(remote, hlcNext(hlcHear(last, remote, wallMs), wallMs))).toBe(true);
    }),
  );
});

test("a stamp from far in the future pulls nobody along", () => {
  const last: Hlc = [1000, 0];
  expect(hlcHear(last, [1000 + hlcLeadMsMax + 1, 0], 1000)).toBe(last);
  expect(hlcHear(last, [1000 + hlcLeadMsMax, 3], 1000)).toEqual([1000 + hlcLeadMsMax, 3]);
});
