/** Specs and their inputs on a real disk: which files are found, what links do, and what is refused by name. */
import { execFileSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Inputs, readInputs, readSpec } from "../../node/build/inputs.ts";
import { SpecError } from "../../protocol/build/problem.ts";
import { resolveSpec } from "../../protocol/build/resolve.ts";
import { sameForAll, toolSetsOf } from "../../protocol/build/tool-sets.ts";
import { digestOf } from "../../protocol/kernel/digest.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "swarmd-inputs-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

async function put(path: string, content = path): Promise<void> {
  await mkdir(dirname(join(dir, path)), { recursive: true });
  await writeFile(join(dir, path), content);
}

/** What a spec in DIR/specs with these inputs reads. */
async function read(inputs: string): Promise<Inputs> {
  await put("specs/s.yaml", `swarmd: 1\nname: x\ninputs: ${inputs}\nactions: {a: {run: ls}}\n`);
  const file = join(dir, "specs/s.yaml");
  return readInputs(file, await readSpec(file, "s.yaml"));
}

const paths = async (inputs: string) => (await read(inputs)).files.map((f) => f.path);

async function refusal(inputs: string): Promise<string> {
  try {
    await read(inputs);
  } catch (error) {
    if (error instanceof SpecError) return error.message.replaceAll("\n", "");
    throw error;
  }
  return "accepted";
}

describe("inputs", () => {
  it("are files, folders and patterns beside the spec or above it, at their names in the workspace", async () => {
    for (const path of ["lib/a.c", "lib/sub/b.c", "lib/sub/b.h", "lib/.hidden", "specs/conf.txt"])
      await put(path);
    expect(await paths(`{src: ../lib, "conf/main.txt": conf.txt, heads: "../lib/**/*.h"}`)).toEqual([
      "conf/main.txt",
      "heads/sub/b.h",
      "src/.hidden",
      "src/a.c",
      "src/sub/b.c",
      "src/sub/b.h",
    ]);
    expect(await paths("{src: {path: ../lib, except: ['*.h', sub, '.*']}}")).toEqual(["src/a.c"]);
  });

  it("carry the digest, the executable bit and the place of their content", async () => {
    await put("lib/run.sh", "#!/bin/sh\n");
    await chmod(join(dir, "lib/run.sh"), 0o755);
    await put("lib/big", "x".repeat((1 << 20) + 1));
    const { files, sources } = await read("{src: ../lib}");
    const script = digestOf(new TextEncoder().encode("#!/bin/sh\n"));
    expect(files).toEqual([
      { path: "src/big", digest: digestOf(new Uint8Array((1 << 20) + 1).fill(120)), executable: false },
      { path: "src/run.sh", digest: script, executable: true },
    ]);
    expect(sources.get(script)).toBe(join(dir, "lib/run.sh"));
  });

  it("follow links to files and folders of the same input", async () => {
    await put("lib/real/a.c");
    await symlink("real/a.c", join(dir, "lib/alias.c"));
    await symlink("real", join(dir, "lib/again"));
    await symlink("lib", join(dir, "current"));
    const { files } = await read("{src: ../current}");
    expect(files.map((f) => f.path)).toEqual(["src/again/a.c", "src/alias.c", "src/real/a.c"]);
    expect(new Set(files.map((f) => f.digest)).size).toBe(1);
  });

  it("refuse links that lead out, nowhere, or in a circle, by name, unless they are left out", async () => {
    await put("secret");
    await put("lib/a.c");
    await symlink("../secret", join(dir, "lib/out"));
    await symlink("/etc", join(dir, "lib/etc"));
    await symlink("gone", join(dir, "lib/dangling"));
    await symlink(".", join(dir, "lib/loop"));
    const message = await refusal("{src: ../lib}");
    expect(message).toContain("s.yaml:3:15: the link ../lib/out leads out of the input");
    expect(message).toContain("the link ../lib/etc leads out of the input");
    expect(message).toContain("the link ../lib/dangling leads nowhere: no such file or folder");
    expect(message).toContain("the link ../lib/loop leads to a folder it lies in");
  });

  it("leave out links by except", async () => {
    await put("lib/a.c");
    await symlink("../../secret", join(dir, "lib/out"));
    await symlink("gone", join(dir, "lib/dangling"));
    await symlink("..", join(dir, "lib/up"));
    expect(await paths("{src: {path: ../lib, except: [out, dangling, up]}}")).toEqual(["src/a.c"]);
  });

  it("end when folders of links multiply", async () => {
    await mkdir(join(dir, "lib"));
    for (let i = 0; i < 30; i++) {
      await mkdir(join(dir, `lib/${i}`));
      for (const name of ["x", "y"]) await symlink(`../${i + 1}`, join(dir, `lib/${i}/${name}`));
    }
    await put("lib/30/a.c");
    expect(await refusal("{src: '../lib/**/*.zip'}")).toContain("holds more than 1000 links to folders");
  });

  it("refuse what is no regular file", async () => {
    await put("lib/a.c");
    execFileSync("mkfifo", [join(dir, "lib/pipe")]);
    expect(await refusal("{src: ../lib}")).toContain("../lib/pipe is no regular file");
  });

  it.each([
    ["{src: ../lbi}", 'cannot be read: no such file or folder  hint: did you mean "lib"?'],
    ["{src: ../node_modules/x}", "run npm ci"],
    ["{src: ../lib/a.c/x}", "a part of the path is no folder"],
    ["{src: /etc}", "is absolute"],
    ["{../src: ../lib}", "leaves the workspace"],
    ["{src: '../lib/*.zip'}", "holds no files"],
    ["{src: '../lib/a.c/*'}", "matches nothing"],
    ["{src: '../lib/{a'}", "brace without its other"],
  ])("that cannot be are refused at their place: %s", async (inputs, expected) => {
    await put("lib/a.c");
    expect(await refusal(inputs)).toContain(expected);
  });
});

describe("a spec file", () => {
  it("that is not there or too large is refused", async () => {
    await expect(readSpec(join(dir, "none.yaml"), "none.yaml")).rejects.toMatchObject({ code: "not-found" });
    await expect(readSpec(dir, "dir")).rejects.toMatchObject({ code: "not-found" });
    await put("big.yaml", "x".repeat((1 << 20) + 1));
    await expect(readSpec(join(dir, "big.yaml"))).rejects.toMatchObject({ code: "too-large" });
  });
});

describe("the examples", () => {
  it.each([
    ["hello", 5],
    ["leveldb", 120],
  ])("%s resolves to its actions", async (name, count) => {
    const file = `specs/examples/${name}.yaml`;
    const spec = await readSpec(file);
    const { files } = await readInputs(file, spec);
    const graph = resolveSpec(spec, files, sameForAll(toolSetsOf(spec, files), "1"));
    expect(graph.actions).toHaveLength(count);
    if (name === "leveldb") expect(graph.actions.filter((a) => a.group.startsWith("test"))).toHaveLength(25);
    for (const index of graph.actions.flatMap((a) => a.inputs)) expect(graph.sets[index]).toBeDefined();
  });
});
