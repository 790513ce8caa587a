/** Puts the daemon of a home under the machine's service manager, and takes it away again. */
import { chmod, lstat, readFile, rm } from "node:fs/promises";
import path from "node:path";
import { makeFolder, writeFileAtomic } from "../node/files.ts";
import { lives } from "../node/known-process.ts";
import { holderOf } from "../node/lock.ts";
import { SwarmError } from "../protocol/kernel/errors.ts";
import { lookAtHome } from "./local.ts";
import type { Machine, Manager } from "./service-manager.ts";

/** Whose service runs as root's, where nobody says otherwise. */
export const usualUser = "swarmd";
const marker = "Written by swarmd service install";

export interface Installation {
  readonly manager: Manager;
  readonly name: string;
  /** Absolute. */
  readonly program: string;
  readonly home: string;
  /** Absent: the service is that of the user who installs it. */
  readonly user?: string;
}

/**
 * Writes the service's file and starts it. The home is given to the user it runs as, who is made where there is none. Throws `refused`, `not-a-member`,
 * `home-locked`; what a command complained of is in the message.
 */
export async function installService(machine: Machine, installation: Installation): Promise<void> {
  const { manager, home, program, user } = installation;
  const { swarm } = await lookAtHome(home);
  if (!swarm)
    throw new SwarmError("not-a-member", `${home} belongs to no swarm yet`, {
      remedy: "found one: swarmd init; or enter one: swarmd join TICKET --detach, then swarmd stop",
    });
  if (user === undefined && machine.uid === 0)
    throw new SwarmError("usage", "root's own service would be the machine's", {
      remedy: "leave out --user",
    });
  if (user !== undefined && machine.uid !== 0)
    throw new SwarmError("refused", "only root installs services of the machine", {
      remedy: "sudo swarmd service install; or one of your own: swarmd service install --user",
    });
  const foreign = (await textOf(manager.file)) ?? marker;
  if (!foreign.includes(marker))
    throw new SwarmError("refused", `${manager.file} is there already, and not by swarmd`, {
      remedy: "remove it, or give the service another name: --name NAME",
    });
  await stopped(machine, installation);
  if (user !== undefined) {
    await obtainUser(machine, user, home);
    await mayRead(machine, user, program);
    await told(machine, ["chown", "-R", `${user}:`, home]);
  }
  makeFolder(path.dirname(manager.file));
  await writeFileAtomic(manager.file, manager.text(installation), manager.mode);
  await chmod(manager.file, manager.mode);
  for (const argv of manager.start) await told(machine, argv);
}

/** Stops the service and removes its file; the home stays. False when there was none. */
export async function uninstallService(machine: Machine, manager: Manager): Promise<boolean> {
  const text = await textOf(manager.file);
  if (text === undefined) return false;
  if (!text.includes(marker))
    throw new SwarmError("refused", `${manager.file} is not by swarmd`, { remedy: "remove it yourself" });
  for (const argv of manager.stop) await machine.run(argv);
  await rm(manager.file);
  for (const argv of manager.gone) await machine.run(argv);
  return true;
}

/** A daemon that somebody started by hand would hold the home; the service's own is started anew. */
async function stopped(machine: Machine, { manager, home }: Installation): Promise<void> {
  const holder = await holderOf(home);
  if (!holder || !lives(holder)) return;
  if ((await manager.state(machine)).running) return;
  throw new SwarmError("home-locked", `a daemon runs already for ${home} (process ${holder.pid})`, {
    remedy: "stop it first: swarmd stop",
  });
}

async function obtainUser(machine: Machine, user: string, home: string): Promise<void> {
  if (!/^[a-z_][a-z0-9_-]{0,30}$/.test(user))
    throw new SwarmError("usage", `${user} is no name for a user`, { remedy: "--as NAME" });
  if ((await machine.run(["id", "-u", user])).code === 0) return;
  if (user !== usualUser)
    throw new SwarmError("not-found", `there is no user ${user}`, {
      remedy: `make one, or leave out --as: ${usualUser} is made where it is missing`,
    });
  const shell = "/usr/sbin/nologin";
  const made = await machine.run([
    ...["useradd", "--system", "--user-group", "--home-dir", home, "--no-create-home", "--shell", shell],
    user,
  ]);
  if (made.code === 0) return;
  // BusyBox has other words for it.
  await told(machine, ["addgroup", "-S", user]);
  await told(machine, ["adduser", "-S", "-D", "-H", "-h", home, "-s", "/sbin/nologin", "-G", user, user]);
}

/** A program below somebody's own folder starts for nobody else. */
async function mayRead(machine: Machine, user: string, program: string): Promise<void> {
  for (let dir = path.dirname(program); dir !== "/"; dir = path.dirname(dir)) {
    const { mode, uid } = await lstat(dir);
    if ((mode & 0o001) !== 0) continue;
    if ((await machine.run(["id", "-u", user])).said.trim() === String(uid)) continue;
    throw new SwarmError("refused", `${user} cannot reach ${program}: ${dir} is closed to others`, {
      remedy:
        "install swarmd where all may read it, as npm install --global does; or name who may: --as USER",
    });
  }
}

async function told(machine: Machine, argv: readonly string[]): Promise<void> {
  const { code, said } = await machine.run(argv);
  if (code === 0) return;
  throw new SwarmError(
    "refused",
    `${argv.join(" ")} ended with ${code}${said.trim() ? `: ${said.trim()}` : ""}`,
    {
      remedy: code === 127 ? `install what has ${argv[0]}` : undefined,
    },
  );
}

async function textOf(file: string): Promise<string | undefined> {
  return readFile(file, "utf8").catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT") return undefined;
    throw cause;
  });
}
