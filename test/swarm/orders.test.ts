import fc from "fast-check";
import { expect, test } from "vitest";
import type { Incarnation, PeerId } from "../../protocol/kernel/ids.ts";
import type { Said } from "../../protocol/swarm/cuts.ts";
import { Orders } from "../../protocol/swarm/orders.ts";
import { type Entry, type SignedEntry, sealEntry, signedEntry } from "../../protocol/timeline/entry.ts";
import type { EventOf } from "../../protocol/timeline/events.ts";
import { peerNamed } from "../contract/chain.ts";

const [ann, bob, cat] = ["ann", "bob", "cat"].map(peerNamed) as [PeerId, PeerId, PeerId];
/** Ann is the admin. */
const orderedBy = (admins: ReadonlySet<PeerId>) => ({
  has: (peer: PeerId, role?: string) => role !== "admin" || admins.has(peer),
  may: (_: string, { entry }: Said) => admins.has(entry.author),
  counts: () => true,
});
const members = orderedBy(new Set([ann]));
type Order = EventOf<"node.control">;
const ops = ["pause", "drain", "resume", "unground"] as const;

let seq = 0;
function says(author: PeerId, ...events: Order[]): SignedEntry {
  const entry: Entry = {
    v: 1,
    swarm: "5".repeat(64) as Entry["swarm"],
    author,
    inc: "1-00000001" as Incarnation,
    seq,
    prev: null,
    hlc: [0, 0],
    last: seq++ - 1,
    events,
  };
  const { body, id } = sealEntry(entry);
  return signedEntry(entry, body, id, new Uint8Array(64));
}
const order = (op: Order["op"], id: string, ...answers: string[]): Order => ({
  kind: "node.control",
  op,
  peer: bob,
  id,
  answers,
});
const folded = (entries: readonly SignedEntry[]) => {
  const orders = new Orders(members);
  for (const entry of entries) orders.take(entry);
  return orders;
};

test("pause, drain and resume follow one another, each answering what it knew", () => {
  const orders = new Orders(members);
  const say = (op: Order["op"]) => orders.take(says(ann, orders.event(op, bob, `${seq}`, undefined)));
  expect(orders.of(bob)).toBeUndefined();
  say("pause");
  expect(orders.of(bob)).toBe("paused");
  say("drain");
  expect(orders.of(bob)).toBe("drained");
  say("pause");
  expect(orders.of(bob)).toBe("paused");
  say("unground");
  expect(orders.of(bob)).toBe("paused");
  say("resume");
  expect(orders.of(bob)).toBeUndefined();
  expect(orders.ungrounded(bob)).toBe(1);
  expect(orders.of(ann)).toBeUndefined();
});

test("of orders given apart, drain beats pause beats resume, until one answers them all", () => {
  const apart = [says(ann, order("pause", "a")), says(bob, order("resume", "b", "0"))];
  expect(folded(apart).of(bob)).toBe("paused");
  const orders = folded([...apart, says(bob, order("drain", "c"))]);
  expect(orders.of(bob)).toBe("drained");
  orders.take(says(ann, orders.event("resume", bob, "d", "back again")));
  expect(orders.of(bob)).toBeUndefined();
});

test("only the word of an admin, or of the node itself, counts, and only theirs answers", () => {
  expect(folded([says(cat, order("drain", "a"))]).of(bob)).toBeUndefined();
  const orders = folded([says(bob, order("drain", "a")), says(cat, order("resume", "b", "a"))]);
  expect(orders.of(bob)).toBe("drained");
  expect([orders.mayOrder(cat, bob), orders.mayOrder(bob, bob), orders.mayOrder(ann, bob)]).toEqual([
    false,
    true,
    true,
  ]);
});

test("who becomes an admin later is heard then, whatever came first", () => {
  const admins = new Set([ann]);
  const orders = new Orders(orderedBy(admins));
  orders.take(says(cat, order("drain", "a")));
  expect(orders.of(bob)).toBeUndefined();
  admins.add(cat);
  orders.refold();
  expect(orders.of(bob)).toBe("drained");
});

test("an order answers those in force first, however many heads there are", () => {
  const many = [
    ...Array.from({ length: 300 }, (_, i) => says(bob, order("resume", `a${i}`))),
    says(ann, order("drain", "z")),
  ];
  const orders = folded(many);
  const answer = orders.event("resume", bob, "last", undefined);
  expect(answer.answers).toHaveLength(256);
  orders.take(says(ann, answer));
  expect(orders.of(bob)).toBeUndefined();
});

test("any order of arrival, any doubling, gives the same orders", () => {
  const word = fc.record({ who: fc.nat(2), op: fc.nat(3), id: fc.nat(5), answers: fc.array(fc.nat(5)) });
  fc.assert(
    fc.property(fc.array(word, { maxLength: 12 }), fc.infiniteStream(fc.nat()), (words, dice) => {
      const entries = words.map(({ who, op, id, answers }) =>
        says([ann, bob, cat][who]!, order(ops[op]!, `${id}`, ...answers.map(String))),
      );
      const shuffled = [...entries, ...entries]
        .map((entry) => ({ entry, at: dice.next().value as number }))
        .sort((a, b) => a.at - b.at)
        .map(({ entry }) => entry);
      const [one, other] = [folded(entries), folded(shuffled)];
      expect(other.of(bob)).toBe(one.of(bob));
      expect(other.ungrounded(bob)).toBe(one.ungrounded(bob));
    }),
    { numRuns: 200 },
  );
});
