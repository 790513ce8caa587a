/** What admins say of members is refused where it would be ignored, and certificates are renewed on sight. */
import { describe, expect, test } from "vitest";
import type { MemberOperation } from "../../protocol/contract.ts";
import { certificateMs, Registrar } from "../../protocol/swarm/registrar.ts";
import type { Role } from "../../protocol/timeline/events.ts";
import { peerNamed } from "../contract/chain.ts";
import { TestHouse } from "./house.ts";

type Word = Exclude<MemberOperation, { op: "approve" | "deny" }>;
const day = 86_400_000;

function open(self = "ann") {
  const house = new TestHouse(self);
  const registrar = new Registrar(house);
  /** What it answers, and what it says. */
  const word = (operation: Word, reason?: string) => {
    const before = house.said.length;
    registrar.carryOut(1, operation, reason);
    const [reply] = house.replies();
    return { reply, said: house.said.slice(before) };
  };
  return { house, registrar, word };
}

describe("a word of an admin", () => {
  test("gives roles in their usual order, each change above the one before", () => {
    const { house, word } = open();
    const ben = house.admit("ben");
    const give = (...roles: Role[]) => word({ op: "role", peer: ben, roles }, "trusted").said;
    expect(give("releaser", "observer")).toMatchObject([
      { kind: "member.role", roles: ["observer", "releaser"], serial: 1, reason: "trusted" },
    ]);
    expect(give("builder")).toMatchObject([{ serial: 2 }]);
    expect(house.members.get(ben)!.roles).toEqual(["builder"]);
    expect(word({ op: "role", peer: ben, roles: [] }).reply).toMatchObject({ ok: false, code: "usage" });
  });

  test("revokes with the last words that are known, or with none when it disowns", () => {
    const { house, word } = open();
    const ben = house.admit("ben");
    house.told("ben", { kind: "node.down", reason: "tired" });
    const [said] = word({ op: "revoke", peer: ben }, "sold").said;
    expect(said).toMatchObject({ kind: "member.revoked", peer: ben, reason: "sold", last: [{ seq: 1 }] });
    expect(house.members.former(ben)?.parting.why).toBe("revoked");
    expect(word({ op: "revoke", peer: ben }).reply).toMatchObject({
      code: "not-found",
      message: "ben is a member no more",
    });
    const cat = house.admit("cat");
    house.told("cat", { kind: "node.down", reason: "tired" });
    expect(word({ op: "revoke", peer: cat, disown: true }).said).toMatchObject([{ last: [] }]);
  });

  test("does not revoke itself, nor leave a swarm without an admin unless it is forced", () => {
    const { house, word } = open();
    const ann = peerNamed("ann");
    house.admit("ben");
    expect(word({ op: "revoke", peer: ann }).reply).toMatchObject({ code: "usage" });
    for (const operation of [
      { op: "leave" },
      { op: "role", peer: ann, roles: ["builder"] },
    ] as const satisfies Word[]) {
      expect(word(operation).reply).toMatchObject({ ok: false, code: "refused" });
      expect(house.said).toEqual([]);
    }
    house.admit("cat", ["admin"]);
    expect(word({ op: "role", peer: ann, roles: ["builder"] }).reply).toEqual({ ok: true });
    expect(house.members.get(ann)!.roles).toEqual(["builder"]);
  });

  test("who is alone may leave; where it is the last admin only by force", () => {
    expect(open().word({ op: "leave" }).said).toMatchObject([{ kind: "member.left" }]);
    const { house, word } = open();
    house.admit("ben");
    expect(word({ op: "leave", force: true }).said).toMatchObject([{ kind: "member.left" }]);
  });

  test("of one who is no admin is refused, with the name of one who is", () => {
    const { house, word } = open("ben");
    const ben = house.admit("ben");
    const cat = house.admit("cat");
    for (const operation of [
      { op: "role", peer: cat, roles: ["builder"] },
      { op: "revoke", peer: cat },
      { op: "renew", peer: ben },
    ] as const satisfies Word[])
      expect(word(operation).reply).toMatchObject({
        code: "role-missing",
        remedy: "run it on the machine of an admin: ann",
      });
    expect(house.said).toEqual([]);
    // Of itself it may say that it goes on under another key, or goes.
    expect(word({ op: "rotate", peer: peerNamed("next") }).said).toMatchObject([{ kind: "member.rotated" }]);
    expect(house.members.get(peerNamed("next"))?.name).toBe("ben");
  });
});

describe("renewal on sight", () => {
  /** Members, of whom two have certificates that end within a month. */
  const farm = (self: string) => {
    const { house, registrar } = open(self);
    const soon = house.now.wallMs + 20 * day;
    house.admit("ben", ["builder", "admin"]);
    return {
      house,
      registrar,
      cat: house.admit("cat", ["builder"], soon),
      dan: house.admit("dan", ["builder"], soon),
    };
  };
  const firstAdmin = ["ann", "ben"].sort((a, b) => (peerNamed(a) < peerNamed(b) ? -1 : 1))[0]!;
  const otherAdmin = firstAdmin === "ann" ? "ben" : "ann";

  test("the first admin that lives renews whom it sees, and looks every ten seconds", () => {
    const { house, registrar, cat, dan } = farm(firstAdmin);
    house.gone.add(dan);
    registrar.tick();
    expect(house.said).toMatchObject([{ kind: "member.renewed", peer: cat }]);
    expect(house.members.get(cat)!.notAfterMs).toBe(Math.floor(house.now.wallMs + certificateMs));
    house.gone.delete(dan);
    house.pass(5_000);
    registrar.tick();
    expect(house.said).toHaveLength(1);
    house.pass(5_000);
    registrar.tick();
    expect(house.said.slice(1)).toMatchObject([{ kind: "member.renewed", peer: dan }]);
    house.pass(10_000);
    registrar.tick();
    expect(house.said).toHaveLength(2);
  });

  test("another admin leaves that to the first, as long as that one lives", () => {
    const { house, registrar } = farm(otherAdmin);
    registrar.tick();
    expect(house.said).toEqual([]);
    house.gone.add(peerNamed(firstAdmin));
    house.pass(10_000);
    registrar.tick();
    expect(house.said).toHaveLength(2);
  });

  test("who is no admin renews nobody", () => {
    const { house, registrar } = farm("cat");
    registrar.tick();
    expect(house.said).toEqual([]);
  });
});
