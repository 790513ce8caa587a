/** What bubblewrap leaves when it dies before it has finished a box: a first process that does not die with it yet. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { clearBox } from "../../node/build/processes.ts";
import { quoteAll } from "../../node/build/shell.ts";
import { patient } from "../patience.ts";
import { boxWorks } from "./execution.ts";
import { newMark, processesWith } from "./processes-with.ts";

describe.skipIf(!boxWorks)("an unfinished box", () => {
  let dir: string;
  let work: string;
  let mark: string;
  let box: string[];
  let owner: ChildProcess | undefined;
  beforeEach(async () => {
    dir = await mkdtemp(path.join(tmpdir(), "swarmd-unfinished-"));
    work = path.join(dir, "actions/1/work");
    await mkdir(work, { recursive: true });
    mark = newMark();
    const system =
      "--ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/lib /lib --symlink usr/lib64 /lib64";
    box = [
      ..."bwrap --unshare-pid --as-pid-1 --new-session".split(" "),
      ...system.split(" "),
      ...["--bind", work, "/work", "--", "/bin/sh", "-c", `sleep ${mark}; true`],
    ];
  });
  afterEach(async () => {
    owner?.kill("SIGKILL");
    await clearBox(work, "/work");
    await rm(dir, { recursive: true, force: true });
  });
  const runs = () => vi.waitFor(() => expect(processesWith(`sleep\0${mark}`)).toHaveLength(1), patient);

  it("is cleared without bubblewrap, and nothing of another", async () => {
    owner = spawn(box[0]!, box.slice(1), { stdio: "ignore" });
    await runs();
    owner.kill("SIGKILL");
    await once(owner, "exit");
    await clearBox(dir, "/work");
    expect(processesWith(`sleep\0${mark}`)).toHaveLength(1);
    await clearBox(work, "/work");
    expect(processesWith(mark)).toEqual([]);
  });

  it("goes with the daemon", async () => {
    const [warden, known] = ["build/warden.ts", "known-process.ts"].map((name) =>
      JSON.stringify(path.join(import.meta.dirname, "../../node", name)),
    );
    const daemon = `import { spawn } from "node:child_process";
      import { startWarden } from ${warden};
      import { processOf } from ${known};
      const launcher = spawn("sh", ["-c", process.argv[2]], { stdio: "ignore", detached: true });
      startWarden(process.argv[1], {}).watch(processOf(launcher.pid));
      console.log("watched");
      setInterval(() => {}, 1000);`;
    const args = ["--input-type=module-typescript", "-e", daemon, dir, `${quoteAll(box)}; true`];
    owner = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    // The box may be there before the daemon has its warden.
    await once(owner.stdout!, "data");
    await runs();
    owner.kill("SIGKILL");
    await vi.waitFor(() => expect(processesWith(mark)).toEqual([]), patient);
  });
});
