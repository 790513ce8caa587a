/** What every EventStore keeps: run on the one on disk and on the simulated one. */
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { digestOf } from "../../protocol/kernel/digest.ts";
import type { BuildId, Incarnation } from "../../protocol/kernel/ids.ts";
import type { EventBatch, EventStore, Remembered, Restored } from "../../protocol/ports.ts";
import type { SignedEntry } from "../../protocol/timeline/entry.ts";
import type { ActionResult } from "../../protocol/timeline/events.ts";
import { entryAt, madeBy, peerNamed } from "./chain.ts";

export interface EventsFixture {
  readonly store: EventStore;
  /** Lets time pass, real or virtual, until the condition holds; throws when it never does. */
  settle(condition: () => boolean): Promise<void> | void;
  /** The process dies without a word and starts again on the same disk. */
  restart(): Promise<{ store: EventStore; restored: Restored }> | { store: EventStore; restored: Restored };
  stop(): Promise<void> | void;
}

const build = "leveldb-0123456789" as BuildId;
const other = "leveldb-012345678a" as BuildId;
const key = digestOf(Buffer.from("an action"));
const resultOf = (text: string): ActionResult => ({
  outputs: [{ path: "out", digest: digestOf(Buffer.from(text)), kind: "file" }],
});
const bytes = (...list: number[]) => new Uint8Array(list);

export function eventsContract(name: string, make: () => Promise<EventsFixture> | EventsFixture): void {
  describe(`event store: ${name}`, () => {
    let fixture: EventsFixture;
    let store: EventStore;

    beforeEach(async () => {
      fixture = await make();
      store = fixture.store;
    });
    afterEach(() => fixture.stop());

    const write = async (batch: Partial<EventBatch>) => {
      let answer: { error?: unknown } | undefined;
      store.write({ entries: [], updates: [], dropped: [], durable: false, ...batch }, (error) => {
        answer = { error };
      });
      await fixture.settle(() => answer !== undefined);
      expect(answer!.error).toBeUndefined();
    };
    const range = async (from: number, to: number, author = "ann", inc = "1-00000001") => {
      let found: SignedEntry[] | undefined;
      store.range(peerNamed(author), inc as Incarnation, from, to, (entries) => {
        found = entries;
      });
      await fixture.settle(() => found !== undefined);
      return found!;
    };
    const seqs = async (...args: Parameters<typeof range>) => (await range(...args)).map((e) => e.entry.seq);
    const results = async () => {
      let found: readonly Remembered[] | undefined;
      store.results(key, (answer) => {
        found = answer;
      });
      await fixture.settle(() => found !== undefined);
      return found!;
    };
    const restart = async () => {
      const again = await fixture.restart();
      store = again.store;
      return again.restored;
    };
    const idsOf = (entries: readonly SignedEntry[]) => entries.map((e) => e.id).sort();

    test("a range gives the entries within its bounds by sequence number, and leaves out what is not there", async () => {
      await write({ entries: [300, 2, 16, 0, 255, 256, 15].map((seq) => entryAt(seq)) });
      expect(await seqs(0, 1000)).toEqual([0, 2, 15, 16, 255, 256, 300]);
      expect(await seqs(2, 255)).toEqual([2, 15, 16, 255]);
      expect(await seqs(3, 14)).toEqual([]);
      expect(await seqs(9, 8)).toEqual([]);
    });

    test("an entry comes back as it was, byte for byte", async () => {
      const entry = entryAt(7, { build, note: "ü" });
      await write({ entries: [entry] });
      const [found] = await range(7, 7);
      expect(Buffer.compare(found!.bytes, entry.bytes)).toBe(0);
      expect(found!.id).toBe(entry.id);
      expect(found!.entry).toEqual(entry.entry);
    });

    test("chains of other authors and other incarnations stay apart", async () => {
      await write({
        entries: [
          entryAt(0),
          entryAt(1, { author: "bob" }),
          entryAt(2, { inc: "2-00000001" }),
          entryAt(3, { inc: "11-00000001" }),
          entryAt(4, { inc: "1-00000002" }),
        ],
      });
      expect(await seqs(0, 9)).toEqual([0]);
      expect(await seqs(0, 9, "bob")).toEqual([1]);
      expect(await seqs(0, 9, "ann", "2-00000001")).toEqual([2]);
      expect(await seqs(0, 9, "ann", "11-00000001")).toEqual([3]);
      expect(await seqs(0, 9, "ann", "1-00000002")).toEqual([4]);
    });

    test("writes are answered in the order they were called, durable or not", async () => {
      const answered: number[] = [];
      for (let n = 0; n < 20; n++)
        store.write({ entries: [entryAt(n)], updates: [], dropped: [], durable: n % 7 === 3 }, () =>
          answered.push(n),
        );
      await fixture.settle(() => answered.length === 20);
      expect(answered).toEqual([...Array(20).keys()]);
      expect(await seqs(0, 99)).toHaveLength(20);
    });

    test("a callback never runs before its call has returned", async () => {
      let returned = false;
      const early: boolean[] = [];
      store.write({ entries: [entryAt(0)], updates: [], dropped: [], durable: false }, () =>
        early.push(!returned),
      );
      store.range(peerNamed("ann"), "1-00000001" as Incarnation, 5, 4, () => early.push(!returned));
      store.results(key, () => early.push(!returned));
      returned = true;
      await fixture.settle(() => early.length === 3);
      expect(early).toEqual([false, false, false]);
    });

    test("what was answered is there after a crash, each ledger's updates in their order", async () => {
      const entries = [entryAt(0), entryAt(1), entryAt(0, { author: "bob" })];
      await write({ entries });
      for (let n = 0; n < 40; n++)
        await write({
          updates: [
            { build, update: bytes(n) },
            { build: other, update: bytes(n, 255, 0) },
          ],
        });
      const restored = await restart();
      expect(idsOf(restored.entries)).toEqual(idsOf(entries));
      const ledgers = new Map(restored.ledgers.map((l) => [l.build, l.updates.map((u) => [...u])]));
      expect(ledgers.size).toBe(2);
      expect(ledgers.get(build)).toEqual([...Array(40).keys()].map((n) => [n]));
      expect(ledgers.get(other)).toEqual([...Array(40).keys()].map((n) => [n, 255, 0]));
    });

    test("updates written after a restart follow those before it", async () => {
      for (let n = 0; n < 17; n++) await write({ updates: [{ build, update: bytes(n) }] });
      await restart();
      await write({ updates: [{ build, update: bytes(17) }] });
      const restored = await restart();
      expect(restored.ledgers[0]?.updates.map((u) => u[0])).toEqual([...Array(18).keys()]);
    });

    test("entries of a build are not restored beside its ledger, and lie in one chain with the others", async () => {
      const inLedger = entryAt(0, { build });
      await write({ entries: [inLedger, entryAt(1)], updates: [{ build, update: bytes(1) }] });
      await write({ entries: [entryAt(2, { build }), entryAt(3)] });
      expect(idsOf((await restart()).entries)).toEqual(idsOf([entryAt(1), entryAt(3)]));
      expect(await seqs(0, 9)).toEqual([0, 1, 2, 3]);
    });

    test("a dropped ledger loses its updates, its entries are found in their chain, and others are not touched", async () => {
      const entry = entryAt(0, { build });
      await write({ entries: [entry], updates: [{ build, update: bytes(1) }] });
      await write({
        updates: [
          { build, update: bytes(2) },
          { build: other, update: bytes(3) },
        ],
      });
      await write({ dropped: [build] });
      const restored = await restart();
      expect(restored.ledgers).toEqual([{ build: other, updates: [bytes(3)] }]);
      expect(restored.entries).toEqual([]);
      expect(await seqs(0, 9)).toEqual([0]);
    });

    test("a dropped ledger that comes to life again holds only what came after", async () => {
      for (let n = 0; n < 3; n++) await write({ updates: [{ build, update: bytes(n) }] });
      await write({ dropped: [build] });
      await write({ updates: [{ build, update: bytes(9) }] });
      expect((await restart()).ledgers).toEqual([{ build, updates: [bytes(9)] }]);
    });

    test("an unknown ledger may be dropped, and an empty batch is answered", async () => {
      await write({ dropped: [build] });
      await write({});
      expect(await restart()).toMatchObject({ entries: [], ledgers: [] });
    });

    test("of the records of an ended build the one written last is there after a restart, and its updates are not", async () => {
      await write({ updates: [{ build, update: bytes(1) }] });
      await write({ dropped: [build], archived: [{ build, places: [], record: bytes(1) }] });
      await write({
        archived: [
          { build, places: [], record: bytes(2, 3) },
          { build: other, places: [], record: bytes(4) },
        ],
      });
      const restored = await restart();
      expect(restored.ledgers).toEqual([]);
      expect(restored.archived!.map((r) => [...r]).sort()).toEqual([[2, 3], [4]]);
    });

    test("of histories the one written last is there after a restart, whatever else is written", async () => {
      expect((await restart()).history).toBeUndefined();
      await write({ history: bytes(1, 2, 3) });
      await write({ history: bytes(4, 5), entries: [entryAt(0)], updates: [{ build, update: bytes(9) }] });
      await write({ entries: [entryAt(1)], dropped: [build] });
      const restored = await restart();
      expect([...restored.history!]).toEqual([4, 5]);
      expect(restored.entries).toHaveLength(2);
      expect([...(await restart()).history!]).toEqual([4, 5]);
    });

    test("an entry kept twice is one entry", async () => {
      await write({ entries: [entryAt(0), entryAt(0)] });
      await write({ entries: [entryAt(0)] });
      expect(await seqs(0, 9)).toEqual([0]);
      expect((await restart()).entries).toHaveLength(1);
    });

    test("an action key that nobody remembered has no result", async () => {
      expect(await results()).toEqual([]);
    });

    const by = (name: string) => madeBy(peerNamed(name));

    test("makers of one result gather, each once, and survive a restart", async () => {
      store.remember(key, resultOf("a"), by("ann"));
      store.remember(key, { ...resultOf("a"), stdout: digestOf(bytes(1)) }, by("bob"));
      store.remember(key, resultOf("a"), by("ann"));
      await write({});
      expect(await results()).toEqual([{ result: resultOf("a"), made: [by("ann"), by("bob")] }]);
      await restart();
      expect(await results()).toEqual([{ result: resultOf("a"), made: [by("ann"), by("bob")] }]);
    });

    test("where a maker said so is added when it is learned later, and stays", async () => {
      const at = { inc: "1-00000001" as Incarnation, seq: 7 };
      store.remember(key, resultOf("a"), by("ann"));
      store.remember(key, resultOf("a"), { ...by("ann"), at });
      store.remember(key, resultOf("a"), by("ann"));
      await write({});
      expect(await results()).toEqual([{ result: resultOf("a"), made: [{ ...by("ann"), at }] }]);
    });

    test("a different result stands beside the first, the newest last", async () => {
      store.remember(key, resultOf("a"), by("ann"));
      store.remember(key, resultOf("b"), by("bob"));
      await write({});
      expect(await results()).toEqual([
        { result: resultOf("a"), made: [by("ann")] },
        { result: resultOf("b"), made: [by("bob")] },
      ]);
      store.remember(key, resultOf("a"), by("cat"));
      await write({});
      expect((await results())[0]).toEqual({ result: resultOf("a"), made: [by("ann"), by("cat")] });
    });

    test("any course of writes, drops and restarts leaves what a plain model says", async () => {
      const builds = [build, other];
      const step = fc.oneof(
        {
          weight: 6,
          arbitrary: fc.record({
            kind: fc.constant("say" as const),
            build: fc.constantFrom(undefined, ...builds),
          }),
        },
        {
          weight: 2,
          arbitrary: fc.record({ kind: fc.constant("drop" as const), build: fc.constantFrom(...builds) }),
        },
        { weight: 1, arbitrary: fc.record({ kind: fc.constant("restart" as const) }) },
      );
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
          const own = await make();
          try {
            let { store } = own;
            let answered = 0;
            const said: SignedEntry[] = [];
            const updates = new Map<BuildId, Uint8Array[]>();
            const check = async () => {
              await own.settle(() => answered === asked);
              const again = await own.restart();
              store = again.store;
              const timeline = said.filter((one) => one.entry.build === undefined);
              expect(idsOf(again.restored.entries)).toEqual(idsOf(timeline));
              const byBuild = (list: readonly (readonly [BuildId, readonly Uint8Array[]])[]) =>
                [...list].sort(([a], [b]) => (a < b ? -1 : 1));
              expect(byBuild(again.restored.ledgers.map((l) => [l.build, l.updates]))).toEqual(
                byBuild([...updates]),
              );
              let found: SignedEntry[] | undefined;
              store.range(peerNamed("ann"), "1-00000001" as Incarnation, 0, 99, (entries) => {
                found = entries;
              });
              await own.settle(() => found !== undefined);
              expect(found!.map((one) => one.id)).toEqual(said.map((one) => one.id));
            };
            let asked = 0;
            for (const one of steps) {
              if (one.kind === "restart") {
                await check();
                continue;
              }
              asked++;
              const batch = {
                entries: [] as SignedEntry[],
                updates: [] as { build: BuildId; update: Uint8Array }[],
                dropped: [] as BuildId[],
                durable: false,
              };
              if (one.kind === "drop") {
                updates.delete(one.build);
                batch.dropped.push(one.build);
              } else {
                const entry = entryAt(said.length, { build: one.build });
                said.push(entry);
                batch.entries.push(entry);
                if (one.build !== undefined) {
                  const update = bytes(asked);
                  updates.set(one.build, [...(updates.get(one.build) ?? []), update]);
                  batch.updates.push({ build: one.build, update });
                }
              }
              store.write(batch, () => answered++);
            }
            await check();
          } finally {
            await own.stop();
          }
        }),
        { numRuns: 20 },
      );
    });
  });
}
