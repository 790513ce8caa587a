import { expect, test } from "vitest";
import { recipeOf, targetOf } from "../node/recipe.ts";
import type { ActionName } from "../protocol/kernel/ids.ts";
import type { Output } from "../protocol/timeline/events.ts";
import { blob, graphOf, resultOf } from "./work/facts.ts";

const graph = graphOf(
  { compile: [], link: ["compile"] },
  { env: { LANG: "C" }, secrets: ["signing"], requires: { cpus: 2, target: "aarch64-linux-gnu" } },
);
const link = graph.actions[1]!;
const made = (name: ActionName): readonly Output[] => resultOf(name).outputs;

test("an action is shown with its command, what it reads by digest, and the names of its secrets alone", () => {
  expect(recipeOf(graph, link, made)).toMatchObject({
    action: "link",
    argv: ["make", "link"],
    env: { LANG: "C" },
    secrets: ["signing"],
    target: "aarch64-linux-gnu",
    requires: { cpus: 2, labels: [] },
    inputs: [
      { path: "in/source", digest: blob("source") },
      { path: "out/compile", from: "compile", digest: made("compile" as ActionName)[0]!.digest },
    ],
    inputCount: 2,
    outputs: [{ path: "out/link", kind: "file" }],
  });
});

test("what is not made yet has no digest, and of many inputs the first thousand are listed", () => {
  expect(recipeOf(graph, link, () => []).inputs[1]).toEqual({ path: "out/compile", from: "compile" });
  const paths = Array.from({ length: 1500 }, (_, i) => `in/${i}`);
  const files = paths.map((path) => ({ path, digest: blob(path), executable: false }));
  const wide = { ...graph, files, sets: [...graph.sets.slice(0, 2), { paths }] };
  const { inputs, inputCount } = recipeOf(wide, link, made);
  expect([inputs.length, inputCount]).toEqual([1000, 1501]);
});

test("a target is what is asked of the node, else what a toolchain makes", () => {
  const toolchains = { patch: "2.7//gnu", cc: "12/riscv64-linux-gnu/said" };
  expect(targetOf({ ...link, toolchains })).toBe("aarch64-linux-gnu");
  expect(targetOf({ ...link, toolchains, requires: {} })).toBe("riscv64-linux-gnu");
  expect(targetOf({ ...link, toolchains: {}, requires: {} })).toBeUndefined();
});
