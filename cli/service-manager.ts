/** What starts a machine's services: where it wants its files, and how it is told and asked. */

import { SwarmError } from "../protocol/kernel/errors.ts";
import { choiceOf } from "./choice.ts";
import { openrcScript, type ServiceOptions, systemdUnit } from "./service-files.ts";

export const managerNames = ["systemd", "openrc"] as const;
export type ManagerName = (typeof managerNames)[number];

/** What is needed of the machine. */
export interface Machine {
  readonly uid: number;
  readonly env: Readonly<Record<string, string | undefined>>;
  has(path: string): boolean;
  /** The program's exit code and what it printed; code 127 when there is no such program. */
  run(argv: readonly string[]): Promise<{ readonly code: number; readonly said: string }>;
}

export interface ServiceState {
  readonly installed: boolean;
  /** Starts with the machine (or, for a user's own, with the user's session). */
  readonly enabled: boolean;
  readonly running: boolean;
  /** What the manager calls its state. */
  readonly words: string;
}

export interface Manager {
  readonly name: ManagerName;
  /** Where its file for the service lies. */
  readonly file: string;
  /** Mode of that file. */
  readonly mode: number;
  /** Where the log is read. */
  readonly log: string;
  text(options: ServiceOptions): string;
  /** Commands, in order, after the file was written. */
  readonly start: readonly (readonly string[])[];
  /** Before the file is removed, and after; they may fail. */
  readonly stop: readonly (readonly string[])[];
  readonly gone: readonly (readonly string[])[];
  state(machine: Machine): Promise<ServiceState>;
}

/** The manager of this machine, or the one that is asked for. Throws `tool-missing` when there is none of them, `usage` for what it cannot do. */
export function managerOf(
  machine: Machine,
  { wanted, own, name, home }: { wanted?: string; own: boolean; name: string; home: string },
): Manager {
  const found = wanted === undefined ? detected(machine) : choiceOf("--manager", wanted, managerNames);
  if (found === "systemd") return systemd(machine, own, name);
  if (found === "openrc") {
    if (own)
      throw new SwarmError("usage", "OpenRC has no services of users here", {
        remedy: "install it as root, to run as you: swarmd service install --as USER",
      });
    return openrc(name, home);
  }
  throw new SwarmError("tool-missing", "neither systemd nor OpenRC runs this machine", {
    remedy:
      "see what would be written: swarmd service install --print --manager systemd; or start it yourself: swarmd run --detach",
  });
}

function detected(machine: Machine): ManagerName | undefined {
  if (machine.has("/run/systemd/system")) return "systemd";
  if (machine.has("/run/openrc") || machine.has("/run/openrc/softlevel")) return "openrc";
  return undefined;
}

function systemd(machine: Machine, own: boolean, name: string): Manager {
  const { env } = machine;
  const folder = own ? `${env.XDG_CONFIG_HOME || `${env.HOME}/.config`}/systemd/user` : "/etc/systemd/system";
  const systemctl = own ? ["systemctl", "--user"] : ["systemctl"];
  const unit = `${name}.service`;
  return {
    name: "systemd",
    file: `${folder}/${unit}`,
    mode: 0o644,
    log: `journalctl ${own ? "--user " : ""}-u ${name}`,
    text: systemdUnit,
    start: [
      [...systemctl, "daemon-reload"],
      [...systemctl, "enable", unit],
      [...systemctl, "restart", unit],
    ],
    stop: [[...systemctl, "disable", "--now", unit]],
    gone: [[...systemctl, "daemon-reload"]],
    async state(asked) {
      const { said } = await asked.run([
        ...systemctl,
        "show",
        unit,
        "--property=LoadState,UnitFileState,ActiveState,SubState,NRestarts",
      ]);
      const fields = new Map(said.split("\n").map((line) => line.split("=") as [string, string]));
      const restarts = Number(fields.get("NRestarts") ?? 0);
      return {
        installed: fields.get("LoadState") === "loaded",
        enabled: fields.get("UnitFileState") === "enabled",
        running: fields.get("ActiveState") === "active",
        words: `${fields.get("ActiveState") ?? "unknown"} (${fields.get("SubState") ?? "unknown"})${
          restarts > 0 ? `, restarted ${restarts} times` : ""
        }`,
      };
    },
  };
}

function openrc(name: string, home: string): Manager {
  const file = `/etc/init.d/${name}`;
  return {
    name: "openrc",
    file,
    mode: 0o755,
    log: `tail ${home}/logs/daemon.log`,
    text: openrcScript,
    start: [
      ["rc-update", "add", name, "default"],
      ["rc-service", name, "restart"],
    ],
    stop: [
      ["rc-service", name, "stop"],
      ["rc-update", "del", name],
    ],
    gone: [],
    async state(machine) {
      const [status, runlevels] = [
        await machine.run(["rc-service", name, "status"]),
        await machine.run(["rc-update", "show", "default"]),
      ];
      return {
        installed: machine.has(file),
        enabled: runlevels.said.split("\n").some((line) => line.trim().split(/\s+/)[0] === name),
        running: status.code === 0,
        words: /status:\s*(.+)/.exec(status.said)?.[1] ?? (status.code === 0 ? "started" : "stopped"),
      };
    },
  };
}
