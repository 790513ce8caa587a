/** What a service manager is given to start the daemon with the machine: a systemd unit, or an OpenRC script. */
import { systemBinhost } from "../node/home-places.ts";
import { quoted } from "./arguments.ts";

export interface ServiceOptions {
  /** The service's name. */
  readonly name: string;
  /** Absolute: the launcher that starts the program. */
  readonly program: string;
  /** Absolute: the home of the node. */
  readonly home: string;
  /** Who it runs as; absent: the user whose own service it is. */
  readonly user?: string;
}

const description = "swarmd, a build farm without a server";
/** A daemon that says nothing for so long is started anew. */
const watchdogSeconds = 60;
const stopSeconds = 60;
const restartSeconds = 5;
const restartsMax = 10;
const restartsWithinSeconds = 300;

/**
 * A systemd unit. What it leaves open it leaves open for the boxes of actions: they make namespaces of their own with a /proc and a host's name of their
 * own, and compile for other architectures and personalities.
 */
export function systemdUnit({ name, program, home, user }: ServiceOptions): string {
  const lines = [
    `# Written by swarmd service install, which writes it anew: put changes into a drop-in, systemctl ${user === undefined ? "--user " : ""}edit ${name}`,
    "[Unit]",
    `Description=${description}`,
    "Wants=network-online.target",
    "After=network-online.target",
    `StartLimitIntervalSec=${restartsWithinSeconds}`,
    `StartLimitBurst=${restartsMax}`,
    "",
    "[Service]",
    "Type=notify",
    // systemd-notify speaks for the daemon.
    "NotifyAccess=all",
    `ExecStart=${unitWord(program)} run --home ${unitWord(home)}`,
    `WatchdogSec=${watchdogSeconds}`,
    `TimeoutStopSec=${stopSeconds}`,
    // The daemon ends its actions itself; what is left after that is killed.
    "KillMode=mixed",
    "Restart=on-failure",
    `RestartSec=${restartSeconds}`,
    // Settings that are wrong do not get better.
    "RestartPreventExitStatus=2",
    "LimitNOFILE=65536",
    "TasksMax=infinity",
    // Limits of actions are set below, in groups of the daemon's own.
    "Delegate=cpu memory pids",
    "UMask=0077",
    "NoNewPrivileges=yes",
  ];
  if (user !== undefined)
    lines.push(
      `User=${user}`,
      // The whole line is the path: quotes would be part of it.
      `WorkingDirectory=${home.replaceAll("%", "%%")}`,
      `Environment=${unitWord(`HOME=${home}`)} ${unitWord(`XDG_CACHE_HOME=${home}/work/cache`)}`,
      "CapabilityBoundingSet=",
      "AmbientCapabilities=",
      "ProtectSystem=strict",
      "ProtectHome=read-only",
      // The second where its owner makes it, and gives it to the daemon: see binhostPath.
      `ReadWritePaths=${unitWord(home)} -${systemBinhost}`,
      "PrivateTmp=yes",
      "ProtectKernelModules=yes",
      "ProtectClock=yes",
      "RestrictRealtime=yes",
      "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
    );
  lines.push("", "[Install]", `WantedBy=${user === undefined ? "default.target" : "multi-user.target"}`);
  return `${lines.join("\n")}\n`;
}

/** An OpenRC script; the daemon logs to its home and rotates that itself. */
export function openrcScript({ program, home, user }: ServiceOptions): string {
  const daemon = [program, "--home", home].map(quoted).join(" ");
  return `#!/sbin/openrc-run
# Written by swarmd service install, which writes it anew: put changes into /etc/conf.d.
description=${quoted(description)}
supervisor=supervise-daemon
command=${quoted(program)}
command_args=${quoted(["run", "--home", home, "--log-file", `${home}/logs/daemon.log`].map(quoted).join(" "))}
${user === undefined ? "" : `command_user=${quoted(user)}\n`}directory=${quoted(home)}
error_log=${quoted(`${home}/logs/daemon.err`)}
umask=0077
rc_ulimit="-n 65536"
respawn_delay=${restartSeconds}
respawn_max=${restartsMax}
respawn_period=${restartsWithinSeconds}
retry="TERM/${stopSeconds}/KILL/5"
healthcheck_delay=${watchdogSeconds}
healthcheck_timer=300
export HOME=${quoted(home)} XDG_CACHE_HOME=${quoted(`${home}/work/cache`)}

depend() {
  want net
  use dns
  after firewall ntp-client
}

start_pre() {
  rm -f ${quoted(`${home}/control.sock`)}
}

start_post() {
  ewaitfile ${watchdogSeconds} ${quoted(`${home}/control.sock`)}
}

healthcheck() {
  ${daemon} status --json >/dev/null
}
`;
}

/** A word of a unit file: systemd splits at blanks, knows quotes, and takes % for a specifier. */
const unitWord = (word: string): string => {
  const safe = word.replaceAll("%", "%%");
  return /^[\w@%+=:,./-]+$/.test(safe) ? safe : `"${safe.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
};
