import { expect, test } from "vitest";
import type { Incarnation } from "../../protocol/kernel/ids.ts";
import { graphOf } from "../work/facts.ts";
import { Cores } from "./cores.ts";

const wide = graphOf(Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`w${i}`, []])));
const three = { ann: {}, bob: {}, cy: {} };

test("a node that goes down stops what runs, gives its claims back, says node.down last and is gone", () => {
  const cores = new Cores(three, { run: () => ({ ms: 1, never: true }) });
  const build = cores.submit("ann", wide);
  cores.runUntil(() => cores.node("cy").running.size > 0);
  const held = [...cores.node("cy").running.keys()];
  cores.command("cy", { kind: "stop", reason: "goes home" });
  cores.runUntil(() => !cores.node("cy").up, 5000);
  const said = cores.node("cy").said();
  expect(said.at(-1)).toMatchObject({ kind: "node.down", reason: "goes home" });
  expect(said.filter((e) => e.kind === "abandon").map((e) => e.claim)).toEqual(held);
  expect(cores.node("cy").effects.at(-1)!.effect.kind).toBe("stopped");
  cores.rules.run = () => ({ ms: 10 });
  for (const node of ["ann", "bob"])
    for (const claim of cores.node(node).running.keys())
      cores.step(cores.node(node), {
        kind: "executed",
        claim: claim as never,
        outcome: { kind: "stopped", reason: "x" },
      });
  cores.finish(build);
  expect(cores.executions.filter((e) => e.node === "cy")).toHaveLength(held.length);
});

test("a node in its last moments takes up nothing, and the others hold it dead at once", () => {
  const cores = new Cores(three, { run: () => ({ ms: 400 }) });
  const build = cores.submit("ann", wide);
  cores.runUntil(() => cores.node("cy").running.size > 0);
  cores.rules.instead = (node, effect) => node.name === "cy" && effect.kind === "kill";
  const from = cores.executions.length;
  cores.command("cy", { kind: "stop", reason: "x" });
  cores.runUntil(() => !cores.node("cy").up, 5000);
  cores.runFor(5);
  expect(cores.node("ann").core.desk.status(cores.node("cy").peer)).toBe("dead");
  cores.finish(build);
  expect(cores.executions.slice(from).map((e) => e.node)).not.toContain("cy");
});

test("a result that comes in the moment of going down is told before the node is gone", () => {
  const cores = new Cores({ ann: {}, bob: {} }, { run: () => ({ ms: 1, never: true }) });
  const build = cores.submit("ann", wide);
  const ann = cores.node("ann");
  cores.runUntil(() => ann.running.size > 0);
  const [claim] = [...ann.running.values()];
  cores.rules.instead = (node, effect) => node === ann && effect.kind === "kill";
  // Something was said of the build a moment ago: what follows would be gathered with the next.
  cores.command("ann", { kind: "control", build, op: "pause" });
  cores.step(ann, { kind: "command", id: 70, command: { kind: "stop", reason: "x" } });
  const outputs = claim!.outputs.map(({ path, kind }) => ({ path, kind, digest: claim!.inputRoot }));
  const usage = { fetchMs: 0, wallMs: 1, cpuMs: 1, maxRssBytes: 1, fetchedBytes: 0 };
  cores.step(ann, {
    kind: "executed",
    claim: claim!.claim,
    outcome: { kind: "done", result: { outputs }, usage },
  });
  expect(ann.up).toBe(false);
  expect(
    ann
      .said()
      .map((e) => e.kind)
      .slice(-2),
  ).toEqual(["done", "node.down"]);
});

test("the first word of a start names the last of the start before it, also after the tenth", () => {
  const cores = new Cores({ ann: {} });
  for (let start = 2; start <= 12; start++) {
    cores.kill("ann");
    cores.start("ann");
  }
  const ups = cores.node("ann").entries.filter((e) => e.entry.events.some((x) => x.kind === "node.up"));
  expect(ups).toHaveLength(12);
  const last = ups.map((e) => e.entry.inc);
  expect(last.at(-1)).toMatch(/^12-/);
  for (let i = 1; i < ups.length; i++)
    expect(ups[i]!.entry.prev, last[i] as Incarnation).toBe(ups[i - 1]!.id);
});
