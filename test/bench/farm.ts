/** A swarm of daemons on this machine for measuring: real processes, real homes in a folder of their own, over the command line. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import type { BuildResult, NodeView, StatusView } from "../../node/control/api.ts";

const run = promisify(execFile);
const root = path.resolve(import.meta.dirname, "../..");
const swarmd = path.join(root, "cli/swarmd");

export interface FarmOptions {
  readonly nodes: number;
  readonly slotsPerNode: number;
  readonly sandbox: "bubblewrap" | "none";
  /** As on boards with little memory. */
  readonly small?: boolean;
}

export interface Submission {
  readonly result: BuildResult;
  /** Of the whole command, from its start to its end. */
  readonly commandMs: number;
}

const running = new Set<Farm>();

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Ends every daemon that was started here: for a run that is broken off. */
export async function stopAll(): Promise<void> {
  for (const farm of running) await farm.stop();
}

export class Farm {
  private readonly dir: string;
  private readonly options: FarmOptions;
  private readonly homes: string[] = [];

  private constructor(dir: string, options: FarmOptions) {
    this.dir = dir;
    this.options = options;
  }

  /** Founds a swarm, starts its daemons and waits until all see each other. */
  static async start(options: FarmOptions): Promise<Farm> {
    const farm = new Farm(await mkdtemp(path.join(tmpdir(), "swarmd-bench-")), options);
    running.add(farm);
    try {
      for (let n = 1; n <= options.nodes; n++) await farm.join(`n${n}`);
      await farm.settle(options.nodes);
      return farm;
    } catch (thrown) {
      await farm.stop();
      throw thrown;
    }
  }

  /** `from`: the number of the daemon that takes it, counted from 0. */
  async submit(spec: string, from = 0): Promise<Submission> {
    const child = spawn(swarmd, ["submit", spec, "--json", "--home", this.homes[from]!], {
      cwd: root,
      stdio: ["ignore", "pipe", "inherit"],
    });
    const startMs = performance.now();
    let text = "";
    child.stdout.on("data", (chunk) => {
      text += chunk;
    });
    const [code] = await once(child, "close");
    const commandMs = performance.now() - startMs;
    if (code !== 0) throw new Error(`submit ended with ${code}: ${text}`);
    return { result: JSON.parse(text.trim().split("\n").at(-1)!) as BuildResult, commandMs };
  }

  /** Where the gateway of the first daemon is. */
  async gateway(): Promise<string> {
    const { stdout } = await run(swarmd, ["status", "--json", "--home", this.homes[0]!]);
    return (JSON.parse(stdout) as StatusView).gateway!;
  }

  /** Process numbers of the daemons. */
  async pids(): Promise<number[]> {
    return Promise.all(
      this.homes.map(async (home) =>
        Number.parseInt(await readFile(path.join(home, "lock.pid"), "utf8"), 10),
      ),
    );
  }

  async daemons(): Promise<{ home: string; pid: number }[]> {
    const pids = await this.pids();
    return this.homes.map((home, at) => ({ home, pid: pids[at]! }));
  }

  /** Ends the daemons; their homes stay. */
  async rest(): Promise<void> {
    const pids = await this.pids();
    for (const home of this.homes) await run(swarmd, ["stop", "--home", home]).catch(() => {});
    for (const pid of pids) while (isThere(pid)) await sleep(50);
  }

  async stop(): Promise<void> {
    for (const home of this.homes) await run(swarmd, ["stop", "--home", home]).catch(() => {});
    await rm(this.dir, { recursive: true, force: true });
    running.delete(this);
  }

  /** One more daemon, with a ticket of the first; it answers once this resolves. */
  async join(name: string): Promise<void> {
    const { slotsPerNode, sandbox, small } = this.options;
    const home = path.join(this.dir, name);
    const daemon = [
      "--detach",
      "--listen",
      "127.0.0.1:0",
      "--slots",
      String(slotsPerNode),
      "--sandbox",
      sandbox,
    ];
    if (sandbox === "none") daemon.push("--unsafe-no-sandbox");
    if (small) daemon.push("--small");
    const first = this.homes[0];
    this.homes.push(home);
    if (first === undefined) {
      await run(swarmd, ["init", "--name", name, "--home", home]);
      await run(swarmd, ["run", ...daemon, "--home", home]);
      return;
    }
    const { stdout } = await run(swarmd, ["invite", "--json", "--home", first]);
    const { ticket } = JSON.parse(stdout) as { ticket: string };
    await run(swarmd, ["join", ticket, "--name", name, ...daemon, "--home", home]);
  }

  private async settle(nodes: number): Promise<void> {
    const deadlineMs = performance.now() + 30_000;
    for (const home of this.homes)
      for (;;) {
        const { stdout } = await run(swarmd, ["node", "list", "--json", "--home", home]);
        const alive = (JSON.parse(stdout) as NodeView[]).filter((node) => /^(self|alive)$/.test(node.state));
        if (alive.length === nodes && alive.every((node) => node.vitals !== null)) break;
        if (performance.now() > deadlineMs)
          throw new Error(`${alive.length} of ${nodes} daemons see each other`);
      }
  }
}
