import { expect, test } from "vitest";
import { decodeGraph } from "../../protocol/build/graph.ts";
import {
  actionKey,
  buildTree,
  decodeActionResult,
  decodeDirectory,
  encodeActionResult,
  encodeDirectory,
} from "../../protocol/build/reapi.ts";
import { digestOf } from "../../protocol/kernel/digest.ts";
import { keyOf } from "../work/facts.ts";
import { hostileBytes } from "./bytes.ts";
import { fuzz, weigh } from "./fuzz.ts";
import { graph } from "./swarm.ts";

const file = (name: string) => ({ name, digest: keyOf(name), executable: false });
const folder = (name: string) => ({ name, digest: keyOf(name) });
const directories = [
  encodeDirectory({ files: [file("a.c"), file("é")], directories: [folder("src")], symlinks: [] }),
  encodeDirectory({ files: [], directories: [], symlinks: [{ name: "l", target: "../x" }] }),
  encodeDirectory({ files: [], directories: [], symlinks: [] }),
];
const results = [
  encodeActionResult({
    outputs: [
      { path: "out/a", digest: keyOf("a"), kind: "file", executable: true },
      { path: "out/d", digest: keyOf("d"), kind: "folder" },
    ],
    stdout: keyOf("log"),
  }),
];
const { action, command } = actionKey(
  { argv: ["cc"], env: { A: "b" }, outputs: [], timeoutMs: 1500, cache: true, platform: { target: "x" } },
  keyOf("root"),
);

test("altered Directories are refused, or hold file names in order, each once", () => {
  const { taken } = fuzz({
    make: (dice) => hostileBytes(dice, [...directories, ...results, action, command], 100_000),
    run: (bytes) => {
      const { files, directories, symlinks } = decodeDirectory(bytes);
      const names = [...files, ...directories, ...symlinks].map((one) => one.name);
      expect(new Set(names).size).toBe(names.length);
      for (const name of names) expect(/^(\.{0,2}|.*[/\0].*)$/s.test(name)).toBe(false);
    },
  });
  expect(taken).toBeGreaterThan(0.01);
});

test("altered results are refused, or are results", () => {
  fuzz({
    make: (dice) => hostileBytes(dice, [...results, ...directories], 100_000),
    run: (bytes) => void decodeActionResult(bytes),
  });
});

test("altered graphs of builds are refused, or are whole", () => {
  fuzz({
    make: (dice) => hostileBytes(dice, [graph], 100_000),
    run: (bytes) => void decodeGraph(bytes),
  });
});

test.each([
  ["..", "a/../b"],
  ["an absolute path", "/etc/passwd"],
  ["an empty name", "a//b"],
  ["a NUL", "a\0b"],
  ["a name of three hundred characters", "x".repeat(300)],
])("a tree with %s is refused", (_, path) => {
  const run = (at: string) => void buildTree([{ path: at, digest: digestOf(graph), executable: false }]);
  expect(weigh({ run }, path)).toBe("malformed");
});
