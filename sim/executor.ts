/** The Executor of a host: actions take the work a behaviour gives them, and what they make follows from what they are. */
import { buildTree } from "../protocol/build/reapi.ts";
import { differenceOf } from "../protocol/build/toolchain.ts";
import type { ExecuteOutcome, ExecuteRequest } from "../protocol/contract.ts";
import { digestFrom, sha256Hex } from "../protocol/kernel/digest.ts";
import type { ClaimId, PeerId } from "../protocol/kernel/ids.ts";
import type { Executor } from "../protocol/ports.ts";
import type { ActionResult } from "../protocol/timeline/events.ts";
import type { Blobs } from "./artifacts.ts";
import type { Cores, Job } from "./cores.ts";
import type { Executions } from "./executions.ts";
import type { Process } from "./process.ts";

/** From SIGTERM to the end of an action that obeys it, and of one that does not. */
const termMs = 5;
const killMs = 5_000;

/** How one execution goes. */
export interface Run {
  /** On a host of speed 1. */
  readonly workMs: number;
  /** `fails` by the command's own doing, `breaks` by the node's; `hangs` runs on without a byte of output and ignores SIGTERM. */
  readonly ends: "done" | "fails" | "breaks" | "hangs";
  readonly outputBytes?: number;
  /** Its outputs differ from those of runs with another: the command is not deterministic. */
  readonly variant?: string;
  /** What it takes while it runs; one slot and no memory worth counting unless said. */
  readonly slots?: number;
  readonly memoryBytes?: number;
}

/** What a behaviour may look at. */
export interface Situation {
  readonly host: string;
  /** How often this action of this build was begun anywhere before. */
  readonly before: number;
}

export type Behaviour = (request: ExecuteRequest, situation: Situation) => Run;

export interface ExecutorOptions {
  readonly self: PeerId;
  /** What works on the machine. */
  readonly cores: Cores;
  readonly behaviour: Behaviour;
  readonly blobs: Blobs;
  /** Executions of the whole world; this host adds its own. */
  readonly executions: Executions;
  /** What the machine has installed at this moment. */
  readonly toolchains: () => Readonly<Record<string, string>>;
}

/** The outputs of an action: the same on every host, others for other inputs or another command. */
function make(request: ExecuteRequest, run: Run, options: ExecutorOptions): ActionResult {
  const recipe = sha256Hex(
    JSON.stringify([request.argv, Object.entries(request.env), request.inputRoot, run.variant]),
  );
  const blob = (path: string) => {
    const digest = digestFrom(sha256Hex(`${recipe} ${path}`), run.outputBytes ?? 1024);
    options.blobs.add(options.self, digest);
    return digest;
  };
  return {
    outputs: request.outputs.map(({ path, kind, promised }) => {
      if (kind === "file") return { path, kind, digest: blob(path) };
      const files = (promised ?? [`${path}/made`]).map((p) => ({
        path: p.slice(path.length + 1),
        digest: blob(p),
        executable: false,
      }));
      const tree = buildTree(files);
      for (const [digest, bytes] of tree.blobs) options.blobs.add(options.self, digest, bytes);
      return { path, kind, digest: tree.root };
    }),
  };
}

/** The port of one process: what runs dies with it. */
export function virtualExecutor(process: Process, options: ExecutorOptions): Executor {
  const { blobs, cores, executions, self } = options;
  const world = process.world;
  const running = new Map<ClaimId, { job?: Job; stop: (reason: string) => void }>();

  const execute: Executor["execute"] = (request, done) => {
    const { build, action, claim } = request;
    const before = executions.of(build, action).length;
    const execution = executions.begin(process.name, build, action, claim, world.nowMs);
    world.record(process.name, "run", `${action}`);
    const run = options.behaviour(request, { host: process.name, before });
    let over = false;

    const end = (outcome: () => ExecuteOutcome): void =>
      process.enter(() => {
        if (over) return;
        over = true;
        running.delete(claim);
        const what = outcome();
        executions.end(execution, what.kind, world.nowMs);
        world.record(process.name, "ran", `${action} ${what.kind}`);
        done(what);
      });
    const fail = (cause: "deterministic" | "infrastructure", reason: string, exitCode?: number): void =>
      end(() => ({ kind: "failed", cause, reason, exitCode }));

    const [other] = Object.entries(request.toolchains).flatMap(
      ([name, pin]) => differenceOf(name, options.toolchains()[name], pin) ?? [],
    );
    if (other !== undefined) {
      process.after(1, () => fail("infrastructure", `the node ${other}`));
      running.set(claim, { stop: () => {} });
      return;
    }
    const absent = request.files.find((f) => !blobs.intact(self, f.digest));
    if (absent) {
      process.after(1, () => fail("infrastructure", `an input is not on this host: ${absent.path}`));
      running.set(claim, { stop: () => {} });
      return;
    }
    const hangs = run.ends === "hangs";
    const silent = hangs && request.silenceMs > 0 && request.silenceMs < request.timeoutMs;
    const limitMs = silent ? request.silenceMs : request.timeoutMs;
    const job = cores.begin({
      workMs: hangs ? Number.POSITIVE_INFINITY : run.workMs,
      limitMs,
      slots: run.slots ?? 1,
      memoryBytes: run.memoryBytes ?? 0,
      ended: (by) => {
        if (by === "limit")
          fail("deterministic", silent ? `silent for ${limitMs} ms` : `timed out after ${limitMs} ms`);
        else if (run.ends === "fails") fail("deterministic", "exit code 1", 1);
        else if (run.ends === "breaks") fail("infrastructure", "the node broke it");
        else
          end(() => ({
            kind: "done",
            result: make(request, run, options),
            usage: {
              fetchMs: 0,
              wallMs: Math.round(job.elapsedMs),
              cpuMs: Math.round(job.elapsedMs) * job.slots,
              maxRssBytes: job.memoryBytes,
              fetchedBytes: 0,
            },
          }));
      },
    });
    running.set(claim, {
      job,
      stop: (reason) =>
        process.after(hangs ? killMs : termMs, () => {
          cores.take(job);
          end(() => ({ kind: "stopped", reason }));
        }),
    });
  };

  process.onEnd(() => {
    for (const { job } of running.values()) if (job) cores.take(job);
    executions.died(process.name, world.nowMs);
  });
  return { survey: () => {}, execute, kill: (claim, reason) => running.get(claim)?.stop(reason) };
}
