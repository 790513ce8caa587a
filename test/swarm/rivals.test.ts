/** Other starts of one identity: which of them goes on is decided by their counters and by who still beats. */
import { expect, test } from "vitest";
import type { Incarnation } from "../../protocol/kernel/ids.ts";
import { Rivals } from "../../protocol/swarm/rivals.ts";

const [older, own, twin, newer] = ["1-00000001", "2-00000002", "2-00000003", "3-00000004"] as [
  Incarnation,
  Incarnation,
  Incarnation,
  Incarnation,
];
const leaseMs = 3500;

test("former starts and this one itself are no rivals", () => {
  const rivals = new Rivals(own);
  rivals.said(older, 0);
  rivals.beat(older, 7, 1000);
  rivals.beat(older, 8, 2000);
  rivals.said(own, 2000);
  expect(rivals.standing(2000, leaseMs)).toBe("alone");
  expect(rivals.decidedMonoMs(leaseMs)).toBe(Number.POSITIVE_INFINITY);
});

test.each([twin, newer])(
  "%s, which only spoke once, is doubted for a lease; then this one is behind",
  (inc) => {
    const rivals = new Rivals(own);
    rivals.said(inc, 100);
    expect(rivals.standing(3599, leaseMs)).toBe("doubted");
    expect(rivals.decidedMonoMs(leaseMs)).toBe(3600);
    expect(rivals.standing(3600, leaseMs)).toBe("behind");
  },
);

test("one beat may be an old one; the second, higher one shows that the other lives", () => {
  const rivals = new Rivals(own);
  rivals.beat(newer, 5, 0);
  rivals.beat(newer, 5, 10);
  rivals.beat(newer, 4, 20);
  expect(rivals.standing(20, leaseMs)).toBe("doubted");
  rivals.beat(newer, 6, 1000);
  expect(rivals.standing(1000, leaseMs)).toBe("cloned");
});

test("of two with one counter neither works, until the other is silent for a lease", () => {
  const rivals = new Rivals(own);
  rivals.beat(twin, 1, 0);
  rivals.beat(twin, 2, 1000);
  expect(rivals.standing(1000, leaseMs)).toBe("twins");
  expect(rivals.standing(4499, leaseMs)).toBe("twins");
  expect(rivals.decidedMonoMs(leaseMs)).toBe(4500);
  expect(rivals.standing(4500, leaseMs)).toBe("behind");
});

test("a newer start says so to each for as long as an older one beats; one late beat is none", () => {
  const rivals = new Rivals(own);
  rivals.beat(older, 7, 1000);
  expect(rivals.inCompany(1000, leaseMs)).toBe(false);
  rivals.beat(older, 8, 2000);
  expect(rivals.inCompany(5499, leaseMs)).toBe(true);
  expect(rivals.inCompany(5500, leaseMs)).toBe(false);
  expect(rivals.standing(2000, leaseMs)).toBe("alone");
});
