/** From specs to graphs: what depends on what, what is shared, and everything that is refused before anything runs. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decodeGraph,
  dependenciesOf,
  encodeGraph,
  type Graph,
  type GraphAction,
} from "../../protocol/build/graph.ts";
import { SpecError } from "../../protocol/build/problem.ts";
import { resolveSpec } from "../../protocol/build/resolve.ts";
import { parseSpec } from "../../protocol/build/spec.ts";
import { toolSetsOf } from "../../protocol/build/tool-sets.ts";
import { digestOf } from "../../protocol/kernel/digest.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";

const listing = (paths: readonly string[]) =>
  paths.map((path) => ({ path, digest: digestOf(new TextEncoder().encode(path)), executable: false }));

const sources = ["src/a.c", "src/b.c", "src/a.h", "src/sub/a.c", "src/sub/deep.h", "notes.txt"];

function resolve(actions: string, files: readonly string[] = sources, more = ""): Graph {
  const spec = parseSpec(`swarmd: 1\nname: x\n${more}actions:\n${actions}`, "s.yaml");
  const toolchains = Object.fromEntries(
    toolSetsOf(spec, listing(files)).flatMap((set) => set.demands.map((demand) => [demand, `${demand} 1`])),
  );
  return resolveSpec(spec, listing(files), toolchains);
}

function problems(actions: string, files?: readonly string[], more?: string): string[] {
  try {
    resolve(actions, files, more);
  } catch (error) {
    if (!(error instanceof SpecError)) throw error;
    return error.problems.map((p) => `${p.line}:${p.column} ${p.message}${p.hint ? ` (${p.hint})` : ""}`);
  }
  return [];
}

const action = (graph: Graph, name: string): GraphAction => {
  const found = graph.actions.find((a) => a.name === name);
  if (!found) throw new Error(`no action ${name} among ${graph.actions.map((a) => a.name)}`);
  return found;
};
const names = (graph: Graph) => graph.actions.map((a) => a.name);

/** All paths that an action finds in its workspace, folders taken whole with a trailing slash. */
function takes(graph: Graph, name: string): string[] {
  return action(graph, name)
    .inputs.flatMap((index) => {
      const set = graph.sets[index]!;
      if (set.paths) return set.paths;
      const output = action(graph, set.from!).outputs.find((o) => o.path === set.output)!;
      return [output.kind === "folder" ? `${output.path}/` : output.path];
    })
    .sort();
}

describe("an action", () => {
  it("depends on others by the paths it names, in in, in foreach and in run", () => {
    const graph = resolve(`
  report: {run: "cat \${in} \${lib.out} > \${out}", in: [notes.txt, obj/b.o], out: report.txt}
  lib: {run: "ar rc \${out} \${compile.out}", out: lib.a}
  strip:
    foreach: {o: "obj/*.o"}
    run: strip \${o} -o \${out}
    out: stripped/\${o.name}
  compile:
    foreach: {c: "src/*.c"}
    run: cc -c \${c} -o \${out}
    in: "src/**/*.h"
    out: obj/\${c.stem}.o
`);
    expect(names(graph)).toEqual(["compile/a", "compile/b", "lib", "report", "strip/a", "strip/b"]);
    expect(dependenciesOf(graph, action(graph, "report"))).toEqual(["compile/b", "lib"]);
    expect(dependenciesOf(graph, action(graph, "strip/a"))).toEqual(["compile/a"]);
    expect(dependenciesOf(graph, action(graph, "lib"))).toEqual(["compile/a", "compile/b"]);
    expect(takes(graph, "compile/a")).toEqual(["src/a.c", "src/a.h", "src/sub/deep.h"]);
    expect(action(graph, "report").argv).toEqual([
      "/bin/sh",
      "-e",
      "-c",
      "cat notes.txt obj/b.o lib.a > report.txt",
    ]);
  });

  it("shares the listing of what it takes with the others of its group", () => {
    const graph = resolve(`
  compile:
    foreach: {c: "src/**/*.c"}
    run: cc \${c}
    in: "src/**/*.h"
`);
    const shared = graph.actions.map((a) => a.inputs.filter((i) => graph.sets[i]!.paths!.length > 1));
    expect(shared[0]).toHaveLength(1);
    expect(shared).toEqual([shared[0], shared[0], shared[0]]);
  });

  it("is named by the shortest part of its file that tells it apart", () => {
    const of = (pattern: string) => names(resolve(`  c: {foreach: {x: "${pattern}"}, run: "cc \${x}"}\n`));
    expect(of("src/*.c")).toEqual(["c/a", "c/b"]);
    expect(of("src/**/*.c")).toEqual(["c/a", "c/b", "c/sub/a"]);
    expect(of("src/{a,b}.*")).toEqual(["c/a.c", "c/a.h", "c/b.c"]);
  });

  it("comes once for each value, each number, and each combination", () => {
    const graph = resolve(`
  shard: {foreach: {i: {count: 2}, mode: {values: [fast, slow]}}, run: [run, "\${mode}", "--shard=\${i}"]}
`);
    expect(graph.actions.map((a) => [a.name, a.argv])).toEqual([
      ["shard/0/fast", ["run", "fast", "--shard=0"]],
      ["shard/0/slow", ["run", "slow", "--shard=0"]],
      ["shard/1/fast", ["run", "fast", "--shard=1"]],
      ["shard/1/slow", ["run", "slow", "--shard=1"]],
    ]);
  });

  it("knows the parts of its file's path", () => {
    const graph = resolve(`
  c: {foreach: {x: "src/**/deep.h"}, run: ["\${x}", "\${x.path}", "\${x.dir}", "\${x.name}", "\${x.stem}", "\${x.ext}", "\${x.rel}"]}
`);
    expect(graph.actions[0]?.argv).toEqual([
      "src/sub/deep.h",
      "src/sub/deep.h",
      "src/sub",
      "deep.h",
      "deep",
      ".h",
      "sub/deep.h",
    ]);
  });

  it("gets its environment with values put in, and its toolchains by fingerprint", () => {
    const graph = resolve(
      `  a: {run: ls, env: {B: "\${b.out}", C: "$HOME"}}\n  b: {run: ls, toolchain: [], out: [x, y]}\n`,
      sources,
      "toolchain: gcc\nenv: {A: top, B: top}\n",
    );
    expect(action(graph, "a").env).toEqual({ A: "top", B: "x y", C: "$HOME" });
    expect(action(graph, "a").toolchains).toEqual({ gcc: "gcc 1" });
    expect(action(graph, "b").toolchains).toEqual({});
    expect(dependenciesOf(graph, action(graph, "a"))).toEqual(["b"]);
  });

  it("takes names with odd characters as they are", () => {
    const odd = ["src/a b.c", "src/it's.c", "src/$x.c", "src/[1].c", "src/1.c", "src/{2}.c", "src/*.c"];
    const graph = resolve(
      `  compile: {foreach: {c: "src/*.c"}, run: "cc \${c} -o \${out}", in: "src/\${c.stem}.*", out: "obj/\${c.stem}.o"}\n`,
      odd,
    );
    expect(graph.actions).toHaveLength(odd.length);
    expect(graph.actions.flatMap((a) => takes(graph, a.name)).sort()).toEqual([...odd].sort());
    expect(graph.actions.map((a) => a.argv[3])).toContain("cc 'src/it'\\''s.c' -o 'obj/it'\\''s.o'");
  });
});

describe("a folder output", () => {
  const source = `
  source:
    run: cp -R src lib
    in: src/
    out: {lib/: {like: src, except: [b.c, "sub/*.h"]}}
`;

  it("promises the files of an input folder, which patterns and paths then find", () => {
    const graph = resolve(`${source}
  compile: {foreach: {c: "lib/**/*.c"}, run: "cc \${c}", in: "lib/**/*.h"}
  one: {run: ls, in: lib/sub}
  all: {run: ls, in: lib/}
`);
    expect(action(graph, "source").outputs).toEqual([
      { path: "lib", kind: "folder", promised: ["lib/a.c", "lib/a.h", "lib/sub/a.c"] },
    ]);
    expect(names(graph)).toEqual(["source", "compile/a", "compile/sub/a", "one", "all"]);
    expect(takes(graph, "compile/sub/a")).toEqual(["lib/a.h", "lib/sub/a.c"]);
    expect(takes(graph, "one")).toEqual(["lib/sub/a.c"]);
    expect(takes(graph, "all")).toEqual(["lib/"]);
  });

  it("without a promise can be taken whole, and only whole", () => {
    const gen = "  gen: {run: x, out: gen/}\n";
    expect(takes(resolve(`${gen}  use: {run: ls, in: gen/}\n`), "use")).toEqual(["gen/"]);
    expect(takes(resolve(`${gen}  use: {run: "ls \${gen.out}"}\n`), "use")).toEqual(["gen/"]);
    for (const use of ["in: gen/x.h", 'in: "gen/*.h"', 'foreach: {f: "gen/*"}'])
      expect(problems(`${gen}  use: {run: ls, ${use}}\n`)[0]).toContain(
        "only known after the run (take the whole of it",
      );
  });

  it("whose promise names no input folder is refused", () => {
    expect(problems("  a: {run: x, out: {lib/: {like: scr}}}\n")[0]).toContain("no input files lie in scr");
    expect(problems("  a: {run: x, out: {lib: {like: src}}}\n")[0]).toContain(
      "like: is for folders (write lib/)",
    );
  });
});

describe("before anything runs, a build is refused for", () => {
  it("a cycle, printed as a path", () => {
    expect(
      problems(`
  a: {run: x, in: c.out, out: a.out}
  b: {run: x, in: a.out, out: b.out}
  c: {run: x, in: b.out, out: c.out}
`),
    ).toEqual([
      "5:6 cycle: a → c → b → a (each takes an output of the next) (one of them must do without the output of the other)",
    ]);
    expect(problems('  a: {run: x, in: "*.out", out: a.out}\n')[0]).toContain("cycle: a → a");
  });

  it("a foreach that runs over what is made from it", () => {
    const grows = `  a: {foreach: {f: "**/*.c"}, run: x, out: "gen/\${f.path}"}\n`;
    expect(problems(grows)[0]).toContain("cycle: the foreach of a matches what is made from it");
    const two = `
  a: {foreach: {f: ["src/*.c", "b/**/*.x"]}, run: x, out: "a/\${f.path}.x"}
  b: {foreach: {f: "a/**/*.x"}, run: x, out: "b/\${f.path}.x"}
`;
    expect(problems(two)[0]).toMatch(/cycle: the foreach of [ab] matches/);
  });

  it("an input that nothing makes, with what was meant", () => {
    expect(problems("  a: {run: x, in: src/a.d}\n")).toEqual([
      '4:19 nothing makes src/a.d, and no input holds it (did you mean "src/a.c"?)',
    ]);
    expect(problems("  a: {run: x, in: deep.h}\n")[0]).toContain('did you mean "src/sub/deep.h"?');
    expect(problems('  a: {run: x, in: "*.zip"}\n')[0]).toContain("*.zip matches nothing");
    expect(problems("  a: {run: x, in: ../a}\n")[0]).toContain("leaves the workspace");
    expect(problems("  a: {run: x, in: /etc/passwd}\n")[0]).toContain("is absolute");
  });

  it("a foreach that is empty", () => {
    expect(problems('  a: {foreach: {f: "*.zip"}, run: x}\n')[0]).toContain("*.zip matches nothing");
    expect(problems('  a: {foreach: {f: "*.txt", except: "notes*"}, run: x}\n')[0]).toContain("is empty");
  });

  it("two actions with one output", () => {
    expect(problems("  a: {run: x, out: o}\n  b: {run: x, out: o}\n")[0]).toContain(
      "o is made by both a and b",
    );
    expect(problems("  a: {run: x, out: [o, ./o]}\n")[0]).toContain("o is made by a twice");
    expect(problems(`  a: {foreach: {c: "src/**/*.c"}, run: x, out: "\${c.stem}.o"}\n`)[0]).toContain(
      "a.o is made by both a/a and a/sub/a",
    );
  });

  it.each([
    ["../o", "leaves the workspace"],
    ["/o", "is absolute"],
    ["a/../../o", "leaves the workspace"],
    ["a//o", "is no path"],
    ["./", "is no path"],
    ["*.o", "is a pattern"],
    ["src", "lies over the input"],
    ["src/a.c", "lies over the input src/a.c"],
    ["notes.txt/x", "lies over the input notes.txt"],
    ["[o, o/x]", "lies within"],
    ["[o/x, o/]", "lies within"],
  ])("the output %s", (out, expected) => {
    expect(problems(`  a: {run: x, out: ${out.startsWith("*") ? `"${out}"` : out}}\n`)[0]).toContain(
      expected,
    );
  });

  it("a reference to nothing, with what was meant", () => {
    const run = (text: string) =>
      problems(`  lib: {run: x, out: l.a}\n  a: {run: '${text}', env: {FLAGS: "1"}}\n`)[0];
    expect(run(`cc \${lb.out}`)).toContain('did you mean "lib.out"?');
    expect(run(`cc \${lib}`)).toContain(`its outputs are \${lib.out}`);
    expect(run(`cc \${FLAGS}`)).toContain("write $FLAGS");
    expect(run(`cc \${out}`)).toContain("which has no out");
    expect(run(`cc \${X:-y}`)).toContain(`for the shell's own write $NAME or $\${…}`);
    expect(problems(`  a: {foreach: {c: "src/*.c"}, run: "\${c.stm}"}\n`)[0]).toContain(
      'did you mean "stem"?',
    );
    expect(problems(`  a: {foreach: {c: {count: 1}}, run: "\${c.stem}"}\n`)[0]).toContain("plain value");
  });

  it("a release of what is not there, or makes nothing", () => {
    const release = (include: string) =>
      problems(
        "  lib: {run: x, out: l.a}\n  test: {run: x}\n",
        sources,
        `release: {include: ${include}}\n`,
      )[0];
    expect(release("lib")).toBeUndefined();
    expect(release("lbi")).toContain('did you mean "lib"?');
    expect(release("test")).toContain("makes nothing");
  });

  it("a release of names that a release makes itself, or that nobody would be served", () => {
    const release = (out: string) =>
      problems(`  pack: {run: x, out: ${out}}\n`, sources, "release: {include: pack}\n")[0];
    expect(release("Packages.d/a")).toBeUndefined();
    expect(release("pool/a.deb")).toContain("pool is something that a release makes itself");
    expect(release("Packages")).toContain("another path");
    expect(release(".config/a")).toContain("served to nobody");
  });

  it("a header of an index that has none, or fields that are not for a spec to say", () => {
    const release = (rest: string) =>
      problems("  pack: {run: x, out: a}\n", sources, `release: {include: pack, ${rest}}\n`)[0];
    expect(release("format: gentoo, header: {ARCH: amd64, USE_EXPAND_IMPLICIT: ARCH}")).toBeUndefined();
    expect(release("format: debian, header: {ARCH: amd64}")).toContain("has no header of its own");
    expect(release("format: gentoo, header: {TIMESTAMP: '1'}")).toContain("must be one of ACCEPT_KEYWORDS");
    expect(release('format: gentoo, header: {ARCH: "a\\nb"}')).toContain("must be one line");
  });

  it("two inputs that bring one path", () => {
    expect(problems("  a: {run: x}\n", ["a", "a"])[0]).toContain("two inputs bring a");
    expect(problems("  a: {run: x}\n", ["a", "a/b"])[0]).toContain("the input file a is also a folder");
  });

  it("a toolchain that nobody offers", () => {
    const spec = parseSpec("swarmd: 1\nname: x\nactions:\n  a: {run: x, toolchain: gcc}\n", "s.yaml");
    expect(() => resolveSpec(spec, [], {})).toThrow(expect.objectContaining({ code: "no-eligible-node" }));
  });
});

describe("a graph", () => {
  const build = `
  compile: {foreach: {c: "src/**/*.c"}, run: "cc \${c}", in: "src/**/*.h", out: "obj/\${c.rel}.o"}
  lib: {run: "ar \${compile.out}", out: lib.a}
`;

  it("is the same for the same spec and files, in whatever order they are listed", () => {
    const digest = encodeGraph(resolve(build)).digest;
    fc.assert(
      fc.property(
        fc.shuffledSubarray(sources, { minLength: sources.length, maxLength: sources.length }),
        (files) => {
          expect(encodeGraph(resolve(build, files)).digest).toBe(digest);
        },
      ),
      { numRuns: 20 },
    );
  });

  it("survives its encoding", () => {
    const graph = resolve(build, sources, "release: {include: lib}\n");
    expect(decodeGraph(encodeGraph(graph).bytes)).toEqual(graph);
  });

  it("is refused when its bytes do not hang together", () => {
    const graph = resolve(build);
    const lib = graph.actions.at(-1)!;
    const broken: Graph[] = [
      { ...graph, actions: [...graph.actions, lib] },
      { ...graph, actions: [...graph.actions].reverse() },
      { ...graph, sets: [] },
      { ...graph, files: [] },
      { ...graph, release: { channel: "x", format: "files", include: ["none" as typeof lib.name] } },
      {
        ...graph,
        actions: [
          { ...lib, inputs: [], name: "x" as typeof lib.name },
          { ...lib, inputs: [] },
        ],
      },
      { ...graph, actions: [{ ...lib, inputs: [], outputs: [{ path: "../x", kind: "file" }] }] },
      {
        ...graph,
        actions: [{ ...lib, inputs: [], outputs: [{ path: "x", kind: "folder", promised: ["y/z"] }] }],
      },
      {
        ...graph,
        sets: graph.sets.map((set) => (set.from ? { ...set, paths: ["elsewhere"] } : set)),
      },
    ];
    for (const one of broken)
      expect(() => decodeGraph(encodeGraph(one).bytes)).toThrow(
        expect.objectContaining({ code: "malformed" }) as SwarmError,
      );
    expect(() => decodeGraph(new Uint8Array([1]))).toThrow(SwarmError);
  });

  it("may hold links that stay inside, in version 2 alone", () => {
    const graph = resolve(build);
    const [first] = graph.files;
    const linked = (link: string, version: 1 | 2): Graph => ({
      ...graph,
      version,
      files: [...graph.files, { ...first!, path: "made/link", link }],
    });
    const sound = linked("../src/a.c", 2);
    expect(decodeGraph(encodeGraph(sound).bytes)).toEqual(sound);
    for (const one of [linked("../src/a.c", 1), linked("/etc/passwd", 2), linked("../../x", 2)])
      expect(() => decodeGraph(encodeGraph(one).bytes)).toThrow(
        expect.objectContaining({ code: "malformed" }) as SwarmError,
      );
  });

  it("of ten thousand actions over shared headers stays small", () => {
    const files = [
      ...Array.from({ length: 10_000 }, (_, i) => `src/f${i}.c`),
      ...Array.from({ length: 200 }, (_, i) => `src/h${i}.h`),
    ];
    const graph = resolve(build, files);
    expect(graph.actions).toHaveLength(10_001);
    expect(encodeGraph(graph).bytes.length).toBeLessThan(8 << 20);
  });
});
