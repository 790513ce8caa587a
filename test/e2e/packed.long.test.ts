import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { projectDir } from "../cli/terminal.ts";

const run = promisify(execFile);
let dir: string;
let env: Record<string, string>;

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "swarmd-packed-"));
  env = {
    HOME: dir,
    // Root's own home would be the machine's.
    SWARMD_HOME: path.join(dir, "home"),
    PATH: `${dir}/prefix/bin:${process.env.PATH}`,
    SWARMD_LISTEN: "127.0.0.1:0",
    SWARMD_MDNS: "no",
    SWARMD_GATEWAY_LISTEN: "no",
    SWARMD_NAME: "pc",
  };
  // Packed in a copy: `npm pack` writes dist/, and the checkout is shared.
  await cp(projectDir, path.join(dir, "copy"), {
    recursive: true,
    filter: (file) => !/\/(node_modules|\.git|\.swarmd|out|dist)$/.test(file),
  });
  await symlink(path.join(projectDir, "node_modules"), path.join(dir, "copy/node_modules"));
  await run("npm", ["pack", "--pack-destination", dir], { cwd: path.join(dir, "copy") });
  const tarball = (await readdir(dir)).find((name) => name.endsWith(".tgz"))!;
  await run("npm", ["install", "--global", "--prefix", `${dir}/prefix`, path.join(dir, tarball)], {
    cwd: dir,
  });
}, 5 * 60_000);
afterAll(() => rm(dir, { recursive: true, force: true }));

test("the package carries the built dashboard", async () => {
  const page = path.join(dir, "prefix/lib/node_modules/swarmd/dist/page");
  expect(await readdir(page)).toEqual(expect.arrayContaining(["index.html", "page"]));
  const cockpit = path.join(page, "../cockpit");
  expect(await readdir(cockpit)).toEqual(expect.arrayContaining(["index.html", "manifest.json", "page"]));
});

const swarmd = async (cwd: string, ...args: string[]) => (await run("swarmd", args, { cwd, env })).stdout;

test("the packed project, installed, works from any folder: version, status, a build", {
  timeout: 180_000,
}, async () => {
  const elsewhere = path.join(dir, "else where");
  await mkdir(elsewhere);
  expect(await swarmd(elsewhere, "--version")).toMatch(
    /^swarmd \d+\.\d+\.\d+(\+[0-9a-f]{10})? \(node 2[4-9]\./,
  );
  // Called as it is found on the PATH, it says `swarmd` and not where it lies.
  expect(await swarmd(elsewhere, "status")).toContain("NEXT  swarmd init\n");
  await swarmd(elsewhere, "init");
  await swarmd(elsewhere, "run", "--detach");
  try {
    await writeFile(
      path.join(elsewhere, "s.yaml"),
      "swarmd: 1\nname: s\nactions: {say: {run: 'echo hi > said.txt', out: said.txt}}\n",
    );
    expect(JSON.parse(await swarmd(elsewhere, "submit", "s.yaml", "--json"))).toMatchObject({
      state: "complete",
    });
    expect(await swarmd(elsewhere, "status")).toContain("NEXT  swarmd fetch s-");
  } finally {
    await swarmd(elsewhere, "stop");
  }
  const demo = await run("swarmd", ["demo"], { cwd: elsewhere, env }).catch((thrown) => thrown);
  expect(demo).toMatchObject({ code: 4, stderr: expect.stringContaining("clone") });
});

test("all it needs but Node takes at most 30 MB of the disk", async () => {
  const sizeOf = async (file: string) => {
    const { stdout } = await run("du", ["-sk", file]);
    return Number.parseInt(stdout, 10) * 1024;
  };
  const installed = path.join(dir, "prefix/lib/node_modules/swarmd");
  const node = path.join(installed, "node_modules/node");
  expect(await sizeOf(node)).toBeGreaterThan(50e6);
  expect((await sizeOf(installed)) - (await sizeOf(node))).toBeLessThanOrEqual(30e6);
});

test("the package holds no TypeScript sources, and is run from dist", async () => {
  const files = await readdir(path.join(dir, "prefix/lib/node_modules/swarmd"), { recursive: true });
  const own = files.filter((file) => !file.includes("node_modules/"));
  expect(own.filter((file) => file.endsWith(".ts"))).toEqual([]);
  expect(own).toEqual(
    expect.arrayContaining(["cli/swarmd", "dist/cli/main.js", "specs/examples/hello.yaml"]),
  );
});
