/** A person at a terminal: a home in a temporary folder, and the real command line as processes of their own. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { PassThrough } from "node:stream";
import type { Context } from "../../cli/command.ts";
import { Output } from "../../cli/output.ts";
import { prepare, submit } from "../../cli/submission.ts";
import type { Control } from "../../node/control/api.ts";
import { type ControlServer, serveControl } from "../../node/control/server.ts";
import { processesWith } from "../build/processes-with.ts";
import { patient, until } from "../patience.ts";

export const projectDir = path.resolve(import.meta.dirname, "../..");

/** The command line of this tree as it stands, for who bends the sources. */
export const sourceFile = path.join(projectDir, "cli/main.ts");

/** The command line of this tree as its launcher has it: what was built, where that was built of these sources. */
export const mainFile = isBuilt() ? path.join(projectDir, "dist/cli/main.js") : sourceFile;

/** A hundred starts of the same program: what Node learns of it in the first serves the others. */
const compileCache = path.join(projectDir, "node_modules/.cache/swarmd-compile");

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that runs; what it has printed so far, and its end. */
export interface Running {
  readonly process: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Resolves once standard output holds the text. */
  printed(text: string): Promise<void>;
}

export class Terminal {
  readonly dir: string;
  readonly home: string;
  private readonly servers: ControlServer[] = [];
  private readonly running = new Set<ChildProcess>();

  private constructor(dir: string) {
    this.dir = dir;
    this.home = path.join(dir, "home");
  }

  static async open(): Promise<Terminal> {
    const terminal = new Terminal(await mkdtemp(path.join(tmpdir(), "swarmd-cli-")));
    await mkdir(path.join(terminal.home, "logs"), { recursive: true, mode: 0o700 });
    return terminal;
  }

  /** Its folder goes once nobody is left who writes there: what is killed on a busy machine ends a while later. */
  async close() {
    for (const child of this.running) child.kill("SIGKILL");
    for (const server of this.servers) await server.close();
    await until(
      () => {
        const left = processesWith(this.dir);
        // A daemon in the background. Its actions are its warden's to end.
        for (const file of new Set([mainFile, sourceFile]))
          for (const pid of processesWith(file)) if (left.includes(pid)) kill(Number(pid));
        return left.length === 0 && [...this.running].every(hasEnded);
      },
      "the end of all that was started here",
      patient.timeout,
    );
    await rm(this.dir, { recursive: true, force: true });
  }

  /** What runs in this terminal ends with it, whatever became of the test. */
  own(child: ChildProcess) {
    this.running.add(child);
    child.once("close", () => this.running.delete(child));
  }

  /** Plays the daemon of the home. */
  async serve(control: Control): Promise<ControlServer> {
    const server = await serveControl(control, path.join(this.home, "control.sock"));
    this.servers.push(server);
    return server;
  }

  async write(name: string, text: string): Promise<string> {
    const file = path.join(this.dir, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, text);
    return file;
  }

  /** Starts `swarmd` with these arguments in the terminal's folder; `through` is what runs it (a command line to put in front). */
  start(
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
    through: readonly string[] = [],
    program = mainFile,
  ): Running {
    const [command, ...rest] = [...through, process.execPath, program, ...args];
    const child = spawn(command!, rest, {
      cwd: this.dir,
      env: {
        PATH: process.env.PATH,
        HOME: this.dir,
        SWARMD_HOME: this.home,
        TZ: "UTC",
        NODE_COMPILE_CACHE: compileCache,
        ...env,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.own(child);
    let stdout = "";
    let stderr = "";
    const watchers = new Set<() => void>();
    child.stdout.setEncoding("utf8").on("data", (text) => {
      stdout += text;
      for (const look of watchers) look();
    });
    child.stderr.setEncoding("utf8").on("data", (text) => {
      stderr += text;
    });
    const ended = once(child, "close").then(([code]): Ended => {
      return { code, stdout, stderr };
    });
    return {
      process: child,
      ended,
      printed: (text) =>
        new Promise((resolve, reject) => {
          const look = () => {
            if (!stdout.includes(text)) return;
            watchers.delete(look);
            resolve();
          };
          watchers.add(look);
          look();
          void ended.then(() => reject(new Error(`it ended without printing ${text}:\n${stdout}${stderr}`)));
        }),
    };
  }

  run(...args: string[]): Promise<Ended> {
    return this.start(args).ended;
  }

  /** Runs it and demands exit code 0; what it printed on standard output. */
  async good(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(...args);
    if (code !== 0) throw new Error(`swarmd ${args.join(" ")} ended with ${code}:\n${stdout}${stderr}`);
    return stdout;
  }
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // gone meanwhile
  }
}

/** A spec of three actions with two inputs, in the terminal's folder: compile/a and compile/b, then link. */
export async function writeSpec(terminal: Terminal, name = "three"): Promise<string> {
  await terminal.write("src/a.c", "int a;\n");
  await terminal.write("src/b.c", "int b;\n");
  return terminal.write(
    `${name}.yaml`,
    `swarmd: 1
name: ${name}
inputs: { src: src }
toolchain: [cc]
actions:
  compile:
    foreach: { c: "src/*.c" }
    run: cc -c \${c} -o \${out}
    out: obj/\${c.stem}.o
  link:
    run: cc -o \${out} \${compile.out}
    out: bin/program
`,
  );
}

/** What `submit --detach` does with a spec, for tests of what comes after it: no process is started. */
export async function submitted(control: Control, spec: string): Promise<void> {
  const nowhere = new PassThrough().resume();
  const context = { control, json: true, output: new Output(nowhere, nowhere, {}) } as unknown as Context;
  await submit(context, await prepare(context, spec));
}

function isBuilt(): boolean {
  const launched = ["cli", "node", "protocol", "sim", "package.json", "package-lock.json"];
  const made = path.join(projectDir, "dist/made");
  const find = () =>
    execFileSync("find", [...launched, "-newer", made], { cwd: projectDir, encoding: "utf8" });
  return existsSync(made) && find() === "";
}
