import { expect, test } from "vitest";
import { sidesOf } from "../../protocol/work/divergence.ts";
import { Author, done, folded, graphOf, keyOf, resultOf, rolesOf } from "./facts.ts";

const graph = graphOf({ a: [], b: [] });

test("members that came to unequal results are named each beside its own, the one that is used first", () => {
  const [ann, bob, cy] = ["ann", "bob", "cy"].map((name) => new Author(name)) as [Author, Author, Author];
  const [one, two, three] = [ann.claim("a", bob), ann.claim("a", cy), ann.claim("a", ann)];
  const entries = [
    ann.say(one, two, three),
    bob.say(done(one)),
    cy.say(done(two, "else")),
    ann.say(done(three, "else")),
  ];
  for (const said of [entries, entries.toReversed()]) {
    const claims = folded(graph, said);
    expect(sidesOf(claims, 0)).toEqual([
      { outputs: resultOf("a", "else").outputs, by: [ann.peer, cy.peer].sort() },
      { outputs: resultOf("a").outputs, by: [bob.peer] },
    ]);
    expect(sidesOf(claims, 1)).toEqual([]);
  }
});

test("of what came from the cache the makers of other results are named, as long as they are builders", () => {
  const [ann, bob, cy] = ["ann", "bob", "cy"].map((name) => new Author(name)) as [Author, Author, Author];
  const made = (by: Author) => ({ build: "older-0123456789" as never, action: "a" as never, by: by.peer });
  const cached = (divergent: readonly ReturnType<typeof made>[]) => ({
    kind: "cached" as const,
    action: "a" as never,
    key: keyOf("a"),
    result: resultOf("a"),
    from: bob.peer,
    made: made(bob),
    divergent: [...divergent],
  });
  expect(sidesOf(folded(graph, [ann.say(cached([made(cy)]))]), 0)).toEqual([
    { outputs: resultOf("a").outputs, by: [bob.peer] },
    { outputs: undefined, by: [cy.peer] },
  ]);
  const roles = rolesOf({ cy: [] });
  expect(sidesOf(folded(graph, [ann.say(cached([made(cy)]))], roles), 0)).toEqual([]);
  expect(sidesOf(folded(graph, [ann.say(cached([]))]), 0)).toEqual([]);
});
