import { expect, test } from "vitest";
import * as Y from "yjs";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { entryBytesMax, entryKey, sealEntry, signedEntry } from "../../protocol/timeline/entry.ts";
import { plainWire } from "../../protocol/wire.ts";
import { clientOf, Ledger, readUpdate, readVector } from "../../protocol/work/ledger.ts";
import { fakePeer, fakeSigner } from "../../sim/signer.ts";
import { hostileBytes } from "./bytes.ts";
import { fuzz, weigh } from "./fuzz.ts";
import { build, buildEntries, inc, messages, says, updatesOf } from "./swarm.ts";

const own = buildEntries.filter((e) => e.entry.author === fakePeer("ann"));
const updates = updatesOf("ann", own);
const wire = plainWire();
const signer = fakeSigner(fakePeer("cy"));

/** What Yjs lets anybody do to a document of ann's, as an update. */
function done(act: (doc: Y.Doc, map: Y.Map<unknown>) => void): Uint8Array {
  const doc = new Y.Doc({ gc: false });
  doc.clientID = clientOf(fakePeer("ann"), inc);
  for (const entry of own.slice(0, 3)) doc.getMap("entries").set(entryKey(entry.entry), entry.bytes);
  act(doc, doc.getMap("entries"));
  return Y.encodeStateAsUpdate(doc);
}
const nest = (levels: number): unknown => (levels === 0 ? 0 : [nest(levels - 1)]);
const foul = [
  done((_, map) => map.delete(entryKey(own[0]!.entry))),
  done((_, map) => map.set(entryKey(own[0]!.entry), own[1]!.bytes)),
  done((_, map) => map.set("x", new Y.Map([["y", 1]]))),
  done((_, map) => map.set("x", new Y.Doc())),
  done((_, map) => map.set("x", { a: [1, { b: nest(9) }] })),
  done((doc) => doc.getText("entries text").insert(0, "hello")),
  done((doc) => doc.getArray("list").push([1, null, "x"])),
  Y.mergeUpdates([updates[0]!, updates[2]!]),
];
const samples = [...updates, Y.mergeUpdates(updates), ...foul];

/** As a node takes it: the firewall, then signatures; what is refused changes nothing. */
function offer(ledger: Ledger, update: Uint8Array): string {
  const before = ledger.digest();
  try {
    const entries = readUpdate(build, update, 512);
    if (!entries.every((e) => wire.holds(e, signer))) throw new SwarmError("unauthentic", "forged");
    const { taken, gap, odds } = ledger.apply(update);
    return gap ? "gap" : odds ? "odds" : taken.length > 0 ? "new" : "known";
  } catch (error) {
    if (!(error instanceof SwarmError)) throw error;
    expect(ledger.digest()).toBe(before);
    return error.code;
  }
}

test("altered updates are refused or add what their author said, and the honest ones that follow still apply", () => {
  fuzz({
    make: (dice) => ({
      known: dice.below(updates.length),
      hostile: Array.from({ length: 1 + dice.below(3) }, () => hostileBytes(dice, samples, 1 << 17)),
    }),
    run: ({ known, hostile }) => {
      const ledger = new Ledger(build, 1);
      for (const update of updates.slice(0, known)) ledger.apply(update);
      for (const update of hostile) expect(outcomes).toContain(offer(ledger, update));
      for (const update of updates) expect(offer(ledger, update)).not.toBe("gap");
      expect(ledger.size).toBe(updates.length);
      expect(Buffer.compare(ledger.vector(), whole.vector())).toBe(0);
    },
  });
});
const outcomes = ["gap", "known", "malformed", "new", "odds", "too-large", "unauthentic", "version-unknown"];
const whole = new Ledger(build, 1);
for (const update of updates) whole.apply(update);

test("the firewall alone refuses bytes of any kind, or finds whole entries", () => {
  fuzz({
    make: (dice) => hostileBytes(dice, samples, 1 << 20),
    run: (bytes) => {
      for (const { entry } of readUpdate(build, bytes, 512)) expect(entry.build).toBe(build);
    },
  });
});

test("altered state vectors are refused, or lead to no more than a ledger holds", () => {
  const vectors = [whole.vector(), new Uint8Array(), Uint8Array.of(1, 1, 1)];
  fuzz({
    make: (dice) => hostileBytes(dice, vectors, 200_000),
    run: (vector) => {
      readVector(vector);
      const bytes = whole.missingFor(vector).reduce((sum, b) => sum + b.length, 0);
      expect(bytes).toBeLessThanOrEqual(2 * updates.reduce((sum, u) => sum + u.length, 0));
    },
  });
});

const lots = (count: number, each: (i: number) => unknown) =>
  done((doc) => doc.getArray("list").push(Array.from({ length: count }, (_, i) => each(i))));
const varint = (value: number): number[] =>
  value < 128 ? [value] : [(value % 128) | 128, ...varint(Math.floor(value / 128))];

test.each<[string, () => Uint8Array]>([
  ["a million empty maps", () => lots(1_000_000, () => ({}))],
  [
    "a million garbage-collected items",
    () => Uint8Array.from([1, ...varint(1_000_000), 1, 0, ...new Array(2_000_000).fill(0), 0]),
  ],
  ["a clock beyond counting", () => Uint8Array.from([1, 1, 1, ...varint(Number.MAX_SAFE_INTEGER), 4, 1])],
  ["a number without an end", () => new Uint8Array(1 << 20).fill(0xff)],
  ["an entry over the bound", () => done((_, map) => map.set("x", new Uint8Array(entryBytesMax + 1)))],
])("an update with %s is refused at once", (_, make) => {
  const run = (update: Uint8Array) => readUpdate(build, update, 512);
  expect(weigh({ run }, make())).toMatch(/malformed|too-large/);
});

test("an update of more entries than one message may bring is refused before they are read", () => {
  const many = Array.from({ length: 513 }, (_, seq) => says("ann", seq, [{ kind: "n" }], build));
  const update = Y.mergeUpdates(updatesOf("ann", many));
  expect(weigh({ run: (bytes: Uint8Array) => readUpdate(build, bytes, 512) }, update)).toBe("too-large");
  expect(readUpdate(build, update)).toHaveLength(513);
});

test("a sync with a long vector costs no more than its length: each update is cut by what concerns it", () => {
  const ledger = new Ledger(build, 1);
  const many = Array.from({ length: 2000 }, (_, seq) => says("ann", seq, [{ kind: "n" }], build));
  const singles = updatesOf("ann", many);
  for (let at = 0; at < singles.length; at += 4) ledger.apply(Y.mergeUpdates(singles.slice(at, at + 4)));
  const known = new Map(Array.from({ length: 9000 }, (_, i) => [2 ** 40 + i, 1] as [number, number]));
  known.set(clientOf(fakePeer("ann"), inc), 2);
  const vector = Y.encodeStateVector(known);
  expect(weigh({ run: (v: Uint8Array) => void ledger.missingFor(v) }, vector)).toBeUndefined();
});

test("each outcome of an update can be told from the others", () => {
  const ledger = new Ledger(build, 1);
  const forged = says("ann", 0, [{ kind: "n" }], build);
  const [unsigned] = updatesOf("ann", [
    signedEntry(forged.entry, sealEntry(forged.entry).body, forged.id, new Uint8Array(64)),
  ]);
  const many = Array.from({ length: 513 }, (_, seq) => says("ann", seq, [{ kind: "n" }], build));
  const large = Y.mergeUpdates(updatesOf("ann", many));
  const [other] = updatesOf("ann", [says("ann", 0, [{ kind: "other" }], build)]);
  const next = sealEntry({ ...forged.entry, v: 2 as never });
  const doc = new Y.Doc({ gc: false });
  doc.clientID = clientOf(fakePeer("ann"), inc);
  doc
    .getMap("entries")
    .set(entryKey(forged.entry), signedEntry(forged.entry, next.body, next.id, new Uint8Array(64)).bytes);
  const newer = Y.encodeStateAsUpdate(doc);
  const offers: [string, Uint8Array][] = [
    ["gap", updates[1]!],
    ["new", updates[0]!],
    ["known", updates[0]!],
    ["odds", other!],
    ["malformed", foul[0]!],
    ["too-large", large],
    ["unauthentic", unsigned!],
    ["version-unknown", newer],
  ];
  for (const [outcome, update] of offers) expect(offer(ledger, update)).toBe(outcome);
  expect(offers.map(([outcome]) => outcome).sort()).toEqual(outcomes);
});

test("samples stand for what members really send", () => {
  expect(messages.map((m) => m.kind)).toContain("ledger");
  for (const update of updates) expect(readUpdate(build, update)).toHaveLength(1);
  for (const update of foul) expect(() => readUpdate(build, update)).toThrow(SwarmError);
});
