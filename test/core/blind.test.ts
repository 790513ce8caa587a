/** A steward that cannot get the graph of a build says so, and the next in order hands out its work. */
import { expect, test } from "vitest";
import { graphOf } from "../work/facts.ts";
import { Cores, type Node } from "./cores.ts";

const graph = graphOf(Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`w${i}`, []])));

/** Bob reads no graph as long as `closed` says so. */
function begin(closed: () => boolean): Cores {
  const cores = new Cores({ ann: {}, bob: {}, cy: {} });
  cores.rules.instead = (node: Node, effect) => {
    if (node.name !== "bob" || effect.kind !== "read-blob" || !closed()) return false;
    cores.later(node, 5, { kind: "blob-read", digest: effect.want.digest, bytes: null });
    return true;
  };
  return cores;
}

test("what it would hand out is handed out by others, and the build ends without it", () => {
  const cores = begin(() => true);
  const build = cores.submit("ann", graph);
  const [ann, bob, cy] = ["ann", "bob", "cy"].map((name) => cores.node(name)) as [Node, Node, Node];
  // Some of its actions fall to bob, or the test shows nothing.
  const stewards = graph.actions.map((a) => ann.core.desk.stewardOf(build, a.name));
  expect(stewards).toContain(bob.peer);
  const sealed = () => [ann, cy].every((n) => n.build(build).claims?.sealed !== undefined);
  expect(cores.runUntil(sealed, 30_000)).toBe(true);
  expect(ann.build(build).claims!.state).toBe("complete");
  expect(ann.core.desk.vitalsOf(bob.peer)!.blind).toEqual([build]);
  expect(bob.said("claim")).toEqual([]);
});

test("once it has the graph it is steward again", () => {
  let closed = true;
  const cores = begin(() => closed);
  cores.rules.run = () => ({ ms: 1, never: true });
  const build = cores.submit("ann", graph);
  const ann = cores.node("ann");
  const stewards = () => graph.actions.map((a) => ann.core.desk.stewardOf(build, a.name));
  const before = stewards();
  const { peer } = cores.node("bob");
  expect(cores.runUntil(() => !stewards().includes(peer), 20_000)).toBe(true);
  closed = false;
  expect(cores.runUntil(() => stewards().includes(peer), 20_000)).toBe(true);
  expect(stewards()).toEqual(before);
  expect(ann.core.desk.vitalsOf(peer)!.blind).toBeUndefined();
});
