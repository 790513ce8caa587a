import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { carryOver } from "../../node/release/carry.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "swarmd-carry-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

/** An epoch with a package of its own, beside what it carries of the epochs before it that are kept. */
async function epoch(number: number, kept: readonly number[]): Promise<string> {
  const folder = path.join(dir, String(number));
  for (const name of [
    `blobs/${number}.gpkg.tar`,
    "Packages",
    `dists/s/by-hash/SHA256/${number}`,
    "dists/s/Release",
  ]) {
    await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
    await writeFile(path.join(folder, name), `${number}`);
  }
  await carryOver(
    folder,
    kept.map((one) => path.join(dir, String(one))),
  );
  return folder;
}
const blobs = async (folder: string) => (await readdir(path.join(folder, "blobs"))).sort();

describe("what clients of earlier epochs ask for", () => {
  test("stands in each later one as long as theirs is kept, and its indices never do", async () => {
    await epoch(1, []);
    const second = await epoch(2, [1]);
    const third = await epoch(3, [2, 1]);
    expect(await blobs(second)).toEqual(["1.gpkg.tar", "2.gpkg.tar"]);
    expect(await blobs(third)).toEqual(["1.gpkg.tar", "2.gpkg.tar", "3.gpkg.tar"]);
    expect(await readdir(path.join(third, "dists/s/by-hash/SHA256"))).toHaveLength(3);
    expect((await readFile(path.join(third, "Packages"))).toString()).toBe("3");
    expect((await readFile(path.join(third, "dists/s/Release"))).toString()).toBe("3");
    expect((await readFile(path.join(third, "blobs/1.gpkg.tar"))).toString()).toBe("1");
  });

  test("ends with its epoch: what an epoch carries it does not hand on", async () => {
    await epoch(1, []);
    await epoch(2, [1]);
    await rm(path.join(dir, "1"), { recursive: true });
    expect(await blobs(await epoch(3, [2]))).toEqual(["2.gpkg.tar", "3.gpkg.tar"]);
  });

  test("is nothing where there was no epoch before, or one of plain files", async () => {
    const folder = path.join(dir, "plain");
    await mkdir(folder);
    await writeFile(path.join(folder, "SHA256SUMS"), "");
    const fresh = path.join(dir, "fresh");
    await mkdir(fresh);
    expect(await carryOver(fresh, [folder, path.join(dir, "gone")])).toBe(0);
    expect(await readdir(fresh)).toEqual([]);
  });
});
