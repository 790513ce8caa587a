import fc from "fast-check";
import { expect, test } from "vitest";
import type { Incarnation, PeerId, SwarmId } from "../../protocol/kernel/ids.ts";
import { foundingEntry } from "../../protocol/swarm/founding.ts";
import { Members, swarmIdOf } from "../../protocol/swarm/members.ts";
import { type Entry, type SignedEntry, sealEntry, signedEntry } from "../../protocol/timeline/entry.ts";
import type { Role } from "../../protocol/timeline/events.ts";
import { peerNamed } from "../contract/chain.ts";

const [root, ann, bob, cat, dan, eve] = ["root", "ann", "bob", "cat", "dan", "eve"].map(peerNamed) as [
  PeerId,
  PeerId,
  PeerId,
  PeerId,
  PeerId,
  PeerId,
];
const document = { name: "garden", root, nonce: "0".repeat(32) };
const swarm = swarmIdOf(document);

function said(entry: Entry): SignedEntry {
  const { body, id } = sealEntry(entry);
  return signedEntry(entry, body, id, new Uint8Array(64));
}
const foundedAs = (changes: Partial<Parameters<typeof foundingEntry>[0]> = {}) =>
  said(foundingEntry({ ...document, admin: ann, adminName: "ann", nowMs: 0, notAfterMs: 1000, ...changes }));

let seq = 0;
function admits(
  author: PeerId,
  peer: PeerId,
  {
    roles = ["builder"],
    notAfterMs = 1000,
    name = "node",
  }: { roles?: Role[]; notAfterMs?: number; name?: string } = {},
): SignedEntry {
  return said({
    v: 1,
    swarm,
    author,
    inc: "1-00000001" as Incarnation,
    seq: seq++,
    prev: null,
    hlc: [0, 0],
    last: -1,
    events: [{ kind: "member.admitted", peer, name, roles, notAfterMs }],
  });
}

const founded = foundedAs();
const fold = (entries: readonly SignedEntry[], id: SwarmId = swarm) => {
  const members = new Members(id);
  for (const entry of entries) members.consider(entry);
  return members;
};

test("the founding entry makes its admin a member, and the swarm has its name", () => {
  const members = fold([founded]);
  expect(members.swarmName).toBe("garden");
  expect(members.all().map((member) => member.peer)).toEqual([ann]);
  expect(members.has(ann, "admin")).toBe(true);
  expect(members.has(ann, "observer")).toBe(false);
  expect(members.has(root)).toBe(false);
});

test("members are the same in whatever order and however often the admissions come", () => {
  const entries = [
    founded,
    admits(ann, bob, { roles: ["admin"] }),
    admits(bob, cat, { roles: ["admin", "builder"] }),
    admits(cat, dan, { notAfterMs: 5 }),
    admits(bob, dan, { notAfterMs: 9, roles: ["submitter"] }),
    admits(eve, peerNamed("frank")),
  ];
  const expected = fold(entries).all();
  expect(expected.map((member) => member.peer).sort()).toEqual([ann, bob, cat, dan].sort());
  fc.assert(
    fc.property(
      fc.shuffledSubarray([...entries, ...entries], {
        minLength: entries.length * 2,
        maxLength: entries.length * 2,
      }),
      (order) => {
        expect(fold(order).all()).toEqual(expected);
      },
    ),
  );
  expect(fold(entries).get(dan)).toMatchObject({ roles: ["submitter"], notAfterMs: 9 });
});

test("who is no admin admits nobody", () => {
  const members = fold([
    founded,
    admits(ann, bob, { roles: ["builder", "submitter"] }),
    admits(bob, eve),
    admits(eve, eve, { roles: ["admin"] }),
  ]);
  expect(members.has(eve)).toBe(false);
});

test("a founding entry that does not hash to the swarm, or that the root did not say, founds nothing", () => {
  const other = foundedAs({ nonce: "1".repeat(32), admin: eve, adminName: "eve" });
  const { entry } = foundedAs({ admin: eve, adminName: "eve" });
  const forged = said({ ...entry, author: eve });
  for (const wrong of [other, forged]) {
    const members = fold([wrong]);
    expect(members.all()).toEqual([]);
    expect(members.swarmName).toBe("");
  }
  expect(
    fold([other, forged, founded])
      .all()
      .map((member) => member.peer),
  ).toEqual([ann]);
});

test("certificates prove a member from the founding entry down, and prove it to a stranger", () => {
  const first = admits(ann, bob, { roles: ["admin"] });
  const second = admits(bob, cat);
  const known = fold([founded, first, second]);
  const chain = known.certificatesOf(cat);
  expect(chain.map((entry) => entry.id)).toEqual([founded.id, first.id, second.id]);
  const stranger = new Members(swarm);
  expect(stranger.present(chain)).toHaveLength(3);
  expect(stranger.has(cat, "builder")).toBe(true);
  expect(known.certificatesOf(eve)).toEqual([]);
});

test("what a stranger shows leaves nothing behind unless it proves itself", () => {
  const members = fold([founded]);
  const orphan = admits(eve, dan);
  expect(members.present([orphan])).toEqual([]);
  members.consider(admits(ann, eve, { roles: ["admin"] }));
  expect(members.has(dan)).toBe(false);
});
