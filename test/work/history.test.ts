import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encode } from "../../protocol/kernel/codec.ts";
import type { ActionName, BuildId } from "../../protocol/kernel/ids.ts";
import { Estimates } from "../../protocol/work/estimates.ts";
import { decodeHistory, encodeHistory, historyBytesMax } from "../../protocol/work/history.ts";
import { Records, type Runs } from "../../protocol/work/records.ts";
import { peerNamed } from "../contract/chain.ts";

const peers = ["ann", "bob", "cat"].map(peerNamed);
const action = (name: string, group: string) => ({ name: name as ActionName, group });
const tableOf = ({ groups, actions, speeds }: Estimates, learned: readonly BuildId[] = []) => ({
  groups,
  actions,
  speeds,
  records: new Map<string, Runs>(),
  learned,
});
const restored = (bytes: Uint8Array): Estimates => {
  const estimates = new Estimates();
  estimates.know(decodeHistory(bytes)!);
  return estimates;
};

describe("history", () => {
  test("what was learned comes back as it was, in the order in which it was learned", () => {
    const run = fc.record({
      build: fc.constantFrom("leveldb", "zstd", "a\nb"),
      group: fc.constantFrom("cc", "ld", "__proto__"),
      name: fc.string({ maxLength: 8, unit: "binary" }),
      peer: fc.constantFrom(...peers),
      ms: fc.integer({ min: 0, max: 10_000_000 }),
    });
    fc.assert(
      fc.property(fc.array(run, { maxLength: 60 }), (runs) => {
        const estimates = new Estimates();
        for (const { build, group, name, peer, ms } of runs)
          estimates.note(build, action(name, group), peer, ms);
        const again = restored(encodeHistory(tableOf(estimates)));
        expect([...again.speeds]).toEqual([...estimates.speeds]);
        expect(again.groups).toEqual(estimates.groups);
        // Builds stand together, in the order in which they were seen last; within each all is as it was.
        for (const build of ["leveldb", "zstd", "a\nb"]) {
          const own = (e: Estimates) => [...e.actions].filter(([key]) => key.startsWith(`${build}\n`));
          expect(own(again)).toEqual(own(estimates));
        }
        expect([...again.actions].at(-1)).toEqual([...estimates.actions].at(-1));
      }),
    );
  });

  test("where there is too much the builds seen longest ago are left out, and speeds stay", () => {
    const estimates = new Estimates();
    for (const build of ["old", "middle", "new"])
      for (let i = 0; i < 100; i++)
        estimates.note(build, action(`compile/${i}`, "compile"), peers[0]!, 100 + i);
    const whole = encodeHistory(tableOf(estimates));
    const bytes = encodeHistory(tableOf(estimates), 4000);
    expect(bytes.length).toBeLessThanOrEqual(4000);
    expect(whole.length).toBeGreaterThan(4000);
    const again = restored(bytes);
    expect(again.known("new", action("compile/0", "other"))).toBeDefined();
    expect(again.known("middle", action("compile/99", "other"))).toBeDefined();
    expect(again.known("middle", action("compile/0", "other"))).toBeUndefined();
    expect(again.known("old", action("compile/99", "compile"))).toBeUndefined();
    expect(again.speeds).toEqual(estimates.speeds);
  });

  test("how actions of each kind went on each node comes back; of more than there is room for the last met stay", () => {
    const records = new Records();
    for (let i = 0; i < 100; i++) {
      records.done("demo", `group ${i}`, peers[i % 3]!, 2000, 1000);
      if (i % 2 === 0) records.failed("demo", `group ${i}`, peers[i % 3]!);
    }
    const kept = (maxBytes?: number) => {
      const again = new Records();
      const table = { ...tableOf(new Estimates()), records: records.runs };
      again.know(decodeHistory(encodeHistory(table, maxBytes))!.records);
      return again;
    };
    expect([...kept().runs]).toEqual([...records.runs]);
    expect(kept().of("demo", "group 4", peers[1]!)).toBe(records.of("demo", "group 4", peers[1]!));
    const few = kept(20_000).runs;
    expect(few.size).toBeGreaterThan(5);
    expect([...few]).toEqual([...records.runs].slice(-few.size));
    const old = { v: 1, speeds: [], builds: [], learned: [] };
    expect(decodeHistory(encode(old))!.records.size).toBe(0);
  });

  test("names as long as they may be stay within the bound", () => {
    const estimates = new Estimates();
    for (let i = 0; i < 20_000; i++)
      estimates.note(`build ${i % 7}`, action(`${i}`.padEnd(500, "ü"), "g".repeat(250)), peers[0]!, i);
    const bytes = encodeHistory(tableOf(estimates));
    expect(bytes.length).toBeLessThanOrEqual(historyBytesMax);
    expect(bytes.length).toBeGreaterThan(historyBytesMax / 2);
    expect(restored(bytes).actions.size).toBeGreaterThan(1000);
  });

  test("bytes that are no history are none, whatever they are", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => decodeHistory(bytes) === undefined));
    const good = { v: 1, speeds: [], builds: [], learned: [] };
    expect(decodeHistory(encode(good))).toBeDefined();
    for (const bad of [
      { ...good, v: 2 },
      { ...good, speeds: [["nobody", 1, 1]] },
      { ...good, speeds: [[peers[0], 1, 0]] },
      { ...good, speeds: [[peers[0], 1, 1e9]] },
      { ...good, learned: ["no build"] },
      { ...good, builds: [{ name: "a", groups: [], actions: [["x", -1]] }] },
      { ...good, builds: [{ name: "a", groups: [["g", 1, 1, 0]], actions: [] }] },
      { ...good, builds: { length: 3 } },
      [],
      null,
    ])
      expect(decodeHistory(encode(bad))).toBeUndefined();
  });

  test("a history of which any byte is another is none, or says plain numbers", () => {
    const estimates = new Estimates();
    for (let i = 0; i < 20; i++) estimates.note("demo", action(`a${i}`, "cc"), peers[i % 3]!, 100 * i);
    const bytes = encodeHistory(tableOf(estimates, ["demo-0123456789" as BuildId]));
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const spoilt = bytes.slice();
        spoilt[at]! ^= change;
        const known = decodeHistory(spoilt);
        if (!known) return;
        const again = new Estimates();
        again.know(known);
        for (const peer of peers) {
          expect(again.speedOf(peer)).toBeGreaterThanOrEqual(0.1);
          expect(again.speedOf(peer)).toBeLessThanOrEqual(10);
        }
        for (let i = 0; i < 20; i++) expect(again.of("demo", action(`a${i}`, "cc"))).toBeGreaterThan(0);
      }),
    );
  });
});
