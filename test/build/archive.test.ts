/** Archives as inputs: every kind gives the same files, and nothing hostile gets out of them. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { appendFile, chmod, mkdir, mkdtemp, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { packTar, type TarEntry } from "modern-tar";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { unpackArchive } from "../../node/build/archive.ts";
import { readInputs, readSpec } from "../../node/build/inputs.ts";
import { findProgram } from "../../node/build/programs.ts";
import { SpecError } from "../../protocol/build/problem.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "swarmd-archives-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

async function put(path: string, content: string | Uint8Array = path): Promise<void> {
  await mkdir(dirname(join(dir, path)), { recursive: true });
  await writeFile(join(dir, path), content);
}

/** The files that an input brings, or why not. */
async function read(input: string): Promise<string[]> {
  await put("s.yaml", `swarmd: 1\nname: x\ninputs: {z: ${input}}\nactions: {a: {run: ls}}\n`);
  const file = join(dir, "s.yaml");
  try {
    const { files, sources, dispose } = await readInputs(file, await readSpec(file, "s.yaml"));
    const listed = files.map(
      (f) =>
        `${f.path}${f.executable ? "*" : ""} ${readFileSync(sources.get(f.digest)!, "utf8").slice(0, 40)}`,
    );
    dispose();
    expect([...sources.values()].filter((source) => existsSync(source) && !source.startsWith(dir))).toEqual(
      [],
    );
    return listed;
  } catch (error) {
    if (error instanceof SpecError) return [error.message.replaceAll("\n", "")];
    throw error;
  }
}

/** A tree as people pack it, and its archive of each kind that this machine can make. */
async function sample(): Promise<string[]> {
  for (const path of ["zlib-1/a.c", "zlib-1/sub/b.h", `zlib-1/${"long/".repeat(30)}deep.txt`])
    await put(path, "text");
  await put("zlib-1/configure", "#!/bin/sh\n");
  await chmod(join(dir, "zlib-1/configure"), 0o755);
  await symlink("sub/b.h", join(dir, "zlib-1/alias.h"));
  const run = (program: string, ...args: string[]) => execFileSync(program, args, { cwd: dir });
  const made: string[] = [];
  for (const [name, ...args] of [
    ["a.tar", "-cf"],
    ["pax.tar", "--format=pax", "-cf"],
    ["a.tgz", "-czf"],
    ["a.tar.xz", "-cJf"],
    ["a.tar.zst", "--zstd", "-cf"],
  ] as const) {
    if ((name.endsWith("xz") && !findProgram("xz")) || (name.endsWith("zst") && !findProgram("zstd")))
      continue;
    run("tar", ...args, name, "zlib-1");
    made.push(name);
  }
  const python = findProgram("python3");
  if (python) {
    run(
      python,
      "-c",
      `import os,stat,zipfile
z=zipfile.ZipFile('a.zip','w',zipfile.ZIP_DEFLATED)
for top,dirs,files in os.walk('zlib-1'):
  for f in files:
    p=os.path.join(top,f)
    if os.path.islink(p):
      i=zipfile.ZipInfo(p); i.create_system=3; i.external_attr=(stat.S_IFLNK|0o777)<<16; z.writestr(i,os.readlink(p))
    else: z.write(p)
`,
    );
    made.push("a.zip");
  }
  return made;
}

describe("an archive as input", () => {
  it("brings the same files whatever packed it, and does not stay unpacked", async () => {
    const made = await sample();
    expect(made.length).toBeGreaterThan(2);
    const before = readdirSync(tmpdir()).filter((name) => name.startsWith("swarmd-archive-"));
    for (const name of made)
      expect(await read(`{archive: ${name}, strip: 1, except: deep.txt}`), name).toEqual([
        "z/a.c text",
        "z/alias.h text",
        "z/configure* #!/bin/sh\n",
        "z/sub/b.h text",
      ]);
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith("swarmd-archive-"))).toEqual(before);
    expect((await read("{archive: a.tar}"))[0]).toMatch(/^z\/zlib-1\/a.c/);
    expect(await read("{archive: a.tar, strip: 2, except: ['*.h', deep.txt]}")).toEqual([
      "s.yaml:3:23: the archive a.tar holds no files  hint: check strip: and except:",
    ]);
  });

  it("is held to its digest", async () => {
    await put("a.tar", await packTar([entry("a.c", "x")]));
    const digest = createHash("sha256")
      .update(readFileSync(join(dir, "a.tar")))
      .digest("hex");
    expect(await read(`{archive: a.tar, digest: ${digest}}`)).toEqual(["z/a.c x"]);
    expect((await read(`{archive: a.tar, digest: sha256:${"0".repeat(64)}}`))[0]).toContain(
      `s.yaml:3:23: the archive a.tar has the sha256 ${digest}  hint: the spec wants 000`,
    );
  });

  it.each([
    ["{archive: no.tar}", "cannot be read: no such file"],
    ["{archive: .}", "it is no regular file"],
    ["{archive: s.yaml}", "it is no tar (plain, gzip, xz, zstd) and no zip"],
    ["{archive: a.tar, path: b}", "names both path and archive"],
    ["{strip: 1}", "names neither path nor archive"],
    ["{path: s.yaml, strip: 1}", "digest and strip are for archives"],
    ["{archive: a.tar, digest: abc}", "must be a sha256 digest"],
    ["{archive: /a.tar}", "is absolute"],
    ["{archive: a.tar, strip: 3}", "strip: 3 leaves nothing of it"],
  ])("%s is refused", async (input, expected) => {
    await put("a.tar", await packTar([entry("a/a.c", "x")]));
    expect((await read(input))[0]).toContain(expected);
  });
});

const entry = (name: string, body: string): TarEntry => ({
  header: { name, size: Buffer.byteLength(body), type: "file" },
  body,
});
const bare = (name: string, type: NonNullable<TarEntry["header"]["type"]>, linkname = ""): TarEntry => ({
  header: { name, size: 0, type, linkname },
});

describe("a hostile archive is refused and writes nothing outside:", () => {
  const cases: [string, TarEntry[], string][] = [
    ["leaving", [entry("../out", "x")], "leads out of it"],
    ["leaving inside", [entry("a/../../out", "x")], "leads out of it"],
    ["absolute", [entry("/tmp/out", "x")], "is absolute"],
    [
      "through a link",
      [bare("l", "symlink", "/tmp"), entry("l/out", "x")],
      "both a folder and something else",
    ],
    ["over a link", [bare("l", "symlink", "/tmp/x"), entry("l", "x")], "there twice"],
    ["a link later", [entry("l/a", "x"), bare("l", "symlink", "/tmp")], "both a link and something else"],
    ["a link out", [entry("a", "x"), bare("l", "symlink", "../../etc/passwd")], "leads out of the input"],
    ["an absolute link", [entry("a", "x"), bare("l", "symlink", "/etc/passwd")], "leads out of the input"],
    ["a link to nothing", [entry("a", "x"), bare("l", "symlink", "b")], "leads nowhere"],
    ["links in a circle", [bare("a", "symlink", "b"), bare("b", "symlink", "a")], "leads nowhere"],
    ["another name of nothing", [bare("a", "link", "b")], "does not come before it"],
    ["another name of what is outside", [bare("a", "link", "../s.yaml")], "leads out of it"],
    ["a device", [bare("d", "character-device")], "is a character device"],
    ["a pipe", [bare("d", "fifo")], "is a fifo"],
    ["a file as folder", [entry("a", "x"), entry("a/b", "x")], "both a folder and something else"],
    ["nothing", [], "cannot be taken"],
  ];
  it.each(cases)("%s", async (_, entries, expected) => {
    await put("in/a.tar", await packTar(entries));
    expect((await read("{archive: in/a.tar}"))[0]).toContain(expected);
    expect(existsSync(join(dir, "out")) || existsSync(join(tmpdir(), "out"))).toBe(false);
  });

  it("sparse files, however they are written, which would come out short", async () => {
    await put("big", "");
    await truncate(join(dir, "big"), 10 << 20);
    await appendFile(join(dir, "big"), "end");
    for (const format of ["gnu", "posix"]) {
      execFileSync("tar", ["--sparse", `--format=${format}`, "-cf", "s.tar", "big"], { cwd: dir });
      expect((await read("{archive: s.tar}"))[0], format).toContain("big is a sparse file");
    }
  });

  it("members of other kinds, also behind long names and extended headers", async () => {
    const bytes = Buffer.from(
      await packTar([entry("a", "x".repeat(1000)), entry(`${"long/".repeat(40)}b`, "y"), entry("c", "z")]),
    );
    for (const [flag, what] of [
      ["M", "the rest of a file"],
      ["D", "an incremental backup"],
      ["V", "the label of a tape"],
    ] as const) {
      const odd = Buffer.from(bytes);
      const header = odd.lastIndexOf("ustar") - 257;
      odd[header + 156] = flag.charCodeAt(0);
      await put("odd.tar", odd);
      expect((await read("{archive: odd.tar}"))[0]).toContain(what);
      await put("odd.tgz", gzipSync(odd));
      expect((await read("{archive: odd.tgz}"))[0]).toContain(what);
    }
    // Content that looks like a header is content.
    const header = Buffer.alloc(512);
    header.write("fake");
    header.write("S", 156);
    await put("held.tar", await packTar([entry("inner", header.toString("latin1"))]));
    expect(await read("{archive: held.tar}")).toHaveLength(1);
  });

  it("damaged ones", async () => {
    const whole = await packTar(Array.from({ length: 20 }, (_, i) => entry(`f${i}`, "x".repeat(2000))));
    for (const [name, bytes] of [
      ["cut.tar", whole.subarray(0, 9000)],
      ["cut.tgz", gzipSync(whole).subarray(0, 200)],
      ["cut.zst", zstdCompressSync(whole).subarray(0, 100)],
      ["bad.tar", Buffer.from(whole).fill(7, 3000, 3200)],
      ["bad.zip", Buffer.concat([Buffer.from("PK\x03\x04"), Buffer.alloc(100)])],
      ["bad.xz", Buffer.concat([Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]), Buffer.alloc(100)])],
    ] as const) {
      await put(name, bytes);
      expect((await read(`{archive: ${name}}`))[0], name).toMatch(/is damaged|xz is not there/);
    }
  });

  it("bombs, by ratio, by size and by number", async () => {
    const big = await packTar([entry("zeros", "\0".repeat(3 << 20))]);
    await put("b.tgz", gzipSync(big));
    await put("b.zst", zstdCompressSync(big));
    for (const name of ["b.tgz", "b.zst"])
      expect((await read(`{archive: ${name}}`))[0]).toContain("unpacks to more than an honest archive");
    const many = await packTar(Array.from({ length: 20 }, (_, i) => entry(`f${i}`, "x")));
    await put("many.tar", many);
    const into = async (limits: Partial<Parameters<typeof unpackArchive>[3] & object>) => {
      const target = await mkdtemp(join(dir, "t-"));
      const all = { entriesMax: 100, bytesMax: 1 << 20, ratioMax: 200, freeBytes: 1 << 20, ...limits };
      return unpackArchive(join(dir, "many.tar"), target, 0, all);
    };
    await into({});
    await expect(into({ entriesMax: 19 })).rejects.toThrow("more than 19 entries");
    await expect(into({ bytesMax: 5000 })).rejects.toThrow("unpacks to more");
  });
});
