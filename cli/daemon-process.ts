/** The daemon as a process: in the foreground until it is told to stop, or detached with its log in the home. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { open, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Control } from "../node/control/api.ts";
import { makeFolder } from "../node/files.ts";
import { type ErrorCode, errorCodes, SwarmError } from "../protocol/kernel/errors.ts";
import type { PeerId } from "../protocol/kernel/ids.ts";
import { flagOf } from "./arguments.ts";
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
  { flags: "--mode <mode>", description: "How it weighs nodes against each other (unified)" },
  { flags: "--policy <policy>", description: "prefer, normal, avoid or standby (normal)" },
  { flags: "--labels <list>", description: "What actions may ask for: gpu,big-memory" },
  { flags: "--fenced", description: "Take only actions that ask for one of the labels" },
  { flags: "--owner <how>", description: "yield: leave the machine to who works at it; ignore (ignore)" },
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
  "mode",
  "policy",
  "labels",
  "fenced",
  "owner",
  "logLevel",
] as const;
/** A daemon is small for ever rather than fast for a moment: a third of its memory would be room for young objects. The launcher says the same. */
const leanFlags = ["--max-semi-space-size=2"];
const startMsMax = 60_000;
const stopMsMax = 30_000;
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
  const [{ openHome }, { changeKeys }, { loadConfig }, { createLog }, { startDaemon }] = await Promise.all([
    import("../node/home.ts"),
    import("../node/identity.ts"),
    import("../node/config.ts"),
    import("../node/log.ts"),
    import("../node/daemon.ts"),
  ]);
  let home = await openHome(context.home);
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
  let daemon = await startDaemon({ home, config, log, know });
  let asked = false;
  const hear = (signal: NodeJS.Signals) => {
    if (asked) process.exit(130);
    asked = true;
    void daemon.stop(signal);
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, hear);
  if (context.json) context.output.json({ node: home.name, pid: process.pid, addresses: daemon.addresses });
  else
    context.output.line(
      `${home.name} runs in the swarm ${home.swarm?.name}, at ${daemon.addresses.join(", ") || "no address"}; Ctrl-C stops it`,
    );
  for (;;) {
    const because = await daemon.stopped;
    if (because === "cloned" || because === "revoked") return errorCodes.refused;
    if (because === "asked" || because === "left" || asked) return 0;
    if (because === "rotated") {
      await changeKeys(home.places.identity, home.identity.peer);
      home = await openHome(context.home);
    }
    daemon = await startDaemon({ home, config, log, know });
  }
}

async function detach(context: Context, options: Options): Promise<number> {
  const { name, pid, addresses, log } = await startDetached(context.home, context.control, options);
  if (context.json) context.output.json({ node: name, pid, addresses, log });
  else context.output.line(`${name} runs (process ${pid}); its log is ${log}`);
  return 0;
}

export interface Detached {
  readonly name: string;
  readonly pid: number;
  readonly addresses: readonly string[];
  /** The file it logs to. */
  readonly log: string;
}

/** Starts the daemon of a home as a process of its own and waits until it answers. Throws why it does not. */
export async function startDetached(home: string, control: Control, options: Options): Promise<Detached> {
  // A home that cannot be used, or is in use, says so here and not in a log.
  const [{ openHome }, { lockHome }] = await Promise.all([
    import("../node/home.ts"),
    import("../node/lock.ts"),
  ]);
  const { places, dir, name } = await openHome(home);
  await (await lockHome(dir)).release();
  const log = optionText(options, "logFile") ?? path.join(places.logs, "daemon.log");
  makeFolder(path.dirname(log), 0o700);
  const begin = (await stat(log).catch(() => undefined))?.size ?? 0;
  const file = openSync(log, "a", 0o600);
  const child = spawn(
    process.execPath,
    [...leanFlags, mainFile, "run", "--home", dir, "--log-file", log, ...flagsOf(options)],
    { detached: true, stdio: ["ignore", file, file] },
  );
  closeSync(file);
  let ended: number | undefined;
  child.once("exit", (code) => {
    ended = code ?? 1;
  });
  await once(child, "spawn");
  const pid = child.pid!;
  child.unref();

  const until = Date.now() + startMsMax;
  for (;;) {
    const answer = await control.status().catch((thrown: unknown) => {
      if (thrown instanceof SwarmError && thrown.code === "daemon-unreachable") return undefined;
      throw thrown;
    });
    if (answer) return { name, pid, addresses: answer.node.addresses, log };
    if (ended !== undefined)
      throw new SwarmError(codeFor(ended), `the daemon ended at once:\n${await tail(log, begin)}`, {
        remedy: `its log: ${log}`,
      });
    if (Date.now() > until)
      throw new SwarmError("timed-out", `the daemon does not answer after ${startMsMax / 1000} s`, {
        remedy: `its log: ${log}; end it: kill ${pid}`,
      });
    await pause(askMs);
  }
}

/** The settings among the options, as flags again. */
function flagsOf(options: Options): string[] {
  return settings.flatMap((key) => {
    const value = options[key];
    return value === true ? [flagOf(key)] : (value ?? []).map((item) => `${flagOf(key)}=${item}`);
  });
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

/** Asks the daemon of a home to end and waits until its process is gone. Throws `daemon-unreachable`, `timed-out`. */
export async function stopDaemon(home: string, control: Control): Promise<void> {
  const pid = await daemonPid(home);
  await control.stop();
  const until = Date.now() + stopMsMax;
  while (pid !== undefined && lives(pid)) {
    if (Date.now() > until)
      throw new SwarmError("timed-out", `process ${pid} is still there after ${stopMsMax / 1000} s`, {
        remedy: `end it: kill ${pid}`,
      });
    await pause(askMs);
  }
}

/** The process that holds the lock of a home, as it wrote there; it may be gone. */
export async function daemonPid(home: string): Promise<number | undefined> {
  const pid = Number(await readFile(path.join(home, "lock.pid"), "utf8").catch(() => ""));
  return Number.isSafeInteger(pid) && pid > 0 ? pid : undefined;
}

export function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === "EPERM";
  }
}
