/**
 * Limits of all actions together by the kernel, where the daemon was given a group of its own (cgroup v2, a systemd unit with `Delegate`): what is left to
 * actions lies in a group beside the daemon's. Source: the kernel's Documentation/admin-guide/cgroup-v2.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { codeOf } from "../files.ts";
import { quote } from "./shell.ts";

/** What all actions of this node may take together. */
export interface NodeLimits {
  /** Processors. */
  readonly cpus: number;
  readonly memoryBytesMax: number;
}

export interface ActionGroup {
  /** Shell text that puts a launcher, and so all it starts, into the group. */
  readonly enter: string;
  /** Which of the limits the kernel keeps. */
  readonly keeps: { readonly cpus: boolean; readonly memory: boolean };
  /** Memory that its processes hold together, without files that could be read again; 0 where the kernel does not say. */
  heldBytes(): number;
}

const periodUs = 100_000;

/** The group, set up; undefined where the daemon has none of its own. `root`: where /proc and /sys are. */
export function openActionGroup(limits: NodeLimits, root = ""): ActionGroup | undefined {
  const own = ownGroup(root);
  if (own === undefined) return undefined;
  const [daemon, actions] = [path.join(own, "daemon"), path.join(own, "actions")];
  try {
    for (const folder of [daemon, actions]) mkdirSync(folder, { recursive: true });
    // A group that hands limits down may hold no process itself.
    for (const pid of readFileSync(path.join(own, "cgroup.procs"), "utf8").split("\n"))
      if (pid !== "") write(path.join(daemon, "cgroup.procs"), pid);
  } catch {
    return undefined; // it is somebody else's
  }
  write(path.join(own, "cgroup.subtree_control"), "+cpu");
  write(path.join(own, "cgroup.subtree_control"), "+memory");
  const cpus = write(path.join(actions, "cpu.max"), `${Math.max(1, limits.cpus) * periodUs} ${periodUs}`);
  const memory = write(path.join(actions, "memory.max"), String(limits.memoryBytesMax));
  if (!cpus && !memory) return undefined;
  return {
    enter: `echo $$ >${quote(path.join(actions, "cgroup.procs"))}`,
    keeps: { cpus, memory },
    heldBytes,
  };

  function heldBytes(): number {
    if (!memory) return 0;
    const text = read(path.join(actions, "memory.stat")) ?? "";
    return [...text.matchAll(/^(?:anon|shmem) ([0-9]+)$/gm)].reduce(
      (sum, [, bytes]) => sum + Number(bytes),
      0,
    );
  }
}

/** The folder of this daemon's own group: that of a service, never of a session, which others live in too. */
function ownGroup(root: string): string | undefined {
  const named = /^0::(\/.*)$/m.exec(read(`${root}/proc/self/cgroup`) ?? "")?.[1];
  if (named === undefined || named.includes("..")) return undefined;
  // After a start in the same process the daemon is in its part already.
  const group = path.basename(named) === "daemon" ? path.dirname(named) : named;
  return group.endsWith(".service") ? `${root}/sys/fs/cgroup${group}` : undefined;
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

/** False where the kernel does not take it: the controller is not handed down to us. */
function write(file: string, text: string): boolean {
  try {
    writeFileSync(file, text, { flag: "r+" });
    return true;
  } catch (cause) {
    if (codeOf(cause) === undefined) throw cause;
    return false;
  }
}
