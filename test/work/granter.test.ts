import { describe, expect, test } from "vitest";
import type { Effect } from "../../protocol/contract.ts";
import type { ActionName, BuildId, ClaimId, Digest, Incarnation, PeerId } from "../../protocol/kernel/ids.ts";
import type { Message } from "../../protocol/swarm/message.ts";
import { type SignedEntry, sealEntry, signedEntry } from "../../protocol/timeline/entry.ts";
import { madeBy, peerNamed } from "../contract/chain.ts";
import { Cores, type Node } from "../core/cores.ts";
import { blob, graphOf, resultOf } from "./facts.ts";

const wide = graphOf(Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`w${i}`, []])));
const one = graphOf({ only: [] });
const three = { ann: {}, bob: {}, cy: {} };

const stewardOf = (cores: Cores, build: BuildId, what: string): Node => {
  const peer = cores.nodes.find((n) => n.up)!.core.desk.stewardOf(build, what);
  return cores.nodes.find((n) => n.peer === peer)!;
};
const ask = (build: BuildId, actions: string[], count = 1, id = "7") =>
  ({ kind: "ask", id, build, count, actions: actions as ActionName[] }) as const;
const answers = (effects: readonly Effect[]) =>
  effects.flatMap((e) =>
    e.kind === "send" && (e.message.kind === "grant" || e.message.kind === "deny") ? [e.message] : [],
  );

/** Nobody runs anything: a build whose actions stay as they are, asked for by hand. */
function idle(graph = wide): { cores: Cores; build: BuildId } {
  const cores = new Cores(three, { drops: (_, __, m) => m.kind === "ask" });
  cores.rules.run = () => ({ ms: 1, never: true });
  const build = cores.submit("ann", graph);
  cores.runFor(300);
  return { cores, build };
}

test("each action is granted once, to one holder, however many ask at once", () => {
  const cores = new Cores(three);
  const build = cores.submit("ann", wide);
  cores.finish(build);
  const claims = cores.nodes.flatMap((n) => n.said("claim"));
  expect(claims.map((c) => c.action).sort()).toEqual(wide.actions.map((a) => a.name).sort());
});

test("only the steward of an action grants it", () => {
  const cores = new Cores(three);
  const build = cores.submit("ann", wide);
  const stewards = new Map(wide.actions.map((a) => [a.name as string, stewardOf(cores, build, a.name).name]));
  cores.finish(build);
  for (const node of cores.nodes)
    for (const claim of node.said("claim")) expect(node.name).toBe(stewards.get(claim.action as string));
});

test("who asks the wrong member is told whom to ask", () => {
  const { cores, build } = idle();
  const steward = stewardOf(cores, build, "w0");
  const [asker, wrong] = cores.nodes.filter((n) => n !== steward) as [Node, Node];
  const effects = cores.step(wrong, { kind: "message", from: asker.peer, message: ask(build, ["w0"]) });
  expect(answers(effects)).toMatchObject([{ kind: "deny", steward: steward.peer }]);
});

test("of two who ask for one action one gets it, and the other what is left", () => {
  const { cores, build } = idle();
  const ready = wide.actions
    .map((a) => a.name)
    .find((name) => {
      const steward = stewardOf(cores, build, name);
      return (
        steward.build(build).claims!.actions.get(steward.build(build).claims!.indexOf.get(name)!) === "ready"
      );
    })!;
  const steward = stewardOf(cores, build, ready);
  const [x, y] = cores.nodes.filter((n) => n !== steward) as [Node, Node];
  const given = [x, y].flatMap((n, i) =>
    answers(cores.step(steward, { kind: "message", from: n.peer, message: ask(build, [ready], 1, `${i}`) })),
  );
  expect(given.map((m) => m.kind)).toEqual(["grant", "grant"]);
  const got = steward.said("claim").slice(-2);
  expect(got.map((c) => c.holder)).toEqual([x.peer, y.peer]);
  expect(got[0]!.action).toBe(ready);
  expect(got[1]!.action).not.toBe(ready);
});

test("what cannot be granted is refused with a reason: unknown, not ready, paused, no member's vitals", () => {
  const { cores, build } = idle(graphOf({ a: [], b: ["a"] }));
  const steward = stewardOf(cores, build, "b");
  const asker = cores.nodes.find((n) => n !== steward)!;
  const reason = (message: ReturnType<typeof ask>, from = asker.peer) =>
    answers(cores.step(steward, { kind: "message", from, message })).map((m) =>
      "reason" in m ? m.reason : "granted",
    );
  expect(reason(ask("demo-ffffffffff" as BuildId, ["a"]))).toEqual(["unknown build"]);
  expect(reason(ask(build, ["b"]))).toEqual(["not ready"]);
  expect(reason(ask(build, ["nothing"]))).toEqual(["not ready"]);
  expect(reason(ask(build, ["b"]), cores.founding.entry.author)).toEqual(["no vitals"]);
  cores.command(steward.name, { kind: "control", build, op: "pause" });
  expect(reason(ask(build, ["b"]))).toEqual(["paused"]);
});

test("a bundle is granted in one entry, each claim with its turn", () => {
  const cores = new Cores(
    { ann: { slots: 4 }, bob: { slots: 1 } },
    { drops: (_, __, m) => m.kind === "ask" },
  );
  cores.rules.run = () => ({ ms: 1, never: true });
  const build = cores.submit("bob", wide);
  cores.runFor(300);
  const mine = wide.actions
    .map((a) => a.name)
    .filter((name) => {
      const { claims } = cores.node("bob").build(build);
      return (
        stewardOf(cores, build, name).name === "ann" &&
        claims!.actions.get(claims!.indexOf.get(name)!) === "ready"
      );
    });
  expect(mine.length).toBeGreaterThan(2);
  const before = cores.node("ann").said("claim").length;
  const given = answers(
    cores.step(cores.node("ann"), {
      kind: "message",
      from: cores.node("bob").peer,
      message: ask(build, mine, 3),
    }),
  );
  expect(given).toHaveLength(1);
  expect(given[0]).toMatchObject({ kind: "grant", id: "7" });
  const claims = cores.node("ann").said("claim").slice(before);
  expect(claims.map((c) => c.turn ?? 0)).toEqual([0, 1, 2]);
  expect(claims.map((c) => c.action)).toEqual(mine.slice(0, 3));
});

test.each([
  ["dead", true],
  ["gone", false],
])("what a %s holder had is taken back by the steward alone, and runs elsewhere", (_, silent) => {
  const cores = new Cores(three);
  cores.rules.run = (_, node) => (node.name === "cy" ? { ms: 1, never: true } : { ms: 400 });
  const build = cores.submit("ann", wide);
  cores.runUntil(() => cores.node("cy").running.size > 0);
  const held = [...cores.node("cy").running.values()].map((r) => r.action);
  const from = cores.nowMs;
  cores.kill("cy", silent);
  cores.runUntil(() => cores.nodes.some((n) => n.said("expire").length > 0), 10_000);
  expect(cores.nowMs - from).toBeLessThanOrEqual(silent ? 4500 : 1600);
  cores.finish(build);
  for (const action of held) expect(cores.runs()[action]).toBe(2);
  const expired = ["ann", "bob"].flatMap((name) => cores.node(name).said("expire"));
  expect(expired.map((e) => e.reason)).toEqual(held.map(() => "the holder is dead"));
  expect(cores.states(build).ann).toEqual(Array(12).fill("done"));
});

test("what a holder had before it was restarted is taken back at once, by itself if it is the steward", () => {
  const cores = new Cores(three);
  cores.rules.run = (_, node) =>
    node.starts === 1 && node.name === "cy" ? { ms: 1, never: true } : { ms: 400 };
  const build = cores.submit("ann", wide);
  cores.runUntil(() => cores.node("cy").running.size > 0);
  cores.kill("cy");
  cores.start("cy");
  cores.finish(build);
  const reasons = cores.nodes.flatMap((n) => n.said("expire")).map((e) => e.reason);
  expect(reasons.length).toBeGreaterThan(0);
  expect(new Set(reasons)).toEqual(new Set(["the holder was restarted"]));
});

test("a claim that its living holder never begins is taken back after its time", () => {
  const cores = new Cores(three);
  const build = cores.submit("ann", graphOf({ a: [], b: [], c: [], d: [] }));
  // Cy beats, asks and is granted, but what it says of the build does not get out.
  cores.rules.drops = (from, to, m) =>
    (from === "cy" || to === "cy") && !["vitals", "ask", "grant"].includes(m.kind);
  cores.rules.run = (_, node) => (node.name === "cy" ? { ms: 1, never: true } : { ms: 50 });
  const saidMs = cores.nowMs;
  const notStarted = () =>
    cores.nodes.some((n) => n.said("expire").some((e) => e.reason === "the holder did not start it"));
  expect(cores.runUntil(notStarted, 30_000)).toBe(true);
  expect(cores.nowMs - saidMs).toBeGreaterThan(15_000);
  cores.kill("cy");
  cores.finish(build);
});

test("a build that is done is sealed by one, after its results lie with the sealer", () => {
  const cores = new Cores(three);
  const build = cores.submit("ann", wide);
  cores.finish(build);
  const sealers = cores.nodes.filter((n) => n.said("sealed").length > 0);
  expect(sealers).toHaveLength(1);
  expect(sealers[0]).toBe(stewardOf(cores, build, ""));
  for (const { digest } of wide.actions.flatMap((a) => {
    const claims = sealers[0]!.build(build).claims!;
    return claims.resultOf(claims.indexOf.get(a.name)!)!.result.outputs;
  }))
    expect(sealers[0]!.blobs).toContain(digest);
});

test("a result whose bytes are gone when the build is sealed is lost, made again, and then sealed", () => {
  const cores = new Cores(three);
  let gone = true;
  cores.rules.instead = (node, effect) => {
    if (!gone || effect.kind !== "fetch" || !effect.id.startsWith("gather:")) return false;
    gone = false;
    const missing = effect.wants.slice(0, 1).map((w) => w.digest);
    for (const n of cores.nodes) for (const d of missing) n.blobs.delete(d);
    cores.later(node, 5, { kind: "fetched", id: effect.id, missing, fetchedBytes: 0 });
    return true;
  };
  const build = cores.submit("ann", wide);
  cores.finish(build);
  expect(gone).toBe(false);
  const again = cores.nodes.flatMap((n) => n.said("lost"));
  expect(again).toHaveLength(1);
  expect(cores.runs()[again[0]!.action as string]).toBe(2);
});

test("the cache answers for an action without a claim", () => {
  const cores = new Cores(three);
  cores.rules.instead = (node, effect) => {
    if (effect.kind !== "look-up") return false;
    const bob = cores.node("bob").peer;
    const hits = effect.keys.map((key) => ({
      key,
      result: resultOf("only"),
      from: bob,
      made: [madeBy(bob)],
    }));
    cores.later(node, 2, { kind: "looked-up", keys: effect.keys, hits });
    for (const output of resultOf("only").outputs) cores.node("bob").blobs.add(output.digest);
    return true;
  };
  const build = cores.submit("ann", one);
  cores.finish(build);
  expect(cores.executions).toEqual([]);
  expect(cores.node("ann").build(build).claims!.wasCached(0)).toBe(true);
  expect(cores.nodes.flatMap((n) => n.said("claim"))).toEqual([]);
});

describe("others' caches", () => {
  const knows = (cores: Cores, who: string, made: readonly string[] = ["cy"]) => {
    for (const output of resultOf("only").outputs) cores.node(who).blobs.add(output.digest);
    cores.rules.instead = (node, effect) => {
      if (effect.kind !== "look-up" || node.name !== who) return false;
      const hits = effect.keys.map((key) => ({
        key,
        result: resultOf("only"),
        from: node.peer,
        made: made.map((name) => madeBy(peerOf(cores, name))),
        ...(effect.asker ? { proof: proofOf(cores, peerOf(cores, made[0]!), key) } : {}),
      }));
      const { keys, asker } = effect;
      cores.later(node, 2, { kind: "looked-up", keys, hits, ...(asker ? { asker } : {}) });
      return true;
    };
  };
  const peerOf = (cores: Cores, name: string) =>
    cores.nodes.find((n) => n.name === name)?.peer ?? peerNamed(name);
  const proofOf = (cores: Cores, author: PeerId, key: Digest, result = resultOf("only")): SignedEntry => {
    const { build } = madeBy(author);
    const { swarm } = cores.founding.entry;
    const done = { kind: "done", claim: "1", key, result };
    const chain = { author, inc: "5-00000005" as Incarnation, seq: 7, prev: null, last: 6 };
    const { body, id } = sealEntry({ v: 1, swarm, ...chain, hlc: [0, 0], build, events: [done] });
    return signedEntry(
      { v: 1, swarm, ...chain, hlc: [0, 0], build, events: [done] },
      body,
      id,
      new Uint8Array(64),
    );
  };

  test.each(["ann", "bob", "cy"])("what %s alone knows is not made again, whoever is the steward", (who) => {
    const cores = new Cores(three);
    knows(cores, who);
    const build = cores.submit("ann", one);
    cores.finish(build);
    expect(cores.executions).toEqual([]);
    const [cached] = cores.nodes.flatMap((n) => n.said("cached"));
    expect(cached).toMatchObject({ made: madeBy(cores.node("cy").peer), from: cores.node(who).peer });
    const steward = cores.nodes.find((n) => n.said("cached").length > 0)!;
    expect(cached!.told).toBe(steward.name === who ? undefined : cores.node(who).peer);
  });

  test.each<
    [string, (cores: Cores, key: Digest, bob: PeerId) => Partial<Extract<Message, { kind: "found" }>>]
  >([
    ["without any proof", (_, key, bob) => ({ hits: [hit(key, bob)] })],
    [
      "with another's word about another key",
      (cores, key, bob) => ({
        hits: [hit(key, bob)],
        proofs: [proofOf(cores, cores.node("cy").peer, blob("other key"))],
      }),
    ],
    [
      "with the word of a stranger",
      (cores, key, bob) => ({ hits: [hit(key, bob)], proofs: [proofOf(cores, peerNamed("nobody"), key)] }),
    ],
    [
      "with outputs that the action does not make",
      (cores, key, bob) => ({ hits: [hit(key, bob)], proofs: [proofOf(cores, bob, key, resultOf("else"))] }),
    ],
    [
      "that sends everybody to a third",
      (cores, key, bob) => ({
        hits: [hit(key, cores.node("ann").peer)],
        proofs: [proofOf(cores, bob, key)],
      }),
    ],
  ])("an answer %s is none: the action runs", (_, answer) => {
    const cores = new Cores(three);
    cores.rules.drops = (from, to, message) => {
      if (message.kind === "seek" && to === "bob") {
        const bob = cores.node("bob").peer;
        const { id, keys } = message;
        const found = { id, hits: [], proofs: [], last: true, ...answer(cores, keys[0]!, bob) };
        cores.hand(bob, from, { kind: "found", ...found });
      }
      return message.kind === "found";
    };
    const build = cores.submit("ann", one);
    cores.finish(build);
    expect(cores.executions).toHaveLength(1);
    expect(cores.nodes.flatMap((n) => n.said("cached"))).toEqual([]);
  });
  const hit = (key: Digest, from: PeerId) => ({ key, from, action: "only" as ActionName, proof: 0 });

  test("a fresh build asks nobody and runs all it has; what it makes feeds the cache", () => {
    const cores = new Cores(three);
    knows(cores, "ann");
    const build = cores.submit("ann", one, 0, true);
    cores.finish(build);
    expect(cores.executions).toHaveLength(1);
    expect(cores.node("bob").build(build).submission!.event.fresh).toBe(true);
    expect(cores.nodes.flatMap((n) => n.of("look-up"))).toEqual([]);
    for (const node of cores.nodes) expect(node.of("remember")).toHaveLength(1);
  });

  test("a fresh build and another of the same thing, both at once: each of the fresh one's actions runs", () => {
    const cores = new Cores(three, { run: () => ({ ms: 400 }) });
    const plain = cores.submit("ann", one);
    const fresh = cores.submit("bob", one, 5, true);
    cores.finish(plain);
    cores.finish(fresh);
    const claims = cores.node("cy").build(fresh).claims!;
    expect(claims.wasCached(0)).toBe(false);
    expect(claims.claimsOf(0).filter((c) => c.done)).toHaveLength(1);
  });

  test("a whole front is asked about by one message to each", () => {
    const cores = new Cores(three);
    const build = cores.submit("ann", wide);
    cores.finish(build);
    for (const node of cores.nodes) {
      const sent = node.sent("seek");
      expect(sent.length).toBeLessThanOrEqual(2 * 2);
      expect(new Set(sent.flatMap(({ message }) => message.keys)).size * 2).toBe(
        sent.reduce((sum, { message }) => sum + message.keys.length, 0),
      );
    }
  });

  describe("what takes something that was just run", () => {
    const two = graphOf({ first: [], only: ["first"] });
    const keysSought = (cores: Cores) =>
      new Set(cores.nodes.flatMap((n) => n.sent("seek")).flatMap(({ message }) => message.keys));

    test("is sought of nobody who has seen no more than the steward", () => {
      const cores = new Cores(three);
      for (const _ of [1, 2]) cores.finish(cores.submit("ann", two, 0, true));
      cores.runFor(3000);
      cores.finish(cores.submit("ann", two));
      expect(cores.executions).toHaveLength(6);
      expect(keysSought(cores).size).toBe(1);
    });

    test("is sought of those who tell of builds that did not reach the steward", () => {
      const cores = new Cores(three);
      cores.rules.drops = (from, to, { kind }) => [from, to].includes("cy") && kind === "ledger";
      const before = cores.submit("cy", two);
      cores.runUntil(() => cores.node("cy").build(before)?.claims?.sealed !== undefined);
      cores.runFor(3000);
      cores.rules.drops = (_, __, message) =>
        message.kind === "ledger" && "build" in message && message.build === before;
      const build = cores.submit("ann", two);
      cores.finish(build);
      expect(keysSought(cores).size).toBe(2);
    });
  });

  test("what only one made who is no member any more is made again", () => {
    const cores = new Cores(three);
    knows(cores, "bob", ["a stranger"]);
    const build = cores.submit("ann", one);
    cores.finish(build);
    expect(cores.executions).toHaveLength(1);
  });

  test("one who does not answer holds nothing up, and is left alone for a while", () => {
    const cores = new Cores(three);
    cores.rules.drops = (_, __, m) => m.kind === "found";
    const fromMs = cores.nowMs;
    const build = cores.submit("ann", graphOf({ a: [], b: ["a"], c: ["b"] }));
    cores.finish(build);
    expect(cores.nowMs - fromMs).toBeLessThan(1500);
    for (const node of cores.nodes) expect(node.sent("seek").length).toBeLessThanOrEqual(2);
  });

  test("an answer nobody asked for, or that comes twice, changes nothing", () => {
    const cores = new Cores(three);
    const build = cores.submit("ann", one);
    cores.finish(build);
    const before = cores.node("ann").build(build).claims!.digest();
    for (const id of ["nothing", cores.node("ann").sent("seek")[0]?.message.id ?? "x"])
      cores.hand(cores.node("bob").peer, "ann", { kind: "found", id, hits: [], proofs: [], last: true });
    cores.runFor(500);
    expect(cores.node("ann").build(build).claims!.digest()).toBe(before);
  });
});

test("an action that is not to be cached is neither looked up nor remembered", () => {
  const cores = new Cores(three);
  const build = cores.submit("ann", graphOf({ only: [] }, { cache: false }));
  cores.finish(build);
  for (const kind of ["look-up", "remember"] as const)
    expect(cores.nodes.flatMap((n) => n.of(kind))).toEqual([]);
});

test("a failure goes to another member, and what two failed is blocked with all that needs it", () => {
  const cores = new Cores(three);
  cores.rules.run = (request) =>
    request.action === "a"
      ? { ms: 20, outcome: { kind: "failed", cause: "deterministic", reason: "no" } }
      : undefined;
  const build = cores.submit("ann", graphOf({ a: [], b: ["a"], c: [] }));
  cores.finish(build);
  expect(cores.states(build).ann).toEqual(["blocked", "held", "done"]);
  const where = cores.executions.filter((e) => e.action === "a").map((e) => e.node);
  expect(where).toHaveLength(2);
  expect(new Set(where).size).toBe(2);
  expect(cores.node("ann").build(build).claims!.sealed!.event.state).toBe("failed");
});

test("when all stewards but one are gone the last one hands out everything", () => {
  const cores = new Cores(three);
  const build = cores.submit("ann", wide);
  cores.kill("bob");
  cores.kill("cy", true);
  cores.finish(build);
  expect(cores.node("ann").said("sealed")).toHaveLength(1);
  const ids = cores
    .node("ann")
    .said("claim")
    .map((c) => c.claim as ClaimId);
  expect(new Set(ids).size).toBe(ids.length);
});
