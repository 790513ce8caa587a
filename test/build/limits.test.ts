import { getPriority } from "node:os";
import { afterEach, describe, expect, it } from "vitest";
import { defaultLimits, describeLimits } from "../../node/build/limits.ts";
import type { ExecuteOutcome } from "../../protocol/contract.ts";
import { boxWorks, type Execution, openExecution } from "./execution.ts";
import { newMark, processesWith } from "./processes-with.ts";

const reasonOf = (outcome: ExecuteOutcome) => (outcome.kind === "done" ? "" : outcome.reason);
const node = process.execPath;

for (const kind of ["none", "bubblewrap"] as const)
  describe.skipIf(kind === "bubblewrap" && !boxWorks)(`a greedy action with sandbox ${kind}`, () => {
    let x: Execution;
    afterEach(() => x.close());

    it("is ended when it multiplies without end, and the next one runs", async () => {
      const mark = newMark();
      x = await openExecution(kind, { limits: { processesMax: 120 } });
      const outcome = await x.run(`while :; do sleep ${mark} & done 2>/dev/null`);
      // Where the kernel enforces the limit the shell may give up by itself, with a status.
      expect(outcome).toMatchObject({ kind: "failed", cause: "deterministic" });
      if (process.geteuid?.() === 0 || kind === "none")
        expect(reasonOf(outcome)).toBe("ran more than 120 processes");
      expect(processesWith(mark)).toEqual([]);
      expect((await x.run("true")).kind).toBe("done");
    });

    it("is ended when its processes together use more memory than it may", async () => {
      x = await openExecution(kind, { limits: { memoryBytesMax: 200 << 20 } });
      // Something follows the sleep: a shell may become its last command, and what it held would be gone.
      const eats = (megabytes: number) =>
        `s=$(head -c ${megabytes}000000 /dev/zero | tr '\\0' x); sleep 1000; :`;
      const modest = x.request(eats(20), { timeoutMs: 2000 });
      const kept = new Promise<ExecuteOutcome>((resolve) => x.executor.execute(modest, resolve));
      expect(reasonOf(await x.run(`{ ${eats(110)}; } & ${eats(110)}`))).toBe(
        `used more than ${200 << 20} bytes of memory`,
      );
      expect(reasonOf(await kept)).toBe("timed out after 2000 ms");
      expect((await x.run("true")).kind).toBe("done");
    });

    it("cannot write a file beyond the limit, nor leave a core", async () => {
      x = await openExecution(kind, { limits: { fileBytesMax: 1 << 20 } });
      const outcome = await x.run("exec dd if=/dev/zero of=big bs=1 count=1 seek=5G 2>/dev/null");
      expect(outcome).toMatchObject({ kind: "failed", cause: "deterministic", signal: "SIGXFSZ" });
      expect(reasonOf(outcome)).toBe(`killed by SIGXFSZ (a file larger than ${1 << 20} bytes)`);
      const within = await x.run("dd if=/dev/zero of=small bs=1M count=1 2>/dev/null; ulimit -c");
      expect(within.kind === "done" && (await x.text(within.result.stdout))).toBe("0\n");
    });

    it("cannot open more files than it may", async () => {
      x = await openExecution(kind, { limits: { openFilesMax: 50 } });
      const outcome = await x.run("ulimit -n; ulimit -n 51");
      expect(outcome.kind === "failed" && (await x.text(outcome.stdout))).toBe("50\n");
    });

    it("goes when it and another use more together than the node may, and that is the node's doing", async () => {
      x = await openExecution(kind, { memoryBytesMax: 200 << 20 });
      // What tail keeps it keeps to the end of its input, and nothing beside it.
      const eats = (megabytes: number) =>
        `{ head -c ${megabytes}000000 /dev/zero; sleep 1000; } | tail -c ${megabytes}000000`;
      const modest = x.request(eats(90));
      const kept = new Promise<ExecuteOutcome>((resolve) => x.executor.execute(modest, resolve));
      expect(await x.run(eats(130))).toMatchObject({
        kind: "failed",
        cause: "infrastructure",
        reason: `the actions on this node used more than ${200 << 20} bytes of memory together`,
      });
      x.executor.kill(modest.claim, "enough");
      expect(await kept).toEqual({ kind: "stopped", reason: "enough" });
    });

    it("goes before the machine's memory runs out, if it is the largest; what took most of it would do so elsewhere too", async () => {
      const eats = "{ head -c 100000000 /dev/zero; sleep 1000; } | tail -c 100000000";
      const short = { memoryReserveBytes: Number.POSITIVE_INFINITY };
      x = await openExecution(kind, short);
      expect(await x.run("sleep 0.5")).toMatchObject({ kind: "done" });
      expect(await x.run(eats)).toMatchObject({
        kind: "failed",
        cause: "infrastructure",
        reason: "the machine ran out of memory",
      });
      await x.close();
      x = await openExecution(kind, { ...short, memoryBytesMax: 110 << 20 });
      expect(await x.run(eats)).toMatchObject({
        kind: "failed",
        cause: "deterministic",
        reason: expect.stringMatching(
          /^the machine ran out of memory, and it held most of that itself: [0-9]{8,9} bytes$/,
        ),
      });
    });

    it("stands back for other programs as far as it is told", async () => {
      x = await openExecution(kind, { nice: 7 });
      const outcome = await x.run("nice");
      // The tests may stand back themselves.
      const nice = Math.max(getPriority(), 7);
      expect(await x.text(outcome.kind === "done" ? outcome.result.stdout : undefined)).toBe(`${nice}\n`);
    });

    it("is the one that goes when the machine runs out of memory", async () => {
      x = await openExecution(kind);
      const outcome = await x.run("cat /proc/self/oom_score_adj");
      const score = await x.text(outcome.kind === "done" ? outcome.result.stdout : undefined);
      expect(Number(score)).toBeGreaterThanOrEqual(500);
    });
  });

describe("the default limits", () => {
  it("let a runtime reserve far more addresses than there is memory", async () => {
    const x = await openExecution("none");
    try {
      const script =
        "const b = new WebAssembly.Memory({ initial: 1, maximum: 65536 }); process.exit(b ? 0 : 1)";
      expect((await x.run("", { argv: [node, "-e", script] })).kind).toBe("done");
    } finally {
      await x.close();
    }
  });

  it("are told in one line", () => {
    const node = { boxed: false, slots: 4, memoryBytesMax: 8 * 2 ** 30, nice: 0 };
    expect(describeLimits({ ...defaultLimits, memoryBytesMax: 8 * 2 ** 30 }, node)).toBe(
      "8 GiB of memory (watched), 4096 processes (watched), 4 GiB a file, 16384 open files, all together 8 GiB (watched)",
    );
    const kept = { ...node, nice: 10, keeps: { cpus: true, memory: true } };
    expect(describeLimits(defaultLimits, kept)).toContain(
      "all together 8 GiB (by the kernel), 4 processors (by the kernel), nice 10",
    );
  });
});
