import { expect, test } from "vitest";
import { remedyOf, waitsOf } from "../../protocol/work/waits.ts";
import { Cores } from "../core/cores.ts";
import { graphOf } from "./facts.ts";

const gcc12 = "12.2.0/x86_64-linux-gnu/aaaa";
const gcc14 = "14.2.0/x86_64-linux-gnu/bbbb";
const graph = graphOf({ a: [], b: [], c: ["a"] }, { toolchains: { gcc: gcc12 } });

/** What ann sees of a build that it submitted. */
function seenBy(cores: Cores, build: ReturnType<Cores["submit"]>) {
  const { core } = cores.node("ann");
  const seen = cores.node("ann").build(build);
  const waits = waitsOf(core.desk, seen, (index) => core.scheduler.readySinceMonoMs(seen, index));
  const nodes = core.desk.seen().map((vitals) => ({ name: vitals.name, vitals }));
  return { waits, remedies: waits.map((wait) => remedyOf(wait, seen, nodes, core.desk.config.self)) };
}

test("work whose toolchain went away with its node names that node, and since when it is away", () => {
  const cores = new Cores({ ann: {}, bob: { vitals: { toolchains: { gcc: gcc12 } } } });
  cores.rules.run = () => ({ ms: 1, never: true });
  const build = cores.submit("ann", graph);
  expect(seenBy(cores, build).waits).toEqual([]);
  const diedMs = cores.nowMs;
  cores.kill("bob");
  cores.runFor(20_000);
  const { waits, remedies } = seenBy(cores, build);
  expect(waits).toMatchObject([
    { first: "a", actions: 2, never: true, toolsGone: ["gcc"], had: [{ name: "bob", dead: true }] },
  ]);
  expect(waits[0]!.unfit[0]!.shortfalls[0]!.text).toBe("lacks gcc 12.2.0");
  expect(waits[0]!.sinceMonoMs).toBeGreaterThanOrEqual(diedMs - 2000);
  expect(remedies[0]!.command).toBeUndefined();
  expect(remedies[0]!.text).toContain("bring bob back");
});

test("work whose toolchain was replaced is built again with another, and who built its like is named", () => {
  const cores = new Cores({ ann: { vitals: { toolchains: { gcc: gcc12 } } } });
  const build = cores.submit("ann", graph);
  cores.runUntil(() => cores.node("ann").build(build).claims?.actions.counts.done === 1);
  const { vitals } = cores.node("ann");
  cores.step(cores.node("ann"), { kind: "sensed", vitals: { ...vitals, toolchains: { gcc: gcc14 } } });
  cores.runFor(10_000);
  const { waits, remedies } = seenBy(cores, build);
  expect(waits).toMatchObject([{ never: true, had: [{ name: "ann", dead: false }] }]);
  expect(remedies).toEqual([
    { command: ["retry", build], text: "build it again with the toolchains there are" },
  ]);
});

test("work that only waits until a node has room again is no matter for a person", () => {
  const cores = new Cores({ ann: { vitals: { diskFreeBytes: 1 << 20 } } });
  const build = cores.submit("ann", graphOf({ a: [] }));
  cores.runFor(5000);
  const { waits, remedies } = seenBy(cores, build);
  expect(waits).toMatchObject([{ never: false, toolsGone: [], had: [] }]);
  expect(remedies).toEqual([undefined]);
});

test("what lacks a label, a target or a secret is told apart from what lacks another", () => {
  const cores = new Cores({ ann: {} });
  const kinds = graphOf({ a: [], b: [], c: [] });
  const build = cores.submit("ann", {
    ...kinds,
    actions: [
      { ...kinds.actions[0]!, requires: { labels: ["gpu"] } },
      { ...kinds.actions[1]!, secrets: ["token"] },
      { ...kinds.actions[2]!, requires: { target: "riscv64-linux-gnu" } },
    ],
  });
  cores.runFor(1000);
  const said = seenBy(cores, build).waits.map((w) => w.unfit[0]!.shortfalls.map((s) => s.text).join());
  expect(said.sort()).toEqual([
    "builds for x86_64-linux-gnu, not for riscv64-linux-gnu",
    "lacks the label gpu",
    "was not given the secret token (there: swarmd secret set token)",
  ]);
});
