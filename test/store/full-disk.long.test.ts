import { execFile, execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Line } from "./full-disk-writer.ts";

/** As shell lines: $0 is where to, $1 a folder for the file behind a loop device; all goes with the namespace. */
const mounting: Readonly<Record<string, string>> = {
  ext4: 'mount -t tmpfs -o size=80m swarmd-test "$1" && truncate -s 64M "$1/disk" && mkfs.ext4 -q -m 0 "$1/disk" && mount -o loop "$1/disk" "$0" && rmdir "$0/lost+found" && shift',
  tmpfs: 'mount -t tmpfs -o size=64m swarmd-test "$0" && shift',
};

/** ext4 on a loop device, as a disk is; where there are no such devices, memory that is as small. */
const disk = ["ext4", "tmpfs"].find(mounts);
if (disk === undefined) console.warn("full disks are not tried: mounting is not allowed here");
if (disk === "tmpfs") console.warn("full disks are tried in memory: there are no loop devices here");

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

describe.skipIf(disk === undefined)(
  "a disk of 64 MB that fills in the middle of a write",
  { timeout: 180_000 },
  () => {
    let folder: string;
    let lines: Line[];
    beforeAll(async () => {
      folder = await mkdtemp(path.join(tmpdir(), "swarmd-full-"));
      const mount = path.join(folder, "mount");
      await mkdir(mount);
      const backing = path.join(folder, "backing");
      await mkdir(backing);
      const script = `${mounting[disk!]} && exec "$@"`;
      const writer = path.join(import.meta.dirname, "full-disk-writer.ts");
      const run = ["sh", "-c", script, mount, backing, process.execPath, writer, mount, folder];
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
  },
);

function mounts(kind: string): boolean {
  const dir = mkdtempSync(path.join(tmpdir(), "swarmd-mount-"));
  const [mount, backing] = [path.join(dir, "mount"), path.join(dir, "backing")];
  for (const folder of [mount, backing]) mkdirSync(folder);
  try {
    const probe = ["--mount", "sh", "-c", mounting[kind]!, mount, backing];
    execFileSync("unshare", probe, { stdio: "ignore" });
    return true;
  } catch {
    return false;
  } finally {
    rmSync(dir, { recursive: true });
  }
}
