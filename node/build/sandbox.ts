/**
 * The room an action runs in: a bubblewrap box (all namespaces, nobody's uid, no network, only declared inputs and the
 * toolchain, both read-only), or, where bubblewrap does not work, just a workspace with a fixed environment.
 */
import { execFile } from "node:child_process";
import { mkdirSync, symlinkSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { blobTimeSeconds } from "../store/blobs.ts";
import { BoxRoot, hasPlace } from "./box-root.ts";
import { type ActionLimits, boxLimits } from "./limits.ts";
import { clearBox } from "./processes.ts";
import { actionPath, findProgram } from "./programs.ts";
import type { Workspace } from "./workspace.ts";

const run = promisify(execFile);

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

/** The box, or why there is none. */
async function openBubblewrap(
  dir: string,
  limits: ActionLimits,
  prefixes: readonly string[],
): Promise<Sandbox | string> {
  const program = findProgram("bwrap");
  if (program === undefined) return "the program bwrap is not there";
  const root = new BoxRoot(dir, prefixes);
  let reason = "";
  // One that a start before laid may have lost something since; older versions do not know --disable-userns.
  for (const lay of root.isLaid() ? [false, true] : [true]) {
    if (lay) root.lay();
    for (const hardening of [["--disable-userns"], []]) {
      const fixed = boxArguments(dir, root.ownFolders, hardening);
      try {
        await run(program, [...fixed, "--", "/bin/sh", "-c", "true </dev/null"], {
          timeout: 10_000,
          env: {},
        });
        return bubblewrap(program, fixed, initOf(limits), root);
      } catch (cause) {
        reason = cause instanceof Error ? (cause.message.split("\n")[1] ?? cause.message) : String(cause);
      }
    }
  }
  return reason;
}

/** Ends what is left of the box of a workspace once bubblewrap may have died in the middle. */
export const clearBoxOf = ({ dir }: Workspace): Promise<void> => clearBox(`${dir}/work`, boxedWorkspace);

function bubblewrap(program: string, fixed: readonly string[], init: string, root: BoxRoot): Sandbox {
  const base = { ...baseEnv, HOME: "/tmp", TMPDIR: "/tmp" };
  return {
    kind: "bubblewrap",
    prefix: [
      program,
      ...fixed,
      ...Object.entries(base).flatMap(([name, value]) => ["--setenv", name, value]),
    ],
    refresh: () => root.copySystem(),
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
