import { describe, expect, test } from "vitest";
import type { ActionName, BuildId } from "../../protocol/kernel/ids.ts";
import type { Spot } from "../../protocol/swarm/cuts.ts";
import type { SignedEntry } from "../../protocol/timeline/entry.ts";
import { isOpen } from "../../protocol/work/claim.ts";
import type { Claims } from "../../protocol/work/claims.ts";
import { sumOf } from "../../protocol/work/grounds.ts";
import { hashOf } from "../../protocol/work/results.ts";
import { withdrawn } from "../../protocol/work/standing.ts";
import {
  Author,
  abandon,
  blob,
  control,
  done,
  emptyClaims,
  expire,
  fail,
  folded,
  graphOf,
  keyOf,
  lost,
  resultOf,
  rolesOf,
  start,
} from "./facts.ts";

const graph = graphOf({ a: [], b: ["a"], c: ["b"], d: [] });
const [a, b, c, d] = [0, 1, 2, 3];
const cast = () => ["ann", "bob", "cy"].map((name) => new Author(name)) as [Author, Author, Author];

test("at first what needs nothing is ready and the rest waits", () => {
  const claims = emptyClaims(graph);
  expect([a, b, c, d].map((i) => claims.actions.get(i))).toEqual(["ready", "waiting", "waiting", "ready"]);
  expect([...claims.actions.ready()]).toEqual([a, d]);
  expect(claims.actions.counts).toMatchObject({ ready: 2, waiting: 2 });
  expect(claims.state).toBe("running");
});

test("a claim, its start and its result lead an action from ready to done, and free what waits for it", () => {
  const [ann, bob] = cast();
  const claims = emptyClaims(graph);
  const claim = ann.claim("a", bob);
  expect(claims.take(ann.say(claim)).map((touched) => touched.id)).toEqual([claim.claim]);
  expect(claims.actions.get(a)).toBe("claimed");
  claims.take(bob.say(start(claim)));
  expect(claims.actions.get(a)).toBe("running");
  expect(claims.take(bob.say(done(claim)))).toHaveLength(1);
  expect([a, b].map((i) => claims.actions.get(i))).toEqual(["done", "ready"]);
  expect(claims.openClaims.size).toBe(0);
  expect(claims.holdersOf(a, claims.resultOf(a)!)).toEqual([bob.peer]);
});

test("a valid result absorbs whatever comes after it", () => {
  const [ann, bob, cy] = cast();
  const first = ann.claim("a", bob);
  const second = ann.claim("a", cy);
  const claims = folded(graph, [ann.say(first, second), bob.say(done(first))]);
  const before = claims.resultOf(a);
  for (const entry of [
    bob.say(fail(first), abandon(first), start(first)),
    ann.say(expire(first), expire(second)),
    cy.say(fail(second)),
    cy.say(fail(second)),
  ]) {
    claims.take(entry);
    expect(claims.actions.get(a)).toBe("done");
    expect(claims.resultOf(a)).toEqual(before);
  }
});

test.each([
  ["expire", expire],
  ["abandon", abandon],
  ["fail", fail],
] as const)("%s closes only the claim it names", (_, close) => {
  const [ann, bob] = cast();
  const [one, two] = [ann.claim("a", bob), ann.claim("a", bob)];
  const claims = folded(graph, [ann.say(one, two)]);
  const closer = close === expire ? ann : bob;
  claims.take(closer.say(close(one)));
  expect([...claims.openClaims].map((claim) => claim.id)).toEqual([two.claim]);
  expect(claims.actions.get(a)).toBe("claimed");
  claims.take(closer.say(close(two)));
  expect(claims.actions.get(a)).toBe("ready");
});

test("a holder's late result counts although its claim was taken back", () => {
  const [ann, bob] = cast();
  const claim = ann.claim("a", bob);
  const claims = folded(graph, [ann.say(claim), ann.say(expire(claim)), bob.say(done(claim))]);
  expect(claims.actions.get(a)).toBe("done");
});

test("the winner among open claims has started; among equals the hash decides, the same whatever came first", () => {
  const [ann, bob, cy] = cast();
  const rivals = [ann.claim("a", bob), bob.claim("a", cy), cy.claim("a", ann)];
  const entries = [ann.say(rivals[0]!), bob.say(rivals[1]!), cy.say(rivals[2]!)];
  const winner = folded(graph, entries).winnerOf(a)!;
  expect(folded(graph, entries.toReversed()).winnerOf(a)!.id).toBe(winner.id);
  const loser = rivals.find((r) => r.claim !== winner.id)!;
  const holder = [ann, bob, cy].find((author) => author.peer === loser.holder)!;
  const claims = folded(graph, [...entries, holder.say(start(loser))]);
  expect(claims.winnerOf(a)!.id).toBe(loser.claim);
  claims.take(holder.say(abandon(loser)));
  expect(claims.winnerOf(a)!.id).toBe(winner.id);
});

test("a twin stands outside: it neither wins nor keeps an action from having a winner", () => {
  const [ann, bob, cy] = cast();
  const twin = ann.claim("a", bob, { twin: true });
  const claims = folded(graph, [ann.say(twin), bob.say(start(twin))]);
  expect(claims.winnerOf(a)).toBeUndefined();
  expect(claims.actions.get(a)).toBe("running");
  const claim = ann.claim("a", cy);
  claims.take(ann.say(claim));
  expect(claims.winnerOf(a)!.id).toBe(claim.claim);
});

test("an action that two members failed by its own doing is blocked, and what needs it is held", () => {
  const [ann, bob, cy] = cast();
  const [one, two] = [ann.claim("a", bob), ann.claim("a", cy)];
  const claims = folded(graph, [ann.say(one), bob.say(fail(one))]);
  expect(claims.actions.get(a)).toBe("ready");
  expect(claims.failedAt(a, bob.peer)).toBe(true);
  claims.take(ann.say(two));
  claims.take(cy.say(fail(two)));
  expect([a, b, c, d].map((i) => claims.actions.get(i))).toEqual(["blocked", "held", "held", "ready"]);
  const last = ann.claim("d", bob);
  claims.take(ann.say(last));
  claims.take(bob.say(done(last)));
  expect(claims.state).toBe("failed");
});

test("one member alone blocks an action once its attempts are spent", () => {
  const [ann, bob] = cast();
  const claims = emptyClaims(graph);
  for (let attempt = 1; attempt <= 3; attempt++) {
    expect(claims.actions.get(a)).toBe("ready");
    const claim = ann.claim("a", bob, { attempt });
    claims.take(ann.say(claim));
    claims.take(bob.say(fail(claim)));
  }
  expect(claims.actions.get(a)).toBe("blocked");
});

test("failures of nodes, expiries and claims given back never block, however many there are", () => {
  const [ann, bob, cy] = cast();
  const claims = emptyClaims(graph);
  for (let round = 0; round < 20; round++)
    for (const holder of [bob, cy]) {
      const claim = ann.claim("a", holder);
      claims.take(ann.say(claim));
      if (round % 3 === 0) claims.take(holder.say(fail(claim, "infrastructure")));
      else if (round % 3 === 1) claims.take(holder.say(abandon(claim)));
      else claims.take(ann.say(expire(claim)));
    }
  expect(claims.actions.get(a)).toBe("ready");
});

test("a lost result makes its action ready again, and the next run of it confirms", () => {
  const [ann, bob, cy] = cast();
  const [one, dependent, again] = [ann.claim("a", bob), ann.claim("b", bob), ann.claim("a", cy)];
  const claims = folded(graph, [ann.say(one), bob.say(done(one))]);
  claims.take(ann.say(lost("a", one.claim)));
  expect([a, b].map((i) => claims.actions.get(i))).toEqual(["ready", "waiting"]);
  expect(claims.resultOf(a)!.result).toEqual(resultOf("a"));
  claims.take(ann.say(again));
  claims.take(cy.say(done(again)));
  expect([a, b].map((i) => claims.actions.get(i))).toEqual(["done", "ready"]);
  expect(claims.resultsOf(a)).toHaveLength(1);
  expect(claims.holdersOf(a, claims.resultOf(a)!)).toEqual([cy.peer]);
  claims.take(ann.say(dependent));
  claims.take(bob.say(done(dependent)));
  claims.take(ann.say(lost("a", again.claim)));
  expect(claims.actions.get(b)).toBe("done");
});

test("a result that is lost and can be made by nobody again is blocked, and what needs it is held: nothing runs for ever", () => {
  const [ann, bob, cy] = cast();
  const first = ann.claim("a", cy);
  const again = [bob, ann].map((holder) => ann.claim("a", holder));
  const claims = folded(graph, [
    ann.say(first, ...again),
    cy.say(done(first)),
    ann.say(lost("a", first.claim)),
  ]);
  claims.take(bob.say(fail(again[0]!)));
  expect(claims.actions.get(a)).toBe("claimed");
  claims.take(ann.say(fail(again[1]!)));
  expect([a, b, c].map((i) => claims.actions.get(i))).toEqual(["blocked", "held", "held"]);
  const late = ann.claim("a", cy);
  claims.take(ann.say(late));
  claims.take(cy.say(done(late)));
  expect([a, b].map((i) => claims.actions.get(i))).toEqual(["done", "ready"]);
});

test("unequal results of one action diverge: both are kept with their holders, dependents take one and the same everywhere", () => {
  const [ann, bob, cy] = cast();
  const [one, two] = [ann.claim("a", bob), cy.claim("a", cy)];
  const entries = [ann.say(one), cy.say(two), bob.say(done(one, "x")), cy.say(done(two, "y"))];
  const claims = folded(graph, entries);
  expect(claims.resultsOf(a).map((r) => [...r.sources.values()])).toHaveLength(2);
  expect(claims.resultOf(a)!.hash).toBe(folded(graph, entries.toReversed()).resultOf(a)!.hash);
  const first = claims.resultOf(a)!;
  claims.take(ann.say(lost("a", ...first.sources.keys())));
  expect(claims.actions.get(a)).toBe("done");
  expect(claims.resultOf(a)!.hash).not.toBe(first.hash);
});

test("equal results confirm each other, in whatever order they list their outputs", () => {
  const two = graphOf({ a: [] }, { outputs: [1, 2].map((n) => ({ path: `out/${n}`, kind: "file" })) });
  const [ann, bob, cy] = cast();
  const [one, other] = [ann.claim("a", bob), ann.claim("a", cy)];
  const outputs = [1, 2].map((n) => ({ path: `out/${n}`, digest: blob(`${n}`), kind: "file" as const }));
  const claims = folded(two, [
    ann.say(one, other),
    bob.say({ ...done(one), result: { outputs, stdout: blob("hello") } }),
    cy.say({ ...done(other), result: { outputs: outputs.toReversed() } }),
  ]);
  expect(claims.resultsOf(0)).toHaveLength(1);
  expect(claims.holdersOf(0, claims.resultOf(0)!)).toEqual([bob.peer, cy.peer]);
});

test("a result counts only with the claim's key and exactly the declared outputs", () => {
  const [ann, bob] = cast();
  const claim = ann.claim("a", bob);
  const claims = folded(graph, [ann.say(claim)]);
  const wrong = [
    { ...done(claim), key: keyOf("b") },
    { ...done(claim), result: { outputs: [] } },
    { ...done(claim), result: resultOf("b") },
    { ...done(claim), result: { outputs: [{ ...resultOf("a").outputs[0]!, kind: "folder" as const }] } },
    { ...done(claim), result: { outputs: [...resultOf("a").outputs, ...resultOf("b").outputs] } },
  ];
  for (const event of wrong) claims.take(bob.say(event));
  expect(claims.actions.get(a)).toBe("claimed");
  claims.take(bob.say(done(claim)));
  expect(claims.actions.get(a)).toBe("done");
});

test("what the cache had needs no claim, and can be lost like any result", () => {
  const [ann, bob] = cast();
  const entry = ann.say({
    kind: "cached",
    action: "a" as ActionName,
    key: keyOf("a"),
    result: resultOf("a"),
    from: bob.peer,
  });
  const claims = folded(graph, [entry]);
  expect(claims.actions.get(a)).toBe("done");
  expect(claims.wasCached(a)).toBe(true);
  const result = claims.resultOf(a)!;
  expect(claims.holdersOf(a, result)).toEqual([bob.peer]);
  claims.take(ann.say(lost("a", ...claims.sourcesOf(a, result))));
  expect(claims.actions.get(a)).toBe("ready");
});

test("only its holder speaks for a claim", () => {
  const [ann, bob, cy] = cast();
  const claim = ann.claim("a", bob);
  const claims = folded(graph, [ann.say(claim)]);
  for (const stranger of [ann, cy])
    claims.take(stranger.say(start(claim), done(claim), fail(claim), abandon(claim)));
  expect(claims.actions.get(a)).toBe("claimed");
  expect([...claims.openClaims].every((open) => !open.started)).toBe(true);
});

test("a claim bears its author's name and start, or it is none", () => {
  const [ann, bob] = cast();
  const foreign = { ...bob.claim("a", bob), claim: ann.newClaim() };
  const stale = bob.claim("a", bob, { claim: new Author("bob", "2-00000002" as never).newClaim() });
  const claims = folded(graph, [bob.say(foreign, stale)]);
  expect(claims.claims.size).toBe(0);
});

test("who has not the role is not heard: builders claim, expire, find and lose, submitters control", () => {
  const [ann, bob, cy] = cast();
  const roles = rolesOf({ cy: ["observer"], bob: ["builder"] });
  const claim = ann.claim("a", bob);
  const finished = ann.claim("d", bob);
  const claims = folded(graph, [ann.say(claim, finished), bob.say(done(finished))], roles);
  const before = claims.digest();
  for (const event of [
    cy.claim("a", bob),
    ann.claim("a", cy),
    expire(claim),
    lost("d", finished.claim),
    { kind: "sealed" as const, state: "failed" as const, wallMs: 1 },
    {
      kind: "cached" as const,
      action: "a" as ActionName,
      key: keyOf("a"),
      result: resultOf("a"),
      from: bob.peer,
    },
    control("cancel", "x"),
  ])
    claims.take((event.kind === "claim" && event.holder === cy.peer ? ann : cy).say(event));
  claims.take(bob.say(control("cancel", "y")));
  expect(claims.digest()).toBe(before);
});

test("unknown kinds, unknown actions and events with wrong fields change nothing", () => {
  const [ann, bob] = cast();
  const claims = emptyClaims(graph);
  const before = claims.digest();
  claims.take(
    ann.say({ kind: "someday" }, ann.claim("nothing", bob), { kind: "claim" }, lost("nothing", "x")),
  );
  expect(claims.digest()).toBe(before);
});

test("pause beats a resume that did not answer it; a resume that answers all ends the pause", () => {
  const [ann, bob] = cast();
  const claims = folded(graph, [ann.say(control("pause", "p1"))]);
  expect(claims.state).toBe("paused");
  claims.take(bob.say(control("resume", "r1")));
  expect(claims.paused).toBe(true);
  claims.take(bob.say(control("resume", "r2", "p1", "r1")));
  expect(claims.paused).toBe(false);
  expect(claims.holds.heads().map(({ event }) => event.id)).toEqual(["r2"]);
});

test("an answer that comes before what it answers answers it all the same", () => {
  const [ann, bob] = cast();
  const claims = folded(graph, [bob.say(control("resume", "r", "p"))]);
  claims.take(ann.say(control("pause", "p")));
  expect(claims.paused).toBe(false);
});

test("cancel absorbs: open work is cancelled, results stay, nothing answers it", () => {
  const [ann, bob] = cast();
  const [one, two] = [ann.claim("a", bob), ann.claim("b", bob)];
  const claims = folded(graph, [ann.say(one), bob.say(done(one)), ann.say(two)]);
  claims.take(ann.say(control("cancel", "c")));
  claims.take(ann.say(control("resume", "r", "c")));
  expect(claims.cancelled).toBe(true);
  expect([a, b, c, d].map((i) => claims.actions.get(i))).toEqual([
    "done",
    "cancelled",
    "cancelled",
    "cancelled",
  ]);
  expect(claims.settled).toBe(false);
  claims.take(bob.say(abandon(two)));
  expect(claims.settled).toBe(true);
  expect(claims.state).toBe("cancelled");
  claims.take(ann.say(lost("a", one.claim)));
  expect(claims.actions.get(a)).toBe("done");
});

test("of two seals the one with the lower id stands", () => {
  const [ann, bob] = cast();
  const seal = (author: Author, wallMs: number) => author.say({ kind: "sealed", state: "complete", wallMs });
  const entries: SignedEntry[] = [seal(ann, 1), seal(bob, 2)];
  const lowest = entries.map((e) => e.id).sort()[0];
  expect(folded(graph, entries).sealed!.entry).toBe(lowest);
  expect(folded(graph, entries.toReversed()).sealed!.entry).toBe(lowest);
});

test("a fact that is known already touches nothing", () => {
  const [ann, bob] = cast();
  const entry = ann.say(ann.claim("a", bob));
  const claims = emptyClaims(graph);
  expect(claims.take(entry).map(isOpen)).toEqual([true]);
  expect(claims.take(entry)).toEqual([]);
});

describe("what was made from a result that counts no more", () => {
  const [ann, bob, cy] = cast();
  const made = (name: string, variant = "") => hashOf(resultOf(name, variant));
  const first = ann.claim("a", bob);
  const second = ann.claim("b", cy, { took: sumOf([made("a", "forged")]) });
  const third = ann.claim("c", cy, { took: sumOf([made("b", "from forged")]) });
  const forged = bob.say(done(first, "forged"));
  const others = [
    ann.say(first, second, third),
    cy.say(done(second, "from forged")),
    cy.say(done(third, "from that")),
  ];
  const states = (claims: Claims) => [a, b, c].map((i) => claims.actions.get(i));

  test("stands as long as that does, in whatever order they come", () => {
    for (const entries of permutations([forged, ...others])) {
      const claims = folded(graph, entries);
      expect(states(claims)).toEqual(["done", "done", "done"]);
      expect(claims.digest()).toBe(folded(graph, [forged, ...others]).digest());
    }
  });

  test("is made again, and in turn what was made from it", () => {
    const claims = folded(graph, others);
    expect(states(claims)).toEqual(["claimed", "waiting", "waiting"]);
    const again = ann.claim("a", cy);
    claims.take(ann.say(expire(first), again));
    claims.take(cy.say(done(again)));
    expect(states(claims)).toEqual(["done", "ready", "waiting"]);
    const next = ann.claim("b", cy, { took: sumOf([made("a")]) });
    claims.take(ann.say(next));
    claims.take(cy.say(done(next)));
    expect(states(claims)).toEqual(["done", "done", "ready"]);
    expect(claims.resultsOf(b).map((r) => r.hash)).toEqual([made("b")]);
  });

  test("stands again when others come to the same result", () => {
    const claims = folded(graph, others);
    const again = ann.claim("a", cy);
    claims.take(ann.say(again));
    const touched = claims.take(cy.say(done(again, "forged")));
    expect(states(claims)).toEqual(["done", "done", "done"]);
    // Whoever learns from results hears of those too.
    expect(new Set(touched.map((t) => t.id))).toEqual(new Set([again.claim, second.claim, third.claim]));
  });

  test("goes with it when an admin taints it, unless another came to the same", () => {
    const tainted = { ...rolesOf(), spoiled: (said: Spot) => said.entry.author === bob.peer };
    const entries = [...others, forged];
    const claims = folded(graph, entries, tainted);
    expect(states(claims)).toEqual(["ready", "waiting", "waiting"]);
    expect(claims.resultsOf(b)).toEqual([]);
    expect(withdrawn(claims)).toEqual([a, b, c]);
    expect(withdrawn(folded(graph, entries))).toEqual([]);
    // Its claim is over: somebody else may have the action.
    const again = ann.claim("a", cy);
    claims.take(ann.say(again));
    expect(claims.actions.get(a)).toBe("claimed");
    claims.take(cy.say(done(again, "forged")));
    expect(states(claims)).toEqual(["done", "done", "done"]);
    for (const order of permutations(entries))
      expect(folded(graph, order, tainted).digest()).toBe(folded(graph, entries, tainted).digest());
  });

  test("comes from no cache either", () => {
    const at = { inc: bob.inc, seq: 3 };
    const made = { build: "other-0123456789" as BuildId, action: "a" as ActionName, by: bob.peer, at };
    const cached = {
      kind: "cached" as const,
      action: "a" as ActionName,
      key: keyOf("a"),
      result: resultOf("a"),
      from: cy.peer,
      made,
    };
    const from = (seq: number) => ({ ...rolesOf(), spoiled: (said: Spot) => said.entry.seq >= seq });
    const said = [ann.say(cached)];
    expect(folded(graph, said, from(4)).actions.get(a)).toBe("done");
    expect(folded(graph, said, from(3)).actions.get(a)).toBe("ready");
  });

  test("blocks nothing by having failed", () => {
    const [one, two] = [bob, cy].map((who) => ann.claim("b", who, { took: second.took })) as [
      typeof second,
      typeof second,
    ];
    const failures = [ann.say(first, one, two), bob.say(fail(one)), cy.say(fail(two))];
    const claims = folded(graph, failures);
    const again = ann.claim("a", cy);
    claims.take(ann.say(again));
    claims.take(cy.say(done(again)));
    expect(claims.actions.get(b)).toBe("ready");
    // Seen by one whom the forger still convinces, they count.
    claims.take(forged);
    expect(claims.actions.get(b)).toBe("blocked");
  });
});

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item, at) => permutations(items.toSpliced(at, 1)).map((rest) => [item, ...rest]));
}
