import fc from "fast-check";
import { expect, test } from "vitest";
import { Random } from "../../protocol/kernel/random.ts";

test("the generator is xoshiro128**: the first numbers of the state 1, 2, 3, 4", () => {
  const seed = new Uint8Array(16);
  [1, 2, 3, 4].forEach((word, i) => {
    seed[4 * i + 3] = word;
  });
  const random = new Random(seed);
  expect(Array.from({ length: 7 }, () => random.uint32())).toEqual([
    11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034,
  ]);
});

test("a saved generator goes on where it stood", () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat(50), (seed, steps) => {
      const random = Random.fromNumber(seed);
      for (let i = 0; i < steps; i++) random.uint32();
      const saved = new Random(random.save());
      for (let i = 0; i < 5; i++) expect(saved.uint32()).toBe(random.uint32());
    }),
  );
});

test("neighbouring seeds give unrelated numbers, and no seed gives none", () => {
  const firsts = new Set(Array.from({ length: 2000 }, (_, seed) => Random.fromNumber(seed).uint32()));
  expect(firsts.size).toBeGreaterThan(1995);
  const zero = new Random(new Uint8Array(16));
  expect(new Set(Array.from({ length: 20 }, () => zero.uint32())).size).toBeGreaterThan(10);
});

test("numbers below a bound are spread evenly, and picks and hex digits keep their range", () => {
  const random = Random.fromNumber(7);
  const counts = new Array<number>(10).fill(0);
  for (let i = 0; i < 20_000; i++) counts[random.below(10)]!++;
  for (const count of counts) expect(Math.abs(count - 2000)).toBeLessThan(200);
  expect(random.hex(16)).toMatch(/^[0-9a-f]{32}$/);
  expect(["a", "b", "c"]).toContain(random.pick(["a", "b", "c"]));
});
