import { expect, test } from "vitest";
import type { BuildId } from "../../protocol/kernel/ids.ts";
import { graphOf } from "../work/facts.ts";
import { Cores } from "./cores.ts";

const one = (name: string) => graphOf({ [name]: [] });

test("of ended builds fifty stay in memory, the oldest are dropped, and nobody brings them back", () => {
  const cores = new Cores({ ann: {}, bob: {} }, { run: () => ({ ms: 5 }) });
  const builds: BuildId[] = [];
  for (let i = 0; i < 53; i++) {
    const build = cores.submit("ann", one(`a${i}`));
    cores.finish(build);
    builds.push(build);
  }
  cores.runFor(5000);
  for (const node of cores.nodes) {
    expect([...node.core.desk.builds.keys()].sort()).toEqual(builds.slice(3).sort());
    expect(node.of("archive").map((e) => e.build)).toEqual(builds.slice(0, 3));
  }
});

test("a build stays as long as something of it is still being stopped here", () => {
  const cores = new Cores({ ann: {}, bob: {}, cy: {} });
  const cy = cores.node("cy");
  cores.rules.run = (_, node) => (node === cy ? { ms: 1, never: true } : { ms: 5 });
  // Cy is cut off, held dead, and comes back to a build that ended without it; what it ran does not stop.
  const graph = graphOf(Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`x${i}`, []])));
  const build = cores.submit("ann", graph);
  cores.runUntil(() => cy.running.size > 0);
  const [claim] = [...cy.running.values()];
  cores.rules.drops = (from, to) => from === "cy" || to === "cy";
  cores.rules.instead = (node, effect) => node === cy && effect.kind === "kill";
  cores.runUntil(() => cores.node("ann").build(build).claims!.sealed !== undefined);
  cores.rules.drops = undefined;
  cores.finish(build);
  for (let i = 0; i < 52; i++) cores.finish(cores.submit("ann", one(`a${i}`)));
  expect(cy.build(build)).toBeDefined();
  cores.step(cy, { kind: "executed", claim: claim!.claim, outcome: { kind: "stopped", reason: "late" } });
  cores.finish(cores.submit("ann", one("last")));
  expect(cy.build(build)).toBeUndefined();
});
