import { describe, expect, test } from "vitest";
import type { ExecuteOutcome, ExecuteRequest } from "../../protocol/contract.ts";
import { digestFrom, sha256Hex } from "../../protocol/kernel/digest.ts";
import { Blobs } from "../../sim/artifacts.ts";
import { Cores } from "../../sim/cores.ts";
import { Executions } from "../../sim/executions.ts";
import { type Behaviour, virtualExecutor } from "../../sim/executor.ts";
import { VirtualNetwork } from "../../sim/network.ts";
import { Process } from "../../sim/process.ts";
import { fakePeer } from "../../sim/signer.ts";
import { World } from "../../sim/world.ts";

const source = digestFrom(sha256Hex("a.c"), 100);
const request = (change: Partial<ExecuteRequest> = {}): ExecuteRequest => ({
  claim: "c1" as never,
  build: "demo-0123456789" as never,
  action: "compile" as never,
  argv: ["cc", "a.c"],
  env: {},
  inputRoot: digestFrom(sha256Hex("root"), 80),
  files: [{ path: "a.c", digest: source, executable: false }],
  outputs: [{ path: "a.o", kind: "file" }],
  timeoutMs: 60_000,
  silenceMs: 0,
  toolchains: {},
  ...change,
});

function host(behaviour: Behaviour, speed = 1) {
  const world = new World({ seed: 1 });
  const blobs = new Blobs(new VirtualNetwork(world));
  const self = fakePeer("ann");
  blobs.add(self, source);
  const process = new Process(world, "ann");
  const executions = new Executions();
  const installed: Record<string, string> = { cc: "12//a" };
  const cores = new Cores(world, { slots: 4, speed, memoryBytes: 0, memoryFreeBytes: 0 });
  const executor = virtualExecutor(process, {
    self,
    cores,
    behaviour,
    blobs,
    executions,
    toolchains: () => installed,
  });
  const outcomes: { atMs: number; outcome: ExecuteOutcome }[] = [];
  const execute = (change: Partial<ExecuteRequest> = {}) =>
    executor.execute(request(change), (outcome) => outcomes.push({ atMs: world.nowMs, outcome }));
  return { world, process, executor, executions, outcomes, execute, blobs, self, installed };
}
const ends = (how: "done" | "fails" | "breaks" | "hangs", workMs = 1000): Behaviour => {
  return () => ({ workMs, ends: how, outputBytes: 5000 });
};

describe("virtual executor", () => {
  test("runs nothing with a toolchain other than the one it was granted for", () => {
    const { world, execute, outcomes, installed } = host(ends("done"));
    execute({ toolchains: { cc: "12//a" } });
    world.runFor(10_000);
    installed.cc = "13//b";
    execute({ toolchains: { cc: "12//a" }, claim: "c2" as never });
    world.runFor(10_000);
    expect(outcomes.map(({ outcome }) => outcome)).toMatchObject([
      { kind: "done" },
      { kind: "failed", cause: "infrastructure", reason: "the node has cc 13, 12 is needed" },
    ]);
  });

  test("works as long as the action takes on this host's speed, and has its outputs then", () => {
    const { world, execute, outcomes, blobs, self } = host(ends("done"), 4);
    execute();
    world.runFor(200_000);
    expect(outcomes).toHaveLength(1);
    expect(outcomes[0]!.atMs).toBe(250);
    const { outcome } = outcomes[0]!;
    if (outcome.kind !== "done") throw new Error(outcome.kind);
    expect(outcome.result.outputs).toMatchObject([{ path: "a.o", kind: "file" }]);
    expect(outcome.result.outputs[0]!.digest.endsWith("/5000")).toBe(true);
    expect(blobs.has(self, outcome.result.outputs[0]!.digest)).toBe(true);
    expect(outcome.usage.wallMs).toBe(250);
  });

  test("makes the same of the same, something else of other inputs, and folders with what they promise", () => {
    const made = (change: Partial<ExecuteRequest>) => {
      const { world, execute, outcomes } = host(ends("done"));
      execute(change);
      world.runFor(2000);
      const { outcome } = outcomes[0]!;
      return outcome.kind === "done" ? outcome.result.outputs.map((o) => o.digest) : [];
    };
    expect(made({})).toEqual(made({ claim: "another" as never }));
    expect(made({})).not.toEqual(made({ inputRoot: digestFrom(sha256Hex("other"), 80) }));
    expect(made({})).not.toEqual(made({ argv: ["cc", "-O2", "a.c"] }));
    const folder = { path: "gen", kind: "folder" as const };
    const promising = (...names: string[]) => [{ ...folder, promised: names.map((n) => `gen/${n}`) }];
    expect(made({ outputs: promising("a.h") })).toEqual(made({ outputs: promising("a.h") }));
    expect(made({ outputs: promising("a.h") })).not.toEqual(made({ outputs: promising("a.h", "sub/b.h") }));
  });

  test("tells the command's failures from the node's", () => {
    const ended = (behaviour: Behaviour, change: Partial<ExecuteRequest> = {}) => {
      const { world, execute, outcomes } = host(behaviour);
      execute(change);
      world.runFor(100_000);
      expect(outcomes).toHaveLength(1);
      const { outcome, atMs } = outcomes[0]!;
      return outcome.kind === "failed" ? [outcome.cause, atMs] : [outcome.kind, atMs];
    };
    expect(ended(ends("fails"))).toEqual(["deterministic", 1000]);
    expect(ended(ends("breaks"))).toEqual(["infrastructure", 1000]);
    expect(ended(ends("hangs"))).toEqual(["deterministic", 60_000]);
    expect(ended(ends("hangs"), { silenceMs: 5000 })).toEqual(["deterministic", 5000]);
    expect(ended(ends("done", 90_000))).toEqual(["deterministic", 60_000]);
    expect(
      ended(ends("done"), {
        files: [{ path: "b.c", digest: digestFrom(sha256Hex("b"), 1), executable: false }],
      }),
    ).toEqual(["infrastructure", 1]);
  });

  test("stops on our word, sooner if the action obeys, and says so once", () => {
    for (const [how, stoppedMs] of [
      ["done", 505],
      ["hangs", 5500],
    ] as const) {
      const { world, execute, outcomes, executor } = host(ends(how));
      execute();
      world.runFor(500);
      executor.kill("unknown" as never, "no such claim");
      executor.kill("c1" as never, "superseded");
      executor.kill("c1" as never, "superseded");
      world.runFor(100_000);
      executor.kill("c1" as never, "too late");
      world.runFor(10_000);
      expect(outcomes).toEqual([{ atMs: stoppedMs, outcome: { kind: "stopped", reason: "superseded" } }]);
    }
  });

  test("what runs dies with the daemon, and the world knows", () => {
    const { world, process, execute, outcomes, executions } = host(ends("done"));
    execute();
    world.runFor(500);
    process.end("kill");
    world.runFor(100_000);
    expect(outcomes).toEqual([]);
    expect(executions.all).toMatchObject([{ host: "ann", action: "compile", ended: "died", endedMs: 500 }]);
    expect(executions.runningOn("ann")).toEqual([]);
  });

  test("a behaviour sees how often the action was begun before", () => {
    const seen: number[] = [];
    const { world, execute } = host((_request, { before }) => {
      seen.push(before);
      return { workMs: 10, ends: "done" };
    });
    for (const claim of ["c1", "c2"]) {
      execute({ claim: claim as never });
      world.runFor(100);
    }
    execute({ claim: "c3" as never, action: "link" as never });
    expect(seen).toEqual([0, 1, 0]);
  });
});
