import { expect, test } from "vitest";
import type { Incarnation } from "../../protocol/kernel/ids.ts";
import { foundingEntry } from "../../protocol/swarm/founding.ts";
import { Members } from "../../protocol/swarm/members.ts";
import { type Entry, type SignedEntry, sealEntry, signedEntry } from "../../protocol/timeline/entry.ts";
import { peerNamed } from "../contract/chain.ts";

const signed = (entry: Entry): SignedEntry => {
  const { body, id } = sealEntry(entry);
  return signedEntry(entry, body, id, new Uint8Array(64));
};
const founding = signed(
  foundingEntry({
    name: "x",
    root: peerNamed("root"),
    nonce: "n",
    admin: peerNamed("ann"),
    adminName: "ann",
    nowMs: 0,
    notAfterMs: 1000,
  }),
);
const { swarm } = founding.entry;
const admits = (author: string, name: string, roles: string[], notAfterMs: number): SignedEntry =>
  signed({
    ...founding.entry,
    author: peerNamed(author),
    inc: "1-00000001" as Incarnation,
    seq: notAfterMs,
    events: [{ kind: "member.admitted", peer: peerNamed(name), name, roles, notAfterMs }],
  });

test("admins that renewed each other, or are admins no more, still prove all they admitted to a stranger", () => {
  const members = new Members(swarm);
  for (const entry of [
    founding,
    admits("ann", "bob", ["admin"], 2000),
    admits("bob", "ann", ["admin"], 3000),
    admits("ann", "bob", ["builder"], 4000),
    admits("bob", "cy", ["builder"], 5000),
  ])
    members.consider(entry);
  for (const name of ["ann", "bob", "cy"]) {
    const fresh = new Members(swarm);
    fresh.present(members.certificatesOf(peerNamed(name)));
    expect(fresh.get(peerNamed(name)), name).toEqual(members.get(peerNamed(name)));
  }
  expect(members.certificatesOf(peerNamed("eve"))).toEqual([]);
});

test("a root that is its own admin proves itself with the founding entry alone", () => {
  const own = signed(
    foundingEntry({
      name: "x",
      root: peerNamed("root"),
      nonce: "n",
      admin: peerNamed("root"),
      adminName: "root",
      nowMs: 0,
      notAfterMs: 1000,
    }),
  );
  const members = new Members(swarm);
  members.consider(own);
  expect(members.certificatesOf(peerNamed("root"))).toEqual([own]);
});
