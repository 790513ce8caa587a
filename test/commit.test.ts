import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { commitOf } from "../node/commit.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "swarmd-commit-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const commit = "0123456789abcdef0123456789abcdef01234567";
async function put(name: string, text: string) {
  const file = path.join(dir, name);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, text);
}

test("a clone's commit is what HEAD names: itself, or through a branch in a file of its own or among the packed", async () => {
  await put(".git/HEAD", `${commit}\n`);
  expect(commitOf(dir)).toBe("0123456789");
  await put(".git/HEAD", "ref: refs/heads/main\n");
  await put(".git/packed-refs", `# pack-refs\n${"f".repeat(40)} refs/heads/x\n${commit} refs/heads/main\n`);
  expect(commitOf(dir)).toBe("0123456789");
  await put(".git/refs/heads/main", `${"a".repeat(40)}\n`);
  expect(commitOf(dir)).toBe("aaaaaaaaaa");
});

test("a worktree's branch lies with the clone it belongs to", async () => {
  await put("clone/.git/refs/heads/side", `${commit}\n`);
  await put("clone/.git/worktrees/tree/HEAD", "ref: refs/heads/side\n");
  await put("clone/.git/worktrees/tree/commondir", "../..\n");
  await put("tree/.git", `gitdir: ${dir}/clone/.git/worktrees/tree\n`);
  expect(commitOf(path.join(dir, "tree"))).toBe("0123456789");
});

test("what is no clone, or a broken one, has no commit", async () => {
  expect(commitOf(dir)).toBeUndefined();
  await put(".git/HEAD", "ref: refs/heads/gone\n");
  expect(commitOf(dir)).toBeUndefined();
  await put(".git/HEAD", "<html>");
  expect(commitOf(dir)).toBeUndefined();
});
