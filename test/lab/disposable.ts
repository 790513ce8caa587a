/**
 * A machine that a real service manager runs: its process 1, in namespaces of its own, on a disk that is a copy of this machine's (an overlay in memory)
 * and goes with it. Nothing of this machine's disk, devices or processes can be written from there. It ends with the standard input of what holds it.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, realpath, rm } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import type { Ended } from "../cli/terminal.ts";

const run = promisify(execFile);

/** Where the project lies there, for any user to read. */
export const projectThere = "/opt/swarmd";

const projectHere = path.resolve(import.meta.dirname, "../..");

/** $1: a folder to mount on; $2: the project; $3: its packages; then the command that becomes process 1. */
const inside = `set -eu
base=$1 project=$2 packages=$3; shift 3
mount -t tmpfs -o mode=755 tmpfs $base
mkdir $base/upper $base/work $base/root
root=$base/root
mount -t overlay overlay -o lowerdir=/,upperdir=$base/upper,workdir=$base/work $root
mkdir -p $root${projectThere} $root$packages
mount --bind $project $root${projectThere}; mount -o remount,ro,bind $root${projectThere}
mount --bind $packages $root$packages; mount -o remount,ro,bind $root$packages
mount -t tmpfs -o mode=755 tmpfs $root/dev
for device in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0; do
  mknod -m 666 $root/dev/\${device%%:*} c $(echo \${device#*:} | tr : ' ')
done
mkdir $root/dev/shm $root/dev/pts
ln -s /proc/self/fd $root/dev/fd
mount -t tmpfs -o mode=1777 tmpfs $root/dev/shm
mount -t proc proc $root/proc
mount --bind $root/proc/sys $root/proc/sys; mount -o remount,ro,bind $root/proc/sys
mount -t sysfs -o ro sysfs $root/sys
mount -t cgroup2 cgroup2 $root/sys/fs/cgroup
for dir in run var/log etc/systemd/system var/lib/swarmd; do
  mkdir -p $root/$dir; mount -t tmpfs -o mode=755 tmpfs $root/$dir
done
mount -t tmpfs -o mode=1777 tmpfs $root/tmp
ip link set lo up
cd $root; pivot_root . mnt; umount -l /mnt
exec setpriv --bounding-set=-sys_module,-sys_time,-sys_rawio,-syslog env -i container=lab HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"`;

/** The holder: ends all when its own input ends, and takes the group away that process 1 and its services were in. */
const holding = `set -eu
group=$1 script=$2; shift 2
mkdir $group
echo $$ > $group/cgroup.procs
unshare --mount --uts --ipc --pid --net --cgroup --fork --kill-child --propagation private sh -c "$script" sh "$@" </dev/null &
spaces=$!
off() {
  kill -KILL $spaces
  wait $spaces || true
  echo $$ > \${group%/*}/cgroup.procs
  rounds=0
  while [ -d $group ] && [ $rounds -lt 100 ]; do
    find $group -depth -type d -exec rmdir {} + 2>/dev/null || sleep 0.05
    rounds=$((rounds + 1))
  done
}
trap off EXIT
echo $spaces
read -r end || true`;

/** Where groups of the kernel (version 2) are made; undefined where there are none. */
const groups = (): string | undefined =>
  readFileSync("/proc/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" "))
    .find(([, , kind]) => kind === "cgroup2")?.[1];

/** What this machine lacks for one, in words; undefined when nothing is. */
export async function missingForDisposable(manager: string): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return "root";
  if (groups() === undefined) return "cgroup2";
  for (const tool of [manager, "unshare", "nsenter", "setpriv", "ip", "pgrep", "bwrap"])
    if (!(await run("which", [tool]).catch(() => undefined))) return tool;
  return DisposableMachine.boot(["sleep", "60"]).then(
    async (machine) => {
      await machine.off();
      return undefined;
    },
    (error: Error) => `way to mount a copy of its disk (${error.message.trim().split("\n").at(-1)})`,
  );
}

export class DisposableMachine {
  private readonly holder: ChildProcess;
  private readonly dir: string;
  /** Its process 1, as this machine counts. */
  readonly pid: number;

  private constructor(holder: ChildProcess, dir: string, pid: number) {
    this.holder = holder;
    this.dir = dir;
    this.pid = pid;
  }

  /** The program that process 1 becomes by `command` is known by its name. */
  static async boot(
    command: readonly string[],
    becomes = path.basename(command[0]!),
  ): Promise<DisposableMachine> {
    const scratch = path.join(projectHere, ".swarmd");
    await mkdir(scratch, { recursive: true });
    const dir = await mkdtemp(path.join(scratch, "machine-"));
    const packages = await realpath(path.join(projectHere, "node_modules"));
    const group = path.join(groups()!, `swarmd-${path.basename(dir)}`);
    const holder = spawn("sh", ["-c", holding, "sh", group, inside, dir, projectHere, packages, ...command], {
      stdio: ["pipe", "pipe", "pipe"],
      detached: true,
    });
    let said = "";
    holder.stderr.setEncoding("utf8").on("data", (text) => {
      said += text;
    });
    const [spaces] = (await once(holder.stdout.setEncoding("utf8"), "data")) as [string];
    holder.stdout.resume();
    try {
      for (;;) {
        const { stdout } = await run("pgrep", ["--parent", spaces.trim()]).catch(() => ({ stdout: "" }));
        const pid = Number(stdout.trim());
        // The shell that mounts becomes the command.
        if (pid > 0 && readFileSync(`/proc/${pid}/comm`, "latin1").trim() === becomes)
          return new DisposableMachine(holder, dir, pid);
        await run("kill", ["-0", spaces.trim()]);
      }
    } catch (cause) {
      holder.stdin.end();
      await once(holder, "close");
      await rm(dir, { recursive: true });
      throw new Error(said || "its process 1 ended", { cause });
    }
  }

  /**
   * What keeps the start of a system from this machine's kernel settings is taken away once it has started: the kernel gives a box a /proc of its
   * own only where nothing lies upon that of who asks.
   */
  async bareProc(): Promise<void> {
    await this.good("umount", "--lazy", "/proc/sys");
  }

  /** Runs a command there, as root with nothing in its environment but what it says; code 127 where it does not start. */
  run(...argv: readonly string[]): Promise<Ended> {
    const spaces = ["--target", `${this.pid}`, "--all"];
    const clean = ["env", "-i", "HOME=/root", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"];
    return new Promise((resolve) => {
      execFile("nsenter", [...spaces, ...clean, ...argv], { timeout: 120_000 }, (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : null;
        resolve({ code, stdout, stderr });
      });
    });
  }

  /** The same with a command that must succeed; its standard output. */
  async good(...argv: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(...argv);
    if (code !== 0) throw new Error(`${argv.join(" ")} ended with ${code}: ${stderr}${stdout}`);
    return stdout;
  }

  /** All its processes end, and its disk is gone. */
  async off(): Promise<void> {
    if (this.holder.exitCode === null) {
      const closed = once(this.holder, "close");
      this.holder.stdin!.end();
      await closed;
    }
    await rm(this.dir, { recursive: true });
  }
}
