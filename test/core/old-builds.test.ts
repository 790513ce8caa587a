import { expect, test } from "vitest";
import type { ActionName, BuildId } from "../../protocol/kernel/ids.ts";
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

test("a small board lets go of ended builds at once but for four, and neither it nor others ask for them again", () => {
  const idle = (small: boolean) => {
    const cores = new Cores({ ann: {}, bob: { small } }, { run: () => ({ ms: 5 }) });
    const builds = Array.from({ length: 12 }, (_, i) => {
      const build = cores.submit("ann", one(`a${i}`));
      cores.finish(build);
      return build;
    });
    cores.runFor(5000);
    const sent = () => cores.nodes.reduce((sum, node) => sum + node.of("send").length, 0);
    const before = sent();
    cores.runFor(30_000);
    return { cores, builds, sent: sent() - before };
  };
  const { cores, builds, sent } = idle(true);
  expect([...cores.node("bob").core.desk.builds.keys()].sort()).toEqual(builds.slice(8).sort());
  expect(cores.node("ann").core.desk.builds.size).toBe(12);
  expect(sent).toBeLessThanOrEqual(idle(false).sent);
  cores.kill("bob");
  cores.start("bob");
  cores.runFor(10_000);
  expect([...cores.node("bob").core.desk.builds.keys()].sort()).toEqual(builds.slice(8).sort());
  expect(cores.node("bob").core.borrower.behind).toBe(0);
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

test("what a build releases is staged although fifty that were submitted after it ended before it", () => {
  const cores = new Cores(
    { ann: { slots: 2, roles: ["releaser", "builder", "submitter"] }, bob: {} },
    { run: ({ action }) => ({ ms: action === "long" ? 20_000 : 5 }) },
  );
  const build = cores.submit("ann", {
    ...graphOf({ long: [] }),
    release: { channel: "stable", format: "files", include: ["long"] as ActionName[] },
  });
  for (let i = 0; i < 52; i++) cores.finish(cores.submit("ann", one(`a${i}`)));
  cores.runFor(30_000);
  for (const node of cores.nodes) {
    expect(node.core.releases.pending("stable")?.map((staged) => staged.build)).toEqual([build]);
    expect(node.build(build)).toBeUndefined();
  }
});

test("a build whose release nobody can stage is kept for ten minutes, and not for ever", () => {
  const cores = new Cores({ ann: { slots: 2 }, bob: {} }, { run: () => ({ ms: 5 }) });
  cores.rules.instead = (_, { kind }) => kind === "store";
  const build = cores.submit("ann", {
    ...graphOf({ a: [] }),
    release: { channel: "stable", format: "files", include: ["a"] as ActionName[] },
  });
  for (let i = 0; i < 52; i++) cores.finish(cores.submit("ann", one(`a${i}`)));
  cores.runFor(60_000);
  for (const node of cores.nodes) expect(node.build(build)).toBeDefined();
  cores.runFor(600_000);
  for (const node of cores.nodes) expect(node.build(build)).toBeUndefined();
});
