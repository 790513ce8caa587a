/**
 * A resident launcher: a small shell process that starts one action at a time for the daemon, whose own heap would make every
 * fork dear. It is fed shell text through a pipe, runs the command in the foreground (so that signals keep their defaults),
 * and answers with how it ended. Why a shell: specs/decisions/0003-resident-launchers.md.
 */
import type { ChildProcess } from "node:child_process";
import { closeSync, openSync, readdirSync, readFileSync } from "node:fs";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { type KnownProcess, lives, processOf } from "../known-process.ts";
import { started } from "../started.ts";
import { quote, quoteAll } from "./shell.ts";

/** A whole job in shell text. Linux takes 2 MiB of arguments and environment together, 128 KiB in one. */
const jobBytesMax = 1_900_000;
const argumentBytesMax = 131_071;

/**
 * `plain` sets the job's environment and says its pid first (where /proc/self leads to: reading a file costs a shell a system
 * call per byte); `boxed` starts it as it stands. Standard output and error go to `$d/out` and `$d/err`. `E`: status, whether the
 * files hold anything; then the two lines of `times`, the second of which sums all children so far. Status `F`: the files could not
 * be made, so the command never ran.
 */
const scriptFor = (prefix: readonly string[], limits: string) => `${limits}
prefixed() { exec ${quoteAll(prefix)} "$@"; }
exec 3>&1
ended() {
  o=0; [ -s "$d/out" ] && o=1
  e=0; [ -s "$d/err" ] && e=1
  [ -e "$d/err" ] || s=F
  echo "E $s $o $e"
  times
}
plain() {
  d=$1; shift
  ( cd -P /proc/self; echo "S \${PWD##*/}" >&3; cd "$d/work" && jobenv && prefixed "$@" 3>&- ) </dev/null >"$d/out" 2>"$d/err"
  s=$?; ended
}
boxed() {
  d=$1; shift
  ( cd / && prefixed "$@" 3>&- ) </dev/null >"$d/out" 2>"$d/err"
  s=$?; ended
}
`;

export interface Job {
  /** Absolute; holds `work/`, gets `out` and `err`. */
  readonly dir: string;
  /** What is put behind the prefix. */
  readonly argv: readonly string[];
  /** For a plain job: the whole environment; names are shell variable names. A boxed one brings its own. */
  readonly env?: Readonly<Record<string, string>>;
}

/** `group`: the leader of a plain job's process group, in which it may have left something. */
export type JobEnd =
  | {
      readonly kind: "ended";
      /** Exit status as a shell sees it: 128 + n for signal n. */
      readonly status: number;
      readonly cpuMs: number;
      /** Whether anything was written there. */
      readonly stdout: boolean;
      readonly stderr: boolean;
      readonly group?: KnownProcess;
    }
  /** The command was never run, or the launcher died under it. */
  | { readonly kind: "lost"; readonly reason: string; readonly group?: KnownProcess };

export interface Launcher {
  readonly pid: number;
  /** Runs one job; calls back once. A second one before that is a bug. Throws `too-large` or `malformed`, and nothing has happened. */
  run(job: Job, done: (end: JobEnd) => void): void;
  /** Of the running plain job once it is known: leader of its session and process group. */
  leader(): number | undefined;
  /** No more jobs: ends at once when idle, else after the running one. */
  close(): void;
}

/**
 * Starts a launcher. Every command it runs is put behind `prefix`, whose program is named by its absolute path; `limits` is shell
 * text that binds them all. `exited` is called once, after the end of whatever ran.
 */
export function startLauncher(
  env: Readonly<Record<string, string>>,
  prefix: readonly string[],
  limits: string,
  exited: () => void,
): Launcher {
  const { seals, close } = sealInherited();
  let child: ChildProcess;
  try {
    child = started("/bin/sh", ["-s"], {
      stdio: ["pipe", "pipe", "ignore", ...seals],
      env: { ...env },
      cwd: "/",
      detached: true,
    });
  } finally {
    close();
  }
  let current: ((end: JobEnd) => void) | undefined;
  let leader: KnownProcess | undefined;
  let lines: string[] = [];
  let rest = "";
  let cpuMsBefore = 0;

  const settle = (end: JobEnd) => {
    const done = current;
    current = undefined;
    leader = undefined;
    lines = [];
    done?.(end);
  };
  const lost = (reason: string) => {
    settle({ kind: "lost", reason, ...(leader !== undefined && { group: leader }) });
  };

  child.stdin!.on("error", () => {}); // the launcher died: "close" tells
  let isOver = false;
  const over = (reason: string) => {
    lost(reason);
    if (!isOver) exited();
    isOver = true;
  };
  child.on("error", (error) => over(`the launcher cannot be started: ${error.message}`));
  // Not "exit": a shell that was becoming the action may outlive it, and has its number to say yet.
  child.on("close", () => over("the launcher of the action died"));
  child.stdout!.setEncoding("utf8");
  child.stdout!.on("data", (text: string) => {
    const parts = (rest + text).split("\n");
    rest = parts.pop() ?? "";
    for (const line of parts) {
      if (line.startsWith("S ")) leader = knownLeader(line.slice(2));
      else if (lines.push(line) === 3) {
        const [, status, stdout, stderr] = lines[0]!.split(" ");
        const total = cpuMsOf(lines[2]!);
        const cpuMs = Math.max(0, total - cpuMsBefore);
        cpuMsBefore = total;
        if (status === "F") lost("the files for its output cannot be made");
        else
          settle({
            kind: "ended",
            status: Number(status),
            cpuMs,
            stdout: stdout === "1",
            stderr: stderr === "1",
            ...(leader !== undefined && { group: leader }),
          });
      }
    }
  });
  child.stdin!.write(scriptFor(prefix, limits));

  return {
    pid: child.pid ?? 0,
    leader: () => (leader && lives(leader) ? leader.pid : undefined),
    run(job, done) {
      const text = jobText(job);
      if (text.length > jobBytesMax)
        throw new SwarmError("too-large", `the command takes ${text.length} bytes, more than ${jobBytesMax}`);
      if (current) throw new Error("broken invariant: a launcher was given a second job");
      current = done;
      if (!child.stdin!.writable) queueMicrotask(() => lost("the launcher of the action is gone"));
      else child.stdin!.write(text);
    },
    close: () => child.stdin!.end(),
  };
}

/** Undefined for what is no number of a process that a shell has started: without one, nothing is signalled. */
function knownLeader(text: string): KnownProcess | undefined {
  const pid = /^[1-9][0-9]{0,9}$/.test(text) ? Number(text) : 0;
  return pid > 1 ? processOf(pid) : undefined;
}

function jobText(job: Job): string {
  for (const argument of job.argv)
    if (Buffer.byteLength(argument) > argumentBytesMax)
      throw new SwarmError("too-large", `an argument has more than ${argumentBytesMax} bytes`);
  const command = `${quote(job.dir)} ${quoteAll(job.argv)}\n`;
  if (!job.env) return `boxed ${command}`;
  const assignments = Object.entries(job.env).map(([name, value]) => `export ${name}=${quote(value)}`);
  return `jobenv() { ${["unset OLDPWD", ...assignments].join("; ")}; }\nplain ${command}`;
}

/** Of a line of `times`: `0m1.250s 0m0.110s`. */
function cpuMsOf(line: string): number {
  let ms = 0;
  for (const [, minutes, seconds] of line.matchAll(/([0-9]+)m([0-9.]+)s/g))
    ms += Number(minutes) * 60_000 + Number(seconds) * 1000;
  return Math.round(ms);
}

/**
 * Descriptors that the daemon itself inherited and would pass on, through any sandbox, to every action: each is covered by
 * /dev/null in the launcher. Node's own are closed on exec.
 */
function sealInherited(): { seals: (number | "ignore")[]; close: () => void } {
  const cloexec = 0o2000000;
  const inherited = readdirSync("/proc/self/fdinfo")
    .map(Number)
    .filter((fd) => fd > 2 && fd < 1024 && (flagsOf(fd) & cloexec) === 0);
  if (inherited.length === 0) return { seals: [], close: () => {} };
  const cover = openSync("/dev/null", "r");
  const seals: (number | "ignore")[] = [];
  for (let fd = 3; fd <= Math.max(...inherited); fd++) seals.push(inherited.includes(fd) ? cover : "ignore");
  return { seals, close: () => closeSync(cover) };
}

function flagsOf(fd: number): number {
  try {
    return Number.parseInt(
      /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"))?.[1] ?? "",
      8,
    );
  } catch {
    return 0o2000000; // closed meanwhile: it was the one that listed them
  }
}
