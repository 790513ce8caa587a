/** A swarm in which nothing goes on: how seldom it speaks, and how soon it is there when something does. */
import { expect, test } from "vitest";
import { graphOf } from "../work/facts.ts";
import { Cores, type Node } from "./cores.ts";

const three = { ann: {}, bob: {}, cy: {} };
const work = graphOf(Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`x${i}`, []])));
const beats = (node: Node, sinceMs: number) =>
  node.effects.filter(
    ({ atMs, effect }) => atMs >= sinceMs && effect.kind === "gossip" && effect.message.kind === "vitals",
  ).length;

function calm(): Cores {
  const cores = new Cores(three);
  cores.runFor(40_000);
  return cores;
}

test("a calm core beats once in ten seconds, and steps for nothing else", () => {
  const cores = calm();
  let ticks = 0;
  cores.rules.stepped = (_, input) => void (input.kind === "tick" && ticks++);
  const sinceMs = cores.nowMs;
  cores.runFor(100_000);
  for (const node of cores.nodes) {
    expect(beats(node, sinceMs)).toBeGreaterThanOrEqual(9);
    expect(beats(node, sinceMs)).toBeLessThanOrEqual(11);
    for (const other of cores.nodes) expect(node.core.desk.status(other.peer)).toBe("alive");
    expect(node.core.desk.settled).toBe(true);
  }
  expect(ticks).toBeLessThanOrEqual(3 * 12);
});

test("a calm core that made no step for a lease after it asked for one knows that it was away; one that was only calm was not", () => {
  for (const [lateMs, settled] of [
    [1_000, true],
    [6_000, false],
  ] as const) {
    const cores = calm();
    const { core } = cores.node("ann");
    const monoMs = core.deadline() + lateMs;
    core.step({ kind: "tick" }, { monoMs, wallMs: cores.now().wallMs + monoMs - cores.nowMs });
    expect(core.desk.settled).toBe(settled);
  }
});

test("a submission wakes all: they beat each second, and as long as it lasts", () => {
  const cores = calm();
  cores.rules.run = () => ({ ms: 30_000 });
  const sinceMs = cores.nowMs;
  const build = cores.submit("ann", work);
  cores.runFor(100_000);
  for (const node of cores.nodes) expect(beats(node, sinceMs)).toBeGreaterThanOrEqual(95);
  cores.finish(build, 100_000);
  cores.runFor(30_000);
  const quietMs = cores.nowMs;
  cores.runFor(60_000);
  for (const node of cores.nodes) expect(beats(node, quietMs)).toBeLessThanOrEqual(7);
});

test("a member that fell silent while all was calm is missed soon after a build begins, and what it would hand out is not held up", () => {
  const cores = calm();
  cores.kill("bob", true);
  cores.runFor(8_000);
  const [ann, bob] = [cores.node("ann"), cores.node("bob")];
  expect(ann.core.desk.status(bob.peer)).toBe("alive");
  const build = cores.submit("ann", work);
  expect(cores.runUntil(() => ann.core.desk.status(bob.peer) === "dead", 5000)).toBe(true);
  cores.finish(build, 20_000);
  expect(ann.core.desk.status(bob.peer)).toBe("dead");
});

test("a member that hears nothing of what began elsewhere is woken by what others say of it", () => {
  const cores = calm();
  // Gossip of ann reaches cy alone, as where there is no way between the two.
  cores.rules.drops = (from, to) => (from === "ann" && to === "bob") || (from === "bob" && to === "ann");
  const sinceMs = cores.nowMs;
  cores.step(cores.node("ann"), { kind: "looked" });
  cores.runFor(10_000);
  expect(beats(cores.node("bob"), sinceMs)).toBeGreaterThanOrEqual(8);
  for (const [one, other] of [
    ["bob", "cy"],
    ["cy", "bob"],
    ["cy", "ann"],
  ] as const)
    expect(cores.node(one).core.desk.status(cores.node(other).peer)).toBe("alive");
});

test("who is of a version that beats each second always keeps the others at that pace", () => {
  const cores = new Cores(three);
  const perform = cores.rules;
  perform.instead = (node, effect) => {
    if (node.name !== "cy" || effect.kind !== "gossip" || effect.message.kind !== "vitals") return false;
    const { awakeMs: _, ...older } = effect.message.vitals;
    for (const to of cores.nodes)
      if (to !== node)
        cores.later(to, 1, { kind: "gossip", from: node.peer, message: { kind: "vitals", vitals: older } });
    return true;
  };
  cores.runFor(40_000);
  const sinceMs = cores.nowMs;
  cores.runFor(20_000);
  for (const name of ["ann", "bob"]) expect(beats(cores.node(name), sinceMs)).toBeGreaterThanOrEqual(18);
});

test("a reading that matters is told within a beat, however calm all is", () => {
  const cores = calm();
  const ann = cores.node("ann");
  cores.step(ann, { kind: "sensed", vitals: { ...ann.vitals, temperatureCelsius: 80 } });
  cores.runFor(1100);
  expect(cores.node("cy").core.desk.peers.vitals(ann.peer)?.temperatureCelsius).toBe(80);
});

test("who is looked at all the time beats no faster than who is awake", () => {
  const cores = calm();
  const ann = cores.node("ann");
  const sinceMs = cores.nowMs;
  for (let look = 0; look < 500; look++) {
    cores.step(ann, { kind: "looked" });
    cores.runFor(20);
  }
  expect(beats(ann, sinceMs)).toBeGreaterThanOrEqual(9);
  expect(beats(ann, sinceMs)).toBeLessThanOrEqual(12);
});
