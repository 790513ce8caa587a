/** What a spec says once for many actions: variables, matrices, conditions, includes, defaults. */
import { describe, expect, it } from "vitest";
import { SpecError } from "../../protocol/build/problem.ts";
import { resolveSpec } from "../../protocol/build/resolve.ts";
import { parseSpec, type Surroundings } from "../../protocol/build/spec.ts";
import { sameForAll, toolSetsOf } from "../../protocol/build/tool-sets.ts";
import { emptyDigest } from "../../protocol/kernel/digest.ts";

const listing = ["src/a.c", "src/b.c", "src/arm/x.c"].map((path) => ({
  path,
  digest: emptyDigest,
  executable: false,
}));

/** `files`: what can be included, by path. */
function read(text: string, files: Record<string, string> = {}, around: Omit<Surroundings, "load"> = {}) {
  return parseSpec(text.startsWith("swarmd") ? text : `swarmd: 1\nname: x\n${text}`, "dir/s.yaml", {
    ...around,
    load: (path) => (files[path] === undefined ? { message: `no ${path}` } : { text: files[path]! }),
  });
}

function graphOf(text: string, files?: Record<string, string>, around?: Omit<Surroundings, "load">) {
  const spec = read(text, files, around);
  return resolveSpec(spec, listing, sameForAll(toolSetsOf(spec, listing), "1"));
}

const commands = (...args: Parameters<typeof graphOf>) =>
  Object.fromEntries(graphOf(...args).actions.map((a) => [a.name, a.argv.at(-1)]));

function problems(...args: Parameters<typeof graphOf>): string[] {
  try {
    graphOf(...args);
  } catch (error) {
    if (!(error instanceof SpecError)) throw error;
    return error.problems.map(
      (p) => `${p.file}:${p.line}:${p.column} ${p.message}${p.hint ? ` (${p.hint})` : ""}`,
    );
  }
  return [];
}

describe("variables", () => {
  it("stand for text, and lists for each of their items, wherever values may stand", () => {
    const graph = graphOf(`
vars: {dir: src, flags: [-O2, -g 3], out_dir: "\${dir}-out", none: []}
actions:
  a:
    foreach: {f: "\${dir}/*.c", except: "b.*"}
    run: cc \${flags} \${none} \${f} -o \${out}
    in: "\${dir}/arm/*"
    env: {D: "\${dir}"}
    out: "\${out_dir}/\${f.stem}.o"
`);
    expect(graph.actions.map((a) => [a.argv.at(-1), a.env, a.outputs[0]?.path])).toEqual([
      ["cc -O2 '-g 3'  src/a.c -o src-out/a.o", { D: "src" }, "src-out/a.o"],
    ]);
  });

  it("take the place of patterns' letters, not of patterns", () => {
    expect(
      problems(`vars: {p: "*.c"}\nactions: {a: {foreach: {f: "src/{a,b}\${p}"}, run: ls}}`)[0],
    ).toContain("matches nothing");
  });

  it("can be given from outside, if the spec has them", () => {
    const text = `vars: {level: "1"}\nactions: {a: {run: "cc -O\${level}"}}`;
    expect(commands(text, {}, { vars: new Map([["level", ["3"]]]) })).toEqual({ a: "cc -O3" });
    expect(() => read(text, {}, { vars: new Map([["lvl", ["3"]]]) })).toThrow(
      expect.objectContaining({ code: "usage", remedy: "it has level" }),
    );
  });

  it.each([
    [`vars: {a: "\${b}", b: x}\nactions: {a: {run: ls}}`, `3:11 \${b} is not known in vars`],
    ["vars: {in: x}\nactions: {a: {run: ls}}", '3:8 the name "in" means something else'],
    [`actions: {a: {run: ls, out: "\${nme}"}}\nvars: {nme2: x}`, "is not known in out (known: nme2)"],
    [`vars: {a: x}\nactions: {b: {foreach: {a: "src/*"}, run: ls}}`, "is also the name of something else"],
    [
      `actions: {b: {run: ls, requires: {labels: "\${cc}"}}}\nvars: {cc: gcc 12}`,
      `gcc 12, which \${cc} stands for, must be`,
    ],
    [`actions: {b: {run: ls}}\ninputs: {a: "\${x}"}`, `\${x} is not known in the path of an input`],
  ])("are refused: %s", (text, expected) => {
    expect(problems(text).join("\n")).toContain(expected);
  });
});

describe("a matrix", () => {
  const two = `
vars: {targets: [x86_64-linux-gnu, aarch64-linux-gnu]}
actions:
  cc:
    matrix: {target: "\${targets}", variant: [debug, release], exclude: [{target: "aarch64-linux-gnu", variant: debug}]}
    foreach: {f: "src/*.c"}
    toolchain: ["\${target}-gcc"]
    requires: {target: "\${target}", labels: "has-\${variant}"}
    run: cc -\${variant} \${f}
    out: obj/\${target}/\${variant}/\${f.stem}.o
  link:
    matrix: {target: "\${targets}"}
    run: ld \${cc.out}
    out: bin/\${target}
  all: {run: "ls \${link.out}"}
`;
  it("makes an action for each combination that is not excluded", () => {
    const graph = graphOf(two);
    expect(graph.actions.map((a) => a.name)).toEqual([
      "cc/x86_64-linux-gnu/debug/a",
      "cc/x86_64-linux-gnu/debug/b",
      "cc/x86_64-linux-gnu/release/a",
      "cc/x86_64-linux-gnu/release/b",
      "cc/aarch64-linux-gnu/release/a",
      "cc/aarch64-linux-gnu/release/b",
      "link/x86_64-linux-gnu",
      "link/aarch64-linux-gnu",
      "all",
    ]);
    expect(graph.actions.map((a) => a.group).slice(0, 1)).toEqual(["cc"]);
    expect(graph.actions[4]).toMatchObject({
      toolchains: { "aarch64-linux-gnu-gcc": "1" },
      requires: { target: "aarch64-linux-gnu", labels: ["has-release"] },
    });
  });

  it("takes of another matrix what was made for the same values", () => {
    expect(commands(two)).toMatchObject({
      "link/aarch64-linux-gnu": "ld obj/aarch64-linux-gnu/release/a.o obj/aarch64-linux-gnu/release/b.o",
      all: "ls bin/x86_64-linux-gnu bin/aarch64-linux-gnu",
    });
  });

  it.each([
    ["matrix: {}", "the matrix names no variable"],
    ["matrix: {t: []}", "t has no values"],
    ["matrix: {t: [a, a]}", "a stands twice in t"],
    ["matrix: {cpus: [a]}", "cpus is no name for a variable"],
    ["matrix: {t: [a], exclude: [{u: a}]}", "exclude names u, which is no variable of the matrix"],
    ["matrix: {t: [abc], exclude: [{t: abd}]}", 'no value of t (did you mean "abc"?)'],
    ["matrix: {t: [a], exclude: [{t: a}]}", "exclude takes every combination away"],
    ["matrix: {t: [1]}", 'put text in quotes: "1"'],
    ["matrix: {t: [a, b]}, out: o", "o is made by both a/a and a/b"],
    ["matrix: {t: [a], exclude: [x]}", "must be a map of variables to values"],
  ])("is refused: %s", (key, expected) => {
    expect(problems(`actions: {a: {run: ls, ${key}}}`).join("\n")).toContain(expected);
  });

  it("is refused when it makes too many", () => {
    const values = Array.from({ length: 400 }, (_, i) => `v${i}`).join(", ");
    expect(problems(`actions: {a: {run: ls, matrix: {a: [${values}], b: [${values}]}}}`)[0]).toContain(
      "the matrix makes more than 100000 actions",
    );
  });
});

describe("when", () => {
  const kept = (when: string, labels: string[] = []) => {
    const spec = read(
      `vars: {mode: [fast, safe], os: linux}\nactions:\n  always: {run: ls}\n  a: {matrix: {target: [x86_64-a, arm-b]}, run: ls, when: ${when}}\n`,
      {},
      { labels },
    );
    return [spec.actions.slice(1).map((a) => a.cell.name), spec.leftOut.map((l) => l.why)];
  };

  it("keeps an action if all of it holds, and says why not", () => {
    expect(kept("{target: x86_64-a}")).toEqual([["x86_64-a"], ["target is arm-b, not x86_64-a"]]);
    expect(kept("{target: arm-*, os: linux}")[0]).toEqual(["arm-b"]);
    expect(kept("{mode: safe}")[0]).toHaveLength(2);
    expect(kept("{not: {target: x86_64-a, os: linux}}")).toEqual([
      ["arm-b"],
      ["all of not: holds (target: x86_64-a, os: linux)"],
    ]);
    expect(kept("{any: [{os: bsd}, {target: [x86_64-a, y]}]}")).toEqual([
      ["x86_64-a"],
      ["nothing of any: holds (os is linux, not bsd; target is arm-b, not x86_64-a or y)"],
    ]);
    expect(kept("{labels: [gpu, big]}", ["big"])[0]).toHaveLength(2);
    expect(kept("{labels: [gpu, big]}")[1]?.[0]).toBe("no node offers the label gpu or big");
  });

  it("takes along what depends on it by name: nothing of it is there", () => {
    const text = `
vars: {docs: "no"}
actions:
  docs: {run: x, when: {docs: "yes"}, out: d.txt}
  each: {foreach: {d: "\${docs.out}"}, run: "ls \${d}"}
  all: {run: "ls \${docs.out}"}
release: {include: docs}
`;
    const graph = graphOf(text);
    expect(graph.actions.map((a) => [a.name, a.argv.at(-1)])).toEqual([["all", "ls "]]);
    expect(graph.release?.include).toEqual([]);
    expect(graphOf(text, {}, { vars: new Map([["docs", ["yes"]]]) }).actions.map((a) => a.name)).toEqual([
      "docs",
      "each/d",
      "all",
    ]);
  });

  it.each([
    ["{tagret: x}", 'when asks for tagret, which is no variable here (did you mean "target"?)'],
    ["{any: [{x: y}]}", "3:61"],
    ['{target: "["}', "3:"],
    ["{target: nothing}", "every action is left out by its when (a/x: target is x, not nothing)"],
  ])("is refused: %s", (when, expected) => {
    const [problem] = problems(`actions: {a: {matrix: {target: [x]}, run: ls, when: ${when}}}`);
    expect(problem).toContain(expected);
  });
});

describe("an include", () => {
  const lib = `swarmd: 1
vars: {opt: -O1, dir: lib}
inputs: {"\${dir}": ../src}
toolchain: gcc
defaults: {retries: 0, requires: {cpus: 2}}
env: {A: lib}
actions:
  compile: {run: "cc \${opt} \${dir}", out: "\${dir}.o"}
  pack: {run: "ar \${compile.out}", out: "\${dir}.a"}
`;
  it("brings inputs, variables and actions of its own, by parameters and under a name", () => {
    const text = `
include:
  - file: sub/lib.yaml
    as: one
    with: {opt: -O3}
  - {file: sub/lib.yaml, as: two, with: {dir: other}}
  - common.yaml
actions:
  compile: {run: "cc \${flag}"}
  link: {run: "ld \${one.pack.out} \${two.pack.out} \${compile.out}"}
release: {include: one.pack}
`;
    const files = { "sub/lib.yaml": lib, "common.yaml": "swarmd: 1\nvars: {flag: -c}\n" };
    expect(commands(text, files)).toEqual({
      "one.compile": "cc -O3 lib",
      "one.pack": "ar lib.o",
      "two.compile": "cc -O1 other",
      "two.pack": "ar other.o",
      compile: "cc -c",
      link: "ld lib.a other.a ",
    });
    const graph = graphOf(text, files);
    expect(graph.actions.find((a) => a.name === "one.compile")).toMatchObject({
      toolchains: { gcc: "1" },
      attemptsMax: 1,
      requires: { cpus: 2 },
      env: { A: "lib" },
    });
    expect(graph.actions.at(-1)).toMatchObject({ toolchains: {}, env: {} });
    expect(read(text, files).inputs.map((i) => [i.name.text, i.path.text, i.folder])).toEqual([
      ["lib", "../src", "sub"],
      ["other", "../src", "sub"],
    ]);
  });

  it("names what is wrong in its own file", () => {
    expect(
      problems("include: [sub/lib.yaml]\nactions: {a: {run: ls, tiemout: 1s}}", { "sub/lib.yaml": lib }),
    ).toEqual(['dir/s.yaml:4:24 unknown key "tiemout" (did you mean "timeout"?)']);
    const broken = lib.replace("run: ", "rum: ").replace("cc ", `\${x} `);
    expect(problems("include: sub/lib.yaml\n", { "sub/lib.yaml": broken })[0]).toMatch(
      /^dir\/sub\/lib.yaml:8:1/,
    );
    expect(problems("include: sub/lib.yaml\n", { "sub/lib.yaml": lib.replace("cc ", `\${x} `) })[0]).toMatch(
      /^dir\/sub\/lib.yaml:8:18 \$\{x\} is not known here/,
    );
    expect(problems("include: a.yaml\n", { "a.yaml": "swarmd: 1\nname: y\n" })[0]).toContain(
      'dir/a.yaml:2:1 unknown key "name"',
    );
    expect(problems("include: a.yaml\n", { "a.yaml": "a: [" })[0]).toMatch(/^dir\/a.yaml:1:/);
  });

  it.each([
    ["include: none.yaml", "dir/s.yaml:3:10 no none.yaml"],
    ["include: /etc/passwd", "is absolute"],
    ["include: s.yaml", "cycle of includes: s.yaml → s.yaml"],
    ["include: one.yaml", "dir/two.yaml:2:10 cycle of includes: one.yaml → two.yaml → one.yaml"],
    ["include: {file: x}", "must be a path or a list"],
    ["include: [{file: lib.yaml, with: {op: x}}]", 'lib.yaml has no variable op (did you mean "opt"?)'],
    ["include: [lib.yaml, lib.yaml]", "there is another action compile in dir/lib.yaml"],
    ["include: d0.yaml", "nested deeper than 8 files"],
  ])("is refused: %s", (text, expected) => {
    const files: Record<string, string> = {
      "lib.yaml": lib,
      "one.yaml": "swarmd: 1\ninclude: two.yaml\n",
      "two.yaml": "swarmd: 1\ninclude: one.yaml\n",
    };
    for (let i = 0; i < 10; i++) files[`d${i}.yaml`] = `swarmd: 1\ninclude: d${i + 1}.yaml\n`;
    expect(problems(`${text}\nactions: {a: {run: ls}}`, files).join("\n")).toContain(expected);
  });

  it("is bounded in number and size", () => {
    const wide = (next: string) =>
      `swarmd: 1\ninclude: [${Array.from({ length: 5 }, (_, i) => `{file: ${next}, as: x${i}}`).join(", ")}]\n`;
    const files = {
      "a.yaml": wide("b.yaml"),
      "b.yaml": wide("c.yaml"),
      "c.yaml": wide("d.yaml"),
      "d.yaml": lib,
    };
    expect(problems(`include: a.yaml`, files).join("\n")).toContain("includes more than 64 files");
  });
});

describe("what an action asks for", () => {
  it("has defaults, key by key, and can be said in its command", () => {
    const graph = graphOf(`
defaults: {requires: {cpus: 4, disk: 1G}}
actions:
  a: {run: "make -j\${cpus}"}
  b: {run: "make -j\${cpus}", requires: {cpus: 8, memory: 1M}, priority: 5}
`);
    expect(graph.actions.map((a) => [a.argv.at(-1), a.requires, a.priority])).toEqual([
      ["make -j4", { cpus: 4, diskBytes: 2 ** 30 }, undefined],
      ["make -j8", { cpus: 8, memoryBytes: 2 ** 20, diskBytes: 2 ** 30 }, 5],
    ]);
  });
});
