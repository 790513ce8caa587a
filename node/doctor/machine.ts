/** What this machine has and lacks for a node, found without a daemon: each lack with the command that mends it. */
import { access, constants, readdir, stat, statfs } from "node:fs/promises";
import net from "node:net";
import { freemem, totalmem } from "node:os";
import path from "node:path";
import type { Finding } from "../control/api.ts";
import { checkFirewall } from "./firewall.ts";
import { thisMachine } from "./probe.ts";
import { checkTime } from "./timekeeping.ts";

const nodeMajorMin = 24;
const diskFreeBytesMin = 5e9;
const memoryFreeBytesMin = 512 * 2 ** 20;
const portDefault = 4701;

/** `port`: where a daemon of this home listens; absent where none runs, and `wanted` is the one it would take: 0 is any. */
export async function checkMachine(home: string, port?: number, wanted = portDefault): Promise<Finding[]> {
  const found = await Promise.all([
    checkNode(),
    checkSystem(),
    checkTool("sandbox", "bwrap", "bubblewrap", "actions run without a box; work of others is refused"),
    checkTool("compiler", "g++", "g++", "specs that compile C++ find no node here"),
    checkTool("patch", "patch", "patch", "the LevelDB example cannot be built here"),
    checkHome(home),
    checkDisk(home),
    checkMemory(),
    ...(port === undefined ? [checkPort(wanted)] : []),
    checkFirewall(thisMachine, port ?? wanted),
    checkTime(thisMachine, Date.now()),
    checkSensors("/"),
  ]);
  return found.flat();
}

const gibibytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;

function checkMemory(): Finding {
  const check = "memory";
  const free = freemem();
  const text = `${gibibytes(free)} of ${gibibytes(totalmem())} free`;
  return free >= memoryFreeBytesMin
    ? { check, level: "ok", text }
    : {
        check,
        level: "note",
        text: `only ${text}: actions that need more wait for other nodes`,
        remedy: "close what presses on it, or give the node fewer slots: swarmd run --slots 1",
      };
}

async function checkNode(): Promise<Finding> {
  const major = Number(process.versions.node.split(".")[0]);
  return major >= nodeMajorMin
    ? { check: "node", level: "ok", text: process.versions.node }
    : {
        check: "node",
        level: "bad",
        text: `${process.versions.node} is too old`,
        remedy: `install Node ${nodeMajorMin}: npm ci in a clone brings its own`,
      };
}

async function checkSystem(): Promise<Finding> {
  return process.platform === "linux"
    ? { check: "system", level: "ok", text: `linux ${process.arch}` }
    : { check: "system", level: "bad", text: `${process.platform} is not supported`, remedy: "use Linux" };
}

async function checkTool(check: string, tool: string, parcel: string, without: string): Promise<Finding> {
  for (const dir of (process.env.PATH ?? "").split(":")) {
    const file = path.join(dir || ".", tool);
    if (
      await access(file, constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return { check, level: "ok", text: file };
  }
  return { check, level: "note", text: `there is no ${tool}: ${without}`, remedy: await installLine(parcel) };
}

/** How this system installs a package, as far as it is one of the common ones. */
async function installLine(parcel: string): Promise<string> {
  const managers: [string, string][] = [
    ["/usr/bin/apt-get", "apt-get install"],
    ["/usr/bin/emerge", "emerge"],
    ["/usr/bin/dnf", "dnf install"],
    ["/usr/bin/pacman", "pacman -S"],
    ["/sbin/apk", "apk add"],
  ];
  for (const [file, line] of managers)
    if (
      await access(file, constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return `${line} ${parcel}`;
  return `install ${parcel}`;
}

async function checkHome(home: string): Promise<Finding> {
  const check = "home";
  const there = await stat(home).catch((cause: NodeJS.ErrnoException) => cause);
  if (there instanceof Error)
    return there.code === "ENOENT"
      ? { check, level: "ok", text: `${home} will be made` }
      : { check, level: "bad", text: there.message, remedy: "name a folder of your own: --home DIR" };
  if (!there.isDirectory())
    return { check, level: "bad", text: `${home} is not a folder`, remedy: "name another: --home DIR" };
  // Root may look at the home of a service, which runs as a user of its own.
  if (process.getuid && process.getuid() !== 0 && there.uid !== process.getuid())
    return {
      check,
      level: "bad",
      text: `${home} belongs to another user`,
      remedy: "use that user, or another --home",
    };
  if ((there.mode & 0o022) !== 0)
    return { check, level: "bad", text: `${home} can be written by others`, remedy: `chmod 700 ${home}` };
  return { check, level: "ok", text: home };
}

async function checkDisk(home: string): Promise<Finding> {
  let dir = home;
  while (
    dir !== path.dirname(dir) &&
    !(await stat(dir).then(
      () => true,
      () => false,
    ))
  )
    dir = path.dirname(dir);
  const { bavail, bsize } = await statfs(dir);
  const free = bavail * bsize;
  return free >= diskFreeBytesMin
    ? { check: "disk", level: "ok", text: `${gibibytes(free)} free` }
    : {
        check: "disk",
        level: "note",
        text: `only ${gibibytes(free)} free: a node with a full disk takes no work`,
        remedy: "free some space, or name a home on another disk: --home DIR",
      };
}

async function checkPort(port: number): Promise<Finding> {
  const check = "port";
  if (port === 0) return { check, level: "ok", text: "any that is free" };
  const server = net.createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, "0.0.0.0", resolve);
    });
    return { check, level: "ok", text: `${port} is free` };
  } catch (cause) {
    return {
      check,
      level: "note",
      text: `${port} is taken (${(cause as NodeJS.ErrnoException).code}): by a daemon that runs, or by something else`,
      remedy: "if this machine's daemon is not running, give it another: swarmd run --listen 0.0.0.0:4702",
    };
  } finally {
    server.close();
  }
}

async function checkSensors(root: string): Promise<Finding> {
  const names = async (dir: string, begin: string) =>
    (await readdir(path.join(root, dir)).catch(() => [])).filter((name) => name.startsWith(begin));
  const zones = await names("sys/class/thermal", "thermal_zone");
  const chips = await names("sys/class/hwmon", "hwmon");
  return zones.length + chips.length > 0
    ? { check: "sensors", level: "ok", text: `${zones.length} thermal zones, ${chips.length} hwmon chips` }
    : {
        check: "sensors",
        level: "note",
        text: "no temperature sensors: heat is not taken into account here (usual in virtual machines)",
      };
}
