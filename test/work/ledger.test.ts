import fc from "fast-check";
import { expect, test } from "vitest";
import * as Y from "yjs";
import type { BuildId, Incarnation } from "../../protocol/kernel/ids.ts";
import { entryKey } from "../../protocol/timeline/entry.ts";
import { clientOf, Ledger, readUpdate } from "../../protocol/work/ledger.ts";
import { entryAt, peerNamed } from "../contract/chain.ts";

const build = "demo-0123456789" as BuildId;
const ledgerOf = (author: string) =>
  new Ledger(build, clientOf(peerNamed(author), "1-00000001" as Incarnation));

test("whatever two ledgers know of a third's entries, what one lacks passes the firewall and makes them equal", () => {
  const step = fc.record({
    author: fc.nat(2),
    /** Who does not hear the gossip; 3 is nobody. */
    deaf: fc.nat(3),
    /** Who then catches up with the author; 3 and more: nobody. */
    catchesUp: fc.nat(9),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const ledgers = [0, 1, 2].map((i) => ledgerOf(`author ${i}`));
      const seqs = [0, 0, 0];
      const sync = (from: Ledger, to: Ledger) => {
        for (const update of from.missingFor(to.vector())) {
          readUpdate(build, update);
          expect(to.apply(update).taken).not.toEqual([]);
        }
      };
      for (const { author, deaf, catchesUp } of steps) {
        const from = ledgers[author]!;
        const update = from.add(entryAt(seqs[author]!++, { author: `author ${author}`, build }));
        ledgers.forEach((ledger, i) => {
          if (i !== deaf) ledger.apply(update);
        });
        const behind = ledgers[catchesUp];
        if (behind) sync(from, behind);
      }
      for (const a of ledgers) for (const b of ledgers) if (a !== b) sync(a, b);
      for (const a of ledgers) for (const b of ledgers) if (a !== b) sync(a, b);
      expect(new Set(ledgers.map((l) => l.digest())).size).toBe(1);
      expect(ledgers[0]!.size).toBe(steps.length);
      for (const ledger of ledgers) {
        const doc = new Y.Doc();
        for (const update of ledger.updates()) Y.applyUpdate(doc, update);
        expect(doc.getMap("entries").size).toBe(steps.length);
        expect(Y.encodeStateVector(doc)).toEqual(ledger.vector());
      }
    }),
    { numRuns: 300 },
  );
});

test("what is sent to one that knows a part of it has no gap where that part was", () => {
  const [xavier, yves, batch, part] = ["xavier", "yves", "bob", "cy"].map(ledgerOf);
  const x = [0, 1, 2, 3].map((seq) => xavier!.add(entryAt(seq, { author: "xavier", build })));
  const y = yves!.add(entryAt(0, { author: "yves", build }));
  // One got the first entries of both at once, then the rest one by one; the other all but the last of one author's.
  xavier!.apply(y);
  const source = ledgerOf("source");
  for (const update of [x[0]!, x[1]!, y]) source.apply(update);
  for (const update of source.missingFor(new Uint8Array())) batch!.apply(update);
  for (const update of [x[2]!, x[3]!]) batch!.apply(update);
  for (const update of x.slice(0, 3)) part!.apply(update);
  for (const update of batch!.missingFor(part!.vector())) {
    expect(readUpdate(build, update).map((e) => e.entry.seq)).toEqual([0, 3]);
    expect(part!.apply(update).taken).not.toEqual([]);
  }
  expect(part!.digest()).toBe(batch!.digest());
});

test("the update of an own entry is byte by byte what Yjs writes", () => {
  fc.assert(
    fc.property(fc.nat({ max: 200 }), fc.integer({ min: 1, max: 5 }), (author, count) => {
      const ledger = ledgerOf(`author ${author}`);
      const doc = new Y.Doc({ gc: false });
      doc.clientID = clientOf(peerNamed(`author ${author}`), "1-00000001" as Incarnation);
      const written: Uint8Array[] = [];
      doc.on("update", (update: Uint8Array) => written.push(update));
      for (let seq = 0; seq < count; seq++) {
        const entry = entryAt(seq, { author: `author ${author}`, build });
        doc.getMap("entries").set(entryKey(entry.entry), entry.bytes);
        expect(Buffer.compare(ledger.add(entry), written[seq]!)).toBe(0);
      }
    }),
    { numRuns: 50 },
  );
});
