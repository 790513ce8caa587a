/**
 * The executor: runs actions in at most `slots` places at once, watches their limits, and stores what they made. Whatever goes wrong on
 * this node is an infrastructure failure; what the command did itself is a deterministic one.
 */
import { mkdirSync, rmSync, statfsSync, statSync, truncateSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { InputFile } from "../../protocol/build/graph.ts";
import type { ExecuteOutcome, ExecuteRequest } from "../../protocol/contract.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { ClaimId, Digest } from "../../protocol/kernel/ids.ts";
import type { Executor } from "../../protocol/ports.ts";
import type { Usage } from "../../protocol/timeline/events.ts";
import { processOf } from "../known-process.ts";
import type { Log } from "../log.ts";
import type { TailSource } from "../ports.ts";
import type { DiskBlobs } from "../store/blobs.ts";
import { openActionGroup } from "./cgroup.ts";
import { signalOf, statusText } from "./exit-status.ts";
import { removeFolder, startJanitor } from "./janitor.ts";
import { type JobEnd, type Launcher, startLauncher } from "./launcher.ts";
import { holdsSecret, redactFile } from "./leaks.ts";
import {
  type ActionLimits,
  defaultLimits,
  describeLimits,
  launcherLimits,
  memoryReserveBytes,
} from "./limits.ts";
import { boxComplaint, clip, failureOf, otherToolchain } from "./outcomes.ts";
import { collectOutputs } from "./outputs.ts";
import { heldBytes, mayBeOverused, overuseOf } from "./overuse.ts";
import {
  childrenOf,
  clearGroup,
  machineHolding,
  outOfMemoryKills,
  peakRssBytes,
  signalChild,
  signalGroup,
} from "./processes.ts";
import { actionPath } from "./programs.ts";
import { Redactor, redactText } from "./redactor.ts";
import { openRoom, type Room, type RoomRequest } from "./room.ts";
import { clearBoxOf, openSandbox, type SandboxKind, secretsFolder } from "./sandbox.ts";
import type { Secrets } from "./secrets.ts";
import { badEnvironment } from "./shell.ts";
import { shortageOf } from "./shortage.ts";
import { createTail } from "./tail.ts";
import type { Toolchains } from "./toolchains.ts";
import { startWarden } from "./warden.ts";
import { createWorkspaces, type Workspace } from "./workspace.ts";

/** Tells a command how many processors it asked for. It is no part of the key: a result must not depend on it. */
const cpusVariable = "SWARMD_CPUS";

export interface ExecutorOptions {
  readonly blobs: DiskBlobs;
  /** Where `actions/` and `root/` are its own, made anew at start; on the same disk as the blobs, else nothing can be linked. */
  readonly dir: string;
  readonly slots: number;
  readonly sandbox: "auto" | SandboxKind;
  /** What actions may be given; absent: nothing. */
  readonly secrets?: Secrets;
  readonly log: Pick<Log, "debug" | "info" | "warn">;
  /** What there is to build with; absent: nobody looks whether an action gets what it was granted for. */
  readonly toolchains?: Pick<Toolchains, "check" | "roomFor" | "readFiles" | "prefixes" | "watch">;
  /** Per stream. An action that writes more is failed. */
  readonly logBytesMax?: number;
  /** Told of each log that was stored. */
  readonly onLog?: (digest: Digest) => void;
  /** From TERM to KILL. */
  readonly graceMs?: number;
  /** What one action may take of this machine; what is left out has its default. */
  readonly limits?: Partial<ActionLimits>;
  /** What all actions together may; absent: what the machine has. */
  readonly memoryBytesMax?: number;
  /** Memory of the machine that actions leave free; absent: what a machine of its size needs. */
  readonly memoryReserveBytes?: number;
  /** How far actions stand back for other programs: 0 to 19. */
  readonly nice?: number;
  /** Monotonic milliseconds by which actions are judged. */
  readonly now?: () => number;
}

export interface LocalExecutor extends Executor, TailSource {
  readonly sandbox: SandboxKind;
  /**
   * Lays the room of an action out for a person; `made` are files of its outputs, `without` the secrets that are not here. Throws `no-eligible-node`
   * where a toolchain is another, and as `Workspaces.prepare`.
   */
  open(
    request: RoomRequest & Pick<ExecuteRequest, "toolchains" | "secrets" | "cpus">,
    made: readonly InputFile[],
  ): Promise<{ readonly room: Room; readonly without: readonly string[] }>;
  /** What binds actions on this node, in words. */
  readonly limits: string;
  /** Kills what runs (each reports `stopped`), removes its folders, ends its helpers. */
  stop(): Promise<void>;
}

const queueMax = 4096;
const watchMs = 100;
/** First look at memory, then each time as long again. */
const firstSampleMs = 100;
/** With less room than this left, a command that fails may have failed for that. */
const roomBytesMin = 16 << 20;

/** One request from `execute` to its callback. */
interface Run {
  readonly request: ExecuteRequest;
  readonly done: (outcome: ExecuteOutcome) => void;
  workspace?: Workspace;
  launcher?: Launcher;
  /** Values of its secrets, as they were when it started. */
  secrets?: ReadonlyMap<string, Buffer>;
  startedMs: number;
  /** Why it is being ended before its time; the first reason stands. */
  verdict?: Verdict;
  /** When its end began, and whether TERM has reached it. */
  endMs?: number;
  termed: boolean;
  loggedBytes: number;
  loggedAtMs: number;
  sampleAtMs: number;
  peakRssBytes: number;
  /** Of all its processes, at the last look while the machine had little left. */
  heldBytes: number;
  /** By the kernel for want of memory, on this machine, before it started. */
  memoryKills: number;
}

type Verdict =
  | { readonly kind: "stopped"; readonly reason: string }
  /** `overuse`: no time to end in order, since every moment costs the others on this machine. */
  | {
      readonly kind: "failed";
      readonly reason: string;
      readonly overuse?: true;
      /** It was too much for this node, beside what else runs there. */
      readonly crowded?: true;
    };

/** Throws `sandbox-missing` or `tool-missing` (see `openSandbox`). */
export async function createExecutor(options: ExecutorOptions): Promise<LocalExecutor> {
  const { blobs, slots, log } = options;
  const logBytesMax = options.logBytesMax ?? 64 << 20;
  const graceMs = options.graceMs ?? 5000;
  const memoryBytesMax = Math.min(options.memoryBytesMax ?? Number.POSITIVE_INFINITY, os.totalmem());
  const limits: ActionLimits = { ...defaultLimits, memoryBytesMax, ...options.limits };
  const { nice = 0, now = () => performance.now() } = options;
  const group = openActionGroup({ cpus: slots, memoryBytesMax });
  const enterGroup = group === undefined ? "" : `{ ${group.enter}; } 2>/dev/null\n`;
  // The kernel looks itself, or the machine's own memory is all there is to run out of.
  const watchesTogether = group?.keeps.memory !== true && memoryBytesMax < os.totalmem();
  const dir = path.resolve(options.dir);
  const actions = path.join(dir, "actions");
  await removeFolder(actions);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const { toolchains } = options;
  const sandbox = await openSandbox(path.join(dir, "root"), options.sandbox, limits, toolchains?.prefixes);
  /** Toolchains have changed, and the box could not follow. */
  let isStale = false;
  const refresh = () => {
    isStale = true;
    sandbox.refresh();
    isStale = false;
  };
  const unwatch = toolchains?.watch(refresh);
  const boxed = sandbox.kind === "bubblewrap";
  const reserveBytes = options.memoryReserveBytes ?? memoryReserveBytes;
  const shortage = shortageOf(memoryBytesMax, reserveBytes, boxed, group);
  log.info({ sandbox: sandbox.kind, slots }, "actions can run");
  const helperEnv = { PATH: actionPath };
  const warden = startWarden(dir, helperEnv);
  const janitor = startJanitor((message) => log.warn({ message }, "a workspace cannot be removed"));
  const workspaces = createWorkspaces(blobs, actions, janitor.discard);

  const idle: Launcher[] = [];
  const launchers = new Set<Launcher>();
  const queue: Run[] = [];
  const runs = new Map<ClaimId, Run>();
  let busy = 0;
  let stopping = false;
  let watch: NodeJS.Timeout | undefined;
  /** As the kernel counted them at the last look. */
  let memoryKills = 0;

  function launcher(): Launcher {
    const waiting = idle.pop();
    if (waiting) return waiting;
    const fresh = startLauncher(helperEnv, sandbox.prefix, enterGroup + launcherLimits(limits), () => {
      launchers.delete(fresh);
      warden.forget(known);
      const at = idle.indexOf(fresh);
      if (at >= 0) idle.splice(at, 1);
    });
    if (nice > 0 && fresh.pid > 0) os.setPriority(fresh.pid, Math.max(nice, os.getPriority()));
    const known = processOf(fresh.pid);
    launchers.add(fresh);
    warden.watch(known);
    return fresh;
  }

  function pump() {
    while (busy < slots) {
      const run = queue.shift();
      if (!run) return;
      busy++;
      perform(run).then((outcome) => {
        busy--;
        report(run, outcome);
        pump();
        // Behind the next start, which it would only delay.
        run.workspace?.release();
      });
    }
  }

  function report(run: Run, outcome: ExecuteOutcome) {
    runs.delete(run.request.claim);
    if (runs.size === 0) {
      clearInterval(watch);
      watch = undefined;
    }
    run.done(outcome);
  }

  /** Never rejects. */
  async function perform(run: Run): Promise<ExecuteOutcome> {
    try {
      if (run.verdict) return outcomeOf(run.verdict);
      const fault = badEnvironment(run.request.env, boxed);
      if (fault) return { kind: "failed", cause: "deterministic", reason: fault };
      const lacking = takeSecrets(run);
      if (lacking !== undefined)
        return {
          kind: "failed",
          cause: "infrastructure",
          reason: `this node was not given the secret ${lacking}`,
        };
      const other = await toolchains?.check(run.request.toolchains);
      if (other !== undefined) return otherToolchain(other);
      if (isStale) refresh();
      run.workspace = await workspaces.prepare(run.request, boxed);
      if (run.verdict) return outcomeOf(run.verdict);
      const end = await launch(run, run.workspace);
      const outcome = withoutSecrets(await conclude(run, run.workspace, end), run);
      if (outcome.kind === "stopped") return outcome;
      // What it made, or how it failed, says nothing of a toolchain that was replaced while it ran.
      const replaced = await toolchains?.check(run.request.toolchains);
      return replaced === undefined ? outcome : otherToolchain(replaced);
    } catch (cause) {
      return withoutSecrets(failureOf(cause), run);
    }
  }

  /** The name of a secret that is not here; undefined when all are. */
  function takeSecrets(run: Run): string | undefined {
    const names = run.request.secrets ?? [];
    if (names.length === 0) return undefined;
    const values = new Map<string, Buffer>();
    for (const name of names) {
      const value = options.secrets?.value(name);
      if (!value) return name;
      values.set(name, value);
    }
    run.secrets = values;
    return undefined;
  }

  function filesOfSecrets(run: Run): ReadonlyMap<string, string> | undefined {
    if (!run.secrets) return undefined;
    const files = new Map<string, string>();
    for (const name of run.secrets.keys()) files.set(name, options.secrets?.file(name) ?? "/dev/null");
    return files;
  }

  function launch(run: Run, workspace: Workspace): Promise<JobEnd> {
    return new Promise((resolve, reject) => {
      const mine = launcher();
      try {
        const { argv, cpus = 1 } = run.request;
        const env = { [cpusVariable]: String(cpus), ...run.request.env };
        const more = { secrets: filesOfSecrets(run), prefixes: prefixesFor(run) };
        const start = sandbox.start(workspace, argv, env, more);
        run.startedMs = now();
        run.loggedAtMs = run.startedMs;
        run.sampleAtMs = run.startedMs + firstSampleMs;
        mine.run({ dir: workspace.dir, ...start }, (end) => {
          run.launcher = undefined;
          if (launchers.has(mine) && !stopping) idle.push(mine);
          else mine.close();
          if (boxed && end.kind === "lost") clearBoxOf(workspace).then(() => resolve(end));
          else if (end.group === undefined) resolve(end);
          else clearGroup(end.group).then(() => resolve(end));
        });
        run.launcher = mine;
        if (!watch) {
          memoryKills = outOfMemoryKills();
          watch = setInterval(look, watchMs);
        }
        run.memoryKills = memoryKills;
      } catch (cause) {
        idle.push(mine);
        reject(cause);
      }
    });
  }

  const prefixesFor = (run: Run) => toolchains?.roomFor(Object.keys(run.request.toolchains)).prefixes;

  async function conclude(run: Run, workspace: Workspace, end: JobEnd): Promise<ExecuteOutcome> {
    const wallMs = Math.round(now() - run.startedMs);
    if (run.verdict?.kind === "stopped") return outcomeOf(run.verdict);
    if (end.kind === "lost") return { kind: "failed", cause: "infrastructure", reason: end.reason };
    const usage: Usage = {
      fetchMs: 0,
      wallMs,
      cpuMs: end.cpuMs,
      maxRssBytes: run.peakRssBytes,
      fetchedBytes: 0,
    };
    const broken = boxed && end.status !== 0 && end.stderr ? boxComplaint(workspace) : undefined;
    if (broken !== undefined) return { kind: "failed", cause: "infrastructure", reason: broken, usage };
    if (!run.verdict) judgeLogs(run, workspace);
    if (run.secrets) {
      if (!boxed) rmSync(secretsFolder(workspace), { recursive: true, force: true });
      for (const log of ["out", "err"]) await redactFile(`${workspace.dir}/${log}`, run.secrets);
    }
    const said: { stdout?: Digest; stderr?: Digest } = {};
    if (end.stdout) said.stdout = await keepLog(`${workspace.dir}/out`);
    if (end.stderr) said.stderr = await keepLog(`${workspace.dir}/err`);
    const failed = (reason: string, more: { exitCode?: number; signal?: string } = {}): ExecuteOutcome => ({
      kind: "failed",
      cause: run.verdict?.kind === "failed" && run.verdict.crowded ? "infrastructure" : "deterministic",
      reason: clip(reason),
      ...more,
      ...said,
      usage,
    });
    if (run.verdict) return failed(run.verdict.reason);
    const altered = boxed ? undefined : run.request.files.find((file) => !blobs.has(file.digest));
    if (altered) return failed(`the command wrote into its input ${altered.path}`);
    if (end.status !== 0) {
      if (freeBytesOf(workspace.dir) < roomBytesMin)
        return { kind: "failed", cause: "infrastructure", reason: "no room on the disk", usage };
      const died = signalOf(end.status);
      if (outOfMemoryKills() > run.memoryKills) {
        const { reason, crowded } = shortage.words(run.heldBytes);
        return crowded ? { kind: "failed", cause: "infrastructure", reason, usage } : failed(reason);
      }
      return failed(statusText(end.status, limits.fileBytesMax), {
        exitCode: end.status,
        ...(died && { signal: died }),
      });
    }
    const leak =
      run.secrets && (await holdsSecret(run.request.outputs, `${workspace.dir}/work`, run.secrets));
    if (leak !== undefined) return failed(leak, { exitCode: 0 });
    const collected = await collectOutputs(run.request.outputs, `${workspace.dir}/work`, blobs);
    if ("fault" in collected) return failed(collected.fault, { exitCode: 0 });
    if (run.verdict) return outcomeOf(run.verdict);
    return { kind: "done", result: { outputs: collected.outputs, ...said }, usage };
  }

  /** What it said, as far as it may say. Without a box something of it may still write there, so that a copy is kept. */
  async function keepLog(file: string): Promise<Digest> {
    if (sizeOfFile(file) > logBytesMax) truncateSync(file, logBytesMax);
    const digest = await (boxed ? blobs.takeFile(file) : blobs.putFile(file));
    options.onLog?.(digest);
    return digest;
  }

  /** Looks after everything that runs: limits first, then memory, then whoever is being ended. */
  function look() {
    const nowMs = now();
    const machine = machineHolding();
    const suspicious = mayBeOverused(machine, limits);
    memoryKills = outOfMemoryKills();
    const left = shortage.look(machine);
    if (left !== "ample") judgeShortage(left === "short");
    if (suspicious && watchesTogether) judgeTogether();
    for (const run of runs.values()) {
      if (!run.launcher || !run.workspace) continue;
      if (!run.verdict) judge(run, run.workspace, nowMs);
      if (!run.verdict && suspicious) judgeUse(run);
      if (run.verdict) end(run, nowMs);
      else if (nowMs >= run.sampleAtMs) {
        run.sampleAtMs = nowMs + (nowMs - run.startedMs);
        const leader = leaderOf(run);
        if (leader !== undefined) run.peakRssBytes = Math.max(run.peakRssBytes, peakRssBytes(leader));
      }
    }
  }

  function judge(run: Run, workspace: Workspace, nowMs: number) {
    const { timeoutMs, silenceMs } = run.request;
    const { out, err } = judgeLogs(run, workspace);
    if (run.verdict) return;
    if (out + err !== run.loggedBytes) {
      run.loggedBytes = out + err;
      run.loggedAtMs = nowMs;
    }
    let reason: string | undefined;
    if (nowMs - run.startedMs > timeoutMs) reason = `timed out after ${timeoutMs} ms`;
    else if (silenceMs > 0 && nowMs - run.loggedAtMs > silenceMs) reason = `silent for ${silenceMs} ms`;
    if (reason !== undefined) run.verdict = { kind: "failed", reason };
  }

  /** Also at the end: whether a short flood is too much must not depend on when it was looked at. */
  function judgeLogs(run: Run, workspace: Workspace) {
    const out = sizeOfFile(`${workspace.dir}/out`);
    const err = sizeOfFile(`${workspace.dir}/err`);
    if (out > logBytesMax || err > logBytesMax) {
      const stream = out > logBytesMax ? "stdout" : "stderr";
      run.verdict = { kind: "failed", reason: `wrote more than ${logBytesMax} bytes to ${stream}` };
    }
    return { out, err };
  }

  function judgeUse(run: Run) {
    const leader = leaderOf(run);
    const reason = leader === undefined ? undefined : overuseOf(leader, boxed, limits);
    if (reason !== undefined) run.verdict = { kind: "failed", reason, overuse: true };
  }

  /** How much each holds is known from here on, should the kernel end one; when the machine is `short`, the largest goes before it stands still. */
  function judgeShortage(short: boolean) {
    let largest: Run | undefined;
    for (const run of runs.values()) {
      const leader = leaderOf(run);
      if (leader === undefined) continue;
      // What was ended a moment ago has not given its memory back yet.
      if (run.verdict?.kind === "failed" && run.verdict.overuse) return;
      if (run.verdict) continue;
      run.heldBytes = shortage.held(leader);
      if (run.heldBytes > (largest?.heldBytes ?? 0)) largest = run;
    }
    if (short && largest && shortage.helps(largest.heldBytes))
      largest.verdict = { kind: "failed", ...shortage.words(largest.heldBytes), overuse: true };
  }

  /** All actions have one bound: when it is passed, the largest goes, and may go elsewhere. */
  function judgeTogether() {
    const held = [...runs.values()].flatMap((run) => {
      const leader = run.verdict ? undefined : leaderOf(run);
      return leader === undefined ? [] : [{ run, bytes: heldBytes(leader, boxed) }];
    });
    if (held.length < 2 || held.reduce((sum, { bytes }) => sum + bytes, 0) <= memoryBytesMax) return;
    const [largest] = held.sort((a, b) => b.bytes - a.bytes);
    const reason = `the actions on this node used more than ${memoryBytesMax} bytes of memory together`;
    largest!.run.verdict = { kind: "failed", reason, overuse: true, crowded: true };
  }

  /** What the launcher started: the leader of the action's session, or its box. */
  const leaderOf = (run: Run): number | undefined =>
    run.launcher && (run.launcher.leader() ?? childrenOf(run.launcher.pid)[0]);

  /** TERM once, KILL when the grace is over. Called again and again until the action has ended. */
  function end(run: Run, nowMs: number) {
    run.endMs ??= nowMs;
    const leader = leaderOf(run);
    if (leader === undefined) return;
    // The box's inner process leads the session of all in it; the outer one would take them down without a warning.
    const session = boxed ? childrenOf(leader)[0] : leader;
    const harsh = run.verdict?.kind === "failed" && run.verdict.overuse === true;
    if (harsh || nowMs - run.endMs >= graceMs) {
      // The outer process of a box ends when the kernel has ended all within.
      if (session !== undefined) signalGroup(session, "SIGKILL");
      else signalChild(leader, "SIGKILL");
    } else if (!run.termed && session !== undefined) run.termed = signalGroup(session, "SIGTERM");
  }

  function kill(claim: ClaimId, reason: string) {
    const run = runs.get(claim);
    if (!run || run.verdict?.kind === "stopped") return;
    run.verdict = { kind: "stopped", reason };
    const waiting = queue.indexOf(run);
    if (waiting >= 0) {
      queue.splice(waiting, 1);
      queueMicrotask(() => report(run, { kind: "stopped", reason }));
    } else if (run.launcher) end(run, now());
  }

  return {
    sandbox: sandbox.kind,
    limits: describeLimits(limits, { boxed, slots, memoryBytesMax, nice, keeps: group?.keeps }),
    tail: createTail(function* () {
      for (const run of runs.values())
        if (run.launcher && run.workspace)
          yield {
            claim: run.request.claim,
            build: run.request.build,
            action: run.request.action,
            dir: run.workspace.dir,
            ...redactorOf(run.secrets),
          };
    }).tail,
    execute(request, done) {
      const run: Run = {
        request,
        done,
        startedMs: 0,
        loggedBytes: 0,
        loggedAtMs: 0,
        sampleAtMs: 0,
        peakRssBytes: 0,
        heldBytes: 0,
        memoryKills: 0,
        termed: false,
      };
      const refusal = stopping
        ? "the executor has stopped"
        : slots === 0
          ? "this node has no slots"
          : queue.length >= queueMax
            ? `more than ${queueMax} actions wait for a slot`
            : runs.has(request.claim)
              ? `the claim ${request.claim} runs already`
              : undefined;
      if (refusal !== undefined)
        return queueMicrotask(() => done({ kind: "failed", cause: "infrastructure", reason: refusal }));
      runs.set(request.claim, run);
      queue.push(run);
      queueMicrotask(pump);
    },
    kill,
    async open(request, made) {
      const other = await toolchains?.check(request.toolchains);
      if (other !== undefined)
        throw new SwarmError("no-eligible-node", `the toolchain is not the one that it ran with: ${other}`, {
          remedy: "which nodes have which: swarmd node list --json",
        });
      const given = new Map<string, string>();
      for (const name of request.secrets ?? []) {
        const file = options.secrets?.file(name);
        if (file !== undefined) given.set(name, file);
      }
      const env = { [cpusVariable]: String(request.cpus ?? 1), ...request.env };
      const room = await openRoom({ sandbox, workspaces, blobs }, { ...request, env }, made, {
        ...(request.secrets ? { secrets: given } : {}),
        prefixes: toolchains?.roomFor(Object.keys(request.toolchains)).prefixes,
      });
      return { room, without: (request.secrets ?? []).filter((name) => !given.has(name)) };
    },
    survey: (tools) => void toolchains?.readFiles(tools),
    async stop() {
      stopping = true;
      unwatch?.();
      for (const claim of [...runs.keys()]) kill(claim, "the node stops");
      while (runs.size > 0) await delay(10);
      for (const each of launchers) each.close();
      while (launchers.size > 0) await delay(5);
      warden.dismiss();
      await janitor.stop();
      await removeFolder(actions);
    },
  };
}

const redactorOf = (secrets: Run["secrets"]) => (secrets ? { redactor: () => new Redactor(secrets) } : {});

/** No reason tells a value: a command may have named a file after it. */
function withoutSecrets(outcome: ExecuteOutcome, { secrets }: Run): ExecuteOutcome {
  if (!secrets || outcome.kind === "done") return outcome;
  return { ...outcome, reason: redactText(outcome.reason, secrets) };
}

const outcomeOf = (verdict: Verdict): ExecuteOutcome =>
  verdict.kind === "stopped"
    ? { kind: "stopped", reason: verdict.reason }
    : { kind: "failed", cause: "deterministic", reason: verdict.reason };

function freeBytesOf(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

/** 0 where it cannot be looked at: without a box an action may put there what it likes. */
function sizeOfFile(file: string): number {
  try {
    return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  } catch {
    return 0;
  }
}
