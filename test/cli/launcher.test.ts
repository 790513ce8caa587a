import { execFile } from "node:child_process";
import { chmod, cp, mkdir, mkdtemp, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
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
  await mkdir(path.join(root, "node_modules/cac"), { recursive: true });
  await cp(path.join(projectDir, "cli/swarmd"), path.join(root, "cli/swarmd"));
  return root;
}

const launch = (file: string, ...args: string[]) =>
  run(file, args, { cwd: "/", env: { PATH: `${dir}/bin:/usr/bin:/bin` } }).then(
    ({ stdout }) => stdout.trim(),
    (thrown: { code: number; stderr: string }) => `${thrown.code}: ${thrown.stderr}`,
  );

test("a package, which has no sources, runs what was built", async () => {
  const root = await project(["dist/cli/main.js"]);
  await fakeNode(`${root}/node_modules/.bin/node`, "own", 24);
  expect(await launch(`${root}/cli/swarmd`, "a b")).toBe(`own ${root}/dist/cli/main.js a b`);
  await rm(`${root}/dist`, { recursive: true });
  expect(await launch(`${root}/cli/swarmd`)).toContain("2: swarmd: neither");
});

describe("a clone", () => {
  const sources = [
    "cli/main.ts",
    "node/deep/part.ts",
    "protocol/core.ts",
    "sim/main.ts",
    "package-lock.json",
  ];
  const [past, begun, later] = [1000, 2000, 3000];
  let root: string;
  /** What is launched, without the folder it lies in. */
  const launched = async () => (await launch(`${root}/cli/swarmd`)).replace(`own ${root}/`, "");
  const age = (name: string, seconds: number) => utimes(path.join(root, name), seconds, seconds);

  beforeEach(async () => {
    root = await project([...sources, "dist/cli/main.js", "dist/made", "README.md"]);
    await fakeNode(`${root}/node_modules/.bin/node`, "own", 24);
    for (const name of ["cli", "cli/swarmd", "node", "node/deep", "protocol", "sim", ...sources])
      await age(name, past);
    await age("dist/made", begun);
  });

  test("runs what was built of the sources it has", async () => {
    expect(await launched()).toBe("dist/cli/main.js");
  });

  test.each([...sources, "node/deep"])("runs its sources once %s is newer", async (name) => {
    await age(name, later);
    expect(await launched()).toBe("cli/main.ts");
  });

  test("says what to do where its packages are not there, or not those of developers", async () => {
    await age("cli/main.ts", later);
    await rm(`${root}/node_modules/cac`, { recursive: true });
    const said = await launch(`${root}/cli/swarmd`);
    expect(said).toContain("2: swarmd: the packages that it is built of are not there");
    expect(said).toContain(`→ run npm ci in ${root}`);
  });

  test("runs its sources where building never ended, or never was", async () => {
    await rm(`${root}/dist/made`);
    expect(await launched()).toBe("cli/main.ts");
    await rm(`${root}/dist`, { recursive: true });
    expect(await launched()).toBe("cli/main.ts");
  });
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
