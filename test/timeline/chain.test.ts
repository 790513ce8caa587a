import fc from "fast-check";
import { expect, test } from "vitest";
import type { Incarnation } from "../../protocol/kernel/ids.ts";
import { Chains, gapEntriesMax } from "../../protocol/timeline/chain.ts";
import { entryAt, peerNamed } from "../contract/chain.ts";

const inc = "1-00000001" as Incarnation;
const head = (chains: Chains) => chains.head(peerNamed("ann"), inc)?.seq;

test("entries become whole in order, however they come", () => {
  const entries = Array.from({ length: 12 }, (_, seq) => entryAt(seq));
  fc.assert(
    fc.property(fc.shuffledSubarray([...entries, ...entries], { minLength: 24, maxLength: 24 }), (order) => {
      const chains = new Chains();
      const whole = order.flatMap((entry) => chains.take(entry).whole.map((one) => one.entry.seq));
      expect(whole).toEqual(entries.map((one) => one.entry.seq));
      expect(head(chains)).toBe(11);
    }),
    { numRuns: 50 },
  );
});

test("an entry behind a gap waits and says so", () => {
  const chains = new Chains();
  expect(chains.take(entryAt(0))).toMatchObject({ gap: false });
  expect(chains.take(entryAt(2))).toEqual({ whole: [], gap: true });
  expect(head(chains)).toBe(0);
  expect(chains.take(entryAt(1)).whole.map((one) => one.entry.seq)).toEqual([1, 2]);
});

test("what waits behind a gap is bounded", () => {
  const chains = new Chains();
  for (let seq = gapEntriesMax + 10; seq > 0; seq--) chains.take(entryAt(seq));
  expect(chains.take(entryAt(0)).whole.length).toBeLessThanOrEqual(gapEntriesMax + 1);
});

test("two entries in one place prove a fork", () => {
  const chains = new Chains();
  const one = entryAt(0);
  chains.take(one);
  const other = entryAt(0, { note: "another story" });
  expect(chains.take(other)).toEqual({ whole: [], gap: false, clash: 0 });
  expect(chains.take(one)).toEqual({ whole: [], gap: false });
});

test("equal frontiers have equal digests, whatever the order they grew in", () => {
  const [a, b] = [new Chains(), new Chains()];
  const entries = [entryAt(0), entryAt(0, { author: "bob" }), entryAt(1), entryAt(0, { inc: "2-00000001" })];
  for (const entry of entries) a.take(entry);
  for (const entry of [...entries].reverse()) b.take(entry);
  expect(a.digest()).toBe(b.digest());
  expect(a.heads()).toEqual(b.heads());
  a.take(entryAt(2));
  expect(a.digest()).not.toBe(b.digest());
});
