/** `swarmd sim` as a person runs it: without a daemon, with every refusal at its place. */
import { mkdir, readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Control } from "../../node/control/api.ts";
import { MemoryControl } from "../control/memory.ts";
import { projectDir, Terminal, writeSpec } from "./terminal.ts";

let terminal: Terminal;
const specs = path.join(projectDir, "specs");
const leveldb = path.join(specs, "workloads/build-leveldb.json");
const c4 = path.join(specs, "clusters/c4.json");
const tiny = `scenario: 1
name: tiny
about: A little of everything.
cluster: {kinds: [{count: 3, slots: 2}]}
workload: {shape: layered, layers: 2, width: 4, work: 1s}
variants: [{name: sound}, {name: broken, faults: [{kind: black-hole, host: n2}]}]
seeds: 2
`;

beforeAll(async () => {
  terminal = await Terminal.open();
});
afterAll(() => terminal.close());

const lastLine = (text: string) => text.trimEnd().split("\n").at(-1)!;

describe("a workload on a cluster", () => {
  test("ends with one line of exactly these figures", async () => {
    const out = await terminal.good(
      "sim",
      "--workload",
      leveldb,
      "--cluster",
      c4,
      "--seeds",
      "1",
      "--gossip-age",
      "50ms",
      "--json",
    );
    const result = JSON.parse(lastLine(out)) as Record<string, number>;
    expect(Object.keys(result)).toEqual([
      "makespan",
      "bound",
      "heft",
      "ratio",
      "waste",
      "factsPerAction",
      "unicastsPerAction",
    ]);
    expect(Object.values(result).every((value) => typeof value === "number")).toBe(true);
    expect(result.makespan).toBeGreaterThanOrEqual(result.bound!);
    expect(result.ratio).toBeCloseTo(result.makespan! / result.heft!, 4);
  });

  test("changes with what flags say", async () => {
    const out = await terminal.good(
      "sim",
      "--workload",
      leveldb,
      "--cluster",
      c4,
      "--seeds",
      "1",
      "--without",
      "n3",
      "--latency",
      "100ms",
      "--history",
      "none",
      "--json",
    );
    const [run] = out.split("\n").map((line) => JSON.parse(line || "{}") as { run?: { heft: number } });
    // Without the fastest of four nodes even the best plan takes longer than with it.
    expect(run?.run?.heft).toBeGreaterThan(1.2);
  });
});

describe("a scenario", () => {
  test("is answered with a table, a picture, and a folder with everything", async () => {
    const file = await terminal.write("tiny.yaml", tiny);
    const out = await terminal.good("sim", file, "--svg", "one.svg", "--out", "all");
    expect(out).toContain("tiny: 8 actions on 3 nodes, 4 runs");
    expect(out).toMatch(/^VARIANT +MAKESPAN/m);
    expect(out).toMatch(/^sound +[\d.]+ s/m);
    expect(out).toMatch(/^broken +[\d.]+ s/m);
    expect(await readFile(path.join(terminal.dir, "one.svg"), "utf8")).toMatch(/^<\?xml .*\n<svg /);
    expect((await readdir(path.join(terminal.dir, "all"))).toSorted()).toEqual([
      "broken-1.svg",
      "broken-2.svg",
      "report.json",
      "report.txt",
      "sound-1.svg",
      "sound-2.svg",
    ]);
    const report = JSON.parse(await readFile(path.join(terminal.dir, "all/report.json"), "utf8")) as {
      runs: unknown[];
    };
    expect(report.runs).toHaveLength(4);
  });

  test("is stopped by Ctrl-C with what is done so far", async () => {
    // Minutes of it, so that a machine that is held up between the first line and the signal has not come to the end.
    const long = tiny
      .replace("seeds: 2", "seeds: 1000")
      .replace("layers: 2, width: 4", "layers: 20, width: 20");
    const running = terminal.start(["sim", await terminal.write("long.yaml", long), "--json"]);
    await running.printed('{"run":');
    running.process.kill("SIGINT");
    const { code, stdout } = await running.ended;
    expect(code).toBe(130);
    const done = stdout.split("\n").filter((line) => line.startsWith('{"run"')).length;
    expect(done).toBeLessThan(2000);
    const summary = stdout.split("\n").find((line) => line.startsWith('{"summary"'))!;
    expect(JSON.parse(summary)).toMatchObject({ summary: { variant: "sound", runs: done } });
    expect(JSON.parse(lastLine(stdout))).toHaveProperty("ratio");
  });
});

describe("what is wrong is told with its place, and exit code 2", () => {
  const cycle = JSON.stringify(
    {
      name: "w",
      source: "s",
      licence: "l",
      tasks: ["a", "b"].map((id, i) => ({
        id,
        deps: [["b", "a"][i]],
        seconds: 1,
        inputs: [],
        output_bytes: 1,
        kind: "k",
        label: "l",
      })),
    },
    null,
    1,
  );
  test.concurrent.for([
    [
      "slip.yaml",
      `${tiny}sedes: 3\n`,
      ["sim", "slip.yaml"],
      /slip\.yaml:8:1: unknown key "sedes"\n {2}hint: did you mean "seeds"\?/,
    ],
    [
      "none.yaml",
      tiny.replace("kinds: [{count: 3, slots: 2}]", "nodes: []"),
      ["sim", "none.yaml"],
      /none\.yaml:4:18: a cluster of no nodes/,
    ],
    [
      "cycle.json",
      cycle,
      ["sim", "--workload", "cycle.json", "--cluster", c4],
      /cycle\.json:20:5: a cycle: a → b → a/,
    ],
    [
      "torn.json",
      '{"nodes": [\n{"id" "a"}]}',
      ["sim", "--workload", leveldb, "--cluster", "torn.json"],
      /torn\.json:2:\d+: /,
    ],
    [
      "slow.json",
      '{"nodes": [\n{"id": "a", "speed": 0}]}',
      ["sim", "--workload", leveldb, "--cluster", "slow.json"],
      /slow\.json:2:22: nodes\.0\.speed: must be above 0/,
    ],
  ] as const)("%s", async ([name, text, args, message]) => {
    await terminal.write(name, text);
    const { code, stderr } = await terminal.run(...args);
    expect({ code, stderr }).toMatchObject({ code: 2 });
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/\n→ /);
  });

  test.concurrent.for([
    [["sim"], "sim takes a scenario"],
    [["sim", "--workload", leveldb], "--cluster is missing"],
    [["sim", "gone.yaml"], "gone.yaml cannot be read"],
    [["sim", "--workload", leveldb, "--cluster", c4, "--mode", "unifed"], "--mode takes unified"],
    [["sim", "--workload", leveldb, "--cluster", c4, "--latency", "soon"], "--latency takes a time"],
    [["sim", "--workload", leveldb, "--cluster", c4, "--seeds", "0"], "--seeds takes a number"],
    [["sim", "--workload", leveldb, "--cluster", c4, "--without", "n9"], "no node of c4h is named n9"],
    [["sim", "--workload", leveldb, "--cluster", c4, "--history", "much"], "--history takes"],
  ] as const)("%j", async ([args, message]) => {
    const { code, stderr } = await terminal.run(...args);
    expect({ code, stderr }).toMatchObject({ code: 2 });
    expect(stderr).toContain(message);
  });
});

test("a build that ran is simulated as it was, and beside it what it took", async () => {
  const other = await Terminal.open();
  try {
    await mkdir(other.dir, { recursive: true });
    const memory: Control = new MemoryControl({ nodes: ["alpha", "beta"] });
    await other.serve(memory);
    await other.good("submit", await writeSpec(other));
    const out = await other.good("sim", "--from", "three", "--seeds", "1", "--json");
    const lines = out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.some((line) => typeof line.recorded === "number")).toBe(true);
    expect(lines.at(-1)).toHaveProperty("makespan");
  } finally {
    await other.close();
  }
});
