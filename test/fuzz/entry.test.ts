import { expect, test } from "vitest";
import { encode } from "../../protocol/kernel/codec.ts";
import { sha256Hex } from "../../protocol/kernel/digest.ts";
import { entryBytesMax, readEntry, sealEntry } from "../../protocol/timeline/entry.ts";
import { knownEvent } from "../../protocol/timeline/events.ts";
import { provenBy } from "../../protocol/timeline/forks.ts";
import { plainWire } from "../../protocol/wire.ts";
import { fakePeer, fakeSigner } from "../../sim/signer.ts";
import { hostileBytes } from "./bytes.ts";
import { fuzz, weigh } from "./fuzz.ts";
import { buildEntries, timelineEntries } from "./swarm.ts";
import { hostileValue } from "./values.ts";

const entries = [...buildEntries, ...timelineEntries];
const signer = fakeSigner(fakePeer("cy"));

/** What a node does with an entry it is given: the bytes, the signature, the events it knows. */
function take(bytes: Uint8Array): void {
  const read = readEntry(bytes);
  expect(sealEntry(read.entry).id).toBe(read.id);
  expect(read.bytes.length).toBeLessThanOrEqual(entryBytesMax);
  for (const event of read.entry.events) knownEvent(event);
  for (const proof of provenBy(read)) plainWire().holds(proof, signer);
  // A signature holds for what was said alone.
  if (plainWire().holds(read, signer)) expect(entries.some((e) => e.id === read.id)).toBe(true);
}

test("altered bytes of entries are refused or say what they say, and no signature holds for them", () => {
  const samples = entries.map((e) => e.bytes);
  const { refused } = fuzz({
    make: (dice) => hostileBytes(dice, samples, entryBytesMax + 100),
    run: take,
  });
  expect(refused.malformed).toBeGreaterThan(0);
});

test("altered entries, well encoded, are refused or say what they say, and no signature holds for them", () => {
  const samples = entries.map((e) => e.entry);
  const { taken } = fuzz({
    make: (dice) => {
      const value = hostileValue(dice, samples);
      const body = encoded(value);
      const sig = dice.once(9) ? dice.bytes(dice.size(80)) : dice.pick(entries).sig;
      return encoded(dice.once(20) ? [value, sig] : [body, sig]);
    },
    run: take,
  });
  expect(taken).toBeGreaterThan(0.01);
});

test("altered events in valid entries are passed on, and those known are read as their schema says", () => {
  const samples = entries.flatMap((e) => e.entry.events);
  const { taken } = fuzz({
    make: (dice) => {
      const events = Array.from({ length: 1 + dice.below(2) }, () => hostileValue(dice, samples));
      const { entry, sig } = dice.pick(entries);
      return encoded([encoded({ ...entry, events }), sig]);
    },
    run: (bytes) => {
      const { entry } = readEntry(bytes);
      for (const event of entry.events) {
        const known = knownEvent(event);
        if (known) expect(known.kind).toBe(event.kind);
      }
    },
  });
  expect(taken).toBeGreaterThan(0.01);
});

test("bytes in the place of a list are refused like anything else there", () => {
  const { entry, sig } = timelineEntries[1]!;
  const bytes = new Uint8Array(9);
  expect(weigh({ run: take }, encoded([encoded({ ...entry, hlc: bytes }), sig]))).toBe("malformed");
  expect(knownEvent({ kind: "fork", headers: bytes })).toBeUndefined();
});

/** What has no encoding is said as nothing at all. */
function encoded(value: unknown): Uint8Array {
  try {
    return encode(value);
  } catch {
    return encode(sha256Hex("nothing"));
  }
}
