/** The daemon as a process: in the foreground until it is told to stop, or detached with its log in the home. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { open, stat } from "node:fs/promises";
import { flushCompileCache } from "node:module";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Config } from "../node/config.ts";
import type { Control } from "../node/control/api.ts";
import { makeFolder } from "../node/files.ts";
import { lives } from "../node/known-process.ts";
import { holderOf } from "../node/lock.ts";
import { fallbackText, settingKeys, settingOf } from "../node/settings.ts";
import { type ErrorCode, errorCodes, SwarmError } from "../protocol/kernel/errors.ts";
import type { PeerId } from "../protocol/kernel/ids.ts";
import { flagOf } from "./arguments.ts";
import type { CommandOption, Context, Options } from "./command.ts";
import { impatientCode, leaveLastWords } from "./last-words.ts";
import { mainFile } from "./project.ts";

/** Settings of a running daemon: its name is given when its home is made. */
const settings = settingKeys.filter((key) => key !== "name");

/** Settings of a daemon as flags; the home's config.yaml and SWARMD_* give the rest. */
export const daemonOptions: readonly CommandOption[] = [
  { flags: "--detach", description: "Start it in the background; its log is in the home" },
  { flags: "--no-gateway", description: "Open no gateway: as --gateway-listen no" },
  ...settings.map((key) => {
    const { value, text } = settingOf(key);
    const usual = fallbackText(key);
    const isFlag = value === undefined;
    const description = isFlag || usual === "" ? text : `${text} (${usual})`;
    return { flags: isFlag ? flagOf(key) : `${flagOf(key)} <${value}>`, description };
  }),
];

/**
 * A daemon is small for ever rather than fast for a moment: a third of its memory would be room for young objects. And what a transfer
 * reads lies outside of that room, held by small objects inside: with more room for those V8 walks the whole heap every 64 MiB to find
 * that all of it can go, at half of what the transfer costs. The launcher says the same.
 */
const leanFlags = ["--max-semi-space-size=1"];
/**
 * A small board has little memory: code stays as it was read, old objects are looked over long before they have doubled, the C library has one heap and gives back
 * what was large. There is no less room for old objects: a large build lives in them, and the daemon would end.
 */
const smallFlags = [...leanFlags, "--optimize-for-size", "--heap-growing-percent=15"];
const smallEnvironment = {
  MALLOC_ARENA_MAX: "1",
  MALLOC_MMAP_THRESHOLD_: String(128 << 10),
  MALLOC_TRIM_THRESHOLD_: String(128 << 10),
  UV_THREADPOOL_SIZE: "2",
};
const startMsMax = 60_000;
const stopMsMax = 30_000;
const askMs = 50;
const tailBytes = 4096;
/** What a start compiled is kept for the next once it is over; a daemon may run for months, and end without a word. */
const keepCompiledMs = 10_000;

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
  const [{ openHome }, { changeKeys }, { createLog }, { openNotifier }, { startDaemon }] = await Promise.all([
    import("../node/home.ts"),
    import("../node/identity.ts"),
    import("../node/log.ts"),
    import("../node/notify.ts"),
    import("../node/daemon.ts"),
  ]);
  let home = await openHome(context.home);
  const config = await configOf(home.places.config, options);
  if (config.small && !process.execArgv.includes("--optimize-for-size"))
    becomeSmall(home.dir, context, options);
  const log = createLog({ level: config.logLevel, file: config.logFile });
  const lastWords = leaveLastWords(log, process);
  try {
    let daemon = await startDaemon({ home, config, log, know });
    const manager = openNotifier(process.env, (error) =>
      log.warn({ err: error.message }, "the service manager cannot be told how this daemon is"),
    );
    let asked = false;
    const hear = (signal: NodeJS.Signals) => {
      if (asked) process.exit(impatientCode);
      asked = true;
      manager.stopping();
      void daemon.stop(signal);
    };
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, hear);
    const words = `${home.name} runs in the swarm ${home.swarm?.name}, at ${daemon.addresses.join(", ") || "no address"}`;
    manager.ready(words);
    setTimeout(flushCompileCache, keepCompiledMs).unref();
    if (context.json) context.output.json({ node: home.name, pid: process.pid, addresses: daemon.addresses });
    else context.output.line(`${words}; Ctrl-C stops it`);
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
  } finally {
    lastWords.over();
  }
}

/** The same process goes on as a program that takes less memory: that is settled when it starts, and only the settings say it. */
function becomeSmall(home: string, { json }: Context, options: Options): never {
  const log =
    options.logFile === undefined || options.logFile === true ? [] : ["--log-file", options.logFile.at(-1)!];
  const args = ["run", "--home", home, ...log, ...flagsOf(options), ...(json ? ["--json"] : [])];
  return process.execve!(process.execPath, [process.execPath, ...smallFlags, mainFile, ...args], {
    ...process.env,
    ...smallEnvironment,
  });
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

/** Starts the daemon of a home as a process of its own and waits until it answers; `begun` is told of the process at once. Throws why it does not. */
export async function startDetached(
  home: string,
  control: Control,
  options: Options,
  begun?: (pid: number) => void,
): Promise<Detached> {
  // A home that cannot be used, or is in use, says so here and not in a log.
  const [{ openHome }, { lockHome }] = await Promise.all([
    import("../node/home.ts"),
    import("../node/lock.ts"),
  ]);
  const { places, dir, name } = await openHome(home);
  await (await lockHome(dir)).release();
  const { logFile, small } = await configOf(places.config, options);
  const log = path.resolve(logFile ?? path.join(places.logs, "daemon.log"));
  makeFolder(path.dirname(log), 0o700);
  const begin = (await stat(log).catch(() => undefined))?.size ?? 0;
  const file = openSync(log, "a", 0o600);
  const child = spawn(
    process.execPath,
    [
      ...(small ? smallFlags : leanFlags),
      mainFile,
      "run",
      "--home",
      dir,
      "--log-file",
      log,
      ...flagsOf(options),
    ],
    {
      detached: true,
      stdio: ["ignore", file, file],
      env: { ...process.env, ...(small ? smallEnvironment : {}) },
    },
  );
  closeSync(file);
  if (child.pid !== undefined) begun?.(child.pid);
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

/** The configuration in force. Throws `usage`. */
async function configOf(file: string, options: Options): Promise<Config> {
  const { loadConfig } = await import("../node/config.ts");
  const flags = settings.map((key) => {
    const value = options[key];
    return [key, value === true || value === undefined ? value : value.join(",")];
  });
  if (options.noGateway) flags.push(["gatewayListen", "no"]);
  return loadConfig({ file, env: process.env, flags: Object.fromEntries(flags) });
}

/** The settings among the options, as flags again. */
function flagsOf(options: Options): string[] {
  const noGateway = options.noGateway ? ["--no-gateway"] : [];
  return settings
    .flatMap((key) => {
      if (key === "logFile") return [];
      const value = options[key];
      return value === true ? [flagOf(key)] : (value ?? []).map((item) => `${flagOf(key)}=${item}`);
    })
    .concat(noGateway);
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
  const holder = await holderOf(home);
  await control.stop();
  const until = Date.now() + stopMsMax;
  while (holder && lives(holder)) {
    if (Date.now() > until)
      throw new SwarmError("timed-out", `process ${holder.pid} is still there after ${stopMsMax / 1000} s`, {
        remedy: `end it: kill ${holder.pid}`,
      });
    await pause(askMs);
  }
}
