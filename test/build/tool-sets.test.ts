import { describe, expect, it } from "vitest";
import { SpecError } from "../../protocol/build/problem.ts";
import { resolveSpec } from "../../protocol/build/resolve.ts";
import { parseSpec } from "../../protocol/build/spec.ts";
import { toolSetsOf } from "../../protocol/build/tool-sets.ts";

const spec = (text: string) => parseSpec(`swarmd: 1\nname: x\n${text}`, "s.yaml");

function refusals(text: string): string {
  try {
    toolSetsOf(spec(text), []);
  } catch (error) {
    if (error instanceof SpecError) return error.message;
    throw error;
  }
  throw new Error("nothing was refused");
}

describe("toolchains in a spec", () => {
  it("are texts with ranges, or maps, alone or in a list", () => {
    const sets = toolSetsOf(
      spec(`toolchain: gcc >= 12
actions:
  a: {run: x}
  b: {run: x, toolchain: ["gcc >= 12, < 14", ar, {name: clang, version: "14", exact: true}]}
  c: {run: x, toolchain: {name: gcc, target: aarch64-linux-gnu}}
  d: {run: x, toolchain: []}
  e: {run: x, requires: {labels: gpu}}
`),
      [],
    );
    expect(sets).toEqual([
      { action: "a", demands: ["gcc >= 12"] },
      { action: "b", demands: ["ar", "clang 14 exact", "gcc >= 12, < 14"] },
      { action: "c", demands: ["gcc for aarch64-linux-gnu"] },
      { action: "e", demands: ["gcc >= 12"], requires: { labels: ["gpu"] } },
    ]);
  });

  it("take variables of foreach, one set for each", () => {
    const crossed = spec(`actions:
  hello:
    foreach: {target: {values: [aarch64-linux-gnu, riscv64-linux-gnu]}}
    toolchain: ["\${target}-gcc >= 12", make]
    run: \${target}-gcc -o \${out} main.c
    out: bin/\${target}
`);
    expect(toolSetsOf(crossed, []).map((set) => set.demands)).toEqual([
      ["aarch64-linux-gnu-gcc >= 12", "make"],
      ["make", "riscv64-linux-gnu-gcc >= 12"],
    ]);
    const pins = { "aarch64-linux-gnu-gcc >= 12": "1", "riscv64-linux-gnu-gcc >= 12": "2", make: "3" };
    expect(resolveSpec(crossed, [], pins).actions.map((a) => a.toolchains)).toEqual([
      { "aarch64-linux-gnu-gcc": "1", make: "3" },
      { "riscv64-linux-gnu-gcc": "2", make: "3" },
    ]);
  });

  it.each([
    ["toolchain: gcc >= x\nactions: {a: {run: x}}", /^s\.yaml:3:12: ">= x" is no version/],
    ["actions: {a: {run: x, toolchain: [gcc 12, gcc 13]}}", /gcc is named twice: "gcc 12" and "gcc 13"/],
    [
      "actions: {a: {run: x, toolchain: {name: gcc, versoin: '12'}}}",
      /unknown key "versoin"[\s\S]*did you mean "version"/,
    ],
    ["actions: {a: {run: x, toolchain: {version: '12'}}}", /name is missing/],
    ["actions: {a: {run: x, toolchain: 12}}", /must be a tool/],
    [`actions: {a: {run: x, toolchain: '\${t}-gcc'}}`, /\$\{t\} is not known in a toolchain/],
    [
      `actions: {a: {foreach: {t: {values: ['a b']}}, run: x, toolchain: '\${t}-gcc', out: '\${t}'}}`,
      /is no version/,
    ],
  ])("%j is refused at its place", (text, why) => {
    expect(refusals(text)).toMatch(why);
  });
});
