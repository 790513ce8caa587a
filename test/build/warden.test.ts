import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { boxWorks } from "./execution.ts";
import { processesWith } from "./processes-with.ts";

const program = path.join(import.meta.dirname, "doomed-daemon.ts");

describe.each(["none", "bubblewrap"] as const)("a daemon with sandbox %s", (sandbox) => {
  let home: string;
  let daemon: ChildProcess;
  let mark: string;
  beforeEach(async (context) => {
    if (sandbox === "bubblewrap" && !boxWorks) context.skip("bubblewrap is missing or not allowed here");
    home = await mkdtemp(path.join(tmpdir(), "swarmd-warden-"));
    mark = `32${process.pid}${Date.now() % 100_000}`;
    daemon = spawn(process.execPath, [program, home, sandbox, mark], { stdio: "ignore" });
    // The daemon itself, and four sleepers in each of two actions.
    await vi.waitFor(() => expect(processesWith(mark).length).toBeGreaterThan(8), {
      timeout: 15_000,
      interval: 20,
    });
  });
  afterEach(async () => {
    daemon?.kill("SIGKILL");
    if (home) await rm(home, { recursive: true, force: true, maxRetries: 3 });
  });

  const noneLeft = async () => {
    await vi.waitFor(() => expect(processesWith(mark)).toEqual([]), { timeout: 10_000, interval: 20 });
    await vi.waitFor(() => expect(processesWith(home)).toEqual([]), { timeout: 10_000, interval: 20 });
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
