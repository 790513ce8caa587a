import { execFile } from "node:child_process";
import { chmod, cp, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import { projectDir } from "./terminal.ts";

const run = promisify(execFile);
let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "swarmd-launcher-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

/** A script that stands for Node: it says its name, or answers what it is asked for its version. */
async function fakeNode(file: string, name: string, major: number) {
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(
    file,
    `#!/bin/sh\ncase $1 in -e) exit $((${major} < 24)) ;; --version) echo v${major}.0.0 ;; --max-semi-space-size=1) shift; echo "${name} $*" ;; esac\n`,
  );
  await chmod(file, 0o755);
}

async function project(files: readonly string[]): Promise<string> {
  const root = path.join(dir, "project");
  for (const file of files) {
    await mkdir(path.dirname(path.join(root, file)), { recursive: true });
    await writeFile(path.join(root, file), "");
  }
  await mkdir(path.join(root, "cli"), { recursive: true });
  await cp(path.join(projectDir, "cli/swarmd"), path.join(root, "cli/swarmd"));
  return root;
}

const launch = (file: string, ...args: string[]) =>
  run(file, args, { cwd: "/", env: { PATH: `${dir}/bin:/usr/bin:/bin` } }).then(
    ({ stdout }) => stdout.trim(),
    (thrown: { code: number; stderr: string }) => `${thrown.code}: ${thrown.stderr}`,
  );

test("a clone runs its sources though an old dist lies beside them, a package its dist", async () => {
  const root = await project(["cli/main.ts", "dist/cli/main.js"]);
  await fakeNode(`${root}/node_modules/.bin/node`, "own", 24);
  expect(await launch(`${root}/cli/swarmd`, "a b")).toBe(`own ${root}/cli/main.ts a b`);
  await rm(`${root}/cli/main.ts`);
  expect(await launch(`${root}/cli/swarmd`)).toBe(`own ${root}/dist/cli/main.js`);
  await rm(`${root}/dist`, { recursive: true });
  expect(await launch(`${root}/cli/swarmd`)).toContain("2: swarmd: neither");
});

test("it follows links, relative and absolute, one to another", async () => {
  const root = await project(["cli/main.ts"]);
  await fakeNode(`${root}/node_modules/.bin/node`, "own", 24);
  await mkdir(`${dir}/links/deep`, { recursive: true });
  await symlink("../../project/cli/swarmd", `${dir}/links/deep/one`);
  await symlink(`${dir}/links/deep/one`, `${dir}/links/two`);
  await symlink("links/two", `${dir}/three`);
  expect(await launch(`${dir}/three`)).toBe(`own ${root}/cli/main.ts`);
});

test("the project's own Node comes first, then one beside it, then the system's if it is new enough", async () => {
  const root = await project(["cli/main.ts"]);
  await fakeNode(`${dir}/bin/node`, "system", 24);
  expect(await launch(`${root}/cli/swarmd`)).toBe(`system ${root}/cli/main.ts`);
  await fakeNode(`${dir}/.bin/node`, "beside", 24);
  expect(await launch(`${root}/cli/swarmd`)).toBe(`beside ${root}/cli/main.ts`);
  await fakeNode(`${root}/node_modules/.bin/node`, "own", 24);
  expect(await launch(`${root}/cli/swarmd`)).toBe(`own ${root}/cli/main.ts`);
});

test("a Node that is there and does not run, as npm's where there is no glibc, is passed over", async () => {
  const root = await project(["cli/main.ts"]);
  await mkdir(`${root}/node_modules/.bin`, { recursive: true });
  await writeFile(`${root}/node_modules/.bin/node`, "#!/lib/no-such-loader.so\n", { mode: 0o755 });
  await fakeNode(`${dir}/bin/node`, "system", 24);
  expect(await launch(`${root}/cli/swarmd`)).toBe(`system ${root}/cli/main.ts`);
});

test("without a Node that is new enough it ends with 2, the version it found and the remedy", async () => {
  const root = await project(["cli/main.ts"]);
  await fakeNode(`${dir}/bin/node`, "old", 20);
  const said = await launch(`${root}/cli/swarmd`);
  expect(said).toContain("2: swarmd: it needs Node 24 or newer; the one on the PATH: v20.0.0");
  expect(said).toContain(`→ run npm ci in ${root}`);
});
