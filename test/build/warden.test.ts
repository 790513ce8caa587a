import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { childrenOf } from "../../node/build/processes.ts";
import { startWarden } from "../../node/build/warden.ts";
import { patient, until } from "../patience.ts";
import { boxWorks } from "./execution.ts";
import { newMark, processesWith } from "./processes-with.ts";

const program = path.join(import.meta.dirname, "doomed-daemon.ts");

describe.each(["none", "bubblewrap"] as const)("a daemon with sandbox %s", (sandbox) => {
  let home: string;
  let daemon: ChildProcess;
  let mark: string;
  beforeEach(async (context) => {
    if (sandbox === "bubblewrap" && !boxWorks) context.skip("bubblewrap is missing or not allowed here");
    home = await mkdtemp(path.join(tmpdir(), "swarmd-warden-"));
    mark = newMark();
    daemon = spawn(process.execPath, [program, home, sandbox, mark], { stdio: "ignore" });
    // The daemon itself, and four sleepers in each of two actions.
    await vi.waitFor(() => expect(processesWith(mark).length).toBeGreaterThan(8), {
      timeout: 100_000,
      interval: 20,
    });
  });
  afterEach(async () => {
    daemon?.kill("SIGKILL");
    if (home) await rm(home, { recursive: true, force: true, maxRetries: 3 });
  });

  const noneLeft = async () => {
    await vi.waitFor(() => expect(processesWith(mark)).toEqual([]), { ...patient, interval: 20 });
    await vi.waitFor(() => expect(processesWith(home)).toEqual([]), { ...patient, interval: 20 });
  };

  it("leaves no process of any action when it is killed with -9", async () => {
    daemon.kill("SIGKILL");
    await noneLeft();
  });

  it("leaves none when it ends on a TERM that it does not handle", async () => {
    daemon.kill("SIGTERM");
    await noneLeft();
  });
});

describe("a warden that dies", () => {
  it("is started again, also when there was no room for another process at first", async () => {
    const dir = await mkdtemp(path.join(tmpdir(), "swarmd-warden-"));
    let starts = 0;
    const env = {
      get PATH(): string {
        if (++starts === 2) throw new Error("spawn ENOMEM");
        return "/usr/bin:/bin";
      },
    };
    const wardens = () =>
      childrenOf(process.pid).filter((pid) => {
        try {
          return readFileSync(`/proc/${pid}/cmdline`, "utf8").endsWith(`\0warden\0${dir}\0`);
        } catch {
          return false;
        }
      });
    const warden = startWarden(dir, env);
    await until(() => wardens().length === 1, "the warden runs");
    const [first] = wardens();
    process.kill(first!, "SIGKILL");
    await until(() => starts === 3 && wardens().some((pid) => pid !== first), "another warden runs");
    warden.dismiss();
    await until(() => wardens().length === 0, "it has ended");
    await rm(dir, { recursive: true });
  });
});
