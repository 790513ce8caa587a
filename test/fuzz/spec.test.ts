import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { readConfig } from "../../node/config.ts";
import { SpecError } from "../../protocol/build/problem.ts";
import { parseSpec } from "../../protocol/build/spec.ts";
import type { SwarmError } from "../../protocol/kernel/errors.ts";
import { readCluster } from "../../sim/cluster.ts";
import { readScenario } from "../../sim/scenario.ts";
import { readWorkload } from "../../sim/workload.ts";
import type { Dice } from "./dice.ts";
import { fuzz, weigh } from "./fuzz.ts";
import { hostileText } from "./text.ts";

const specs = path.resolve(import.meta.dirname, "../../specs");
const textsIn = (folder: string, ends: string): string[] =>
  readdirSync(path.join(specs, folder))
    .filter((name) => name.endsWith(ends))
    .map((name) => readFileSync(path.join(specs, folder, name), "utf8"))
    .filter((text) => text.length < 20_000);

const small = `name: small
inputs: {src/: src, "main.c": {path: main.c, except: ["*.bak"]}}
env: {LANG: C}
actions:
  compile:
    foreach: {src: ["src/*.c"], mode: {values: [fast, slow]}}
    run: "cc -O\${mode} -c \${src} -o \${out}"
    in: [src/]
    out: ["obj/\${mode}/\${src.stem}.o"]
    toolchain: gcc
    timeout: 1h30m
    requires: {cpus: 2, memory: 1.5G, labels: [ssd]}
  link: {run: ["cc", "-o", "app"], in: ["obj/**"], out: [app, docs/], retries: 1}
release: {include: [app]}
`;
const anchors = "a: &a {run: x, out: y}\nname: x\nactions: {one: *a, two: *a}\n";

/** Each problem has its place and the whole a remedy. */
function placed(_: string, error: SwarmError): void {
  expect(error.code).toMatch(/^(spec-invalid|too-large)$/);
  expect(error.remedy).toBeTruthy();
  if (!(error instanceof SpecError)) return;
  for (const { line, column, message } of error.problems) {
    expect(Math.min(line, column)).toBeGreaterThan(0);
    expect(message.length).toBeGreaterThan(3);
  }
}

/** The package that reads YAML takes its time for every kilobyte of it, honest or not. */
const moreMs = (text: string): number => text.length / 100;

/** Mostly of the small ones and short; now and then of all, and as long as it may be. */
function drawn(dice: Dice, small: readonly string[], all: readonly string[], maxChars: number): string {
  if (dice.once(10)) return hostileText(dice, [...small, ...all], dice.once(10) ? maxChars : 4000);
  return hostileText(dice, small, 1000);
}

test("altered specs are specs, or are refused at a place", () => {
  const examples = textsIn("examples", ".yaml");
  const short = [...examples.filter((text) => text.length < 600), small, small.slice(0, 430), anchors];
  fuzz({
    make: (dice) => drawn(dice, short, examples, 100_000),
    run: (text) => void parseSpec(text, "x.yaml"),
    refused: placed,
    moreMs,
  });
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
});

/** Whole, and small: to read a text takes its time by its length, and what is altered in a long one is seldom reached. */
const tiny = {
  scenarios: textsIn("scenarios", ".yaml").filter((text) => text.length < 430),
  clusters: [
    '{"name":"c","latency_s":0.002,"nodes":[{"id":"n0","speed":1,"slots":4,"labels":["x86_64"],"bandwidth_Bps":1000},{"id":"n1","speed":0.5,"slots":2,"labels":[],"bandwidth_Bps":9}]}',
  ],
  workloads: [
    '{"name":"w","source":"s","licence":"l","tasks":[{"id":"a","deps":[],"seconds":0.4,"inputs":[20,9],"output_bytes":48,"kind":"cc","label":"a.o"},{"id":"b","deps":["a"],"seconds":1,"inputs":[],"output_bytes":0,"kind":"ld","label":"b"}]}',
  ],
};

test.each([
  ["scenarios", "scenarios", ".yaml", readScenario],
  ["clusters", "clusters", ".json", readCluster],
  ["workloads", "workloads", ".json", readWorkload],
] as const)("altered %s are what they should be, or are refused at a place", (_, folder, ends, read) => {
  for (const text of tiny[folder]) read(text, "x.yaml");
  const long = textsIn(folder, ends).map((text) => text.slice(0, 1500));
  fuzz({
    make: (dice) => drawn(dice, tiny[folder], long, 50_000),
    run: (text) => void read(text, "x.yaml"),
    refused: placed,
    moreMs,
  });
});

test("altered settings are settings, or are refused with the file's name", () => {
  const samples = [
    "slots: 2\nname: ann\nlabels: [ssd, gpu]\nfenced: true\n",
    "listen: [127.0.0.1:4701]\nannounce: ['[::1]:1']\nmode: weighted\n",
  ];
  fuzz({
    make: (dice) => hostileText(dice, samples, 64 << 10),
    run: (text) => void readConfig(text, "config.yaml"),
    refused: (_, error) => {
      expect(error.code).toBe("usage");
      expect(error.message).toContain("config.yaml");
    },
    moreMs,
  });
});

const bombs: [string, string][] = [
  [
    "aliases that double nine times nine",
    `a0: &a0 [x,x,x,x,x,x,x,x,x]\n${Array.from({ length: 9 }, (_, i) => `a${i + 1}: &a${i + 1} [${`*a${i},`.repeat(9)}]`).join("\n")}`,
  ],
  ["an alias of itself", "a: &a [*a]"],
  ["lists in lists", "[".repeat(60_000)],
  ["dashes in a line", "- ".repeat(30_000)],
  ["maps in maps", "{a: ".repeat(20_000)],
  [
    "a map of one more indent each line",
    Array.from({ length: 300 }, (_, i) => `${" ".repeat(i)}a:`).join("\n"),
  ],
  ["a key of sixty thousand characters", `${"k".repeat(60_000)}: 1`],
  ["questions", "? ".repeat(30_000)],
  ["merge keys", "a: &a {x: 1}\nb: {<<: *a}"],
  ["a number of sixty thousand digits", `name: ${"9".repeat(60_000)}`],
  ["sixty thousand keys", Array.from({ length: 6000 }, (_, i) => `k${i}: 1`).join("\n")],
  ["one key thousands of times", "k: 1\n".repeat(12_000)],
  ["tags", "a: !!js/function 'x'"],
  ["quotes without end", `"${"\\u0041".repeat(10_000)}`],
  ["names of objects", "__proto__: {polluted: true}"],
];

test.each(bombs)("%s are refused by whoever reads YAML, at once", (_, text) => {
  expect(weigh({ run: (t: string) => void parseSpec(t, "x"), refused: placed, moreMs }, text)).toBe(
    "spec-invalid",
  );
  expect(weigh({ run: (t: string) => void readConfig(t, "config.yaml"), moreMs }, text) ?? "usage").toBe(
    "usage",
  );
});
