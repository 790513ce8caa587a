import fc from "fast-check";
import { expect, test } from "vitest";
import type { EntryId, Incarnation, PeerId } from "../../protocol/kernel/ids.ts";
import { foundingEntry } from "../../protocol/swarm/founding.ts";
import { LastWords } from "../../protocol/swarm/last-words.ts";
import { Members } from "../../protocol/swarm/members.ts";
import { type Entry, type SignedEntry, sealEntry, signedEntry } from "../../protocol/timeline/entry.ts";
import { type Event, type EventOf, lastWordsMax, type Role } from "../../protocol/timeline/events.ts";
import { proofOf } from "../../protocol/timeline/forks.ts";
import { peerNamed } from "../contract/chain.ts";

const said = (entry: Entry): SignedEntry => {
  const { body, id } = sealEntry(entry);
  return signedEntry(entry, body, id, new Uint8Array(64));
};
const founding = said(
  foundingEntry({
    name: "garden",
    root: peerNamed("root"),
    nonce: "0".repeat(32),
    admin: peerNamed("ann"),
    adminName: "ann",
    nowMs: 0,
    notAfterMs: 1000,
  }),
);
const { swarm } = founding.entry;

/** One start of one node, and all that it said. */
class Chain {
  readonly peer: PeerId;
  readonly inc: Incarnation;
  readonly entries: SignedEntry[] = [];

  constructor(name: string, start = 1) {
    this.peer = peerNamed(name);
    this.inc = `${start}-0000000${start}` as Incarnation;
  }

  says(...events: (Event | { kind: string })[]): SignedEntry {
    const seq = this.entries.length;
    const { peer: author, inc } = this;
    const entry = said({ v: 1, swarm, author, inc, seq, prev: null, hlc: [0, 0], last: seq - 1, events });
    this.entries.push(entry);
    return entry;
  }

  /** Its end as far as so many entries are known. */
  end(known = this.entries.length) {
    return this.entries
      .slice(known - 1, known)
      .map(({ id, entry }) => ({ inc: this.inc, seq: entry.seq, id }));
  }
}

const admit = (name: string, ...roles: Role[]): Event => ({
  kind: "member.admitted",
  peer: peerNamed(name),
  name,
  roles: roles.length > 0 ? roles : ["builder", "submitter"],
  notAfterMs: 1000,
});
const revoke = (chain: Chain, known = chain.entries.length): Event => ({
  kind: "member.revoked",
  peer: chain.peer,
  last: chain.end(known),
});
const roles = (chain: Chain, serial: number, given: Role[], known = chain.entries.length): Event => ({
  kind: "member.role",
  peer: chain.peer,
  roles: given,
  serial,
  since: chain.end(known),
});
const word = { kind: "node.down", reason: "a word" } as Event;

function fold(entries: readonly SignedEntry[]): Members {
  const members = new Members(swarm);
  for (const entry of entries) members.consider(entry);
  return members;
}

/** The fold of these entries, which must be the same in whatever order and however often they come. */
function folded(...chains: readonly Chain[]): Members {
  const entries = [founding, ...chains.flatMap((chain) => chain.entries)];
  const seen = (members: Members) => ({
    all: members.all(),
    formers: members.formers(),
    counts: entries.map((entry) => [
      members.counts(entry),
      members.may("claim", entry),
      members.may("member.admitted", entry),
    ]),
  });
  const expected = seen(fold(entries));
  const twice = [...entries, ...entries];
  fc.assert(
    fc.property(fc.shuffledSubarray(twice, { minLength: twice.length, maxLength: twice.length }), (order) => {
      expect(seen(fold(order))).toEqual(expected);
    }),
    { numRuns: 60 },
  );
  return fold(entries);
}

const names = (members: Members): string[] =>
  members
    .all()
    .map((m) => m.name)
    .sort();

test("a revoked member is none any more; what it said up to the cut counts, nothing beyond it does", () => {
  const [ann, bob] = [new Chain("ann"), new Chain("bob")];
  ann.says(admit("bob"));
  for (let i = 0; i < 3; i++) bob.says(word);
  ann.says(revoke(bob, 2));
  const members = folded(ann, bob);
  expect(names(members)).toEqual(["ann"]);
  expect(members.former(bob.peer)).toMatchObject({ name: "bob", parting: { why: "revoked", by: ann.peer } });
  expect(bob.entries.map((entry) => members.may("claim", entry))).toEqual([true, true, false]);
  expect(members.served(bob.peer, "builder")).toBe(true);
  const other = said({ ...bob.entries[1]!.entry, events: [{ kind: "another story" }] });
  expect(members.counts(other)).toBe(false);
  const unnamed = new Chain("bob", 2);
  expect(members.counts(unnamed.says(word))).toBe(false);
});

test("of several revocations all cuts hold", () => {
  const [ann, bob, cat, dan] = ["ann", "bob", "cat", "dan"].map((name) => new Chain(name)) as [
    Chain,
    Chain,
    Chain,
    Chain,
  ];
  ann.says(admit("bob", "admin"), admit("cat", "admin"), admit("dan"));
  for (let i = 0; i < 4; i++) dan.says(word);
  bob.says(revoke(dan, 3));
  cat.says(revoke(dan, 2));
  const members = folded(ann, bob, cat, dan);
  expect(dan.entries.map((entry) => members.counts(entry))).toEqual([true, true, false, false]);
  expect(members.get(dan.peer)).toBeUndefined();
});

test("who is no admin revokes nobody, and a revoked key is never admitted again", () => {
  const [ann, bob] = [new Chain("ann"), new Chain("bob")];
  ann.says(admit("bob"));
  bob.says(revoke(ann));
  expect(names(folded(ann, bob))).toEqual(["ann", "bob"]);
  ann.says(revoke(bob));
  ann.says(admit("bob", "admin"));
  expect(names(folded(ann, bob))).toEqual(["ann"]);
});

test("whom a revoked admin admitted before the cut stays, whom it admits beyond it does not come in", () => {
  const [ann, bob] = [new Chain("ann"), new Chain("bob")];
  ann.says(admit("bob", "admin"));
  bob.says(admit("cat"));
  bob.says(admit("dan", "admin"));
  ann.says(revoke(bob, 1));
  const dan = new Chain("dan");
  dan.says(admit("eve"));
  expect(names(folded(ann, bob, dan))).toEqual(["ann", "cat"]);
});

test("two admins that revoke each other both go, and all that others said stays", () => {
  const [ann, bob, cat] = ["ann", "bob", "cat"].map((name) => new Chain(name)) as [Chain, Chain, Chain];
  ann.says(admit("bob", "admin"), admit("cat", "admin"));
  ann.says(admit("dan"));
  const annKnew = ann.entries.length;
  const bobKnew = bob.entries.length;
  ann.says(revoke(bob, bobKnew));
  bob.says(revoke(ann, annKnew));
  cat.says(admit("eve"));
  const members = folded(ann, bob, cat);
  expect(names(members)).toEqual(["cat", "dan", "eve"]);
  expect(members.may("member.admitted", ann.entries[1]!)).toBe(true);
});

test("a key that was revoked takes down whoever revoked it and nobody else, and undoes nothing", () => {
  const [ann, bob, cat] = ["ann", "bob", "cat"].map((name) => new Chain(name)) as [Chain, Chain, Chain];
  ann.says(admit("bob", "admin"), admit("cat", "admin"));
  cat.says(admit("dan"));
  ann.says(admit("eve"));
  ann.says(revoke(bob, 0));
  ann.says(admit("fay"));
  bob.says(
    { kind: "member.revoked", peer: ann.peer, last: [] },
    { kind: "member.revoked", peer: cat.peer, last: [] },
  );
  bob.says(admit("mallory", "admin"));
  expect(names(folded(ann, bob, cat))).toEqual(["cat", "dan", "eve"]);
});

test("three admins that revoke each other in a circle leave the same members everywhere", () => {
  const chains = ["ann", "bob", "cat"].map((name) => new Chain(name)) as [Chain, Chain, Chain];
  const [ann, bob, cat] = chains;
  ann.says(admit("bob", "admin"), admit("cat", "admin"), admit("dan"));
  ann.says(revoke(bob, 0));
  bob.says(revoke(cat, 0));
  cat.says(revoke(ann, 1));
  const members = folded(...chains);
  expect(members.former(bob.peer)).toBeDefined();
  expect(members.former(ann.peer)).toBeDefined();
  expect(members.get(peerNamed("dan"))).toBeDefined();
});

test("an entry is judged by the roles its author had at its place", () => {
  const [ann, bob] = [new Chain("ann"), new Chain("bob")];
  ann.says(admit("bob"));
  bob.says(word);
  ann.says(roles(bob, 1, ["observer"]));
  bob.says(word);
  ann.says(roles(bob, 2, ["admin", "builder"]));
  bob.says(admit("cat"));
  const members = folded(ann, bob);
  expect(bob.entries.map((entry) => members.may("claim", entry))).toEqual([true, false, true]);
  expect(bob.entries.map((entry) => members.may("member.admitted", entry))).toEqual([false, false, true]);
  expect(members.get(bob.peer)?.roles).toEqual(["admin", "builder"]);
  expect(members.nextSerial(bob.peer)).toBe(3);
  expect(names(members)).toEqual(["ann", "bob", "cat"]);
});

test("an admin that lost the role admits and revokes nobody any more", () => {
  const [ann, bob] = [new Chain("ann"), new Chain("bob")];
  ann.says(admit("bob", "admin"));
  bob.says(admit("cat"));
  ann.says(roles(bob, 1, ["builder"]));
  bob.says(admit("dan"));
  bob.says(revoke(ann));
  expect(names(folded(ann, bob))).toEqual(["ann", "bob", "cat"]);
});

test("a member that left is none any more, and its farewell is its last word", () => {
  const [ann, bob, early, late] = [
    new Chain("ann"),
    new Chain("bob", 2),
    new Chain("bob", 1),
    new Chain("bob", 3),
  ];
  ann.says(admit("bob"));
  early.says(word);
  bob.says(word);
  bob.says({ kind: "member.left" });
  bob.says(word);
  late.says(word);
  const members = folded(ann, bob, early, late);
  expect(members.former(bob.peer)?.parting.why).toBe("left");
  expect([...early.entries, ...bob.entries, ...late.entries].map((e) => members.counts(e))).toEqual([
    true,
    true,
    true,
    false,
    false,
  ]);
});

test("a new key goes on with the name and roles of the old one, which is cut; only the first counts", () => {
  const [ann, bob, next] = [new Chain("ann"), new Chain("bob"), new Chain("bob again")];
  ann.says(admit("bob", "admin", "builder"));
  bob.says({ kind: "member.rotated", peer: next.peer });
  bob.says({ kind: "member.rotated", peer: peerNamed("thief") });
  next.says(admit("cat"));
  const members = folded(ann, bob, next);
  expect(names(members)).toEqual(["ann", "bob", "cat"]);
  expect(members.get(next.peer)).toMatchObject({ name: "bob", roles: ["admin", "builder"] });
  expect(members.former(bob.peer)?.parting).toMatchObject({ why: "rotated", successor: next.peer });
  const stranger = new Members(swarm);
  stranger.present(members.certificatesOf(peerNamed("cat")));
  expect(stranger.has(peerNamed("cat"))).toBe(true);
});

test("whoever was revoked before it changed its key has no successor", () => {
  const [ann, bob, next] = [new Chain("ann"), new Chain("bob"), new Chain("bob again")];
  ann.says(admit("bob"));
  ann.says(revoke(bob, 0));
  bob.says({ kind: "member.rotated", peer: next.peer });
  expect(names(folded(ann, bob, next))).toEqual(["ann"]);
});

test("a renewal lasts longer and changes nothing else; it proves itself to a stranger", () => {
  const [ann, bob] = [new Chain("ann"), new Chain("bob")];
  ann.says(admit("bob"));
  ann.says({ kind: "member.renewed", peer: bob.peer, notAfterMs: 5000 });
  bob.says({ kind: "member.renewed", peer: bob.peer, notAfterMs: 9000 });
  const members = folded(ann, bob);
  expect(members.get(bob.peer)).toMatchObject({ notAfterMs: 5000, roles: ["builder", "submitter"] });
  const stranger = new Members(swarm);
  stranger.present(members.certificatesOf(bob.peer));
  expect(stranger.get(bob.peer)).toMatchObject({ notAfterMs: 5000 });
});

test("the root key speaks above all admins", () => {
  const [root, ann] = [new Chain("root", 2), new Chain("ann")];
  root.says(revoke(ann, 0), admit("bob", "admin"));
  ann.says({ kind: "member.revoked", peer: peerNamed("bob"), last: [] });
  expect(names(folded(root, ann))).toEqual(["bob"]);
});

test("random words of many admins come to the same in any order", () => {
  const people = ["ann", "bob", "cat", "dan"];
  const act = fc.record({ by: fc.nat(3), on: fc.nat(3), what: fc.nat(4), known: fc.nat(6) });
  fc.assert(
    fc.property(fc.array(act, { maxLength: 12 }), fc.infiniteStream(fc.nat()), (acts, lots) => {
      const chains = people.map((name) => new Chain(name));
      for (const { by, on, what, known } of acts) {
        const [chain, target] = [chains[by]!, chains[on]!];
        const place = Math.min(known, target.entries.length);
        if (what === 0) chain.says(admit(people[on]!, "admin", "builder"));
        else if (what === 1) chain.says(revoke(target, place));
        else if (what === 2)
          chain.says(roles(target, known + 1, known % 2 === 0 ? ["admin"] : ["builder"], place));
        else if (what === 3)
          chain.says({ kind: "member.renewed", peer: target.peer, notAfterMs: 1000 + known });
        else chain.says({ kind: "member.left" });
      }
      const entries = [founding, ...chains.flatMap((chain) => chain.entries)];
      const order = entries
        .map((entry) => ({ entry, lot: lots.next().value! }))
        .sort((a, b) => a.lot - b.lot)
        .map(({ entry }) => entry);
      const [one, other] = [fold(entries), fold(order)];
      expect(other.all()).toEqual(one.all());
      expect(other.formers()).toEqual(one.formers());
      for (const entry of entries) expect(other.may("claim", entry)).toBe(one.may("claim", entry));
    }),
    { numRuns: 300 },
  );
});

test("the last words of an author name the ends of its starts, those others stand on first", () => {
  const words = new LastWords();
  for (let start = 1; start <= lastWordsMax + 5; start++) {
    const inc = `${start}-00000000` as Incarnation;
    const entry = {
      v: 1,
      swarm,
      author: peerNamed("bob"),
      inc,
      seq: 0,
      prev: null,
      hlc: [0, 0],
      last: -1,
    } as const;
    words.hear(said({ ...entry, events: [start === 1 ? admit("cat") : word] }));
    words.hear(said({ ...entry, seq: 1, last: 0, events: [word] }));
  }
  const last = words.of(peerNamed("bob"));
  expect(last).toHaveLength(lastWordsMax);
  expect(last[0]).toMatchObject({ inc: "1-00000000", seq: 1 });
  expect(last[1]).toMatchObject({ inc: `${lastWordsMax + 5}-00000000`, seq: 1 });
  expect(words.of(peerNamed("eve"))).toEqual([]);
  expect(last[0]!.id satisfies EntryId).toHaveLength(64);
});

test("from where an admin contradicts himself nothing he says of members counts, whenever the proof comes; what he said before does", () => {
  const [ann, bob, again] = [new Chain("ann"), new Chain("bob"), new Chain("bob", 2)];
  ann.says(admit("bob", "admin"), admit("eve"));
  bob.says(admit("cat", "admin"));
  const first = bob.says(admit("dan"));
  const cat = new Chain("cat");
  bob.says(revoke(cat), revoke(ann), { kind: "member.rotated", peer: peerNamed("fay") });
  cat.says(admit("gus"));
  again.says(admit("hal"));
  const other = said({ ...first.entry, events: [admit("mallory")] });
  const proof = proofOf(first, other) as EventOf<"fork">;
  const entries = [founding, other, ...[ann, bob, cat, again].flatMap((chain) => chain.entries)];
  expect(names(fold(entries))).not.toContain("gus");
  fc.assert(
    fc.property(fc.shuffledSubarray([proof, ...entries], { minLength: entries.length + 1 }), (order) => {
      const members = new Members(swarm);
      for (const one of order) "kind" in one ? members.prove(one) : members.consider(one);
      expect(names(members)).toEqual(["ann", "bob", "cat", "eve", "gus", "hal"]);
      expect(members.formers()).toEqual([]);
    }),
    { numRuns: 100 },
  );
});

test("the root key stands above its contradictions: what founded the swarm stays", () => {
  const other = said({ ...founding.entry, events: [{ kind: "another story" }] });
  const members = fold([founding]);
  members.prove(proofOf(founding, other) as EventOf<"fork">);
  expect(names(members)).toEqual(["ann"]);
});

test("a name is the one with the highest serial that an admin gave, in any order, and goes on with a new key", () => {
  const [ann, bob, cat] = ["ann", "bob", "cat"].map((name) => new Chain(name)) as [Chain, Chain, Chain];
  const rename = (chain: Chain, name: string, serial: number): Event => ({
    kind: "member.renamed",
    peer: chain.peer,
    name,
    serial,
  });
  const admitted = ann.says(admit("bob"), admit("cat"));
  const words = [
    founding,
    admitted,
    ann.says(rename(bob, "attic", 1)),
    ann.says(rename(bob, "cellar", 2)),
    cat.says(rename(bob, "mine", 9)),
    bob.says(rename(bob, "own", 9)),
    bob.says({ kind: "member.rotated", peer: peerNamed("bob again") }),
  ];
  const members = fold(words);
  expect(members.nameOf(bob.peer)).toBe("cellar");
  expect(members.get(peerNamed("bob again"))?.name).toBe("cellar");
  expect(members.nextNameSerial(bob.peer)).toBe(3);
  for (const order of [words.toReversed(), words.toSorted((a, b) => (a.id < b.id ? -1 : 1))])
    expect(fold(order).nameOf(bob.peer)).toBe("cellar");
  expect(fold([...words, ann.says(rename(bob, "gone", 2))]).nextNameSerial(bob.peer)).toBe(3);
});
