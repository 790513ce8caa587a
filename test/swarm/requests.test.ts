/** Strangers ask at any door, and admins anywhere hear of it: told again now and then, forgotten after a while, bounded always. */
import { beforeEach, describe, expect, test } from "vitest";
import type { PeerId } from "../../protocol/kernel/ids.ts";
import { certificateMs, Registrar } from "../../protocol/swarm/registrar.ts";
import { Requests } from "../../protocol/swarm/requests.ts";
import { peerNamed } from "../contract/chain.ts";
import { TestHouse } from "./house.ts";

let house: TestHouse;
let requests: Requests;
const open = (self = "ann") => {
  house = new TestHouse(self);
  requests = new Requests(house, new Registrar(house));
};
beforeEach(() => open());

const asks = (name: string, source = "192.0.2.7", roles: [] | ["observer"] = []) =>
  requests.asked(peerNamed(name), source, { name, roles });
const heard = (name: string, via: PeerId) => requests.heard({ via, peer: peerNamed(name), name, roles: [] });
const names = () => requests.all().map((r) => r.name);

describe("at the own door", () => {
  test("a stranger waits and others are told, again only after a while", () => {
    expect(asks("zoe")).toEqual({ ok: "pending" });
    expect(asks("cleo")).toEqual({ ok: "pending" });
    expect(names()).toEqual(["cleo", "zoe"]);
    expect(house.requests().map((r) => [r.via, r.name])).toEqual([
      [house.config.self, "zoe"],
      [house.config.self, "cleo"],
    ]);
    house.pass(4_000);
    asks("cleo");
    expect(house.requests()).toEqual([]);
    house.pass(2_000);
    asks("cleo");
    expect(house.requests().map((r) => r.name)).toEqual(["cleo"]);
  });

  test("is forgotten half an hour after it last asked, and once it is a member", () => {
    asks("zoe");
    asks("cleo");
    house.pass(29 * 60_000);
    asks("zoe");
    house.pass(2 * 60_000);
    requests.tick();
    expect(names()).toEqual(["zoe"]);
    house.admit("zoe");
    requests.tick();
    expect(names()).toEqual([]);
  });

  test("a name that is taken, and whom an admin has denied, are refused with the reason", () => {
    const ben = house.admit("ben");
    expect(requests.asked(peerNamed("other"), "s", { name: "ben", roles: [] })).toMatchObject({
      ok: false,
      message: "a member is named ben already",
    });
    asks("cleo");
    requests.denied(ben, { kind: "join.denied", peer: peerNamed("cleo"), name: "cleo", reason: "who?" });
    expect(names()).toEqual([]);
    expect(asks("cleo")).toMatchObject({
      ok: false,
      code: "refused",
      message: "ben does not let this node in: who?",
    });
  });

  test("one source asks for four at most, one door for 32", () => {
    for (let i = 0; i < 4; i++) expect(asks(`a${i}`)).toEqual({ ok: "pending" });
    expect(asks("a4")).toMatchObject({ ok: false, message: "too many ask to join already" });
    // Who waits already asks on.
    expect(asks("a3")).toEqual({ ok: "pending" });
    for (let i = 4; i < 32; i++) expect(asks(`b${i}`, `source ${i}`)).toEqual({ ok: "pending" });
    expect(asks("late", "one more")).toMatchObject({ ok: false });
    expect(requests.all()).toHaveLength(32);
  });

  test("whoever connects hears of those that wait, if they asked of late", () => {
    asks("zoe");
    house.requests();
    requests.connected();
    requests.tick();
    expect(house.requests().map((r) => r.name)).toEqual(["zoe"]);
    requests.tick();
    expect(house.requests()).toEqual([]);
    house.pass(11_000);
    requests.connected();
    requests.tick();
    expect(house.requests()).toEqual([]);
  });
});

describe("at another's door", () => {
  test("members tell of requests; strangers, and this node's own word come back, are not heard", () => {
    const ben = house.admit("ben");
    heard("zoe", ben);
    heard("eve", peerNamed("a stranger"));
    heard("fay", house.config.self);
    expect(names()).toEqual(["zoe"]);
  });

  test("one member tells of 32 at most, all together of 128", () => {
    const doors = Array.from({ length: 5 }, (_, i) => house.admit(`door${i}`));
    for (const via of doors) for (let i = 0; i < 40; i++) heard(`${i} of ${via}`, via);
    const all = requests.all();
    expect(all).toHaveLength(128);
    expect(Math.max(...doors.map((via) => all.filter((r) => r.via === via).length))).toBe(32);
  });

  test("one that waits here is this node's to tell of, until it asks no more", () => {
    const ben = house.admit("ben");
    asks("zoe");
    heard("zoe", ben);
    expect(requests.all()[0]!.via).toBe(house.config.self);
    house.pass(6_000);
    heard("zoe", ben);
    expect(requests.all()[0]!.via).toBe(ben);
  });
});

describe("an admin's word", () => {
  test("lets in with the roles asked for, the ticket's, those given, or the usual ones", () => {
    asks("zoe");
    asks("obi", "s", ["observer"]);
    const roles = (name: string, given?: ["releaser"]) => {
      const event = requests.approval(peerNamed(name), given, new Map());
      return event.kind === "member.admitted" && event.roles;
    };
    expect(roles("zoe")).toEqual(["submitter", "builder"]);
    expect(roles("obi")).toEqual(["observer"]);
    expect(roles("zoe", ["releaser"])).toEqual(["releaser"]);
    const proof = {
      ticket: "t1",
      key: peerNamed("key"),
      nonce: "0".repeat(32),
      proof: new Uint8Array(64),
    };
    requests.asked(peerNamed("tom"), "s", { name: "tom", roles: [] }, proof);
    const issued = {
      issuer: house.config.self,
      event: {
        kind: "ticket.issued" as const,
        ticket: "t1",
        key: peerNamed("key"),
        roles: ["builder" as const],
        notAfterMs: 1,
      },
    };
    expect(requests.approval(peerNamed("tom"), undefined, new Map([["t1", issued]]))).toMatchObject({
      roles: ["builder"],
      ticket: "t1",
      notAfterMs: Math.floor(house.now.wallMs + certificateMs),
    });
  });

  test("is refused on a node that is no admin, for whom nobody knows, and for a member", () => {
    expect(() => requests.approval(peerNamed("zoe"), undefined, new Map())).toThrow(
      expect.objectContaining({ code: "not-found" }),
    );
    asks("zoe");
    house.admit("zoe");
    expect(() => requests.approval(peerNamed("zoe"), undefined, new Map())).toThrow(
      expect.objectContaining({ code: "already-a-member" }),
    );
    open("ben");
    house.admit("ben");
    asks("zoe");
    for (const word of [
      () => requests.approval(peerNamed("zoe"), undefined, new Map()),
      () => requests.denial(peerNamed("zoe"), undefined),
    ])
      expect(word).toThrow(expect.objectContaining({ code: "role-missing" }));
  });
});

describe("a member whose certificate has ended", () => {
  test("is told of at its door, and renewed by an admin that hears of it, once a minute at most", () => {
    const zoe = house.admit("zoe", ["builder"], house.now.wallMs - 1);
    const ben = house.admit("ben");
    requests.expired(zoe);
    requests.expired(zoe);
    expect(house.requests()).toMatchObject([{ peer: zoe, renewal: true }]);
    // It asks nobody to be let in.
    expect(names()).toEqual([]);
    for (let i = 0; i < 5; i++) {
      requests.heard({ via: ben, peer: zoe, name: "zoe", roles: [], renewal: true });
      house.pass(20_000);
    }
    expect(house.said).toMatchObject([
      { kind: "member.renewed", peer: zoe },
      { kind: "member.renewed", peer: zoe },
    ]);
    expect(house.members.get(zoe)!.notAfterMs).toBeGreaterThan(house.now.wallMs);
  });

  test("is renewed by nobody who is no admin, and strangers by none", () => {
    open("ben");
    const ben = house.admit("ben");
    const cat = house.admit("cat");
    requests.heard({ via: cat, peer: ben, name: "ben", roles: [], renewal: true });
    open();
    const dan = house.admit("dan");
    requests.heard({ via: dan, peer: peerNamed("eve"), name: "eve", roles: [], renewal: true });
    expect(house.said).toEqual([]);
  });
});
