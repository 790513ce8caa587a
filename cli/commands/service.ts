/** `swarmd service`: the daemon under systemd or OpenRC. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { programDir } from "../../node/program.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { choiceOf } from "../choice.ts";
import { type Command, type Context, type Options, optionText } from "../command.ts";
import { installService, uninstallService, usualUser } from "../service.ts";
import { type Machine, managerOf } from "../service-manager.ts";

const saidBytesMax = 64 << 10;
const runMsMax = 120_000;

export const service: Command = {
  name: "service",
  args: "<install|status|uninstall>",
  description:
    "Let systemd or OpenRC run the daemon: from the start of the machine on, started anew if it fails",
  options: [
    { flags: "--user", description: "A service of your own instead of the machine's" },
    {
      flags: "--as <user>",
      description: `Who the machine's service runs as (${usualUser}, made if missing)`,
    },
    { flags: "--name <name>", description: "The service's name, for a second home on this machine (swarmd)" },
    { flags: "--manager <which>", description: "systemd or openrc (the one that runs this machine)" },
    { flags: "--print", description: "Show what install would write, and write nothing" },
  ],
  examples: [
    "service install",
    "service install --user",
    "service install --print --manager openrc",
    "service status",
    "service uninstall",
  ],
  async run(context, [word], options) {
    const verb = choiceOf("service", word!, ["install", "status", "uninstall"]);
    const own = options.user === true;
    const name = optionText(options, "name") ?? "swarmd";
    if (!/^[a-z0-9][a-z0-9_-]{0,62}$/.test(name))
      throw new SwarmError("usage", `${name} is no name for a service`, { remedy: "--name swarmd-two" });
    if (own && options.as !== undefined) throw new SwarmError("usage", "--user and --as exclude each other");
    const { home } = context;
    const wanted = optionText(options, "manager");
    const manager = managerOf(machine, { own, name, home, ...(wanted === undefined ? {} : { wanted }) });
    if (verb === "install") return install(context, options, { manager, name, own });
    if (verb === "status") return status(context, manager);
    const was = await uninstallService(machine, manager);
    if (context.json) context.output.json({ removed: was, file: manager.file });
    else
      context.output.line(was ? `${manager.file} is removed; ${home} stays` : `there is no ${manager.file}`);
    return 0;
  },
};

async function install(
  context: Context,
  options: Options,
  { manager, name, own }: { manager: ReturnType<typeof managerOf>; name: string; own: boolean },
): Promise<number> {
  const { output, home, json } = context;
  const installation = {
    manager,
    name,
    home,
    program: path.join(programDir, "cli", "swarmd"),
    ...(own ? {} : { user: optionText(options, "as") ?? usualUser }),
  };
  if (options.print) {
    const text = manager.text(installation);
    if (json) output.json({ file: manager.file, text });
    else output.raw(text);
    return 0;
  }
  await installService(machine, installation);
  if (json) output.json({ file: manager.file, manager: manager.name, log: manager.log });
  else {
    output.line(`${manager.file} is written; the daemon runs, and will when this machine starts`);
    output.line(`its log: ${manager.log}`);
    if (own) output.line("to run while you are logged out, too: loginctl enable-linger");
  }
  return 0;
}

/** Ends with 3 when the service does not run: as every command does that finds no daemon. */
async function status(context: Context, manager: ReturnType<typeof managerOf>): Promise<number> {
  const state = await manager.state(machine);
  const { output } = context;
  if (context.json) output.json({ manager: manager.name, file: manager.file, log: manager.log, ...state });
  else if (!state.installed) {
    output.line(`no service: there is no ${manager.file}`);
    output.line(`→ ${context.commandLine(["service", "install"])}`);
  } else {
    output.line(`${output.tone(state.running ? "good" : "bad", state.words)}; ${manager.file}`);
    output.line(state.enabled ? "it starts with the machine" : "it does not start with the machine");
    output.line(`its log: ${manager.log}`);
  }
  return state.running ? 0 : 3;
}

const machine: Machine = {
  uid: process.getuid?.() ?? -1,
  env: process.env,
  has: existsSync,
  run: ([program, ...args]) =>
    new Promise((resolve) => {
      execFile(program!, args, { maxBuffer: saidBytesMax, timeout: runMsMax }, (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : 127;
        resolve({ code, said: code === 0 ? stdout : `${stderr}${stdout}` });
      });
    }),
};
