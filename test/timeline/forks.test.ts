/** Two stories at one place of a chain: the pair proves it, and from there on nothing of that start counts. */
import { expect, test } from "vitest";
import type { BuildId, Incarnation } from "../../protocol/kernel/ids.ts";
import {
  headerOf,
  readHeader,
  type SignedEntry,
  sealEntry,
  signedEntry,
} from "../../protocol/timeline/entry.ts";
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
});

test("from the lowest proved place on nothing of that start counts; what was said before, and other starts, do", () => {
  const forks = new Forks();
  const { author, inc } = entryAt(0).entry;
  const counted = () => [0, 2, 3, 5].filter((seq) => forks.counts({ author, inc, seq }));
  expect(forks.prove(proof(5))).toMatchObject({ seq: 5 });
  expect(counted()).toEqual([0, 2, 3]);
  expect(forks.prove(proof(3))).toMatchObject({ seq: 3 });
  expect(forks.prove(proof(3, "a third story"))).toBeUndefined();
  expect(forks.prove(proof(5))).toBeUndefined();
  expect(counted()).toEqual([0, 2]);
  expect(forks.has(author, inc)).toBe(true);
  expect(forks.counts({ author, inc: "2-00000002" as Incarnation, seq: 9 })).toBe(true);
});

test("what says it is a proof and is none changes nothing", () => {
  const forks = new Forks();
  const bytes = headerOf(entryAt(1));
  expect(forks.prove({ kind: "fork", headers: [bytes, bytes] })).toBeUndefined();
  expect(forks.prove({ kind: "fork", headers: [bytes, headerOf(entryAt(2))] })).toBeUndefined();
  expect(() => forks.prove({ kind: "fork", headers: [bytes, new Uint8Array(3)] })).toThrow();
  expect(() => forks.prove({ kind: "fork", headers: [bytes, entryAt(1).bytes] })).toThrow();
});

const after = (entry: SignedEntry, fields: Partial<SignedEntry["entry"]>): SignedEntry => {
  const other = { ...entry.entry, ...fields };
  const { body, id } = sealEntry(other);
  return signedEntry(other, body, id, new Uint8Array(64));
};

test("an entry that says nothing stands where another one does contradicts it; in other builds it does not", () => {
  const [five, nine] = [entryAt(5), entryAt(9)];
  const over = after(nine, { last: 3 });
  const forks = new Forks();
  expect(forks.prove(knownEvent(proofOf(over, five)!) as EventOf<"fork">)).toMatchObject({ seq: 5 });
  expect(proofOf(after(nine, { last: 5 }), five)).toBeUndefined();
  expect(
    proofOf(entryAt(9, { build: "demo-0123456789" as BuildId }), after(five, { last: 4 })),
  ).toBeUndefined();
});

test("a header is small, however large its entry, and its id is the entry's", () => {
  const large = entryAt(7, { note: "x".repeat(60_000) });
  const bytes = headerOf(large);
  expect(bytes.length).toBeLessThan(400);
  const { events: _, ...place } = large.entry;
  expect(readHeader(bytes)).toEqual({ entry: place, id: large.id, sig: large.sig });
});
