import fc from "fast-check";
import { expect, test } from "vitest";
import { encode } from "../../protocol/kernel/codec.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { BuildId } from "../../protocol/kernel/ids.ts";
import {
  type Entry,
  entryBytesMax,
  readEntry,
  sealEntry,
  signedEntry,
} from "../../protocol/timeline/entry.ts";
import { knownEvent } from "../../protocol/timeline/events.ts";
import { entryAt } from "../contract/chain.ts";

const build = "hello-0123456789" as BuildId;
const good = entryAt(3).entry;

/** The bytes of whatever claims to be an entry. */
const bytesOf = (body: unknown, sig = new Uint8Array(64)) => encode([encode(body), sig]);

test("an entry read again is the entry", () => {
  for (const entry of [entryAt(0), entryAt(5, { build })]) expect(readEntry(entry.bytes)).toEqual(entry);
});

test("the id changes with every field, and not with the signature", () => {
  const { id } = sealEntry(good);
  expect(readEntry(bytesOf(good, new Uint8Array(64).fill(1))).id).toBe(id);
  const others: Partial<Entry>[] = [
    { seq: 4 },
    { hlc: [3, 1] },
    { prev: id },
    { last: 1 },
    { swarm: "6".repeat(64) as Entry["swarm"] },
    { author: entryAt(0, { author: "bob" }).entry.author },
    { inc: "1-00000002" as Entry["inc"] },
    { events: [{ kind: "note" }] },
  ];
  const ids = others.map((fields) => sealEntry({ ...good, ...fields }).id);
  expect(new Set([id, ...ids]).size).toBe(others.length + 1);
});

test("what is no entry is refused by type", () => {
  const wrong: Record<string, unknown> = {
    "no fields": {},
    "a field too many": { ...good, extra: 1 },
    "no events": { ...good, events: [] },
    "too many events": { ...good, events: Array(513).fill({ kind: "x" }) },
    "an event without a kind": { ...good, events: [{}] },
    "a negative place": { ...good, seq: -1 },
    "a broken place": { ...good, seq: 0.5 },
    "a foreign author": { ...good, author: "ann" },
    "no place before it": { ...good, last: undefined },
    "a place before it that is not": { ...good, last: 3 },
  };
  for (const [what, body] of Object.entries(wrong))
    expect(() => readEntry(bytesOf(body)), what).toThrow(expect.objectContaining({ code: "malformed" }));
  expect(() => readEntry(bytesOf(good, new Uint8Array(63)))).toThrow(
    expect.objectContaining({ code: "malformed" }),
  );
  expect(() => readEntry(encode([encode(good)]))).toThrow(expect.objectContaining({ code: "malformed" }));
});

test("an entry over the bound is neither made nor read", () => {
  const large: Entry = { ...good, events: [{ kind: "x", text: "y".repeat(entryBytesMax) }] };
  const { body, id } = sealEntry(large);
  expect(() => signedEntry(large, body, id, new Uint8Array(64))).toThrow(
    expect.objectContaining({ code: "too-large" }),
  );
  expect(() => readEntry(bytesOf(large))).toThrow(expect.objectContaining({ code: "too-large" }));
});

test("any bytes, and any entry with a bit turned, give an entry or a typed refusal", () => {
  const { bytes } = entryAt(1, { build });
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 300 }),
        fc
          .nat({ max: bytes.length * 8 - 1 })
          .map((bit) => bytes.map((byte, at) => (at === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte))),
      ),
      (any) => {
        try {
          readEntry(new Uint8Array(any));
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(SwarmError);
        }
      },
    ),
    { numRuns: 2000 },
  );
});

test("an entry of a newer format is refused as such, whatever else it holds", () => {
  for (const newer of [{ ...good, v: 2 }, { v: 2 }])
    expect(() => readEntry(bytesOf(newer))).toThrow(expect.objectContaining({ code: "version-unknown" }));
  for (const wrong of [{ ...good, v: 0 }, { ...good, v: "2" }, null, [2]])
    expect(() => readEntry(bytesOf(wrong))).toThrow(expect.objectContaining({ code: "malformed" }));
});

test("an unknown kind, or a known one with wrong fields, is no event to fold", () => {
  expect(knownEvent({ kind: "sung", loudly: true })).toBeUndefined();
  expect(knownEvent({ kind: "start" })).toBeUndefined();
  expect(knownEvent({ kind: "toString" })).toBeUndefined();
  expect(knownEvent({ kind: "start", claim: "c" })).toEqual({ kind: "start", claim: "c" });
});
