/** An admin's word that what a member made counts no more: from which place on, who may say it, and that nothing else is touched. */
import { expect, test } from "vitest";
import type { Incarnation, PeerId } from "../../protocol/kernel/ids.ts";
import { Registrar } from "../../protocol/swarm/registrar.ts";
import { peerNamed } from "../contract/chain.ts";
import { TestHouse } from "./house.ts";

const [first, second] = ["1-00000001", "2-00000002"] as [Incarnation, Incarnation];
const spot = (author: PeerId, inc: Incarnation, seq: number) => ({ entry: { author, inc, seq } });

function open(self = "ann") {
  const house = new TestHouse(self);
  const ben = house.admit("ben");
  const registrar = new Registrar(house);
  const taint = (peer: PeerId, seq: number) => {
    registrar.carryOut(
      1,
      { op: "taint", peer, from: [{ inc: first, seq }], sinceMs: 1_800_000_000_000 },
      "bad memory",
    );
    return house.replies()[0];
  };
  return { house, ben, taint };
}

test("covers what the member made from there on in that start, and nothing that it said otherwise", () => {
  const { house, ben, taint } = open();
  expect(taint(ben, 7)).toEqual({ ok: true });
  const { members } = house;
  expect([6, 7, 8].map((seq) => members.spoiled(spot(ben, first, seq)))).toEqual([false, true, true]);
  expect(members.spoiled(spot(ben, second, 9))).toBe(false);
  expect(members.spoiled(spot(peerNamed("ann"), first, 9))).toBe(false);
  expect(members.counts(spot(ben, first, 8))).toBe(true);
  expect(members.taints.all()).toMatchObject([
    { peer: ben, sinceMs: 1_800_000_000_000, reason: "bad memory", by: peerNamed("ann") },
  ]);
});

test("is refused to who is no admin and for strangers, and counts for nothing when such a one says it all the same", () => {
  const { house, ben, taint } = open("ben");
  expect(taint(ben, 0)).toMatchObject({ ok: false, code: "role-missing" });
  const from = [{ inc: first, seq: 0 }];
  house.told("ben", { kind: "member.tainted", peer: peerNamed("ann"), from, sinceMs: 0 });
  expect(house.members.spoiled(spot(peerNamed("ann"), first, 1))).toBe(false);
  expect(open().taint(peerNamed("eve"), 0)).toMatchObject({ ok: false, code: "not-found" });
});

test("holds for one that was revoked since, and also when it is heard before the admin is known", () => {
  const { house, ben, taint } = open();
  house.told("ann", { kind: "member.revoked", peer: ben, last: [], reason: "sold" });
  expect(taint(ben, 3)).toEqual({ ok: true });
  expect(house.members.spoiled(spot(ben, first, 3))).toBe(true);
  const from = [{ inc: first, seq: 2 }];
  house.told("cat", { kind: "member.tainted", peer: ben, from, sinceMs: 0 });
  expect(house.members.spoiled(spot(ben, first, 2))).toBe(false);
  house.admit("cat", ["admin"]);
  expect(house.members.spoiled(spot(ben, first, 2))).toBe(true);
});
