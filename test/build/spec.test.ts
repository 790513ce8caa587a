/** Specs as people write them: what is read, and how what is wrong is named. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SpecError } from "../../protocol/build/problem.ts";
import { resolveSpec } from "../../protocol/build/resolve.ts";
import { includedJsonSchema, specJsonSchema } from "../../protocol/build/schema.ts";
import { parseSpec } from "../../protocol/build/spec.ts";
import { toolSetsOf } from "../../protocol/build/tool-sets.ts";
import { emptyDigest } from "../../protocol/kernel/digest.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";

function problems(text: string): string[] {
  try {
    parseSpec(text, "s.yaml");
  } catch (error) {
    if (!(error instanceof SpecError)) throw error;
    expect(error.code).toBe("spec-invalid");
    return error.problems.map((p) => `${p.line}:${p.column} ${p.message}${p.hint ? ` (${p.hint})` : ""}`);
  }
  return [];
}

const minimal = "swarmd: 1\nname: x\nactions:\n  a: {run: ls}\n";

describe("a spec", () => {
  it("gives what it says, and defaults for what it does not", () => {
    const spec = parseSpec(
      `swarmd: 1
name: x
inputs: {src: lib, notes: {path: "../*.md", except: [a.md]}}
toolchain: [g++, ar]
env: {A: "1", B: "2"}
defaults: {timeout: 1h30m, retries: 0}
actions:
  one: {run: ls, in: src/, out: a.txt}
  two: {run: [ls, "-l"], toolchain: patch, env: {B: "3"}, timeout: 90s, silence: 5m, retries: 4, cache: false}
release: {include: one}
`,
      "s.yaml",
    );
    expect(spec.inputs.map((i) => [i.name.text, i.path.text, i.except.map((e) => e.text)])).toEqual([
      ["src", "lib", []],
      ["notes", "../*.md", ["a.md"]],
    ]);
    const [one, two] = spec.actions;
    expect(one).toMatchObject({ timeoutMs: 5_400_000, silenceMs: 0, attemptsMax: 1, cache: true });
    expect(one?.toolchain.map((t) => t.text)).toEqual(["g++", "ar"]);
    expect(two).toMatchObject({ timeoutMs: 90_000, silenceMs: 300_000, attemptsMax: 5, cache: false });
    expect(two?.toolchain.map((t) => t.text)).toEqual(["patch"]);
    expect([...two!.env].map(([name, value]) => [name, value.text])).toEqual([
      ["A", "1"],
      ["B", "3"],
    ]);
    expect(spec.release).toMatchObject({ channel: "stable", format: "files" });
    expect(toolSetsOf(spec, []).map((s) => [s.action, s.demands])).toEqual([
      ["one", ["ar", "g++"]],
      ["two", ["patch"]],
    ]);
  });

  it("says what its actions ask of a node, and how urgent it is", () => {
    const spec = parseSpec(
      `swarmd: 1
name: x
priority: -5
actions:
  link: {run: ls, requires: {cpus: 16, memory: 1.5G, disk: 512M, labels: [gpu, big, gpu], target: aarch64-linux-gnu}}
  plain: {run: ls}
  label: {run: ls, requires: {labels: gpu}}
`,
      "s.yaml",
    );
    expect(spec.priority).toBe(-5);
    const requires = {
      cpus: 16,
      memoryBytes: 1.5 * 2 ** 30,
      diskBytes: 2 ** 29,
      labels: ["big", "gpu"],
      target: "aarch64-linux-gnu",
    };
    expect(spec.actions.map((a) => a.requires)).toEqual([requires, undefined, { labels: ["gpu"] }]);
    expect(resolveSpec(spec, [], {}).actions.map((a) => a.requires)).toEqual([
      requires,
      undefined,
      { labels: ["gpu"] },
    ]);
  });

  it.each([
    ["requires: {cpu: 2}", /unknown key "cpu" \(did you mean "cpus"/],
    ["requires: {cpus: 0}", /cpus must be at least 1/],
    ["requires: {memory: 4 GB}", /memory must be a size such as 512M or 4G/],
    ["requires: {memory: 4}", /put text in quotes|must be a size/],
    ["requires: {labels: [big memory]}", /must be a label, such as gpu/],
    ["requires: {target: arm}", /must be a target, such as/],
    ["requires: 4", /must be a map of cpus/],
  ])("refuses %s at its place", (key, message) => {
    const [problem] = problems(`swarmd: 1\nname: x\nactions:\n  a: {run: ls, ${key}}\n`);
    expect(problem).toMatch(/^4:/);
    expect(problem).toMatch(message);
  });

  it("names every problem of its form at once, each with its place and what to do", () => {
    const text = `swarmd: 1
name: LevelDB
imputs: {a: b}
env: {VERSION: 1.10}
actions:
  a b: {run: x}
  lib:
    run:
    out: {src/: {lik: x}}
    timeout: 10
  c: {run: [true], outt: x, timeout: 9d, cache: 1}
`;
    expect(problems(text)).toEqual([
      "2:7 name must be lower-case letters, digits, dots, dashes and underscores (64 at most)",
      '3:1 unknown key "imputs" (did you mean "inputs"?)',
      '4:16 env.VERSION must be text (put text in quotes: "1.1")',
      '6:3 the name "a b" must be letters, digits, dots, dashes, plus signs and underscores (64 at most)',
      "8:9 actions.lib.run must be text or a list of texts (write a value, or remove the key)",
      "9:17 actions.lib.out.src/.like is missing",
      '9:18 unknown key "lik" (did you mean "like"?)',
      '10:14 actions.lib.timeout must be a duration such as 90s, 10m or 1h30m (put text in quotes: "10")',
      '11:13 actions.c.run.0 must be text (put text in quotes: "true")',
      '11:20 unknown key "outt" (did you mean "out"?)',
      "11:49 actions.c.cache must be true or false",
    ]);
  });

  it("names what is wrong beyond the form", () => {
    const action = (fields: string) => problems(`swarmd: 1\nname: x\nactions:\n  a: {run: ls, ${fields}}\n`);
    expect(action("timeout: 9d")).toEqual(["4:25 timeout must be more than nothing and at most seven days"]);
    expect(action("timeout: 0s")).toHaveLength(1);
    expect(action("foreach: {in: x}")).toEqual([
      "4:26 the variable in is also the name of something else (give it another name)",
    ]);
    expect(action("foreach: {a: x}")).toHaveLength(1);
    expect(action("foreach: {}")[0]).toContain("names no variable");
    expect(action("foreach: {a b: x}")[0]).toContain("no name for a variable");
    expect(action("foreach: {i: {count: 1000}, j: {count: 1000}}")[0]).toContain("more than 100000 actions");
  });

  it.each([
    ["a: [", "1:5"],
    ["a: 1\na: 2", '2:1 "a" stands here twice'],
    ["x: &a [*a]", "1:7 the spec is nested too deep"],
    ["[".repeat(20_000), "1:1 the spec is nested too deep"],
    ["- ".repeat(20_000), "1:1 the spec is nested too deep"],
    [Array.from({ length: 1000 }, (_, i) => `${" ".repeat(i)}a:`).join("\n"), "the spec is nested too deep"],
    ['"'.repeat(1_000_000), "1:1 the spec has too many parts"],
    ["--- 1\n--- 2", "2:1 the file holds several documents"],
    ["!!set {a}", "1:7 the tag"],
    ["? [a]\n: b", "1:1 a key must be plain text"],
    ['"__proto__": 1', "1:1 no key may be named __proto__"],
    ["<<: {a: 1}", "1:1 merge keys"],
    ['a: "\\0"', "1:4 the text holds characters"],
    ['"\\uD800": 1', "1:1 the name holds characters"],
    ["", "1:1 the spec must be a map"],
    ["- 1", "1:1 the spec must be a map"],
    ["a: !!binary aGk=", "1:"],
    [`a: ${"x".repeat(1 << 20)}`, "1:1 the spec is larger than"],
  ])("refuses YAML that is no plain data: %j", (text, expected) => {
    expect(problems(text)[0]).toContain(expected);
  });

  it("refuses aliases that multiply", () => {
    const lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"];
    for (let i = 1; i < 9; i++)
      lines.push(`a${i}: &a${i} [${Array.from({ length: 10 }, () => `*a${i - 1}`).join(", ")}]`);
    expect(problems(lines.join("\n"))[0]).toMatch(/more than \d+ values|nested too deep/);
  });

  it("may be long in one line", () => {
    const env = Array.from({ length: 200 }, (_, i) => `V${i}: "${i}"`).join(", ");
    expect(problems(`${minimal}  b: {run: ls, env: {${env}}}\n`)).toEqual([]);
  });

  it("refuses crowds of parts without reading them", () => {
    const key = (i: number) => `  a${i}: {}`;
    const crowds = [
      `${minimal}${Array.from({ length: 60_000 }, (_, i) => key(i)).join("\n")}`,
      "- a\n".repeat(250_000),
      "\n".repeat(1_000_000),
    ];
    for (const text of crowds) expect(problems(text)[0]).toContain("too many parts");
    const stairs = Array.from({ length: 1000 }, (_, i) => `${" ".repeat(i)}a:`).join("\n");
    expect(problems(stairs)[0]).toBe("65:1 the spec is nested too deep (keep it within 16 levels)");
  });

  it("says where an aliased value is wrong: where it is written", () => {
    expect(problems(`${minimal}  b: {run: ls, env: &e {A: 1}}\n  c: {run: ls, env: *e}\n`)).toEqual([
      '5:28 actions.b.env.A must be text (put text in quotes: "1")',
      '5:28 actions.c.env.A must be text (put text in quotes: "1")',
    ]);
  });

  it("lets aliases share what is written once", () => {
    const spec = parseSpec(`${minimal}  b: {run: ls, env: &e {A: x}}\n  c: {run: ls, env: *e}\n`, "s.yaml");
    expect(spec.actions[2]?.env.get("A")?.text).toBe("x");
  });
});

it("the JSON Schema for editors is that of the code (npm run generate)", () => {
  for (const [name, schema] of [
    ["spec", specJsonSchema()],
    ["include", includedJsonSchema()],
  ] as const)
    expect(JSON.parse(readFileSync(`specs/${name}.schema.json`, "utf8"))).toEqual(
      JSON.parse(JSON.stringify(schema)),
    );
});

describe("hostile specs", () => {
  const files = ["src/a.c", "src/b.c", "src/a.h"].map((path) => ({
    path,
    digest: emptyDigest,
    executable: false,
  }));
  const examples = ["specs/examples/hello.yaml", "specs/examples/leveldb.yaml"].map((f) =>
    readFileSync(f, "utf8"),
  );

  function verdict(text: string): string {
    try {
      resolveSpec(parseSpec(text, "s.yaml"), files, { gcc: "1", ar: "1", "g++": "1", patch: "1" });
      return "accepted";
    } catch (error) {
      return error instanceof SwarmError ? "refused" : `crashed: ${(error as Error).stack}`;
    }
  }

  const pieces = fc.constantFrom(
    ..."{}[]*&!|>#:,-?\"'\\/\n\t ${".split(""),
    "${",
    "$${",
    `\${c.stem}`,
    "**",
    "../",
    "!!map ",
    "&a ",
    "*a",
    "<<: ",
    "__proto__",
    "constructor",
    "\u{1f600}",
    "\ud800",
    "1e999",
    "- ",
    "\r\n",
    "%YAML 1.1\n---\n",
  );
  const mutated = fc
    .tuple(
      fc.constantFrom(...examples),
      fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(6), pieces), {
        minLength: 1,
        maxLength: 5,
      }),
    )
    .map(([text, edits]) => {
      let out = text;
      for (const [where, cut, piece] of edits) {
        const at = Math.floor(where * out.length);
        out = out.slice(0, at) + piece + out.slice(at + cut);
      }
      return out;
    });

  it("are accepted or refused with a code, never a crash: damaged examples", () => {
    fc.assert(
      fc.property(mutated, (text) => {
        expect(verdict(text)).toMatch(/^(accepted|refused)$/);
      }),
      { numRuns: 1200 },
    );
  });

  it("are accepted or refused with a code, never a crash: any data in any place", () => {
    const key = fc.constantFrom(
      "run",
      "in",
      "out",
      "foreach",
      "env",
      "toolchain",
      "timeout",
      "except",
      "like",
      "c",
      "src",
      "toString",
      "src/",
    );
    const value = fc.letrec((tie) => ({
      any: fc.oneof(
        { maxDepth: 3 },
        fc.constantFrom(
          "ls",
          "src/*.c",
          `\${c}`,
          `\${out}`,
          "a.o",
          "src",
          "src/",
          "/",
          "..",
          "{",
          "[",
          "**/*",
          "",
        ),
        fc.string({ maxLength: 5 }),
        fc.double(),
        fc.boolean(),
        fc.constant(null),
        fc.array(tie("any"), { maxLength: 3 }),
        fc.dictionary(key, tie("any"), { maxKeys: 4 }),
      ),
    })).any;
    const spec = fc.record({
      swarmd: fc.constant(1),
      name: fc.constant("x"),
      actions: fc.dictionary(
        fc.constantFrom("a", "b", "__proto__", "out"),
        fc.record(
          { run: value, in: value, out: value, foreach: value, env: value },
          { requiredKeys: ["run"] },
        ),
      ),
    });
    fc.assert(
      fc.property(fc.oneof(spec, value), (data) => {
        expect(verdict(JSON.stringify(data) ?? "")).toMatch(/^(accepted|refused)$/);
      }),
      { numRuns: 1200 },
    );
  });
});
