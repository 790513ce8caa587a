/** Experiments on small swarms: what is measured, what the swarm knows, and that one seed is one run. */
import { expect, test } from "vitest";
import { type Cluster, clusterSchema, hotter, resized, without } from "../../sim/cluster.ts";
import { type Experiment, type Progress, talliesOf } from "../../sim/experiment.ts";
import { remember } from "../../sim/history.ts";
import { gossipAgeMsDefault, type Variant } from "../../sim/scenario.ts";
import { synthesize } from "../../sim/synthetic.ts";
import type { Tally } from "../../sim/tally.ts";
import { chain, fan } from "../../sim/workload.ts";

const cluster: Cluster = clusterSchema.parse({
  nodes: [
    { id: "a", slots: 2 },
    { id: "b", slots: 2 },
    { id: "c", slots: 2, speed: 2 },
  ],
});
const variant = (change: Partial<Variant> = {}): Variant => ({
  name: "unified",
  scheduling: { mode: "unified" },
  rival: "steward",
  latencyMs: undefined,
  gossipAgeMs: gossipAgeMsDefault,
  faults: [],
  ...change,
});
const experiment = (change: Partial<Experiment> = {}): Experiment => ({
  name: "e",
  about: "",
  cluster,
  nodes: {},
  workloadOf: (seed) => synthesize({ shape: "layered", layers: 2, width: 8, workMs: 2000 }, seed),
  variants: [variant()],
  seeds: [1],
  history: "exact",
  limitMs: 3_600_000,
  ...change,
});
function run(change: Partial<Experiment> = {}): { tallies: Tally[]; steps: Progress[] } {
  const tallies: Tally[] = [];
  const steps: Progress[] = [];
  for (const step of talliesOf(experiment(change))) {
    if ("makespanMs" in step) tallies.push(step);
    else steps.push(step);
  }
  return { tallies, steps };
}

test("a build is measured against HEFT and the bound, and every figure makes sense", () => {
  const { tallies, steps } = run();
  const [tally] = tallies;
  expect(tally).toMatchObject({
    variant: "unified",
    seed: 1,
    state: "complete",
    actions: 16,
    peakCelsius: null,
  });
  const { makespanMs, heftMs, boundMs, sealMs, ratio, waste, utilisation, stretches } = tally!;
  expect(heftMs).toBeGreaterThanOrEqual(boundMs);
  // Nobody beats the bound, and the swarm is no oracle.
  expect(makespanMs).toBeGreaterThanOrEqual(boundMs);
  expect(sealMs).toBeGreaterThanOrEqual(makespanMs);
  expect(ratio).toBeCloseTo(makespanMs / heftMs);
  expect(waste).toBe(0);
  expect(stretches.filter((s) => s.ended === "done")).toHaveLength(16);
  const last = Math.max(...stretches.map((s) => s.endedMs));
  // The submitter learns of the last result within gathering, a message and some.
  expect(makespanMs - last).toBeGreaterThanOrEqual(0);
  expect(makespanMs - last).toBeLessThan(200);
  const worked = stretches.reduce((sum, s) => sum + s.endedMs - s.beganMs, 0);
  expect(utilisation).toBeCloseTo(worked / (6 * makespanMs), 2);
  expect(tally!.factsPerAction).toBeGreaterThan(1);
  expect(tally!.factsPerAction).toBeLessThan(6);
  // An entry says at least one thing; each action has a claim and a result, each build a submission and a seal.
  expect(tally!.eventsPerAction).toBeGreaterThanOrEqual(tally!.factsPerAction);
  expect(tally!.eventsPerAction).toBeGreaterThanOrEqual((2 * 16 + 2) / 16);
  expect(tally!.bytesPerNode).toBeGreaterThan(0);
  expect(steps.at(-1)).toMatchObject({ settled: 16, actions: 16 });
});

test("one seed is one run, another is another", () => {
  const { tallies } = run({ seeds: [1, 2] });
  const again = run({ seeds: [1] }).tallies[0];
  expect(again).toEqual(tallies[0]);
  expect(tallies[1]?.hash).not.toBe(again?.hash);
});

test("variants are rows of their own: faults, latency and scheduling reach the swarm", () => {
  // The last action needs outputs from all nodes: at least one has to travel, whoever plans.
  const workloadOf = () => fan(8, 2000);
  const { tallies } = run({
    workloadOf,
    variants: [
      variant({ name: "plain" }),
      variant({ name: "far", latencyMs: 300 }),
      variant({ name: "broken", faults: [{ kind: "black-hole", host: "c", atMs: 0 }] }),
    ],
  });
  expect(tallies.map((t) => t.variant)).toEqual(["plain", "far", "broken"]);
  const [plain, far, broken] = tallies;
  expect(far!.heftMs).toBeGreaterThan(plain!.heftMs + 250);
  expect(far!.makespanMs).toBeGreaterThan(plain!.makespanMs + 250);
  expect(broken!.stretches.some((s) => s.node === "c" && s.ended === "failed")).toBe(true);
  expect(broken!.state).toBe("complete");
});

test("a build that does not end within the limit is stuck, not endless", () => {
  const { tallies } = run({ workloadOf: () => chain(5, 60_000), limitMs: 20_000 });
  expect(tallies[0]?.state).toBe("stuck");
});

test("an action that fits no node is refused before anything runs", () => {
  const workloadOf = () =>
    synthesize({ shape: "chain", actions: 2, workMs: 10, heavy: { share: 1, cpus: 64 } }, 1);
  expect(() => run({ workloadOf })).toThrow("fits no node");
});

test("heat is measured where a node has a model of it", () => {
  const thermal = { ambient: 40, heat: 20, cool: 0.2, limit: 85, factor: 0.5, hyst: 5, initial: 80 };
  const hot = { ...cluster, nodes: cluster.nodes.map((n) => (n.id === "c" ? { ...n, thermal } : n)) };
  const { tallies } = run({ cluster: hot });
  expect(tallies[0]!.peakCelsius).toBeGreaterThan(80);
  expect(tallies[0]!.warmth.map((w) => [w.node, w.limitCelsius])).toEqual([["c", 85]]);
  expect(tallies[0]!.warmth[0]!.samples.length).toBeGreaterThan(2);
});

test("history is exact, off by a share, or nothing at all", () => {
  const workload = chain(200, 1000);
  const estimates = (history: Parameters<typeof remember>[1]) =>
    remember(workload, history, 1).graph.actions.map((a) => a.estimateMs);
  expect(new Set(estimates("exact"))).toEqual(new Set([1000]));
  expect(new Set(estimates("none"))).toEqual(new Set([undefined]));
  const off = estimates(0.3) as number[];
  expect(new Set(off).size).toBeGreaterThan(150);
  const logs = off.map((ms) => Math.log(ms / 1000));
  const spread = Math.sqrt(logs.reduce((sum, l) => sum + l * l, 0) / logs.length);
  expect(spread).toBeGreaterThan(0.25);
  expect(spread).toBeLessThan(0.35);
});

test("a cluster may lose a node, grow, or get warmer", () => {
  expect(without(cluster, "b").nodes.map((n) => n.id)).toEqual(["a", "c"]);
  expect(() => without(cluster, "z")).toThrow("no node of cluster is named z");
  const alone = { ...cluster, nodes: cluster.nodes.slice(0, 1) };
  expect(() => without(alone, "a")).toThrow(
    expect.objectContaining({ code: "spec-invalid", remedy: expect.stringContaining("--nodes") }),
  );
  expect(resized(cluster, 2).nodes.map((n) => n.id)).toEqual(["a", "b"]);
  expect(resized(cluster, 5).nodes.map((n) => [n.id, n.speed])).toEqual([
    ["a", 1],
    ["b", 1],
    ["c", 2],
    ["copy0", 1],
    ["copy1", 1],
  ]);
  const [before, after] = [hotter(cluster, 0), hotter(cluster, 10)].map((c) => c.nodes[0]!.thermal!);
  expect(after!.ambient - before!.ambient).toBe(10);
});
