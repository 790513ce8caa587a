/** Files that come into being whole or not at all. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { writeNewFile } from "../../cli/new-file.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "swarmd-file-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const pieces = async function* (then?: () => void) {
  yield Buffer.from("one ");
  then?.();
  yield Buffer.from("two");
};
const options = (more: { force?: boolean; signal?: AbortSignal } = {}) => ({
  force: false,
  signal: new AbortController().signal,
  progress: () => {},
  ...more,
});

test("it has all that came, and how much is told on the way", async () => {
  const file = path.join(dir, "out");
  const told: number[] = [];
  await writeNewFile(file, pieces(), { ...options(), progress: (bytes) => told.push(bytes) });
  expect(await readFile(file, "utf8")).toBe("one two");
  expect(told).toEqual([4, 7]);
  expect(await readdir(dir)).toEqual(["out"]);
});

test("what is there stays, unless one says otherwise", async () => {
  const file = path.join(dir, "out");
  await writeFile(file, "mine");
  await expect(writeNewFile(file, pieces(), options())).rejects.toMatchObject({ code: "usage" });
  expect(await readFile(file, "utf8")).toBe("mine");
  await writeNewFile(file, pieces(), options({ force: true }));
  expect(await readFile(file, "utf8")).toBe("one two");
});

test("what breaks off, or is interrupted, leaves nothing behind, and what was there stays", async () => {
  const file = path.join(dir, "out");
  await writeFile(file, "mine");
  const breaks = pieces(() => {
    throw new Error("the daemon went away");
  });
  await expect(writeNewFile(file, breaks, options({ force: true }))).rejects.toThrow("the daemon went away");
  const over = new AbortController();
  await writeNewFile(
    file,
    pieces(() => over.abort()),
    options({ force: true, signal: over.signal }),
  );
  expect(await readFile(file, "utf8")).toBe("mine");
  expect(await readdir(dir)).toEqual(["out"]);
  await expect(writeNewFile(path.join(dir, "no", "out"), pieces(), options())).rejects.toMatchObject({
    code: "usage",
    message: expect.stringMatching(/out cannot be written: no such file or folder$/),
  });
});
