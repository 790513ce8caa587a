import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { cidOf, digestOf, emptyDigest, hashOf } from "../../protocol/kernel/digest.ts";
import { MemoryControl } from "../control/memory.ts";
import { Terminal } from "./terminal.ts";

let terminal: Terminal;
let control: MemoryControl;
const bytes = randomBytes(200_000);
const digest = digestOf(bytes);
const absent = digestOf(Buffer.from("held by nobody"));

beforeEach(async () => {
  terminal = await Terminal.open();
  control = new MemoryControl();
  control.blobs.set(digest, bytes);
  await terminal.serve(control);
});
afterEach(() => terminal.close());

describe("artifact", () => {
  test("get writes it to a file, by digest, by CID and by its hash alone", async () => {
    for (const [at, word] of [digest, cidOf(digest), hashOf(digest)].entries()) {
      expect(await terminal.good("artifact", "get", word, "-o", `out/${at}`)).toBe(`195 KiB, in out/${at}\n`);
      const got = await readFile(path.join(terminal.dir, "out", String(at)));
      expect(Buffer.compare(got, bytes)).toBe(0);
    }
  });

  test("get without a file gives the bytes and nothing else to a pipe", async () => {
    const text = Buffer.from("plain text\n");
    control.blobs.set(digestOf(text), text);
    expect(await terminal.good("artifact", "get", cidOf(digestOf(text)))).toBe("plain text\n");
  });

  test("get writes a folder with all that is below it", async () => {
    const inner = Buffer.from("inner");
    const root = digestOf(Buffer.from("a directory"));
    control.blobs.set(digestOf(inner), inner);
    control.trees.set(root, [
      { path: "deep/file", digest: digestOf(inner), executable: false },
      { path: "other", digest: digestOf(inner), executable: true },
    ]);
    expect(await terminal.good("artifact", "get", root, "--output", "tree")).toBe("2 files, 10 B, in tree\n");
    expect(await readFile(path.join(terminal.dir, "tree/deep/file"), "utf8")).toBe("inner");
  });

  test("get writes a folder as a tar file, the same each time", async () => {
    const inner = randomBytes(2_000_000);
    const root = digestOf(Buffer.from("a directory"));
    control.blobs.set(digestOf(inner), inner);
    const long = `${"deep/".repeat(40)}file`;
    control.trees.set(root, [
      { path: "link", digest: emptyDigest, executable: false, link: long },
      { path: long, digest: digestOf(inner), executable: true },
      { path: "empty", digest: emptyDigest, executable: false, folder: true },
    ]);
    const wrong = digestOf(Buffer.from("another directory"));
    control.trees.set(wrong, [{ path: "a", digest: digestOf(Buffer.from("gone")), executable: false }]);
    expect(await terminal.good("artifact", "get", root, "--tar", "-o", "one.tar")).toContain("3 files");
    await terminal.good("artifact", "get", root, "--tar", "-o", "two.tar");
    const [one, two] = await Promise.all(
      ["one.tar", "two.tar"].map((name) => readFile(path.join(terminal.dir, name))),
    );
    expect(Buffer.compare(one!, two!)).toBe(0);
    const dir = path.join(terminal.dir, "unpacked");
    await mkdir(dir);
    await promisify(execFile)("tar", ["-xf", path.join(terminal.dir, "one.tar"), "-C", dir]);
    expect(Buffer.compare(await readFile(path.join(dir, "link")), inner)).toBe(0);
    expect((await stat(path.join(dir, long))).mode & 0o111).not.toBe(0);
    expect(await readdir(path.join(dir, "empty"))).toEqual([]);
    expect((await terminal.run("artifact", "get", wrong, "--tar", "-o", "three.tar")).code).toBe(4);
    expect(await readdir(terminal.dir)).not.toContainEqual(expect.stringContaining("three.tar"));
  });

  test("get says so where nothing can be written", async () => {
    await terminal.write("a-file", "in the way");
    for (const place of ["/proc/nope/x", "a-file/x", `${"n".repeat(300)}/x`]) {
      const { code, stderr } = await terminal.run("artifact", "get", digest, "-o", place);
      expect(code).toBe(4);
      expect(stderr).toContain("cannot be written to");
    }
  });

  test("stat says what it is", async () => {
    const said = await terminal.good("artifact", "stat", cidOf(digest));
    expect(said).toContain(digest);
    expect(said).toContain("a-build-5feceb66ff: a/path, on alpha");
    expect(JSON.parse(await terminal.good("artifact", "stat", digest, "--json"))).toMatchObject({
      digest,
      cid: cidOf(digest),
      kind: "file",
    });
  });

  test("where says who holds it, and who was found wrong", async () => {
    const said = await terminal.good("artifact", "where", digest);
    expect(said).toMatch(/alpha +self +yes +build, asked +1\.3 ms +1 false lists/);
    expect(JSON.parse(await terminal.good("artifact", "where", digest, "--json")).holders).toHaveLength(1);
  });

  test.each([
    ["a word that is neither", ["stat", "libfoo.a"], 2, "no digest and no CID"],
    ["a CID of another kind", ["stat", `${cidOf(absent).slice(0, -1)}9`], 2, "no digest and no CID"],
    ["no artifact", ["where"], 2, "takes a digest or a CID"],
    ["a deed that is none", ["got", digest], 2, "did you mean artifact get?"],
    ["an output for stat", ["stat", digest, "-o", "x"], 2, "takes no --output"],
    ["what nobody knows", ["get", cidOf(absent), "-o", "x"], 4, "nobody knows"],
    ["JSON beside the bytes", ["get", digest, "--json"], 2, "--json stands in the way"],
    ["a folder for a file", ["get", digest, "-o", "."], 2, "is a folder"],
  ])("refuses %s", async (_, args, code, why) => {
    await mkdir(terminal.dir, { recursive: true });
    const ended = await terminal.run("artifact", ...args);
    expect(ended.code).toBe(code);
    expect(ended.stderr + ended.stdout).toContain(why);
  });
});
