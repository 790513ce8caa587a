/** How long a start takes: of a daemon until it listens, of a short command to its end; each beside a Node that does nothing, in the same rounds. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { type Figure, median } from "./figure.ts";

const run = promisify(execFile);
const swarmd = path.resolve(import.meta.dirname, "../../cli/swarmd");

/** Between two tries to reach a daemon that starts. */
const tryMs = 2;
const listenMsMax = 600;
const statusMsMax = 120;

/** At least nine rounds: what a shared machine does meanwhile weighs more on a moment than on a build. */
export async function startFigures(rounds: number): Promise<Figure[]> {
  const dir = await mkdtemp(path.join(tmpdir(), "swarmd-start-"));
  const home = path.join(dir, "home");
  /** What Node keeps of compiled code, of this run alone: the first start finds none. */
  const env = { ...process.env, XDG_CACHE_HOME: path.join(dir, "cache") };
  const status = () => timed(() => run(swarmd, ["status", "--home", home], { env }));
  const bareMs: number[] = [];
  const listenMs: number[] = [];
  const statusMs: number[] = [];
  try {
    await run(swarmd, ["init", "--name", "n1", "--home", home], { env });
    for (let round = 0; round < Math.max(9, rounds); round++) {
      bareMs.push(await timed(() => run(process.execPath, ["--eval", "0"])));
      const port = await freePort();
      const from = performance.now();
      const daemon = spawn(swarmd, ["run", "--home", home, "--listen", `127.0.0.1:${port}`], {
        env,
        stdio: ["ignore", "pipe", "ignore"],
      });
      try {
        await reached(port, daemon);
        listenMs.push(performance.now() - from);
        await once(daemon.stdout, "data");
        statusMs.push(await status());
      } finally {
        const ended = once(daemon, "exit");
        daemon.kill();
        await ended;
      }
    }
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
  const first = listenMs.shift()!;
  const bare = median(bareMs);
  const figure = (what: string, list: readonly number[], most: number, more = ""): Figure => {
    const ms = median(list);
    const times = `${(ms / bare).toFixed(1)} × a Node that does nothing (${bare.toFixed(0)} ms); ${Math.min(...list).toFixed(0)} to ${Math.max(...list).toFixed(0)}`;
    return { what, value: ms, unit: "ms", goal: `≤ ${most}`, met: ms <= most, beside: `${times}${more}` };
  };
  return [
    figure(
      "a daemon from its start until it listens",
      listenMs,
      listenMsMax,
      `; the very first ${first.toFixed(0)}`,
    ),
    figure("swarmd status, the whole command", statusMs, statusMsMax),
  ];
}

async function timed(what: () => Promise<unknown>): Promise<number> {
  const from = performance.now();
  await what();
  return performance.now() - from;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

/** Throws for a daemon that ends before it listens. */
async function reached(port: number, daemon: ChildProcess): Promise<void> {
  for (;;) {
    if (daemon.exitCode !== null) throw new Error(`the daemon ended with ${daemon.exitCode}`);
    const socket = connect(port, "127.0.0.1");
    const isThere = await new Promise<boolean>((resolve) =>
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false)),
    );
    socket.destroy();
    if (isThere) return;
    await sleep(tryMs);
  }
}
