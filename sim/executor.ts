/** The Executor of a host: actions take the time a behaviour gives them, and what they make follows from what they are. */
import { buildTree } from "../protocol/build/reapi.ts";
import type { ExecuteOutcome, ExecuteRequest } from "../protocol/contract.ts";
import { digestFrom, sha256Hex } from "../protocol/kernel/digest.ts";
import type { ClaimId, PeerId } from "../protocol/kernel/ids.ts";
import type { Executor } from "../protocol/ports.ts";
import type { ActionResult } from "../protocol/timeline/events.ts";
import type { Blobs } from "./artifacts.ts";
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
  /** How many times as fast as a host of speed 1. */
  readonly speed: number;
  readonly behaviour: Behaviour;
  readonly blobs: Blobs;
  /** Executions of the whole world; this host adds its own. */
  readonly executions: Executions;
}

/** The outputs of an action: the same on every host, others for other inputs or another command. */
function make(request: ExecuteRequest, run: Run, options: ExecutorOptions): ActionResult {
  const recipe = sha256Hex(JSON.stringify([request.argv, Object.entries(request.env), request.inputRoot]));
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
  const { blobs, executions, self } = options;
  const world = process.world;
  const running = new Map<ClaimId, { stop: (reason: string) => void }>();

  const execute: Executor["execute"] = (request, done) => {
    const { build, action, claim } = request;
    const before = executions.of(build, action).length;
    const execution = executions.begin(process.name, build, action, claim, world.nowMs);
    world.record(process.name, "run", `${action}`);
    const run = options.behaviour(request, { host: process.name, before });
    const wallMs = run.workMs / options.speed;
    let over = false;

    const end = (outcome: () => ExecuteOutcome) => (): void => {
      if (over) return;
      over = true;
      running.delete(claim);
      const what = outcome();
      executions.end(execution, what.kind, world.nowMs);
      world.record(process.name, "ran", `${action} ${what.kind}`);
      done(what);
    };
    const failed = (cause: "deterministic" | "infrastructure", reason: string, exitCode?: number) =>
      end(() => ({ kind: "failed", cause, reason, exitCode }));

    running.set(claim, {
      stop: (reason) =>
        process.after(
          run.ends === "hangs" ? killMs : termMs,
          end(() => ({ kind: "stopped", reason })),
        ),
    });
    const absent = request.files.find((f) => !blobs.has(self, f.digest));
    if (absent)
      return process.after(1, failed("infrastructure", `an input is not on this host: ${absent.path}`));
    process.after(request.timeoutMs, failed("deterministic", `timed out after ${request.timeoutMs} ms`));
    if (run.ends === "hangs") {
      if (request.silenceMs > 0)
        process.after(request.silenceMs, failed("deterministic", `silent for ${request.silenceMs} ms`));
      return;
    }
    if (run.ends === "fails") return process.after(wallMs, failed("deterministic", "exit code 1", 1));
    if (run.ends === "breaks") return process.after(wallMs, failed("infrastructure", "the node broke it"));
    process.after(
      wallMs,
      end(() => ({
        kind: "done",
        result: make(request, run, options),
        usage: {
          fetchMs: 0,
          wallMs: Math.round(wallMs),
          cpuMs: Math.round(wallMs),
          maxRssBytes: 0,
          fetchedBytes: 0,
        },
      })),
    );
  };

  process.onEnd(() => {
    executions.died(process.name, world.nowMs);
  });
  return { execute, kill: (claim, reason) => running.get(claim)?.stop(reason) };
}
