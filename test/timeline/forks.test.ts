/** Two stories at one place of a chain: the pair proves it, and from there on nothing of that start counts. */
import { expect, test } from "vitest";
import type { Incarnation } from "../../protocol/kernel/ids.ts";
import { type EventOf, knownEvent } from "../../protocol/timeline/events.ts";
import { Forks, proofOf } from "../../protocol/timeline/forks.ts";
import { entryAt } from "../contract/chain.ts";

const proof = (seq: number, note = "another story") =>
  knownEvent(proofOf(entryAt(seq), entryAt(seq, { note }))!) as EventOf<"fork">;

test("the pair is one proof, whichever came first; one entry, or two places, prove nothing", () => {
  const [one, other] = [entryAt(3), entryAt(3, { note: "another story" })];
  expect(proofOf(one, other)).toEqual(proofOf(other, one));
  expect(proofOf(one, one)).toBeUndefined();
  expect(proofOf(one, entryAt(4))).toBeUndefined();
  expect(proofOf(one, entryAt(3, { author: "bob" }))).toBeUndefined();
  expect(proofOf(one, entryAt(3, { note: "x".repeat(40 << 10) }))).toBeUndefined();
});

test("from the lowest proved place on nothing of that start counts; what was said before, and other starts, do", () => {
  const forks = new Forks();
  const { author, inc } = entryAt(0).entry;
  const counted = () => [0, 2, 3, 5].filter((seq) => forks.counts({ author, inc, seq }));
  expect(forks.prove(proof(5))).toBe(true);
  expect(counted()).toEqual([0, 2, 3]);
  expect(forks.prove(proof(3))).toBe(true);
  expect(forks.prove(proof(3, "a third story"))).toBe(false);
  expect(forks.prove(proof(5))).toBe(false);
  expect(counted()).toEqual([0, 2]);
  expect(forks.has(author, inc)).toBe(true);
  expect(forks.counts({ author, inc: "2-00000002" as Incarnation, seq: 9 })).toBe(true);
});

test("what says it is a proof and is none changes nothing", () => {
  const forks = new Forks();
  const { bytes } = entryAt(1);
  expect(forks.prove({ kind: "fork", entries: [bytes, bytes] })).toBe(false);
  expect(forks.prove({ kind: "fork", entries: [bytes, entryAt(2).bytes] })).toBe(false);
  expect(() => forks.prove({ kind: "fork", entries: [bytes, new Uint8Array(3)] })).toThrow();
});
