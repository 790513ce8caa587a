import { expect, test } from "vitest";
import type { SignedEntry } from "../../protocol/timeline/entry.ts";
import type { Claims } from "../../protocol/work/claims.ts";
import { clientOf, Ledger } from "../../protocol/work/ledger.ts";
import { fakePeer } from "../../sim/signer.ts";
import { emptyClaims, graphOf, rolesOf } from "../work/facts.ts";
import type { Dice } from "./dice.ts";
import { fuzz } from "./fuzz.ts";
import { build, buildEvents, inc, says } from "./swarm.ts";
import { hostileValue } from "./values.ts";

const graph = graphOf({ a: [], b: ["a"] });
const authors = ["ann", "bob", "cy"];
const roles = rolesOf({});

/** A few entries of each author: known kinds and unknown ones, about the same few claims. */
function entriesOf(dice: Dice): SignedEntry[] {
  return authors.flatMap((author) =>
    Array.from({ length: dice.below(5) }, (_, seq) => {
      const event = dice.once(4) ? hostileValue(dice, buildEvents) : dice.pick(buildEvents);
      const said = { kind: "odd", ...(event as object), holder: fakePeer(dice.pick(authors)) } as Record<
        string,
        unknown
      >;
      if (typeof said.kind !== "string" || said.kind === "") said.kind = "odd";
      if (said.kind === "claim" || dice.once(2))
        said.claim = `${fakePeer(dice.pick(authors))}.${inc}.${dice.below(2)}`;
      return says(author, seq, [said as { kind: string }], build);
    }),
  );
}

function shuffled<T>(dice: Dice, list: readonly T[]): T[] {
  return list
    .map((item) => ({ item, at: dice.below(2 ** 30) }))
    .sort((x, y) => x.at - y.at)
    .map(({ item }) => item);
}

const folded = (entries: readonly SignedEntry[]): Claims => {
  const claims = emptyClaims(graph, roles);
  for (const entry of entries) claims.take(entry);
  return claims;
};

test("any order, any doubling and any partition of one set of entries folds to one state", () => {
  const states = new Set<string>();
  fuzz({
    make: (dice) => {
      let entries: SignedEntry[] = [];
      try {
        entries = entriesOf(dice);
      } catch {
        // What has no encoding was never said.
      }
      const again = shuffled(dice, [...entries, ...entries]);
      return { entries, again, half: dice.below(again.length + 1) };
    },
    run: ({ entries, again, half }) => {
      const one = folded(entries).digest();
      states.add(one);
      expect(folded(again).digest()).toBe(one);
      // Two sides of a partition, then each hears the other.
      const [left, right] = [folded(again.slice(0, half)), folded(again.slice(half))];
      for (const entry of again) left.take(entry);
      for (const entry of again.toReversed()) right.take(entry);
      expect([left.digest(), right.digest()]).toEqual([one, one]);
    },
  });
  expect(states.size).toBeGreaterThan(10);
});

test("updates of one ledger, in any order and offered again, make equal ledgers", () => {
  const entries = buildEvents.slice(0, 6).map((event, seq) => says("ann", seq, [event], build));
  const own = new Ledger(build, clientOf(fakePeer("ann"), inc));
  const updates = entries.map((entry) => own.add(entry));
  fuzz({
    make: (dice) => shuffled(dice, [...updates, ...updates]),
    run: (order) => {
      const ledger = new Ledger(build, 1);
      for (const update of order) ledger.apply(update);
      for (const update of updates) ledger.apply(update);
      expect(ledger.digest()).toBe(own.digest());
    },
  });
});
