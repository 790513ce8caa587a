/**
 * A machine of the lab: namespaces (network, processes, mounts, host name) held by one process that ends with its standard input. However the
 * owner ends, also by SIGKILL, the holder ends then; the kernel ends all processes in its namespaces, and nothing is left.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { promisify } from "node:util";

const run = promisify(execFile);

const holding = 'hostname "$0" && ip link set lo up && echo held && read -r end';

export class Machine {
  readonly name: string;
  private readonly holder: ChildProcess;

  private constructor(name: string, holder: ChildProcess) {
    this.name = name;
    this.holder = holder;
  }

  static async boot(name: string): Promise<Machine> {
    const spaces = ["--net", "--mount", "--uts", "--pid", "--fork", "--mount-proc", "--kill-child"];
    const holder = spawn("unshare", [...spaces, "sh", "-c", holding, name], {
      stdio: ["pipe", "pipe", "pipe"],
      // Ctrl-C is for the owner, who then closes the lab.
      detached: true,
    });
    let said = "";
    holder.stderr!.setEncoding("utf8").on("data", (text) => {
      said += text;
    });
    const ended = once(holder, "close").then(([code]) => {
      throw new Error(`${name} ended with ${code}: ${said}`);
    });
    ended.catch(() => {});
    await Promise.race([once(holder.stdout!, "data"), ended]);
    return new Machine(name, holder);
  }

  /** By which the kernel knows its namespaces. */
  get pid(): number {
    return this.holder.pid!;
  }

  /** What to put in front of a command so that it runs here, in a folder. */
  inside(dir: string): string[] {
    const { pid } = this;
    const spaces = [
      "--target",
      `${pid}`,
      "--net",
      "--mount",
      "--uts",
      `--pid=/proc/${pid}/ns/pid_for_children`,
    ];
    return ["nsenter", ...spaces, "sh", "-c", 'cd "$0" && exec "$@"', dir];
  }

  /** Runs a command here to its end; standard output. Throws when it fails. */
  async run(command: string, ...args: readonly string[]): Promise<string> {
    const [first, ...rest] = this.inside("/");
    return (await run(first!, [...rest, command, ...args])).stdout;
  }

  /** Starts a program here that runs until it is killed or the machine is off. */
  start(command: string, ...args: readonly string[]): ChildProcess {
    const [first, ...rest] = this.inside("/");
    return spawn(first!, [...rest, command, ...args], {
      stdio: ["ignore", "pipe", "ignore"],
      detached: true,
    });
  }

  /** Runs lines of `ip` here, all or up to the first that fails. */
  async ip(...lines: readonly string[]): Promise<void> {
    const running = run("nsenter", ["--target", `${this.pid}`, "--net", "ip", "-batch", "-"]);
    running.child.stdin!.end(`${lines.join("\n")}\n`);
    await running;
  }

  /** Where the machine's own view of a path lies for those outside, mounts of its own included. */
  outside(file: string): string {
    return `/proc/${this.pid}/root${file}`;
  }

  /** All its processes end at once. */
  async off(): Promise<void> {
    if (this.holder.exitCode !== null || this.holder.signalCode !== null) return;
    const closed = once(this.holder, "close");
    this.holder.stdin!.end();
    await closed;
  }
}

/**
 * Sends a signal to the program that was started through `Machine.inside`: what the owner holds is its parent, which waits for it and passes
 * nothing on. Does nothing when it has ended.
 */
export async function signal(started: ChildProcess, name: NodeJS.Signals): Promise<void> {
  if (started.exitCode !== null || started.signalCode !== null) return;
  const { stdout } = await run("pgrep", ["--parent", `${started.pid}`]).catch(() => ({ stdout: "" }));
  for (const pid of stdout.split("\n").filter(Boolean))
    try {
      process.kill(Number(pid), name);
    } catch {
      // gone meanwhile
    }
  // The parent stops when its child does, and would never notice that one's end.
  if (name === "SIGCONT") started.kill(name);
}
