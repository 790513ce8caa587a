/**
 * The room an action runs in: a bubblewrap box (all namespaces, nobody's uid, no network, only declared inputs and the
 * toolchain, both read-only), or, where bubblewrap does not work, just a workspace with a fixed environment.
 */
import { execFile } from "node:child_process";
import {
  accessSync,
  constants,
  cpSync,
  lstatSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { blobTimeSeconds } from "../store/blobs.ts";
import { type ActionLimits, boxLimits } from "./limits.ts";
import { clearBox } from "./processes.ts";
import type { Workspace } from "./workspace.ts";

const run = promisify(execFile);

/** Where the commands of actions are looked for, with and without a box; toolchains are probed along the same path. */
export const actionPath = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin";

/** Where the workspace lies inside a box: the same on every node, so that paths in outputs are too. */
const boxedWorkspace = "/work";
const boxedSecrets = "/run/secrets";

export type SandboxKind = "bubblewrap" | "none";

/** How an action is started: with `env`, it is the whole environment; without, the arguments carry it. */
export interface Start {
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** What an action has beside its workspace. */
export interface Belongings {
  /** Names and the files that hold them, which the command finds in the folder $SECRETS; values are never part of a command line or an environment. */
  readonly secrets?: ReadonlyMap<string, string> | undefined;
  /** Folders of declared toolchains that it may see, each at its own path, and whose programs it finds first. */
  readonly prefixes?: readonly string[] | undefined;
}

export interface Sandbox {
  readonly kind: SandboxKind;
  /** What every start begins with; launchers know it, so that it is not sent again for each action. */
  readonly prefix: readonly string[];
  /** What follows the prefix to start `argv` in a workspace. Names of `env` win over the fixed base. */
  start(
    workspace: Workspace,
    argv: readonly string[],
    env: Readonly<Record<string, string>>,
    more?: Belongings,
  ): Start;
  /** What the box copied of the system is copied again: links to programs may lead elsewhere. */
  refresh(): void;
}

/**
 * The first process of a box. bubblewrap's own ends before what the command left in the background does, and counts no processor
 * time; when this one ends the kernel has ended everything in the box first. What it would say of a signal is not the command's.
 */
const initOf = (limits: ActionLimits) => `exec 3>&2 2>/dev/null; ${boxLimits(limits)}"$@" 2>&3 3>&-; exit $?`;

const baseEnv = {
  PATH: actionPath,
  LANG: "C",
  TZ: "UTC",
  SOURCE_DATE_EPOCH: String(blobTimeSeconds),
};

/** Parts of the system that a compiler needs beside /usr. On a merged /usr these are links, else folders of their own. */
const systemFolders = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"];

/** Copied into the box's root once: small, and what they lead to lies below /usr. */
const systemFiles = ["alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d"];

/**
 * The sandbox of this node. `auto` takes bubblewrap where it works. `dir` (absolute) is its own: the skeleton of the box's root.
 * `prefixes`: all folders of declared toolchains, which must have a place in it.
 * Throws `sandbox-missing` when bubblewrap is demanded and does not work, `tool-missing` when there is not even `setsid`.
 */
export async function openSandbox(
  dir: string,
  wanted: "auto" | SandboxKind,
  limits: ActionLimits,
  prefixes: readonly string[] = [],
): Promise<Sandbox> {
  if (wanted !== "none") {
    const boxed = await openBubblewrap(dir, limits, prefixes);
    if (typeof boxed !== "string") return boxed;
    if (wanted === "bubblewrap")
      throw new SwarmError("sandbox-missing", `bubblewrap does not work here: ${boxed}`, {
        remedy: "install the package bubblewrap and allow user namespaces, or set the sandbox to auto",
      });
  }
  const setsid = findProgram("setsid");
  if (setsid === undefined)
    throw new SwarmError("tool-missing", "the program setsid is not there", {
      remedy: "install util-linux (or bubblewrap)",
    });
  return {
    kind: "none",
    prefix: [setsid],
    start(workspace, argv, env, { secrets, prefixes = [] } = {}) {
      const own = { PATH: pathWith(prefixes), HOME: `${workspace.dir}/tmp`, TMPDIR: `${workspace.dir}/tmp` };
      if (!secrets) return { argv, env: { ...baseEnv, ...own, ...env } };
      const folder = secretsFolder(workspace);
      mkdirSync(folder, { mode: 0o700 });
      for (const [name, file] of secrets) symlinkSync(file, path.join(folder, name));
      return { argv, env: { ...baseEnv, ...own, SECRETS: folder, ...env } };
    },
    refresh: () => {},
  };
}

/** Where a command without a box finds its secrets; it must be gone before the workspace serves another. */
export const secretsFolder = (workspace: Workspace): string => `${workspace.dir}/secrets`;

const pathWith = (prefixes: readonly string[]): string =>
  [...prefixes.map((prefix) => `${prefix}/bin`), actionPath].join(":");

/** The absolute path of a program on the path of actions. */
export function findProgram(name: string): string | undefined {
  for (const folder of actionPath.split(":")) {
    const file = executable(path.join(folder, name));
    if (file !== undefined) return file;
  }
  return undefined;
}

/** A path, if a program lies there. */
export function executable(file: string): string | undefined {
  try {
    accessSync(file, constants.X_OK);
    return file;
  } catch {
    return undefined;
  }
}

/** The box, or why there is none. */
async function openBubblewrap(
  dir: string,
  limits: ActionLimits,
  prefixes: readonly string[],
): Promise<Sandbox | string> {
  const program = findProgram("bwrap");
  if (program === undefined) return "the program bwrap is not there";
  const folders = layRoot(dir, prefixes);
  let reason = "";
  // Older versions do not know --disable-userns.
  for (const hardening of [["--disable-userns"], []]) {
    const fixed = boxArguments(dir, folders, hardening);
    try {
      await run(program, [...fixed, "--", "/bin/sh", "-c", "true </dev/null"], { timeout: 10_000, env: {} });
      return bubblewrap(program, fixed, initOf(limits), dir);
    } catch (cause) {
      reason = cause instanceof Error ? (cause.message.split("\n")[1] ?? cause.message) : String(cause);
    }
  }
  return reason;
}

/** Ends what is left of the box of a workspace once bubblewrap may have died in the middle. */
export const clearBoxOf = ({ dir }: Workspace): Promise<void> => clearBox(`${dir}/work`, boxedWorkspace);

function bubblewrap(program: string, fixed: readonly string[], init: string, root: string): Sandbox {
  const base = { ...baseEnv, HOME: "/tmp", TMPDIR: "/tmp" };
  return {
    kind: "bubblewrap",
    prefix: [
      program,
      ...fixed,
      ...Object.entries(base).flatMap(([name, value]) => ["--setenv", name, value]),
    ],
    refresh: () => copySystemFiles(root),
    start(workspace, argv, env, { secrets, prefixes = [] } = {}) {
      const words = ["--bind", `${workspace.dir}/work`, boxedWorkspace];
      for (const { from, to } of workspace.binds) words.push("--ro-bind", from, `${boxedWorkspace}/${to}`);
      for (const prefix of prefixes) if (!hasPlace(prefix)) words.push("--ro-bind", prefix, prefix);
      if (prefixes.length > 0) words.push("--setenv", "PATH", pathWith(prefixes));
      if (secrets) {
        words.push("--tmpfs", boxedSecrets, "--setenv", "SECRETS", boxedSecrets);
        for (const [name, file] of secrets) words.push("--ro-bind", file, `${boxedSecrets}/${name}`);
      }
      for (const [name, value] of Object.entries(env)) words.push("--setenv", name, value);
      words.push("--chdir", boxedWorkspace, "--", "/bin/sh", "-c", init, "sh", ...argv);
      return { argv: words };
    },
  };
}

/** A skeleton to bind as the box's root: one mount instead of a dozen, each of which costs a start 0.1 ms. */
function layRoot(dir: string, prefixes: readonly string[]): string[] {
  rmSync(dir, { recursive: true, force: true });
  for (const folder of ["usr", "proc", "dev", "tmp", "etc", "work", "var", "run/secrets"])
    mkdirSync(path.join(dir, folder), { recursive: true });
  const own: string[] = [];
  for (const name of systemFolders) {
    const found = lstatSync(`/${name}`, { throwIfNoEntry: false });
    if (found?.isSymbolicLink()) symlinkSync(`usr/${name}`, path.join(dir, name));
    else if (found?.isDirectory()) {
      mkdirSync(path.join(dir, name));
      own.push(name);
    }
  }
  for (const prefix of prefixes)
    if (!hasPlace(prefix)) mkdirSync(path.join(dir, prefix), { recursive: true });
  copySystemFiles(dir);
  writeFileSync(path.join(dir, "etc/passwd"), "nobody:x:65534:65534:nobody:/tmp:/bin/sh\n");
  writeFileSync(path.join(dir, "etc/group"), "nogroup:x:65534:\n");
  writeFileSync(path.join(dir, "etc/hosts"), "127.0.0.1 localhost\n");
  for (const device of ["null", "zero", "urandom"]) writeFileSync(path.join(dir, "dev", device), "");
  const links = {
    random: "urandom",
    fd: "/proc/self/fd",
    stdin: "fd/0",
    stdout: "fd/1",
    stderr: "fd/2",
    shm: "/tmp",
  };
  for (const [name, target] of Object.entries(links)) symlinkSync(target, path.join(dir, "dev", name));
  return own;
}

/** What lies below these is in the box anyway. */
const hasPlace = (prefix: string): boolean => /^\/(usr|bin|sbin|lib|lib32|lib64|libx32)\//.test(prefix);

/** Each beside its place, then there by a rename: a box that starts meanwhile sees the old or the new. */
function copySystemFiles(root: string): void {
  const fresh = path.join(root, "etc", ".fresh");
  const old = path.join(root, "etc", ".old");
  for (const name of systemFiles) {
    if (!lstatSync(`/etc/${name}`, { throwIfNoEntry: false })) continue;
    const place = path.join(root, "etc", name);
    for (const left of [fresh, old]) rmSync(left, { recursive: true, force: true });
    cpSync(`/etc/${name}`, fresh, { recursive: true, verbatimSymlinks: true });
    if (lstatSync(place, { throwIfNoEntry: false })) renameSync(place, old);
    renameSync(fresh, place);
    rmSync(old, { recursive: true, force: true });
  }
}

function boxArguments(root: string, folders: readonly string[], hardening: readonly string[]): string[] {
  const words = [
    "--unshare-user",
    "--uid",
    "65534",
    "--gid",
    "65534",
    "--unshare-pid",
    "--unshare-net",
    "--unshare-ipc",
    "--unshare-uts",
    "--unshare-cgroup-try",
    "--hostname",
    "swarmd",
    ...hardening,
    "--clearenv",
    "--cap-drop",
    "ALL",
    "--new-session",
    "--die-with-parent",
    "--as-pid-1",
    "--ro-bind",
    root,
    "/",
    "--ro-bind",
    "/usr",
    "/usr",
  ];
  for (const name of folders) words.push("--ro-bind", `/${name}`, `/${name}`);
  words.push("--proc", "/proc", "--tmpfs", "/tmp");
  for (const device of ["null", "zero", "urandom"])
    words.push("--dev-bind", `/dev/${device}`, `/dev/${device}`);
  return words;
}
