import { readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeGraph, dependenciesOf, encodeGraph } from "../../protocol/build/graph.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import {
  chain,
  diamond,
  fan,
  layered,
  readWorkload,
  type Task,
  type Workload,
  workloadOf,
  workloadOfGraph,
} from "../../sim/workload.ts";

const folder = new URL("../../specs/workloads/", import.meta.url);
const task = (id: string, deps: string[] = [], inputs: number[] = []): Task => ({
  id,
  deps,
  inputs,
  workMs: 10,
  outputBytes: 10,
  group: "g",
});
const refusal = (run: () => unknown) => {
  try {
    run();
  } catch (error) {
    if (error instanceof SwarmError) return { code: error.code, message: error.message };
    throw error;
  }
  return undefined;
};
/** Needs → is needed, by name. */
const edges = ({ graph }: Workload) =>
  Object.fromEntries(graph.actions.map((a) => [a.name, dependenciesOf(graph, a)]));

describe("made-up workloads", () => {
  test("have the shape their name says, and are graphs the core takes", () => {
    expect(edges(chain(3, 10))).toEqual({ link0: [], link1: ["link0"], link2: ["link1"] });
    expect(edges(fan(2, 10))).toEqual({ part0: [], part1: [], whole: ["part0", "part1"] });
    expect(edges(diamond(2, 10))).toEqual({
      top: [],
      side0: ["top"],
      side1: ["top"],
      bottom: ["side0", "side1"],
    });
    for (const workload of [chain(9, 1), fan(9, 1), diamond(9, 1), layered(1, 5, 7, 100)])
      expect(decodeGraph(encodeGraph(workload.graph).bytes)).toEqual(workload.graph);
  });

  test("a layered one follows from its seed, and needs only the layer before", () => {
    expect(layered(5, 4, 6, 100)).toEqual(layered(5, 4, 6, 100));
    expect(layered(5, 4, 6, 100)).not.toEqual(layered(6, 4, 6, 100));
    for (const [name, needs] of Object.entries(edges(layered(5, 4, 6, 100)))) {
      const layer = Number(/^layer(\d+)/.exec(name)![1]);
      expect(needs.every((n) => n.startsWith(`layer${layer - 1}-`))).toBe(true);
      expect(needs.length > 0).toBe(layer > 0);
    }
  });
});

describe("workloads from tasks", () => {
  test("come in dependency order whatever order they are given in", () => {
    const arbitrary = fc
      .array(fc.array(fc.nat(), { maxLength: 4 }), { minLength: 1, maxLength: 30 })
      .chain((needs) => {
        const tasks = needs.map((list, i) => task(`t${i}`, i === 0 ? [] : list.map((n) => `t${n % i}`)));
        return fc.shuffledSubarray(tasks, { minLength: tasks.length });
      });
    fc.assert(
      fc.property(arbitrary, (tasks) => {
        const workload = workloadOf("any", tasks);
        expect(decodeGraph(encodeGraph(workload.graph).bytes).actions).toHaveLength(tasks.length);
        for (const { id, deps } of tasks) expect(new Set(edges(workload)[id])).toEqual(new Set(deps));
      }),
    );
  });

  test("inputs of one size are one file, listed once", () => {
    const { graph } = workloadOf("shared", [task("a", [], [10, 20, 10]), task("b", [], [20, 30])]);
    expect(graph.files.map((f) => f.path)).toEqual(["src/file-10", "src/file-20", "src/file-30"]);
  });

  test("a long chain does not need a deep stack", () => {
    const tasks = Array.from({ length: 20_000 }, (_, i) => task(`t${i}`, i === 0 ? [] : [`t${i - 1}`]));
    expect(workloadOf("deep", tasks.reverse()).graph.actions[0]?.name).toBe("t0");
  });

  test("a cycle is printed as a path", () => {
    const cyclic = [task("root", ["a"]), task("a", ["b"]), task("b", ["c"]), task("c", ["a"])];
    expect(refusal(() => workloadOf("w", cyclic))).toEqual({
      code: "spec-invalid",
      message: "a cycle: a → b → c → a",
    });
    expect(refusal(() => workloadOf("w", [task("a", ["a"])]))?.message).toBe("a cycle: a → a");
  });

  test("an unknown dependency and a doubled name are refused by name", () => {
    expect(refusal(() => workloadOf("w", [task("a", ["b"])]))?.message).toContain("b, which is no task");
    expect(refusal(() => workloadOf("w", [task("a"), task("a")]))?.message).toContain(
      "two tasks are named a",
    );
  });
});

describe("measured workloads", () => {
  const files = readdirSync(folder).filter((f) => f.endsWith(".json"));

  test.each([
    ["build-leveldb.json", 43, 16_510],
    ["build-libuv.json", 447, 40_759],
    ["build-ninja.json", 64, 48_502],
    ["build-protobuf.json", 205, 383_514],
    ["build-zstd.json", 131, 78_878],
  ])("%s is read whole: %i actions of %i ms", (file, actions, workMs) => {
    expect(files).toContain(file);
    const { graph, costs } = readWorkload(readFileSync(new URL(file, folder), "utf8"));
    expect(decodeGraph(encodeGraph(graph).bytes).actions).toHaveLength(actions);
    expect([...costs.values()].reduce((sum, c) => sum + c.workMs, 0)).toBe(workMs);
  });

  const good = {
    name: "w",
    source: "s",
    licence: "l",
    tasks: [{ id: "t0", deps: [], seconds: 1, inputs: [5], output_bytes: 7, kind: "compile", label: "x" }],
  };
  const changed = (change: object) => JSON.stringify({ ...good, tasks: [{ ...good.tasks[0], ...change }] });

  test("what is wrong stands at its line and column, a cycle at the task that closes it", () => {
    const at = (text: string) => refusal(() => readWorkload(text, "w.json"))?.message;
    const pretty = (tasks: object[]) => JSON.stringify({ ...good, tasks }, null, 1);
    const [first] = good.tasks;
    const cyclic = [
      { ...first, id: "a", deps: ["b"] },
      { ...first, id: "b", deps: ["c"] },
      { ...first, id: "c", deps: ["x", "a"] },
      { ...first, id: "x" },
    ];
    const lines = pretty(cyclic).split("\n");
    const closing = lines.findIndex((line, i) => line.includes('"a"') && lines[i - 1]?.includes('"x"')) + 1;
    expect(at(pretty(cyclic))).toMatch(
      new RegExp(`^w\\.json:${closing}:5: a cycle: a → b → c → a\n {2}hint: `),
    );
    const slip = pretty([{ ...first, secnds: 1 }]).split("\n");
    const line = slip.findIndex((l) => l.includes("secnds")) + 1;
    expect(at(slip.join("\n"))).toBe(
      `w.json:${line}:4: unknown key "secnds"\n  hint: did you mean "seconds"?`,
    );
    expect(at('{\n "name": "w",\n "source" "s"}')).toMatch(/^w\.json:3:/);
    expect(at("")).toMatch(/^w\.json:1:1: /);
  });

  test("what is not in the format is refused, and its place named", () => {
    expect(readWorkload(JSON.stringify(good)).graph.actions).toHaveLength(1);
    expect(refusal(() => readWorkload("{"))?.code).toBe("spec-invalid");
    expect(refusal(() => readWorkload("[]"))?.message).toMatch(/^workload:1:1: /);
    const bad: [object, string][] = [
      [{ seconds: -1 }, "tasks.0.seconds"],
      [{ seconds: "1" }, "tasks.0.seconds"],
      [{ inputs: [1.5] }, "tasks.0.inputs.0"],
      [{ output_bytes: -1 }, "tasks.0.output_bytes"],
      [{ id: "" }, "tasks.0.id"],
      [{ colour: "red" }, 'unknown key "colour"'],
      [{ deps: ["t0"] }, "a cycle: t0 → t0"],
    ];
    for (const [change, place] of bad)
      expect(refusal(() => readWorkload(changed(change)))?.message).toContain(place);
    expect(refusal(() => readWorkload(JSON.stringify({ ...good, name: "../x" })))?.message).toContain(
      "name: ",
    );
    expect(refusal(() => readWorkload(JSON.stringify({ ...good, tasks: [] })))?.message).toContain("tasks: ");
  });
});

test("a build from elsewhere asks simulated hosts for no secrets, which nobody could have given them", () => {
  const { graph } = chain(2, 100);
  const actions = graph.actions.map((action) => ({ ...action, secrets: ["token"] }));
  const { graph: taken } = workloadOfGraph({ ...graph, actions }, () => ({ workMs: 100, outputBytes: 1 }));
  expect(taken.actions.map((action) => action.secrets)).toEqual([undefined, undefined]);
});
