/** A launcher that is killed under its action, at the moments at which that is hardest to tell. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type JobEnd, startLauncher } from "../../node/build/launcher.ts";
import { clearGroup } from "../../node/build/processes.ts";
import { until } from "../patience.ts";
import { newMark, processesWith } from "./processes-with.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), "swarmd-launcher-"));
  mkdirSync(path.join(dir, "work"));
});
afterEach(() => rmSync(dir, { recursive: true }));

it("is lost with the number of what it had begun to start, which would run on with nobody to end it", async () => {
  const mark = newMark();
  // The shell that becomes the action kills its launcher, and says its number when that is long gone.
  const dying =
    'cd() { [ -e "$d/go" ] || kill -KILL $$; until [ -e "$d/go" ]; do sleep 0.05; done; command cd "$@"; }';
  let exits = 0;
  // As setsid in the moment before it leads a group of its own.
  const prefix = ["/usr/bin/env"];
  const launcher = startLauncher({ PATH: "/usr/bin:/bin" }, prefix, dying, () => exits++);
  const ended = new Promise<JobEnd>((resolve) =>
    launcher.run({ dir, argv: ["sleep", mark], env: { PATH: "/usr/bin:/bin" } }, resolve),
  );
  await until(() => !existsSync(`/proc/${launcher.pid}`), "the end of the launcher");
  writeFileSync(path.join(dir, "go"), "");
  const end = await ended;
  try {
    expect(end).toMatchObject({ kind: "lost", group: { pid: expect.any(Number) } });
    expect(exits).toBe(1);
    await clearGroup(end.group!);
    expect(processesWith(mark)).toEqual([]);
  } finally {
    for (const pid of processesWith(mark)) process.kill(Number(pid), "SIGKILL");
  }
});
