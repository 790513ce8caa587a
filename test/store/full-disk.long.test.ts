import { execFile, execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Line } from "./full-disk-writer.ts";

const mounts = mountable();
if (!mounts) console.warn("full disks are not tried: mounting a tmpfs is not allowed here");

const ways = [
  "put 50000",
  "put 1000000",
  "putStream",
  "putFile",
  "takeFile",
  "gather",
  "executablePath",
  "writeFileAtomic",
  "writeFileOnce",
  "showcase",
  "workspace",
  "log",
  "migrate",
  "events",
];

describe.skipIf(!mounts)("a disk of 64 MB that fills in the middle of a write", { timeout: 120_000 }, () => {
  let folder: string;
  let lines: Line[];
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "swarmd-full-"));
    const mount = path.join(folder, "mount");
    await mkdir(mount);
    const script = 'mount -t tmpfs -o size=64m swarmd-test "$0" && exec "$@"';
    const writer = path.join(import.meta.dirname, "full-disk-writer.ts");
    const run = ["sh", "-c", script, mount, process.execPath, writer, mount, folder];
    const { stdout } = await promisify(execFile)("unshare", ["--mount", ...run]);
    lines = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Line);
  }, 120_000);
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const of = (way: string) => lines.filter((line) => line.way === way);

  test("every way to write was tried where there was room, and where there was none", () => {
    expect([...new Set(lines.map(({ way }) => way))]).toEqual(ways);
    for (const way of ways)
      expect(
        of(way).map(({ answer }) => answer === "stored"),
        way,
      ).toContain(false);
    for (const way of ways.filter((one) => one !== "events"))
      expect(
        of(way).map(({ answer }) => answer),
        way,
      ).toContain("stored");
  });

  test.each(ways)(
    "%s: the whole or nothing, told as a full disk, and it goes on once there is room",
    (way) => {
      for (const { slackBytes, answer, torn, after } of of(way)) {
        expect(answer, `${slackBytes}`).toMatch(/^(stored|disk-full)$/);
        expect(torn, `${slackBytes}`).toEqual([]);
        expect(after, `${slackBytes}`).toBe("stored");
      }
    },
  );
});

function mountable(): boolean {
  try {
    const probe = ["--mount", "mount", "-t", "tmpfs", "swarmd-test", tmpdir()];
    execFileSync("unshare", probe, { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
