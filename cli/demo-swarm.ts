/** The swarm of the demo: some daemons on this machine, each with its own home, key and port, sharing nothing but loopback. */
import { mkdir, rm, writeFile } from "node:fs/promises";
import net from "node:net";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Control } from "../node/control/api.ts";
import { controlClient } from "../node/control/client.ts";
import { placesOf } from "../node/home-places.ts";
import { type KnownProcess, lives, processOf, signalKnown } from "../node/known-process.ts";
import { holderOf, type Lock, lockHome } from "../node/lock.ts";
import { SwarmError } from "../protocol/kernel/errors.ts";
import { startDetached, stopDaemon } from "./daemon-process.ts";
import { lookAtHome } from "./local.ts";

const names = ["ann", "ben", "cleo", "dan", "eva", "finn", "gus", "hana", "ida"] as const;
export const nodesMax = names.length;

const meetMsMax = 30_000;
const killMsMax = 10_000;
const askMs = 50;

export interface DemoNode {
  readonly name: string;
  readonly home: string;
  readonly control: Control;
}

/** Runs another command line; throws what it refuses. */
export type Swarmd = (home: string, args: readonly string[]) => Promise<string>;

export class DemoSwarm {
  readonly nodes: readonly DemoNode[];
  private readonly dir: string;
  private readonly lock: Lock;
  private readonly processes: KnownProcess[] = [];
  private stopping = false;

  private constructor(dir: string, count: number, lock: Lock) {
    this.dir = dir;
    this.lock = lock;
    this.nodes = names.slice(0, count).map((name) => {
      const home = path.join(dir, name);
      return { name, home, control: controlClient(placesOf(home).controlSocket) };
    });
  }

  /** Takes the folder for this demo. What a demo that crashed left running is stopped; `fresh` forgets what it built. */
  static async open(dir: string, count: number, fresh: boolean): Promise<DemoSwarm> {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const lock = await lockHome(dir).catch((cause: unknown) => {
      if (!(cause instanceof SwarmError) || cause.code !== "home-locked") throw cause;
      throw new SwarmError("home-locked", `another demo runs in ${dir}`, {
        remedy: "wait for it, or end it with Ctrl-C",
        cause,
      });
    });
    const swarm = new DemoSwarm(dir, count, lock);
    await Promise.all(names.map((name) => endLeftover(path.join(dir, name))));
    if (fresh)
      await Promise.all(names.map((name) => rm(path.join(dir, name), { recursive: true, force: true })));
    return swarm;
  }

  /** Whether these very nodes are a swarm already. */
  async isFounded(): Promise<boolean> {
    const homes = await Promise.all(this.nodes.map((node) => lookAtHome(node.home)));
    return homes.every((home) => home.swarm !== undefined && home.swarm.id === homes[0]?.swarm?.id);
  }

  /** Makes the homes, founds the swarm on the first and lets the others join, by the commands a person would type. */
  async found(swarmd: Swarmd): Promise<void> {
    for (const { home } of this.nodes) await rm(home, { recursive: true, force: true });
    for (const { name, home } of this.nodes) {
      await mkdir(home, { mode: 0o700 });
      // A port of its own that stays: the others look for a node where they met it.
      await writeFile(
        placesOf(home).config,
        `name: ${name}\nlisten: [/ip4/127.0.0.1/tcp/${await freePort()}]\nslots: 1\nmdns: false\n# All of these daemons are of one user, so each may run the others' work where there is no sandbox.\nunsafeNoSandbox: true\n`,
      );
    }
    const [first, ...others] = this.nodes;
    await swarmd(first!.home, ["init", "--swarm", "demo"]);
    await this.start([first!]);
    for (const { home } of others) {
      const { ticket } = await first!.control.invite({ roles: ["submitter", "builder"], ttlMs: 600_000 });
      await swarmd(home, ["join", ticket, "--only"]);
    }
    await this.start(others);
  }

  /** Starts daemons (all by default) and waits until they hear each other. */
  async start(nodes: readonly DemoNode[] = this.nodes): Promise<void> {
    await Promise.all(
      nodes.map(({ home, control }) =>
        startDetached(home, control, {}, (pid) => {
          this.processes.push(processOf(pid));
          if (this.stopping) this.killAll();
        }),
      ),
    );
  }

  async meet(): Promise<void> {
    const until = Date.now() + meetMsMax;
    const here = async (node: DemoNode) =>
      (await node.control.nodes()).filter(
        (one) => one.state === "self" || (one.state === "alive" && one.vitals),
      ).length;
    for (;;) {
      const seen = await Promise.all(this.nodes.map(here));
      if (seen.every((count) => count === this.nodes.length)) return;
      if (Date.now() > until)
        throw new SwarmError("timed-out", "the daemons do not hear each other", {
          remedy: `start over: npm start -- --fresh; their logs: ${this.dir}/*/logs`,
        });
      await pause(askMs);
    }
  }

  /** Ends all daemons, those too that have only been begun: their homes say nothing of them yet. */
  async stop(): Promise<void> {
    this.stopping = true;
    await Promise.all(this.nodes.map(({ home }) => endLeftover(home)));
    await Promise.all(this.processes.map(endKnown));
    this.processes.length = 0;
    await this.lock.release();
  }

  /** The last resort, for a process that ends at once. */
  killAll() {
    for (const started of this.processes) signalKnown(started, "SIGKILL");
  }
}

/** Ends the daemon of a home, if one runs: by asking, by TERM, by KILL. */
async function endLeftover(home: string): Promise<void> {
  try {
    await stopDaemon(home, controlClient(placesOf(home).controlSocket));
    return;
  } catch (thrown) {
    if (!(thrown instanceof SwarmError)) throw thrown;
  }
  const holder = await holderOf(home);
  if (holder) await endKnown(holder);
}

/** By TERM, by KILL. */
async function endKnown(known: KnownProcess): Promise<void> {
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    if (!signalKnown(known, signal)) return;
    const until = Date.now() + killMsMax;
    while (lives(known) && Date.now() < until) await pause(askMs);
  }
}

async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
