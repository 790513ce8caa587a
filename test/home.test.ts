import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { adoptCertificates, createHome, findHome, foundSwarm, type Home, openHome } from "../node/home.ts";
import { nextIncarnation } from "../node/identity.ts";
import { drawTicketKey, redemptionOf } from "../node/invitation.ts";
import { lockHome } from "../node/lock.ts";
import { createSigner } from "../node/signer.ts";
import { openEventStore } from "../node/store/events.ts";
import { incarnationCounter, isIncarnation, type PeerId, type SwarmId } from "../protocol/kernel/ids.ts";
import type { Signer } from "../protocol/ports.ts";
import { encodeAdmission, readAdmission, redemptionHash } from "../protocol/swarm/admission.ts";
import { Members } from "../protocol/swarm/members.ts";
import { type Entry, type SignedEntry, sealEntry, signedEntry } from "../protocol/timeline/entry.ts";
import { peerNamed } from "./contract/chain.ts";

let root: string;
let dir: string;

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), "swarmd-home-"));
  dir = path.join(root, "home");
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function entriesIn(home: Home): Promise<readonly SignedEntry[]> {
  const store = await openEventStore(home.places.timeline);
  const { entries } = await store.restore();
  await store.close();
  return entries;
}

function signed(entry: Entry, signer: Signer): SignedEntry {
  const { body, id } = sealEntry(entry);
  return signedEntry(entry, body, id, signer.sign(id));
}

const modeOf = async (file: string) => (await stat(file)).mode & 0o777;

test("says so where no home can be made", async () => {
  await expect(createHome("/proc/nope/home", { name: "a" })).rejects.toMatchObject({ code: "home-invalid" });
});

test("a new home is its owner's alone and knows its name", async () => {
  const home = await createHome(dir, { name: "ann" });
  expect(home).toMatchObject({ dir, name: "ann", swarm: undefined });
  expect(await modeOf(dir)).toBe(0o700);
  expect(await modeOf(path.join(home.places.identity, "node.key"))).toBe(0o600);
  expect(await modeOf(home.places.blobs)).toBe(0o700);
});

test("a home made twice, or opened later, is the same node", async () => {
  const first = await createHome(dir, { name: "ann" });
  const again = await createHome(dir, { name: "bob" });
  const later = await openHome(dir);
  expect(again.name).toBe("ann");
  expect([again.identity.peer, later.identity.peer]).toEqual([first.identity.peer, first.identity.peer]);
});

test("two that make one home at once get one key", async () => {
  const homes = await Promise.all([1, 2, 3, 4].map(() => createHome(dir, { name: "ann" })));
  expect(new Set(homes.map((home) => home.identity.peer)).size).toBe(1);
  expect((await readdir(path.join(dir, "identity"))).sort()).toEqual(["node.key"]);
});

test("where no home is, none is found, and opening names the way to one", async () => {
  expect(await findHome(dir)).toBeUndefined();
  await expect(openHome(dir)).rejects.toMatchObject({ code: "home-invalid", remedy: /init/ });
});

test("a home whose making was interrupted is made to its end", async () => {
  await createHome(dir, { name: "ann" });
  await rm(path.join(dir, "home.json"));
  expect((await createHome(dir, { name: "ann" })).name).toBe("ann");
});

test("a folder that holds something else is not taken", async () => {
  await mkdir(dir);
  await writeFile(path.join(dir, "thesis.tex"), "");
  await expect(createHome(dir, { name: "ann" })).rejects.toMatchObject({ code: "home-invalid" });
  expect(await readdir(dir)).toEqual(["thesis.tex"]);
});

test("a file in the place of the home is refused", async () => {
  await writeFile(dir, "");
  await expect(createHome(dir, { name: "ann" })).rejects.toMatchObject({ code: "home-invalid" });
  await expect(openHome(dir)).rejects.toMatchObject({ code: "home-invalid" });
});

test("a name that cannot name a node is refused before anything is made", async () => {
  for (const name of ["", "Ann", "-ann", "a b", "a".repeat(64), "ä"])
    await expect(createHome(dir, { name }), name).rejects.toMatchObject({ code: "usage" });
  expect(await readdir(root)).toEqual([]);
});

test("a damaged home.json, a newer one, and a key others may read are refused, each with what to do", async () => {
  const home = await createHome(dir, { name: "ann" });
  const file = path.join(dir, "home.json");
  const good = await readFile(file);
  for (const text of ["", "{", "[]", "null", `{"version":1}`, `{"version":1,"name":"ann","x":1}`]) {
    await writeFile(file, text);
    await expect(openHome(dir), text).rejects.toMatchObject({ code: "home-invalid", remedy: /./ });
  }
  await writeFile(file, `{"version":2,"name":"ann"}`);
  await expect(openHome(dir)).rejects.toMatchObject({ code: "store-newer", remedy: /./ });
  await writeFile(file, good);
  const key = path.join(home.places.identity, "node.key");
  await chmod(key, 0o640);
  await expect(openHome(dir)).rejects.toMatchObject({ code: "home-invalid", remedy: `chmod 600 ${key}` });
  await chmod(key, 0o600);
  await writeFile(key, "-----BEGIN PRIVATE KEY-----\n");
  await expect(openHome(dir)).rejects.toMatchObject({ code: "home-invalid", remedy: /./ });
  await rm(key);
  await chmod(dir, 0o777);
  await expect(openHome(dir)).rejects.toMatchObject({ code: "home-invalid", remedy: `chmod 700 ${dir}` });
});

test("founding admits the founder as admin by the root key, which only the owner can read", async () => {
  const { home, rootKeyFile } = await foundSwarm(await createHome(dir, { name: "ann" }), { name: "garden" });
  expect(home.swarm?.name).toBe("garden");
  expect(await modeOf(rootKeyFile)).toBe(0o600);
  const entries = await entriesIn(home);
  expect(entries).toHaveLength(1);
  const { entry, id, sig } = entries[0]!;
  expect(entry.author).not.toBe(home.identity.peer);
  expect(home.identity.signer.verify(entry.author, id, sig)).toBe(true);
  const members = new Members(home.swarm!.id);
  expect(members.present(entries)).toHaveLength(1);
  for (const role of ["admin", "releaser", "builder", "submitter"] as const)
    expect(members.has(home.identity.peer, role)).toBe(true);
});

test("two swarms of one name are two swarms", async () => {
  const a = await foundSwarm(await createHome(dir, { name: "ann" }), { name: "garden" });
  const b = await foundSwarm(await createHome(path.join(root, "b"), { name: "ann" }), { name: "garden" });
  expect(a.home.swarm!.id).not.toBe(b.home.swarm!.id);
});

test("a home founds once, and not while a daemon has it", async () => {
  const home = await createHome(dir, { name: "ann" });
  const lock = await lockHome(dir);
  await expect(foundSwarm(home, { name: "garden" })).rejects.toMatchObject({ code: "home-locked" });
  await lock.release();
  await foundSwarm(home, { name: "garden" });
  await expect(foundSwarm(home, { name: "garden" })).rejects.toMatchObject({ code: "already-a-member" });
});

test("a founding that was interrupted is done anew, with the root key that was made", async () => {
  const { home, rootKeyFile } = await foundSwarm(await createHome(dir, { name: "ann" }), { name: "garden" });
  const key = await readFile(rootKeyFile, "utf8");
  await writeFile(path.join(dir, "home.json"), JSON.stringify({ version: 1, name: "ann" }));
  const again = await foundSwarm(await openHome(dir), { name: "garden" });
  expect(await readFile(rootKeyFile, "utf8")).toBe(key);
  expect(again.home.swarm!.id).not.toBe(home.swarm!.id);
  const entries = await entriesIn(again.home);
  expect(entries.map((e) => e.entry.swarm)).toEqual([again.home.swarm!.id]);
});

async function swarmWithGuest() {
  const { home: ann } = await foundSwarm(await createHome(dir, { name: "ann" }), { name: "garden" });
  const bob = await createHome(path.join(root, "bob"), { name: "bob" });
  const founding = (await entriesIn(ann))[0]!;
  const admitting = (peer: PeerId, swarm = ann.swarm!.id): Entry => ({
    v: 1,
    swarm,
    author: ann.identity.peer,
    inc: "1-00000001" as Entry["inc"],
    seq: 0,
    prev: null,
    hlc: [1, 0],
    last: -1,
    events: [{ kind: "member.admitted", peer, name: "bob", roles: ["builder"], notAfterMs: 2 ** 42 }],
  });
  return { ann, bob, founding, admitting };
}

test("a guest enters with the certificates that admit it", async () => {
  const { ann, bob, founding, admitting } = await swarmWithGuest();
  const certificate = signed(admitting(bob.identity.peer), ann.identity.signer);
  const home = await adoptCertificates(bob, ann.swarm!.id, [founding, certificate]);
  expect(home.swarm).toEqual(ann.swarm);
  expect((await entriesIn(home)).map((e) => e.id).sort()).toEqual([founding.id, certificate.id].sort());
  await expect(adoptCertificates(home, ann.swarm!.id, [founding, certificate])).rejects.toMatchObject({
    code: "already-a-member",
  });
});

test("certificates that are forged, foreign or for somebody else leave the guest outside", async () => {
  const { ann, bob, founding, admitting } = await swarmWithGuest();
  const own = bob.identity.peer;
  const good = signed(admitting(own), ann.identity.signer);
  const flipped = { ...good, sig: good.sig.map((byte, i) => (i === 3 ? byte ^ 1 : byte)) };
  const other = "b".repeat(64) as SwarmId;
  const cases: [string, string, SwarmId, SignedEntry[]][] = [
    ["none", "wrong-swarm", ann.swarm!.id, []],
    ["a signature altered", "unauthentic", ann.swarm!.id, [founding, flipped]],
    [
      "signed by another",
      "unauthentic",
      ann.swarm!.id,
      [founding, signed(admitting(own), bob.identity.signer)],
    ],
    ["of another swarm", "wrong-swarm", other, [founding, good]],
    ["without the founding", "wrong-swarm", ann.swarm!.id, [good]],
    [
      "for another",
      "not-a-member",
      ann.swarm!.id,
      [founding, signed(admitting(peerNamed("x")), ann.identity.signer)],
    ],
    [
      "of two swarms",
      "not-a-member",
      ann.swarm!.id,
      [founding, signed(admitting(own, other), ann.identity.signer)],
    ],
  ];
  for (const [what, code, swarm, certificates] of cases)
    await expect(adoptCertificates(bob, swarm, certificates), what).rejects.toMatchObject({ code });
  expect((await openHome(bob.dir)).swarm).toBeUndefined();
});

test("each start has a later incarnation, with a nonce of its own", async () => {
  const { places } = await createHome(dir, { name: "ann" });
  const starts = [];
  for (let n = 0; n < 3; n++) starts.push(await nextIncarnation(places.identity));
  expect(starts.every(isIncarnation)).toBe(true);
  expect(starts.map(incarnationCounter)).toEqual([1, 2, 3]);
  expect(new Set(starts.map((inc) => inc.split("-")[1])).size).toBe(3);
  // Others remembered starts that this home forgot.
  expect(incarnationCounter(await nextIncarnation(places.identity, 7))).toBe(8);
  expect(incarnationCounter(await nextIncarnation(places.identity, 2))).toBe(9);
  await writeFile(path.join(places.identity, "incarnation"), "many\n");
  await expect(nextIncarnation(places.identity)).rejects.toMatchObject({ code: "home-invalid" });
});

test("who holds a ticket proves it for its own key alone, and not after its time", async () => {
  const { ticket, secret, key } = drawTicketKey();
  const whole = {
    swarm: "a".repeat(64) as SwarmId,
    swarmName: "garden",
    ticket,
    issuer: peerNamed("ann"),
    addrs: ["/ip4/127.0.0.1/tcp/1"],
    roles: ["builder" as const],
    notAfterMs: 1000,
    secret,
  };
  const bob = peerNamed("bob");
  const redemption = redemptionOf(whole, bob, "bob", 1000);
  expect(readAdmission(encodeAdmission(redemption))).toEqual(redemption);
  expect(redemption.key).toBe(key);
  const { verify } = createSigner(secret);
  const holdsFor = (node: PeerId) =>
    verify(
      key,
      Buffer.from(redemptionHash(whole.swarm, node, redemption.nonce)).toString("hex"),
      redemption.proof,
    );
  expect(holdsFor(bob)).toBe(true);
  expect(holdsFor(peerNamed("eve"))).toBe(false);
  expect(() => redemptionOf(whole, bob, "bob", 1001)).toThrow(
    expect.objectContaining({ code: "ticket-expired" }),
  );
});

test("a home shown in a log shows no secret", async () => {
  const home = await createHome(dir, { name: "ann" });
  const shown = JSON.stringify({ home });
  expect(shown).toContain(home.identity.peer);
  expect(shown).not.toMatch(/seed|PRIVATE/);
});
