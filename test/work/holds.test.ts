import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ActionName } from "../../protocol/kernel/ids.ts";
import type { SignedEntry } from "../../protocol/timeline/entry.ts";
import type { Event } from "../../protocol/timeline/events.ts";
import type { Claims } from "../../protocol/work/claims.ts";
import { Author, control, fail, folded, graphOf, rolesOf } from "./facts.ts";

const graph = graphOf({ a: [], b: ["a"], c: ["a"], d: [] });
const name = (action: string) => action as ActionName;
const [ann, bob, dee] = ["ann", "bob", "dee"].map((who) => new Author(who)) as [Author, Author, Author];

const step = (id: string, past: string[], ...actions: (string | [string, number])[]) => ({
  kind: "step" as const,
  id,
  past,
  actions: actions.map((one): [ActionName, number] =>
    typeof one === "string" ? [name(one), 0] : [name(one[0]), one[1]],
  ),
});
const breakpoint = (op: "set" | "clear", id: string, action?: string, ...answers: string[]) => ({
  kind: "breakpoint" as const,
  op,
  id,
  ...(action === undefined ? {} : { action: name(action) }),
  answers,
});
const place = (id: string, action: string, on?: Author, ...answers: string[]) => ({
  kind: "place" as const,
  id,
  action: name(action),
  ...(on ? { peer: on.peer } : {}),
  answers,
});
const fold = (...events: (Event | { kind: string })[]): Claims =>
  folded(
    graph,
    events.map((event) => ann.say(event)),
  );
const held = (claims: Claims) =>
  Object.fromEntries(["a", "b", "c", "d"].map((action) => [action, claims.holds.of(name(action))]));

describe("what people hold of a build", () => {
  test("a step lets through exactly what it names, past that pause and no other", () => {
    const paused = fold(control("pause", "p1"), step("s1", ["p1"], "a"));
    expect(held(paused)).toEqual({ a: undefined, b: "pause", c: "pause", d: "pause" });
    expect(paused.holds.rests).toBe(false);
    const again = fold(
      control("pause", "p1"),
      step("s1", ["p1"], "a"),
      control("resume", "r1", "p1"),
      control("pause", "p2", "r1"),
    );
    expect(held(again)).toEqual({ a: "pause", b: "pause", c: "pause", d: "pause" });
    expect(again.holds.rests).toBe(true);
  });

  test("a pause said elsewhere at the same time holds what was let past another", () => {
    const claims = fold(control("pause", "p1"), control("pause", "p2"), step("s1", ["p1"], "a"));
    expect(held(claims).a).toBe("pause");
    claims.take(bob.say(step("s2", ["p2"], "a")));
    expect(held(claims).a).toBeUndefined();
  });

  test("a breakpoint holds its action alone, until it is stepped past or cleared; set beats a clear that did not know it", () => {
    const set = [breakpoint("set", "b1", "b"), breakpoint("set", "b2", "b")];
    expect(held(fold(...set))).toEqual({ a: undefined, b: "breakpoint", c: undefined, d: undefined });
    expect(fold(...set).paused).toBe(false);
    expect(held(fold(...set, step("s", ["b1", "b2"], "b"))).b).toBeUndefined();
    expect(held(fold(...set, breakpoint("clear", "c", "b", "b1"))).b).toBe("breakpoint");
    expect(held(fold(...set, breakpoint("clear", "c", "b", "b1", "b2"))).b).toBeUndefined();
  });

  test("a step past a breakpoint does not go past a pause", () => {
    const claims = fold(breakpoint("set", "b1", "a"), step("s", ["b1"], "a"), control("pause", "p1"));
    expect(held(claims).a).toBe("breakpoint");
  });

  test("with a breakpoint on failure the first failure that nobody answered holds everything", () => {
    const claim = ann.claim("a", bob);
    const failing: SignedEntry[] = [ann.say(claim), bob.say(fail(claim))];
    const claims = folded(graph, failing);
    expect(claims.paused).toBe(false);
    claims.take(ann.say(breakpoint("set", "f1")));
    expect(claims.state).toBe("paused");
    expect(held(claims).d).toBe("failure");
    claims.take(ann.say(step("s1", [claim.claim], "d")));
    expect(held(claims)).toMatchObject({ a: "failure", d: undefined });
    claims.take(ann.say(control("resume", "r1", claim.claim)));
    expect(claims.state).toBe("running");
    const second = ann.claim("d", bob);
    for (const entry of [ann.say(second), bob.say(fail(second))]) claims.take(entry);
    expect(claims.state).toBe("paused");
    claims.take(ann.say({ kind: "forgive", action: name("d"), claims: [second.claim] }));
    expect(claims.state).toBe("running");
  });

  test("what the node did wrong breaks nothing", () => {
    const claim = ann.claim("a", bob);
    const claims = folded(graph, [
      ann.say(claim, breakpoint("set", "f1")),
      bob.say(fail(claim, "infrastructure")),
    ]);
    expect(claims.paused).toBe(false);
  });

  test("a step is spent once its action has failed again; one said after that lets it run once more", () => {
    const claim = ann.claim("a", bob);
    const claims = fold(control("pause", "p1"), step("s1", ["p1"], "a"));
    for (const entry of [ann.say(claim), bob.say(fail(claim))]) claims.take(entry);
    expect(held(claims).a).toBe("pause");
    claims.take(ann.say(step("s2", ["p1"], ["a", 1])));
    expect(held(claims).a).toBeUndefined();
  });

  test("of two places that do not know each other the one with the lower id holds; a place beats a clear that does not know it", () => {
    const both = [place("2", "a", ann), place("1", "a", bob)];
    expect(fold(...both).holds.placeOf(name("a"))?.peer).toBe(bob.peer);
    expect(fold(...both, place("3", "a", undefined, "1")).holds.placeOf(name("a"))?.peer).toBe(ann.peer);
    expect(fold(...both, place("3", "a", undefined, "1", "2")).holds.placeOf(name("a"))).toBeUndefined();
  });

  test("words of one who may not submit count nowhere", () => {
    const claims = folded(
      graph,
      [dee.say(breakpoint("set", "b1", "a"), place("1", "b", dee)), ann.say(control("pause", "p1"))],
      rolesOf({ dee: ["observer"] }),
    );
    expect(held(claims).a).toBe("pause");
    expect(claims.holds.placeOf(name("b"))).toBeUndefined();
    claims.take(dee.say(step("s1", ["p1"], "a")));
    expect(held(claims).a).toBe("pause");
  });

  test("the digest of what was built does not hang on them: who does not know the words has the same", () => {
    const plain = fold(control("pause", "p1"));
    const more = fold(
      control("pause", "p1"),
      step("s", ["p1"], "a"),
      breakpoint("set", "b", "b"),
      place("1", "a", bob),
    );
    expect(more.digest()).toBe(plain.digest());
    expect(more.holds.digest()).not.toBe(plain.holds.digest());
  });
});

const ids = ["1", "2", "3", "4"];
const someIds = fc.subarray(ids);
const action = fc.constantFrom("a", "b", "c", "d");
const word = fc.oneof(
  fc
    .record({
      op: fc.constantFrom("pause" as const, "resume" as const),
      id: fc.constantFrom(...ids),
      someIds,
    })
    .map(({ op, id, someIds }) => control(op, id, ...someIds)),
  fc
    .record({ id: fc.constantFrom(...ids), someIds, action, failures: fc.nat(2) })
    .map(({ id, someIds, action, failures }) => step(id, someIds, [action, failures])),
  fc
    .record({
      op: fc.constantFrom("set" as const, "clear" as const),
      id: fc.constantFrom(...ids),
      action: fc.option(action, { nil: undefined }),
      someIds,
    })
    .map(({ op, id, action, someIds }) => breakpoint(op, id, action, ...someIds)),
  fc
    .record({ id: fc.constantFrom(...ids), action, on: fc.constantFrom(ann, bob, undefined), someIds })
    .map(({ id, action, on, someIds }) => place(id, action, on, ...someIds)),
  fc.constant("failure" as const),
);

test("any order, repetition and partition of the same words holds, lets through and places the same", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(word, fc.boolean()), { maxLength: 14 }),
      fc.infiniteStream(fc.nat()),
      (words, lots) => {
        const [one, two] = [new Author("ann"), new Author("bob")];
        const entries = words.flatMap(([said, first]) => {
          const author = first ? one : two;
          if (said !== "failure") return [author.say(said)];
          const claim = author.claim("a", two);
          return [author.say(claim), two.say(fail(claim))];
        });
        const shuffled = entries
          .flatMap((entry) => [entry, entry])
          .map((entry) => [lots.next().value as number, entry] as const)
          .sort(([a], [b]) => a - b)
          .map(([, entry]) => entry);
        const half = folded(graph, shuffled.slice(0, shuffled.length / 2));
        for (const entry of entries) half.take(entry);
        const plain = folded(graph, entries);
        for (const other of [folded(graph, shuffled), half]) {
          expect(other.holds.digest()).toBe(plain.holds.digest());
          expect(other.digest()).toBe(plain.digest());
        }
      },
    ),
    { numRuns: 300 },
  );
});
