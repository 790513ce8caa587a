/** Members that were away while builds ended: what they get when they come back, and what they hand over. */
import { expect, test } from "vitest";
import type { BuildId } from "../../protocol/kernel/ids.ts";
import { graphOf } from "../work/facts.ts";
import { Cores } from "./cores.ts";

const one = (name: string) => graphOf({ [name]: [] });

function many(cores: Cores, count: number): BuildId[] {
  return Array.from({ length: count }, (_, i) => {
    const build = cores.submit("ann", one(`a${i}`));
    cores.runUntil(() => cores.node("ann").build(build)?.claims?.sealed !== undefined);
    return build;
  });
}

test("a member away while a hundred builds ended gets all their entries, soon, and says meanwhile how many it lacks", () => {
  const cores = new Cores({ ann: {}, bob: {}, cy: {} }, { run: () => ({ ms: 5 }) });
  cores.kill("cy");
  const builds = many(cores, 110);
  cores.start("cy");
  const [ann, cy] = [cores.node("ann"), cores.node("cy")];
  let behind = 0;
  const whole = () => {
    behind = Math.max(behind, cy.core.borrower.behind);
    return cy.core.desk.archive.digest() === ann.core.desk.archive.digest();
  };
  expect(cores.runUntil(whole, 20_000)).toBe(true);
  expect(behind).toBeGreaterThan(20);
  expect(cy.core.borrower.behind).toBe(0);
  const known = (node: typeof cy) => [
    ...node.core.desk.builds.keys(),
    ...node.core.desk.archive.all().map((a) => a.build),
  ];
  expect(known(cy).sort()).toEqual([...builds].sort());
  const facts = (node: typeof cy) => new Set(node.entries.filter((e) => e.entry.build).map((e) => e.id));
  expect(facts(cy)).toEqual(facts(ann));
  // It is kept: after a restart nothing is asked for again.
  cores.kill("cy");
  cores.start("cy");
  const before = cy.sent("want").length;
  cores.runFor(10_000);
  expect(cy.sent("want").length).toBe(before);
  expect(whole()).toBe(true);
});

test("a member that missed the end of a build which others have archived stops its work there and hands over what it did", () => {
  const cores = new Cores({ ann: {}, bob: {}, cy: {} }, { run: () => ({ ms: 5 }) });
  const cy = cores.node("cy");
  const graph = graphOf(Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`x${i}`, []])));
  cores.rules.run = (_, node) => ({ ms: node === cy ? 400_000 : 1000 });
  const build = cores.submit("ann", graph);
  cores.runUntil(() => cy.running.size > 0);
  cores.rules.drops = (from, to) => from === "cy" || to === "cy";
  // Cut off, it goes on alone: it takes its own work to its end and more of it.
  cores.runUntil(() => cores.node("ann").build(build).claims!.sealed !== undefined);
  cores.rules.run = (_, node) => (node === cy ? { ms: 20_000 } : { ms: 5 });
  many(cores, 52);
  for (const name of ["ann", "bob"]) expect(cores.node(name).build(build)).toBeUndefined();
  expect(cy.build(build).claims!.sealed).toBeUndefined();
  cores.runFor(30_000);
  expect(cy.running.size).toBeGreaterThan(0);
  const own = cy.said("done").length;
  cores.rules.drops = undefined;
  const settled = () =>
    cy.running.size === 0 &&
    cy.build(build) === undefined &&
    cy.core.desk.archive.digest() === cores.node("ann").core.desk.archive.digest();
  if (!cores.runUntil(settled, 60_000))
    throw new Error(
      JSON.stringify([
        cy.running.size,
        cy.build(build)?.id,
        cy.build(build)?.claims?.sealed,
        cy.core.holder.holds(build),
        cy.build(build)?.ranged,
        cy.core.borrower.behind,
        cy.core.desk.archive.all().length,
        cores.node("ann").core.desk.archive.all().length,
        cy.core.desk.builds.size,
        cores.node("ann").core.desk.builds.size,
        cy.core.desk.archive.get(build)?.entries,
        cores.node("ann").core.desk.archive.get(build)?.entries,
      ]),
    );
  expect(cy.said("done").length).toBeLessThanOrEqual(own + 1);
  const ids = (name: string) =>
    new Set(
      cores
        .node(name)
        .entries.filter((e) => e.entry.build === build)
        .map((e) => e.id),
    );
  expect(ids("ann")).toEqual(ids("cy"));
  expect(ids("bob")).toEqual(ids("cy"));
});

test("what a build made that failed is counted, and in the action cache, also where its chains came one by one", () => {
  const failed = { kind: "failed", cause: "deterministic", reason: "no" } as const;
  const cores = new Cores({ ann: {}, bob: {}, cy: { roles: ["submitter"] } });
  cores.rules.run = ({ action }) => ({ ms: 5, ...(action === "z" ? { outcome: failed } : {}) });
  const [ann, , cy] = cores.nodes;
  const names = Array.from({ length: 12 }, (_, i) => `x${i}`);
  const build = cores.submit("ann", graphOf(Object.fromEntries([...names, "z"].map((name) => [name, []]))));
  cores.rules.drops = (from, to) => from === "cy" || to === "cy";
  many(cores, 52);
  expect(ann!.core.desk.archive.get(build)).toMatchObject({ done: 12 });
  // Whoever offers what it has of an archived build gets it in ranges; the one with the seal is the first.
  const sealer = ann!.core.desk.archive.get(build)!.seal.entry.author;
  const first = ann!.entries.filter(({ entry }) => entry.build === build && entry.author === sealer);
  expect(cy!.build(build)).toBeDefined();
  cores.hand(sealer, "cy", { kind: "entries", entries: first });
  expect(cy!.core.desk.archive.has(build)).toBe(true);
  cores.rules.drops = undefined;
  const whole = () => cy!.core.desk.archive.digest() === ann!.core.desk.archive.digest();
  expect(cores.runUntil(whole, 30_000)).toBe(true);
  cores.runFor(10_000);
  expect(cy!.core.desk.archive.get(build)).toMatchObject({ done: 12 });
  expect(cy!.core.borrower.behind).toBe(0);
  const made = cy!.of("remember").flatMap((one) => (one.made.build === build ? [one.made.action] : []));
  expect(new Set(made)).toEqual(new Set(names));
});

test("with a third of everything lost, builds end, and soon after all hold the same", () => {
  let dice = 1;
  const cores = new Cores({ ann: {}, bob: {}, cy: {} });
  cores.rules.drops = () => {
    dice = (Math.imul(dice, 1_103_515_245) + 12_345) >>> 0;
    return dice % 3 === 0;
  };
  const graph = graphOf(Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`x${i}`, []])));
  const build = cores.submit("ann", graph);
  cores.finish(build, 120_000);
  const same = () =>
    new Set(cores.nodes.map((n) => `${n.core.desk.chains.digest()} ${n.build(build).ledger.digest()}`))
      .size === 1;
  expect(cores.runUntil(same, 15_000)).toBe(true);
  expect(cores.node("bob").build(build).claims!.digest()).toBe(
    cores.node("ann").build(build).claims!.digest(),
  );
});

test.each([1, 3, 8, 1000])(
  "a member whose disk lost its last %i records gets back from others what it said, under a new start",
  (lost) => {
    const cores = new Cores({ ann: {}, bob: {}, cy: {} });
    const graph = graphOf(Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`x${i}`, []])));
    const build = cores.submit("ann", graph);
    const cy = cores.node("cy");
    cores.runUntil(() => cy.said("done").length >= 4);
    const said = cy.of("append").map((e) => e.entry);
    cores.runFor(50);
    cores.kill("cy");
    const updates = cy.updates.get(build)!;
    cy.updates.set(build, updates.slice(0, Math.max(0, updates.length - lost)));
    const kept = Math.max(1, cy.entries.length - lost);
    cy.entries.splice(kept);
    cores.start("cy");
    cores.finish(build);
    cores.runFor(5000);
    const known = new Set(cy.entries.map((e) => e.id));
    expect(said.filter((e) => !known.has(e.id))).toEqual([]);
    expect(cy.core.desk.members.forks.all()).toEqual([]);
    expect(cy.build(build).ledger.digest()).toBe(cores.node("ann").build(build).ledger.digest());
  },
);
