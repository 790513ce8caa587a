import { existsSync, globSync } from "node:fs";
import { realpath } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { projectDir } from "../cli/terminal.ts";
import { until } from "../patience.ts";
import { DisposableMachine, missingForDisposable, projectThere } from "./disposable.ts";

const swarmd = `${projectThere}/cli/swarmd`;
const hello = `${projectThere}/specs/examples/hello.yaml`;

interface State {
  readonly running: boolean;
  readonly enabled: boolean;
  readonly installed: boolean;
  readonly words: string;
}

const missingSystemd = await missingForDisposable("systemctl");
if (missingSystemd !== undefined)
  console.warn(`skipped: systemd is not tried with a service: there is no ${missingSystemd}`);

describe.skipIf(missingSystemd !== undefined)("a service under systemd", { timeout: 180_000 }, () => {
  let machine: DisposableMachine;

  beforeAll(async () => {
    machine = await DisposableMachine.boot([
      "/lib/systemd/systemd",
      ..."--system --unit=basic.target --log-target=console".split(" "),
    ]);
    await until(async () =>
      /running|degraded/.test((await machine.run("systemctl", "is-system-running")).stdout),
    );
    await machine.bareProc();
    await machine.good(swarmd, "init", "--name", "ann");
    await machine.good(swarmd, "service", "install");
  }, 120_000);
  afterAll(() => machine?.off());

  /** A property of the unit, in systemd's own words. */
  const shown = async (property: string) =>
    (await machine.good("systemctl", "show", "swarmd", "--value", "--property", property)).trim();
  /** What a unit said is in the journal a while later. */
  const logged = (words: string) =>
    until(
      async () => (await machine.good("journalctl", "--unit=swarmd", "--output=cat")).includes(words),
      `${words} in the journal`,
    );
  /** The process that systemd holds for the daemon, once it is another than that one and said that it is ready. */
  const successorOf = async (pid: string) => {
    let found: string | undefined;
    await until(async () => {
      // In one answer: between two of them it may have ended.
      const said = await machine.good("systemctl", "show", "swarmd", "--property", "ActiveState,MainPID");
      const now = /^MainPID=(\d+)$/m.exec(said)?.[1];
      if (said.includes("ActiveState=active\n") && now !== "0" && now !== pid) found = now;
      return found !== undefined;
    });
    return found!;
  };
  const state = async (): Promise<State> =>
    JSON.parse((await machine.run(swarmd, "service", "status", "--json")).stdout) as State;

  test("it is ready when systemd says so, runs as its own user, and builds in boxes", async () => {
    expect(await state()).toMatchObject({ running: true, enabled: true, installed: true });
    expect(await shown("StatusText")).toContain("ann runs in the swarm ann");
    expect((await machine.good("ps", "-o", "user=", "-p", await shown("MainPID"))).trim()).toBe("swarmd");
    const { node } = JSON.parse(await machine.good(swarmd, "status", "--json"));
    expect(node).toMatchObject({ name: "ann", vitals: { sandbox: "bubblewrap" } });
    const built = JSON.parse(await machine.good(swarmd, "submit", hello, "--json"));
    expect(built).toMatchObject({ state: "complete", executed: 5 });
    await logged('"msg":"running"');
  });

  test("killed, or hanging, it is started anew and goes on in its home", async () => {
    const first = await shown("MainPID");
    await machine.good("kill", "-KILL", first);
    const second = await successorOf(first);
    // A minute, and five seconds, are much for a test.
    const quick = "[Service]\\nWatchdogSec=4\\nRestartSec=1\\n";
    const drop = "/etc/systemd/system/swarmd.service.d";
    await machine.good("sh", "-c", `mkdir ${drop}; printf '${quick}' > ${drop}/quick.conf`);
    await machine.good("systemctl", "daemon-reload");
    await machine.good("systemctl", "restart", "swarmd");
    const third = await successorOf(second);
    expect(await shown("NRestarts")).toBe("0");
    // Whom nobody asks nobody misses, but the watchdog.
    await machine.good("kill", "-STOP", third);
    await successorOf(third);
    expect(await shown("NRestarts")).toBe("1");
    const history = JSON.parse(await machine.good(swarmd, "history", "--json"));
    expect(history).toMatchObject([{ name: "hello" }]);
  });

  test("with settings that are wrong it is not started again and again, and says what is wrong", async () => {
    const file = "/var/lib/swarmd/config.yaml";
    await machine.good("sh", "-c", `echo 'slots: many' > ${file}; chown swarmd: ${file}`);
    expect((await machine.run("systemctl", "restart", "swarmd")).code).not.toBe(0);
    await until(async () => (await shown("ActiveState")) === "failed");
    expect(await shown("ExecMainStatus")).toBe("2");
    await logged("slots");
    expect((await machine.run(swarmd, "service", "status")).code).toBe(3);
    await machine.good("rm", file);
    await machine.good(swarmd, "service", "install");
    expect(await state()).toMatchObject({ running: true });
  });

  test("it goes away whole but for its home", async () => {
    await machine.good(swarmd, "service", "uninstall");
    expect(await state()).toMatchObject({ running: false, enabled: false, installed: false });
    expect((await machine.run("pgrep", "-u", "swarmd")).stdout).toBe("");
    expect((await machine.run(swarmd, "history")).code).toBe(3);
    await machine.good("test", "-f", "/var/lib/swarmd/home.json");
  });

  test("a user has one of his own", async () => {
    await machine.good("useradd", "--create-home", "bob");
    await machine.good("loginctl", "enable-linger", "bob");
    const uid = (await machine.good("id", "-u", "bob")).trim();
    await until(async () => (await machine.run("systemctl", "is-active", `user@${uid}`)).code === 0);
    const asBob = (...argv: string[]) => {
      const env = ["HOME=/home/bob", `XDG_RUNTIME_DIR=/run/user/${uid}`];
      return ["runuser", "-u", "bob", "--", "env", ...env, swarmd, ...argv];
    };
    await machine.good(...asBob("init", "--name", "bob"));
    await machine.good(...asBob("service", "install", "--user"));
    const { node } = JSON.parse(await machine.good(...asBob("status", "--json")));
    expect(node).toMatchObject({ name: "bob", vitals: { sandbox: "bubblewrap" } });
    await machine.good(...asBob("service", "uninstall", "--user"));
    expect((await machine.run(...asBob("service", "status", "--user"))).code).toBe(3);
  });
});

/** Its packages as `apt-get download` leaves them, for machines that it is not installed on; .ci/run puts them there. */
const openrcPackages = globSync(
  path.join(await realpath(path.join(projectDir, "node_modules")), ".cache/swarmd-lab/openrc/*.deb"),
);
const missingOpenrc =
  (await missingForDisposable("sh")) ??
  (existsSync("/sbin/openrc-run") || openrcPackages.length > 0 ? undefined : "OpenRC");
if (missingOpenrc !== undefined)
  console.warn(`skipped: OpenRC is not tried with a service: there is no ${missingOpenrc}`);

describe.skipIf(missingOpenrc !== undefined)("a service under OpenRC", { timeout: 180_000 }, () => {
  let machine: DisposableMachine;

  beforeAll(async () => {
    // All that process 1 has to do is to let those go that end.
    machine = await DisposableMachine.boot(["env", "--ignore-signal=CHLD", "sleep", "infinity"], "sleep");
    await machine.bareProc();
    for (const file of openrcPackages)
      await machine.good(
        "sh",
        "-c",
        `dpkg --fsys-tarfile ${file} | tar --extract --directory / --keep-directory-symlink`,
      );
    await machine.good("ldconfig");
    await machine.good("mkdir", "-p", "/run/openrc", "/etc/runlevels/default");
    await machine.good("touch", "/run/openrc/softlevel");
    // Makes what OpenRC keeps there of services.
    await machine.good("rc-status", "--all");
    await machine.good(swarmd, "init", "--name", "ann");
    await machine.good(swarmd, "service", "install");
  }, 120_000);
  afterAll(() => machine?.off());

  // What it has just begun has its arguments for a moment.
  const pidOf = async () =>
    (await machine.good("pgrep", "--oldest", "-u", "swarmd", "-f", "cli/main\\.(ts|js) run")).trim();
  const state = async () =>
    JSON.parse((await machine.run(swarmd, "service", "status", "--json")).stdout) as State;

  test("it answers when rc-service is done, runs as its own user, and builds", async () => {
    expect(await state()).toMatchObject({ running: true, enabled: true, installed: true, words: "started" });
    expect((await machine.good("ps", "-o", "user=", "-p", await pidOf())).trim()).toBe("swarmd");
    const built = JSON.parse(await machine.good(swarmd, "submit", hello, "--json"));
    expect(built).toMatchObject({ state: "complete", executed: 5 });
    expect(await machine.good("cat", "/var/lib/swarmd/logs/daemon.log")).toContain('"msg":"running"');
  });

  test("killed, it is started anew", async () => {
    const first = await pidOf();
    await machine.good("kill", "-KILL", first);
    await until(async () => (await pidOf()) !== first);
    await until(async () => (await machine.run(swarmd, "history")).code === 0);
    expect(JSON.parse(await machine.good(swarmd, "history", "--json"))).toMatchObject([{ name: "hello" }]);
  });

  test("it goes away whole but for its home", async () => {
    await machine.good(swarmd, "service", "uninstall");
    expect(await state()).toMatchObject({ running: false, enabled: false, installed: false });
    // Who watches over its actions ends after it, and no service manager waits for that one.
    await until(async () => (await machine.run("pgrep", "-u", "swarmd")).stdout === "");
    await machine.good("test", "-f", "/var/lib/swarmd/home.json");
  });
});
