/** What a person may write in a scenario, and how it is told where it is wrong. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { readCluster } from "../../sim/cluster.ts";
import { durationOf, readScenario } from "../../sim/scenario.ts";
import { synthesize } from "../../sim/synthetic.ts";

const good = [
  "scenario: 1",
  "name: s",
  "cluster: {kinds: [{count: 2}]}",
  "workload: {shape: chain, actions: 3}",
];
/** The refusal of a good scenario with more lines, or with some replaced by place. */
function refusal(lines: Readonly<Record<number, string>> | readonly string[]): {
  code: string;
  message: string;
} {
  const text = Array.isArray(lines)
    ? [...good, ...lines]
    : good.map((line, i) => (lines as Record<number, string>)[i] ?? line);
  try {
    const scenario = readScenario(text.join("\n"), "s.yaml");
    if ("cluster" in scenario.cluster) scenario.check(scenario.cluster.cluster);
  } catch (error) {
    if (error instanceof SwarmError) return { code: error.code, message: error.message };
    throw error;
  }
  throw new Error("it was taken");
}

test.each([
  [["seds: 3"], 's.yaml:5:1: unknown key "seds"\n  hint: did you mean "seeds"?'],
  [["seeds: 0"], "s.yaml:5:8: seeds: "],
  [["latency: soon"], "s.yaml:5:10: latency: must be a time"],
  [["history: often"], "s.yaml:5:10: history: must be exact, none"],
  [["modes: [unifed]"], "s.yaml:5:9: modes.0: "],
  [["faults:", "- {kind: crash, host: n7}"], "s.yaml:6:23: no node of the cluster is named n7"],
  [["faults:", "- {kind: crsh, host: n0}"], "s.yaml:6:10: faults.0.kind: "],
  [["faults: [{kind: crash, host: n0, at: 3}]"], 's.yaml:5:34: unknown key "at"\n  hint: '],
  [["nodes: {x9: {policy: avoid}}"], "no node of the cluster is named x9"],
  [["variants: [{name: a}, {name: a}]"], "s.yaml:5:30: two variants are named a"],
  [{ 0: "scenario: 2" }, "s.yaml:1:11: scenario: must be 1"],
  [{ 2: "cluster: {}" }, "s.yaml:3:10: a cluster is one of file, kinds or nodes"],
  [{ 2: "cluster: {nodes: []}" }, "s.yaml:3:18: a cluster of no nodes"],
  [{ 2: "cluster: {nodes: [{id: a, slots: 0}]}" }, "s.yaml:3:34: no node has a slot"],
  [{ 2: "cluster: {nodes: [{id: a, speed: -1}]}" }, "s.yaml:3:34: cluster.nodes.0.speed: must be above 0"],
  [{ 3: "workload: {}" }, "s.yaml:4:11: a workload is one of file, spec or shape"],
  [{ 3: "workload: {file: a.json, actions: 3}" }, "s.yaml:4:35: only a made-up workload"],
  [{ 3: "workload: {file: a.json, spec: b.yaml}" }, "s.yaml:4:11: a workload is one of"],
  [{ 3: "workload: {shape: chain, takes: {x: 1s}}" }, "s.yaml:4:33: only the workload of a spec"],
  [{ 1: "name: [" }, "s.yaml:"],
] as const)("%j is refused at its place", (lines, message) => {
  const { code, message: found } = refusal(lines);
  expect(code).toBe("spec-invalid");
  expect(found).toContain(message);
  expect(found).toMatch(/^s\.yaml:\d+:\d+: /);
});

test("all mistakes of a file are listed at once, in its order", () => {
  const { message } = refusal(["latncy: 3ms", "seeds: none", "wrkload: 2"]);
  expect(
    message
      .split("\n")
      .filter((line) => line.startsWith("s.yaml:"))
      .map((line) => line.split(":")[1]),
  ).toEqual(["5", "6", "7"]);
});

test("the example of the page is read as the page says", () => {
  const page = readFileSync(new URL("../../specs/scenario.md", import.meta.url), "utf8");
  const scenario = readScenario(/^```yaml scenario\n([\s\S]*?)^```$/m.exec(page)![1]!, "page");
  expect(
    scenario.variants.map(({ name, gossipAgeMs, latencyMs, faults }) => [
      name,
      gossipAgeMs,
      latencyMs,
      faults.length,
    ]),
  ).toEqual([
    ["whole unified", 50, 2, 0],
    ["whole learned", 50, 2, 0],
    ["cut unified", 50, 2, 1],
    ["cut learned", 50, 2, 1],
  ]);
  expect(scenario.variants.map((v) => v.scheduling.mode)).toEqual([
    "unified",
    "learned",
    "unified",
    "learned",
  ]);
  expect(scenario).toMatchObject({ history: 0.3, seeds: [1, 2, 3], limitMs: 3_600_000 });
  if (!("cluster" in scenario.cluster)) throw new Error("it has its own");
  expect(scenario.cluster.cluster.nodes.map((n) => [n.id, n.slots, n.speed])).toEqual([
    ["n0", 4, 1],
    ["n1", 4, 1],
    ["n2", 4, 1],
    ["n3", 4, 1],
    ["n4", 8, 2],
    ["n5", 8, 2],
  ]);
});

test("weights that are not named are 0, and single settings reach every variant", () => {
  const text = [
    ...good,
    "modes: [weighted]",
    "scheduling: {weights: {free: 1}, sustained: 5s, twinAfter: 3}",
  ].join("\n");
  expect(readScenario(text, "s").variants[0]?.scheduling).toEqual({
    mode: "weighted",
    weights: { free: 1, heat: 0, local: 0, speed: 0, policy: 0, history: 0 },
    sustainedMs: 5000,
    twinAfter: 3,
  });
});

test.each([
  ["20ms", 20],
  ["1.5s", 1500],
  ["1h30m", 5_400_000],
  ["500us", 0.5],
  ["0s", 0],
  ["soon", undefined],
  ["5", undefined],
  ["-1s", undefined],
  ["8000h", undefined],
  ["", undefined],
])("the time %s is %s ms", (text, ms) => {
  expect(durationOf(text)).toBe(ms);
});

test("a made-up workload follows from its seed, and means what it says on average", () => {
  const options = { shape: "independent", actions: 2000, workMs: 1000 } as const;
  for (const spread of ["equal", "uniform", "lognormal"] as const) {
    const { costs, graph } = synthesize({ ...options, spread, outputBytes: 7 }, 3);
    expect(graph.actions).toHaveLength(2000);
    const mean = [...costs.values()].reduce((sum, c) => sum + c.workMs, 0) / costs.size;
    expect(mean).toBeGreaterThan(930);
    expect(mean).toBeLessThan(1070);
    expect(synthesize({ ...options, spread, outputBytes: 7 }, 3).costs).toEqual(costs);
    if (spread !== "equal")
      expect(synthesize({ ...options, spread, outputBytes: 7 }, 4).costs).not.toEqual(costs);
  }
  const heavy = synthesize({ ...options, heavy: { share: 0.1, cpus: 4 } }, 1).graph.actions.filter(
    (a) => a.requires?.cpus === 4,
  );
  expect(heavy.length).toBeGreaterThan(150);
  expect(heavy.length).toBeLessThan(250);
  for (const shape of ["chain", "fan", "diamond", "independent"] as const)
    expect(synthesize({ shape, actions: 10, workMs: 1 }, 1).graph.actions).toHaveLength(10);
});

test("the shared clusters are as large as their names say", () => {
  const nodes = (name: string) =>
    readCluster(readFileSync(new URL(`../../specs/clusters/${name}.json`, import.meta.url), "utf8"), name)
      .nodes;
  expect(nodes("c32-thermal").filter((n) => n.thermal)).not.toHaveLength(0);
  expect(nodes("c1024").reduce((sum, n) => sum + n.slots, 0)).toBeGreaterThan(4000);
});
