import { expect, test } from "vitest";
import type { BuildId, ClaimId } from "../../protocol/kernel/ids.ts";
import type { Message } from "../../protocol/swarm/message.ts";
import { type Entry, type SignedEntry, sealEntry, signedEntry } from "../../protocol/timeline/entry.ts";
import { fakePeer, fakeSigner } from "../../sim/signer.ts";
import { graphOf } from "../work/facts.ts";
import { Cores } from "./cores.ts";

const signed = (entry: Entry): SignedEntry => {
  const { body, id } = sealEntry(entry);
  return signedEntry(entry, body, id, fakeSigner(entry.author).sign(id));
};
const three = { ann: {}, bob: {}, cy: {} };
const wide = graphOf(Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`w${i}`, []])));

/** An entry of the timeline by anybody. */
const word = (cores: Cores, author: string, events: Entry["events"], seq = 0): SignedEntry =>
  signed({
    v: 1,
    swarm: cores.founding.entry.swarm,
    author: fakePeer(author),
    inc: "77-00000077" as Entry["inc"],
    seq,
    prev: null,
    hlc: [0, 0],
    last: seq - 1,
    events,
  });

const redeem = (cores: Cores, id: number, peer: string, fields = {}) => {
  const effects = cores.step(cores.node("ann"), {
    kind: "redeemed",
    id,
    peer: fakePeer(peer),
    source: "10.0.0.9",
    redemption: {
      kind: "redeem",
      swarm: cores.founding.entry.swarm,
      ticket: "t1",
      key: fakePeer("ticket"),
      nonce: "0123456789",
      name: peer,
      proof: new Uint8Array(64),
      wallMs: 0,
      ...fields,
    },
  });
  for (const e of effects)
    if (e.kind === "admitted")
      effects.push(...cores.step(cores.node("ann"), { kind: "admitted", id: e.id, peer: e.peer }));
  return effects.flatMap((e) => (e.kind === "admission" ? [e.reply] : []))[0];
};

function inviting(notAfterMs = 4e12): Cores {
  const cores = new Cores(three);
  const reply = cores.command("ann", {
    kind: "invite",
    ticket: "t1",
    key: fakePeer("ticket"),
    roles: ["builder"],
    notAfterMs,
  });
  expect(reply).toEqual({ ok: true });
  return cores;
}

test("nobody but its issuer uses a ticket up, whatever he says on his own chain", () => {
  const cores = inviting();
  const forged = {
    kind: "member.admitted",
    peer: fakePeer("eve"),
    name: "eve",
    roles: ["builder"],
    notAfterMs: 4e12,
    ticket: "t1",
  };
  cores.step(cores.node("ann"), {
    kind: "message",
    from: cores.node("bob").peer,
    message: { kind: "entries", entries: [word(cores, "bob", [forged])] },
  });
  expect(cores.node("ann").core.desk.members.has(fakePeer("eve"))).toBe(false);
  expect(redeem(cores, 900, "dan")).toMatchObject({ ok: true });
});

test("a ticket is good once, for its user again, also after a restart; the wrong key, another node and time are refused", () => {
  const cores = inviting();
  expect(redeem(cores, 1, "dan", { key: fakePeer("guess") })).toMatchObject({
    ok: false,
    code: "ticket-invalid",
  });
  expect(redeem(cores, 2, "dan", { ticket: "t2" })).toMatchObject({ ok: false, code: "ticket-invalid" });
  expect(redeem(cores, 3, "dan", { swarm: "0".repeat(64) })).toMatchObject({
    ok: false,
    code: "wrong-swarm",
  });
  const reply = redeem(cores, 4, "dan");
  expect(reply).toMatchObject({ ok: true });
  expect(cores.node("ann").core.desk.members.get(fakePeer("dan"))).toMatchObject({
    name: "dan",
    roles: ["builder"],
  });
  const admissions = () => cores.node("ann").said("member.admitted").length;
  expect(admissions()).toBe(1);
  expect(redeem(cores, 5, "dan")).toEqual(reply);
  expect(admissions()).toBe(1);
  expect(redeem(cores, 6, "eve")).toMatchObject({ ok: false, code: "ticket-used" });
  cores.kill("ann");
  cores.start("ann");
  expect(redeem(cores, 7, "eve")).toMatchObject({ ok: false, code: "ticket-used" });
  expect(redeem(cores, 8, "dan")).toEqual(reply);
  const late = inviting(1);
  expect(redeem(late, 9, "dan")).toMatchObject({ ok: false, code: "ticket-expired" });
});

test("the answer to a ticket waits for the durable entry that admits", () => {
  const cores = inviting();
  redeem(cores, 1, "dan");
  const effects = cores.node("ann").effects.map(({ effect }) => effect);
  const append = effects.findIndex(
    (e) => e.kind === "append" && e.entry.entry.events.some((x) => x.kind === "member.admitted"),
  );
  expect(effects[append]).toMatchObject({ durable: true });
  expect(effects.findIndex((e) => e.kind === "admitted")).toBeGreaterThan(append);
  expect(effects.findIndex((e) => e.kind === "admission")).toBeGreaterThan(append);
});

test("only an admin invites", () => {
  const cores = new Cores(three);
  const command = {
    kind: "invite",
    ticket: "t",
    key: fakePeer("k"),
    roles: ["builder"],
    notAfterMs: 4e12,
  } as const;
  expect(cores.command("bob", command)).toMatchObject({ ok: false, code: "role-missing" });
  expect(cores.node("bob").said("ticket.issued")).toEqual([]);
});

test("a stranger that presents itself leaves nothing behind; one from another swarm is told so", () => {
  const cores = new Cores(three);
  const ann = cores.node("ann");
  const before = ann.core.desk.chains.digest();
  const self = word(cores, "eve", [
    { kind: "member.admitted", peer: fakePeer("eve"), name: "eve", roles: ["admin"], notAfterMs: 4e12 },
  ]);
  const { swarm } = cores.founding.entry;
  const show = (fields: object) =>
    cores.step(ann, {
      kind: "presented",
      id: 1,
      peer: fakePeer("eve"),
      presentation: { kind: "present", swarm, certificates: [self], wallMs: 0, ...fields },
    });
  expect(show({})).toMatchObject([{ kind: "admission", reply: { ok: false, code: "not-a-member" } }]);
  expect(show({ certificates: [cores.founding, self] })).toMatchObject([{ reply: { code: "not-a-member" } }]);
  expect(show({ swarm: "0".repeat(64) })).toMatchObject([{ reply: { code: "wrong-swarm" } }]);
  expect(ann.core.desk.members.has(fakePeer("eve"))).toBe(false);
  expect(ann.core.desk.chains.digest()).toBe(before);
});

test("reasons that are none are refused at the edge: they must not spoil the entry of who grants", () => {
  const cores = new Cores(three);
  const build = cores.submit("ann", wide);
  cores.runFor(20);
  const message = {
    kind: "ask",
    id: "1",
    build,
    count: 1,
    actions: ["w0"],
    why: { parts: "none" },
  } as unknown as Message;
  const { peer } = cores.node("bob");
  expect(() => cores.hand(peer, "ann", message)).toThrow(expect.objectContaining({ code: "malformed" }));
  const many = Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`part ${i}`, i]));
  const why = { score: 1, parts: many, view: "0", seen: 1 };
  expect(() => cores.hand(peer, "ann", { ...message, why } as Message)).toThrow(
    expect.objectContaining({ code: "malformed" }),
  );
});

test("a vote for nobody: claims and expiries by members that may not build come to nothing once that is known", () => {
  const cores = new Cores({ ann: {}, bob: {}, cy: {}, dee: { roles: ["submitter"] } });
  cores.rules.run = () => ({ ms: 1, never: true });
  const build = cores.submit("ann", wide);
  cores.runUntil(() => cores.node("bob").running.size > 0);
  const [claim] = [...cores.node("bob").running.keys()] as ClaimId[];
  const bob = cores.node("bob");
  const dee = cores.node("dee").core;
  dee.desk.say(build, { kind: "expire", claim: claim!, reason: "so I say" }, { urgent: true });
  cores.tick(cores.node("dee"));
  cores.runFor(50);
  expect(bob.running.has(claim!)).toBe(true);
  // Dee becomes a builder: now what it said counts, everywhere, and nobody is left behind with a closed claim.
  const admitted = word(cores, "ann", [
    {
      kind: "member.admitted",
      peer: cores.node("dee").peer,
      name: "dee",
      roles: ["builder"],
      notAfterMs: 5e12,
    },
  ]);
  for (const node of cores.nodes)
    cores.step(node, {
      kind: "message",
      from: cores.node("ann").peer,
      message: { kind: "entries", entries: [admitted] },
    });
  cores.runFor(3000);
  expect(bob.running.has(claim!)).toBe(false);
  expect(bob.of("kill").map((k) => k.claim)).toContain(claim);
  expect(new Set(cores.nodes.map((n) => n.build(build).claims!.digest())).size).toBe(1);
});

test("a build whose results could not be said in one entry is refused, for its builders would stumble over them", () => {
  const cores = new Cores(three);
  const outputs = (count: number) =>
    Array.from({ length: count }, (_, i) => ({ path: `out/${"x".repeat(40)}/${i}`, kind: "file" as const }));
  expect(() => cores.submit("ann", graphOf({ a: [] }, { outputs: outputs(1000) }))).toThrow(/too-large/);
  const build = cores.submit("ann", graphOf({ a: [] }, { outputs: outputs(300) }));
  cores.finish(build);
  expect(cores.states(build).bob).toEqual(["done"]);
});

test("a build that nobody submitted stays nobody's: its facts are kept, no work is done on it", () => {
  const cores = new Cores(three);
  const ghost = "ghost-0123456789" as BuildId;
  const bob = cores.node("bob");
  bob.core.desk.say(
    ghost,
    { kind: "lost", action: "x" as never, results: ["y"], reason: "z" },
    { urgent: true },
  );
  cores.step(cores.node("ann"), { kind: "tick" });
  cores.tick(bob);
  cores.runFor(3000);
  expect(cores.node("cy").core.desk.liveBuilds()).toEqual([]);
});
