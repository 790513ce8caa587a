import fc from "fast-check";
import { expect, test } from "vitest";
import * as Y from "yjs";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { BuildId } from "../../protocol/kernel/ids.ts";
import { entryBytesMax, entryKey, type SignedEntry } from "../../protocol/timeline/entry.ts";
import { clientOf, Ledger, readUpdate } from "../../protocol/work/ledger.ts";
import { entryAt } from "../contract/chain.ts";

const build = "demo-0123456789" as BuildId;
const malformed = expect.objectContaining({ code: "malformed" });
const clientFor = ({ entry }: SignedEntry) => clientOf(entry.author, entry.inc);
const ledgerOf = (entry: SignedEntry) => new Ledger(build, clientFor(entry));

/** A document of the entries' author with whatever somebody does to it, as one update. */
function updateOf(entries: readonly SignedEntry[], more: (doc: Y.Doc) => void = () => {}): Uint8Array {
  const doc = new Y.Doc({ gc: false });
  doc.clientID = clientFor(entries[0] ?? entryAt(0, { build }));
  for (const entry of entries) doc.getMap("entries").set(entryKey(entry.entry), entry.bytes);
  more(doc);
  return Y.encodeStateAsUpdate(doc);
}

const [first, second] = [entryAt(0, { build }), entryAt(1, { build })];

test("an update that only adds its author's entries passes, and says which", () => {
  const entries = readUpdate(build, updateOf([first, second]));
  expect(entries.map((e) => e.id)).toEqual([first.id, second.id]);
  expect(entries.map((e) => e.bytes)).toEqual([first.bytes, second.bytes]);
  expect(readUpdate(build, updateOf([]))).toEqual([]);
});

test.each<[string, () => Uint8Array]>([
  ["deletes", () => updateOf([first, second], (doc) => doc.getMap("entries").delete(entryKey(first.entry)))],
  [
    "overwrites a key",
    () => updateOf([first], (doc) => doc.getMap("entries").set(entryKey(first.entry), second.bytes)),
  ],
  [
    "sets a key of another entry",
    () => updateOf([], (doc) => doc.getMap("entries").set(entryKey(second.entry), first.bytes)),
  ],
  ["sets a key that is none", () => updateOf([], (doc) => doc.getMap("entries").set("x", first.bytes))],
  ["writes to another map", () => updateOf([first], (doc) => doc.getMap("others").set("x", first.bytes))],
  ["writes a list", () => updateOf([first], (doc) => doc.getArray("entries list").push([first.bytes]))],
  [
    "writes into the entries as a list",
    () => updateOf([], (doc) => doc.getArray("entries").push([first.bytes])),
  ],
  ["writes text", () => updateOf([], (doc) => doc.getText("entries").insert(0, "hello"))],
  ["nests a map", () => updateOf([], (doc) => doc.getMap("entries").set(entryKey(first.entry), new Y.Map()))],
  [
    "nests a document",
    () => updateOf([], (doc) => doc.getMap("entries").set(entryKey(first.entry), new Y.Doc())),
  ],
  [
    "holds text for bytes",
    () => updateOf([], (doc) => doc.getMap("entries").set(entryKey(first.entry), "bytes")),
  ],
  [
    "holds bytes that are no entry",
    () => updateOf([], (doc) => doc.getMap("entries").set("k", new Uint8Array(99))),
  ],
  [
    "holds an entry over the bound",
    () => updateOf([], (doc) => doc.getMap("entries").set("k", new Uint8Array(entryBytesMax + 1))),
  ],
  ["holds an entry of another build", () => updateOf([entryAt(0, { build: "demo-9876543210" as BuildId })])],
  ["holds an entry of the timeline", () => updateOf([entryAt(0)])],
])("an update that %s is refused", (_, make) => {
  expect(() => readUpdate(build, make())).toThrow(malformed);
});

test("an update with garbage collected or skipped structs is refused", () => {
  const doc = new Y.Doc({ gc: true });
  const map = doc.getMap("entries");
  map.set("nest", new Y.Map([["x", 1]]));
  map.delete("nest");
  expect(() => readUpdate(build, Y.encodeStateAsUpdate(doc))).toThrow(malformed);
  const ledger = ledgerOf(first);
  const updates = [0, 1, 2].map((seq) => ledger.add(entryAt(seq, { build })));
  const skips = Y.mergeUpdates([updates[0]!, updates[2]!]);
  expect(() => readUpdate(build, skips)).toThrow(malformed);
});

test("nobody writes under another's name in Yjs: not with an entry of one's own, nor with one of his", () => {
  const theirs = entryAt(0, { author: "bob", build });
  const impersonated = updateOf([first, theirs]);
  expect(() => readUpdate(build, impersonated)).toThrow(malformed);
  const later = entryAt(0, { inc: "2-00000002", build });
  expect(() => readUpdate(build, updateOf([first, later]))).toThrow(malformed);
});

test("thousands of damaged updates give a typed refusal or whole entries, and never break a ledger", () => {
  const healthy = updateOf([first, second, entryAt(2, { build })]);
  const ledger = ledgerOf(entryAt(0, { author: "bob", build }));
  fc.assert(
    fc.property(
      fc.array(fc.record({ at: fc.nat(healthy.length - 1), to: fc.nat(255) }), {
        minLength: 1,
        maxLength: 4,
      }),
      fc.nat(healthy.length),
      fc.integer({ min: 0, max: 9 }),
      (changes, cut, die) => {
        const damaged = healthy.slice(0, die === 0 ? cut : healthy.length);
        // The front is where Yjs keeps counts and ids: damage it more often than entries.
        for (const { at, to } of changes) damaged[die < 5 ? at % 24 : at] = to;
        try {
          for (const entry of readUpdate(build, damaged)) expect(entry.entry.build).toBe(build);
          ledger.apply(damaged);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(SwarmError);
        }
      },
    ),
    { numRuns: 4000 },
  );
  const rest = ledgerOf(entryAt(0, { author: "cy", build }));
  for (const update of ledger.updates()) expect(rest.apply(update).gap).toBe(false);
  expect(rest.digest()).toBe(ledger.digest());
});

test("random bytes are refused as updates and as state vectors", () => {
  const ledger = ledgerOf(first);
  ledger.add(first);
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 64 }), (bytes) => {
      for (const read of [() => readUpdate(build, bytes), () => ledger.missingFor(bytes)])
        try {
          read();
        } catch (thrown) {
          expect(thrown).toMatchObject({ code: expect.stringMatching(/^(malformed|too-large)$/) });
        }
    }),
    { numRuns: 2000 },
  );
  expect(() => ledger.missingFor(Uint8Array.of(9, 9))).toThrow(malformed);
});

test("an update behind a gap is left out and told, and taken once the gap is filled", () => {
  const [from, to] = [ledgerOf(first), ledgerOf(entryAt(0, { author: "bob", build }))];
  const updates = [0, 1, 2].map((seq) => from.add(entryAt(seq, { build })));
  expect(to.apply(updates[0]!).taken).not.toEqual([]);
  expect(to.apply(updates[2]!).gap).toBe(true);
  expect(to.size).toBe(1);
  expect(to.apply(updates[1]!).taken).not.toEqual([]);
  expect(to.apply(updates[1]!)).toEqual({ taken: [], gap: false, odds: false });
  expect(to.apply(updates[2]!).taken).not.toEqual([]);
  expect(to.digest()).toBe(from.digest());
});

test("what a ledger lacks comes in batches of at most a mebibyte", () => {
  const from = ledgerOf(first);
  const note = "x".repeat(20_000);
  for (let seq = 0; seq < 120; seq++) from.add(entryAt(seq, { build, note }));
  const batches = from.missingFor(new Uint8Array());
  expect(batches.length).toBeGreaterThan(2);
  const to = ledgerOf(entryAt(0, { author: "bob", build }));
  for (const batch of batches) {
    expect(batch.length).toBeLessThanOrEqual(1 << 20);
    expect(to.apply(batch).taken).not.toEqual([]);
  }
  expect(to.size).toBe(120);
  expect(from.missingFor(to.vector())).toEqual([]);
});

test("a ledger thawed is the ledger frozen, and goes on under its own name", () => {
  const ledger = ledgerOf(first);
  ledger.add(first);
  const thawed = Ledger.thaw(Ledger.freeze(ledger));
  expect(thawed.digest()).toBe(ledger.digest());
  expect(thawed.add(second)).toEqual(ledger.add(second));
  expect(thawed.updates()).toEqual(ledger.updates());
});
