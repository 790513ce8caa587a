/** The skeleton of boxes over restarts of the daemon: kept as long as it is what would be laid, and never trusted further. */
import { execFile } from "node:child_process";
import { cp, mkdtemp, readFile, rename, rm, stat, symlink, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { BoxRoot } from "../../node/build/box-root.ts";
import { defaultLimits } from "../../node/build/limits.ts";
import { openSandbox } from "../../node/build/sandbox.ts";
import { boxWorks } from "./execution.ts";

let parent: string;
let dir: string;
beforeEach(async () => {
  parent = await mkdtemp(path.join(tmpdir(), "swarmd-root-"));
  dir = path.join(parent, "root");
});
afterEach(() => rm(parent, { recursive: true, force: true }));

const open = (prefixes: readonly string[] = []) => new BoxRoot(dir, prefixes);

test("it is laid once for what it is made of", () => {
  expect(open().isLaid()).toBe(false);
  open().lay();
  expect(open().isLaid()).toBe(true);
  expect(open(["/opt/tools"]).isLaid()).toBe(false);
  open(["/opt/tools"]).lay();
  expect(open(["/opt/tools"]).isLaid()).toBe(true);
  expect(open().isLaid()).toBe(false);
});

test("one that another version laid there meanwhile does not count", async () => {
  open().lay();
  await rename(dir, `${dir}.away`);
  await cp(`${dir}.away`, dir, { recursive: true, verbatimSymlinks: true });
  expect(open().isLaid()).toBe(false);
});

test("one that was not finished, or is of another boot of the machine, does not count", async () => {
  open().lay();
  const stamp = await readFile(`${dir}.made`, "utf8");
  await writeFile(`${dir}.made`, stamp.replace(/[0-9a-f]{8}-/, "00000000-"));
  expect(open().isLaid()).toBe(false);
  await unlink(`${dir}.made`);
  expect(open().isLaid()).toBe(false);
});

test("what cannot be copied leaves it unfinished", async () => {
  open().lay();
  await rm(path.join(dir, "etc"), { recursive: true });
  await symlink("/nowhere/at/all", path.join(dir, "etc"));
  expect(() => open().copySystem()).toThrow();
  expect(open().isLaid()).toBe(false);
});

describe.skipIf(!boxWorks)("a daemon that starts again", () => {
  const links = path.join("etc", "ld.so.cache");
  const start = () => openSandbox(dir, "bubblewrap", defaultLimits);
  /** What the shell of a box says. */
  async function inBox(script: string): Promise<string> {
    const { prefix } = await start();
    const [program, ...words] = prefix;
    return (await promisify(execFile)(program!, [...words, "--", "/bin/sh", "-c", script])).stdout;
  }

  test("takes it as it is", async () => {
    await start();
    const before = await stat(path.join(dir, links));
    await start();
    expect((await stat(path.join(dir, links))).ino).toBe(before.ino);
  });

  test("lays it anew where boxes do not start with it any more", async () => {
    await start();
    await rm(path.join(dir, "dev/null"));
    expect(open().isLaid()).toBe(true);
    expect(await inBox("cat /etc/passwd /dev/null")).toBe("nobody:x:65534:65534:nobody:/tmp:/bin/sh\n");
  });
});
