/** The daemon as a process: in the foreground until it is told to stop, or detached with its log in the home. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { open, stat } from "node:fs/promises";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { type ErrorCode, errorCodes, SwarmError } from "../protocol/kernel/errors.ts";
import type { PeerId } from "../protocol/kernel/ids.ts";
import { type CommandOption, type Context, type Options, optionText } from "./command.ts";
import { mainFile } from "./project.ts";

/** Settings of a daemon that may be given as flags; the home's config.yaml and SWARMD_* give the rest. */
export const daemonOptions: readonly CommandOption[] = [
  { flags: "--detach", description: "Start it in the background; its log is in the home" },
  { flags: "--listen <address>", description: "host:port or multiaddr to listen on; may be repeated" },
  { flags: "--announce <address>", description: "Address to tell others besides; may be repeated" },
  { flags: "--slots <n>", description: "Actions run at once; 0 builds nothing (the number of cores)" },
  { flags: "--sandbox <kind>", description: "auto, bubblewrap or none (auto)" },
  { flags: "--unsafe-no-sandbox", description: "Run what others submit even without a sandbox" },
  { flags: "--mdns <yes|no>", description: "Look for members on the LAN" },
  { flags: "--disk-path <dir>", description: "The file system whose room is watched (the home's)" },
  { flags: "--log-level <level>", description: "error, warn, info or debug (info)" },
  { flags: "--log-file <file>", description: "Log there, not to standard error" },
];

const settings = [
  "listen",
  "announce",
  "slots",
  "sandbox",
  "unsafeNoSandbox",
  "mdns",
  "diskPath",
  "logLevel",
] as const;
const startMsMax = 60_000;
const askMs = 50;
const tailBytes = 4096;

export interface Acquaintance {
  readonly peer: PeerId;
  readonly addresses: readonly string[];
}

/** Runs the daemon of the home as the options say; answers when it has ended, or, detached, when it answers. */
export async function runDaemon(
  context: Context,
  options: Options,
  know: readonly Acquaintance[] = [],
): Promise<number> {
  return options.detach ? detach(context, options) : foreground(context, options, know);
}

async function foreground(
  context: Context,
  options: Options,
  know: readonly Acquaintance[],
): Promise<number> {
  const [{ openHome }, { loadConfig }, { createLog }, { startDaemon }] = await Promise.all([
    import("../node/home.ts"),
    import("../node/config.ts"),
    import("../node/log.ts"),
    import("../node/daemon.ts"),
  ]);
  const home = await openHome(context.home);
  const config = await loadConfig({
    file: home.places.config,
    env: process.env,
    flags: Object.fromEntries(
      settings.map((key) => {
        const value = options[key];
        return [key, value === true || value === undefined ? value : value.join(",")];
      }),
    ),
  });
  const log = createLog({ level: config.logLevel, file: optionText(options, "logFile") });
  const daemon = await startDaemon({ home, config, log, know });
  let asked = false;
  const hear = (signal: NodeJS.Signals) => {
    if (asked) process.exit(130);
    asked = true;
    void daemon.stop(signal);
  };
  process.on("SIGINT", hear);
  process.on("SIGTERM", hear);
  if (context.json) context.output.json({ node: home.name, pid: process.pid, addresses: daemon.addresses });
  else
    context.output.line(
      `${home.name} runs in the swarm ${home.swarm?.name}, at ${daemon.addresses.join(", ") || "no address"}; Ctrl-C stops it`,
    );
  await daemon.stopped;
  return 0;
}

async function detach(context: Context, options: Options): Promise<number> {
  // A home that cannot be used, or is in use, says so here and not in a log.
  const { openHome } = await import("../node/home.ts");
  const { lockHome } = await import("../node/lock.ts");
  const { places, dir, swarm, name } = await openHome(context.home);
  if (swarm) await (await lockHome(dir)).release();
  const logFile = optionText(options, "logFile") ?? path.join(places.logs, "daemon.log");
  mkdirSync(path.dirname(logFile), { recursive: true, mode: 0o700 });
  const begin = (await stat(logFile).catch(() => undefined))?.size ?? 0;
  const log = openSync(logFile, "a", 0o600);
  const args = ["run", "--home", dir, "--log-file", logFile];
  for (const key of settings) {
    const value = options[key];
    const flag = `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    if (value === true) args.push(flag);
    else for (const item of value ?? []) args.push(`${flag}=${item}`);
  }
  const child = spawn(process.execPath, [...process.execArgv, mainFile, ...args], {
    detached: true,
    stdio: ["ignore", log, log],
    cwd: dir,
  });
  closeSync(log);
  let ended: number | undefined;
  child.once("exit", (code) => {
    ended = code ?? 1;
  });
  await once(child, "spawn");

  const until = Date.now() + startMsMax;
  for (;;) {
    const answer = await context.control.status().catch((thrown: unknown) => {
      if (thrown instanceof SwarmError && thrown.code === "daemon-unreachable") return undefined;
      throw thrown;
    });
    if (answer) {
      child.unref();
      if (context.json)
        context.output.json({ node: name, pid: child.pid, addresses: answer.node.addresses, log: logFile });
      else context.output.line(`${name} runs (process ${child.pid}); its log is ${logFile}`);
      return 0;
    }
    if (ended !== undefined)
      throw new SwarmError(codeFor(ended), `the daemon ended at once:\n${await tail(logFile, begin)}`, {
        remedy: `its log: ${logFile}`,
      });
    if (Date.now() > until) {
      child.unref();
      throw new SwarmError("timed-out", `the daemon does not answer after ${startMsMax / 1000} s`, {
        remedy: `its log: ${logFile}; end it: kill ${child.pid}`,
      });
    }
    await pause(askMs);
  }
}

/** A code that ends with the exit code of the daemon's own refusal. */
const codeFor = (exitCode: number): ErrorCode => (exitCode === errorCodes.usage ? "usage" : "refused");

async function tail(file: string, from: number): Promise<string> {
  const handle = await open(file, "r");
  try {
    const { size } = await handle.stat();
    const start = Math.max(Math.min(from, size), size - tailBytes);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(tailBytes), 0, tailBytes, start);
    return buffer.toString("utf8", 0, bytesRead).trimEnd();
  } finally {
    await handle.close();
  }
}
