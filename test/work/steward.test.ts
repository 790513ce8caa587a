import fc from "fast-check";
import { expect, test } from "vitest";
import { firstOf, type Weighted } from "../../protocol/work/steward.ts";
import { peerNamed } from "../contract/chain.ts";
import { build } from "./facts.ts";

const nodes: Weighted[] = [1, 1, 2, 4, 8].map((weight, i) => ({ peer: peerNamed(`node ${i}`), weight }));
const actions = Array.from({ length: 8000 }, (_, i) => `compile/unit_${i}`);

test("each member is steward of its share of the slots", () => {
  const counts = new Map<string, number>();
  for (const action of actions) {
    const first = firstOf(build, action, nodes)!;
    counts.set(first, (counts.get(first) ?? 0) + 1);
  }
  for (const { peer, weight } of nodes) {
    const expected = (actions.length * weight) / 16;
    // Four standard deviations of a fair draw.
    expect(Math.abs(counts.get(peer)! - expected)).toBeLessThan(4 * Math.sqrt(expected));
  }
});

test("whatever order the members are listed in, all name the same steward", () => {
  fc.assert(
    fc.property(fc.shuffledSubarray(nodes, { minLength: nodes.length }), fc.string(), (order, action) => {
      expect(firstOf(build, action, order)).toBe(firstOf(build, action, nodes));
    }),
  );
});

test("when a member goes only its own actions get another steward, spread over all that stay", () => {
  const gone = nodes[3]!;
  const rest = nodes.filter((n) => n !== gone);
  const heirs = new Set<string>();
  for (const action of actions) {
    const [before, after] = [firstOf(build, action, nodes)!, firstOf(build, action, rest)!];
    if (before === gone.peer) heirs.add(after);
    else expect(after).toBe(before);
  }
  expect(heirs).toEqual(new Set(rest.map((n) => n.peer)));
});

test("builds are spread apart from each other, and nobody without slots is steward", () => {
  const other = "other-0123456789" as typeof build;
  expect(actions.some((a) => firstOf(build, a, nodes) !== firstOf(other, a, nodes))).toBe(true);
  expect(firstOf(build, "a", [])).toBeUndefined();
  expect(firstOf(build, "a", [{ peer: nodes[0]!.peer, weight: 0 }])).toBeUndefined();
});
