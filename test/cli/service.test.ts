import { execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { chown, mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { installService, uninstallService } from "../../cli/service.ts";
import { openrcScript, systemdUnit } from "../../cli/service-files.ts";
import { type Machine, managerOf } from "../../cli/service-manager.ts";
import { openSecrets } from "../../node/build/secrets.ts";
import { giveToOwnerOf } from "../../node/files.ts";
import { projectDir } from "./terminal.ts";

const program = path.join(projectDir, "cli/swarmd");
const analyze = spawnSync("systemd-analyze", ["--version"]).status === 0;

let dir: string;
let home: string;
beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "swarmd-service-"));
  home = path.join(dir, "a home, 100 %");
  await mkdir(home);
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const found = (name: string) =>
  writeFile(path.join(home, "home.json"), JSON.stringify({ version: 1, name, swarm: { id: "0", name } }));

/** A machine that notes what it is told and does as `answers` say. */
class Paper implements Machine {
  readonly told: string[] = [];
  readonly uid: number;
  readonly env: Machine["env"];
  private readonly paths: readonly string[];
  private readonly answers: Readonly<Record<string, { code: number; said: string }>>;

  constructor(uid: number, paths: readonly string[], answers: Paper["answers"] = {}) {
    this.uid = uid;
    this.env = { HOME: dir };
    this.paths = paths;
    this.answers = answers;
  }

  has = (file: string) => this.paths.includes(file) || (file.startsWith(dir) && existsSync(file));

  async run(argv: readonly string[]) {
    const line = argv.join(" ");
    this.told.push(line);
    const answer = Object.entries(this.answers).find(([begin]) => line.startsWith(begin));
    return answer?.[1] ?? { code: 0, said: "" };
  }
}

const systemd = ["/run/systemd/system"];
const options = { name: "swarmd", own: true, home: "" };

function verify(text: string): string {
  const file = path.join(dir, "swarmd.service");
  execFileSync("tee", [file], { input: text, stdio: ["pipe", "ignore", "inherit"] });
  const { status, stderr } = spawnSync("systemd-analyze", ["verify", "--man=no", file], { encoding: "utf8" });
  return status === 0 ? stderr : `${status}: ${stderr}`;
}

test.skipIf(!analyze)(
  "systemd finds no fault with the units (skipped where systemd-analyze is missing)",
  () => {
    const unit = { name: "swarmd", program, home };
    expect(verify(systemdUnit({ ...unit, user: "root" }))).toBe("");
    expect(verify(systemdUnit(unit))).toBe("");
    expect(verify(systemdUnit(unit).replace("WatchdogSec=", "WatchdogSecs="))).toContain("WatchdogSecs");
    expect(verify(systemdUnit({ ...unit, program: `${dir}/gone` }))).toContain("gone");
  },
);

test("a shell reads the OpenRC script, and its words come out as they went in", () => {
  const script = openrcScript({ name: "swarmd", program, home, user: "swarmd" });
  const said = execFileSync(
    "sh",
    ["-c", `${script}\neval "set -- $command_args"; printf '%s\\n' "$command" "$@" "$directory"`],
    {
      encoding: "utf8",
    },
  );
  expect(said.trimEnd().split("\n")).toEqual([
    program,
    "run",
    "--home",
    home,
    "--log-file",
    `${home}/logs/daemon.log`,
    home,
  ]);
});

test("a service of one's own is written, started, and taken away again", async () => {
  await found("ann");
  const machine = new Paper(1000, systemd);
  const manager = managerOf(machine, options);
  expect(manager.file).toBe(`${dir}/.config/systemd/user/swarmd.service`);
  await installService(machine, { manager, name: "swarmd", program, home });
  const text = await readFile(manager.file, "utf8");
  expect(text).toContain(`run --home "${home.replace("%", "%%")}"`);
  expect(text).not.toMatch(/^User=/m);
  expect(machine.told).toEqual([
    "systemctl --user daemon-reload",
    "systemctl --user enable swarmd.service",
    "systemctl --user restart swarmd.service",
  ]);
  expect(await uninstallService(machine, manager)).toBe(true);
  expect(existsSync(manager.file)).toBe(false);
  expect(await uninstallService(machine, manager)).toBe(false);
  expect(existsSync(path.join(home, "home.json"))).toBe(true);
});

test("the machine's service gets a user of its own, to whom the home is given before it starts", async () => {
  await found("ann");
  const machine = new Paper(0, systemd, { "id -u swarmd": { code: 1, said: "no such user" } });
  const manager = {
    ...managerOf(machine, { ...options, own: false }),
    file: path.join(dir, "etc/swarmd.service"),
  };
  await installService(machine, {
    manager,
    name: "swarmd",
    program: path.join(dir, "x"),
    home,
    user: "swarmd",
  }).catch((thrown) =>
    expect(thrown).toMatchObject({ code: "refused", message: expect.stringContaining("closed to others") }),
  );
  expect(existsSync(manager.file)).toBe(false);
  await installService(machine, {
    manager,
    name: "swarmd",
    program: "/usr/bin/swarmd",
    home,
    user: "swarmd",
  });
  expect(machine.told).toContain(`chown -R swarmd: ${home}`);
  expect(machine.told.findIndex((line) => line.startsWith("useradd --system"))).toBeGreaterThan(-1);
  expect(machine.told.at(-1)).toBe("systemctl restart swarmd.service");
  expect(await readFile(manager.file, "utf8")).toMatch(/^User=swarmd$/m);
});

test("what cannot be is refused before anything is written", async () => {
  const machine = new Paper(1000, systemd);
  const manager = managerOf(machine, options);
  const installation = { manager, name: "swarmd", program, home };
  await expect(installService(machine, installation)).rejects.toMatchObject({ code: "not-a-member" });
  await found("ann");
  await expect(installService(machine, { ...installation, user: "swarmd" })).rejects.toMatchObject({
    code: "refused",
    remedy: expect.stringContaining("--user"),
  });
  await writeFile(path.join(home, "lock.pid"), `${process.pid}\n`);
  await expect(installService(machine, installation)).rejects.toMatchObject({ code: "home-locked" });
  await rm(path.join(home, "lock.pid"));
  await mkdir(path.dirname(manager.file), { recursive: true });
  await writeFile(manager.file, "[Unit]\nDescription=mine\n");
  await expect(installService(machine, installation)).rejects.toMatchObject({ code: "refused" });
  await expect(uninstallService(machine, manager)).rejects.toMatchObject({ code: "refused" });
  expect(await readFile(manager.file, "utf8")).toContain("mine");
  expect(machine.told.filter((line) => !line.includes(" show "))).toEqual([]);
});

test("a command that fails is shown with what it said", async () => {
  await found("ann");
  const machine = new Paper(1000, systemd, { "systemctl --user restart": { code: 1, said: "Job failed." } });
  const installation = { manager: managerOf(machine, options), name: "swarmd", program, home };
  await expect(installService(machine, installation)).rejects.toMatchObject({
    code: "refused",
    message: "systemctl --user restart swarmd.service ended with 1: Job failed.",
  });
});

test("the manager that runs the machine is found, and its state is told in its own words", async () => {
  const shown = "LoadState=loaded\nUnitFileState=enabled\nActiveState=failed\nSubState=failed\nNRestarts=3\n";
  const one = new Paper(0, systemd, { "systemctl show": { code: 0, said: shown } });
  expect(await managerOf(one, { ...options, own: false }).state(one)).toEqual({
    installed: true,
    enabled: true,
    running: false,
    words: "failed (failed), restarted 3 times",
  });
  const two = new Paper(0, ["/run/openrc", "/etc/init.d/swarmd"], {
    "rc-service swarmd status": { code: 0, said: " * status: started\n" },
    "rc-update show": { code: 0, said: " swarmd | default\n" },
  });
  expect(await managerOf(two, { ...options, own: false }).state(two)).toEqual({
    installed: true,
    enabled: true,
    running: true,
    words: "started",
  });
  expect(() => managerOf(two, options)).toThrow(/no services of users/);
  expect(() => managerOf(new Paper(0, []), options)).toThrow(/neither systemd nor OpenRC/);
  expect(() => managerOf(one, { ...options, wanted: "runit" })).toThrow(/--manager takes/);
});

test.skipIf(process.getuid?.() !== 0)(
  "what root makes in the home of a service is the service's (skipped where not root)",
  async () => {
    const [file, secrets] = [path.join(home, "config.yaml"), path.join(home, "secrets")];
    await mkdir(secrets, { mode: 0o700 });
    await writeFile(path.join(secrets, "token"), "a value of some length", { mode: 0o600 });
    await writeFile(file, "slots: 1\n", { mode: 0o600 });
    await chown(home, 54_321, 54_321);
    expect(openSecrets(secrets).names()).toEqual(["token"]);
    await giveToOwnerOf(home, file, secrets, path.join(secrets, "token"));
    for (const one of [file, secrets, path.join(secrets, "token")])
      expect((await stat(one)).uid).toBe(54_321);
    expect(openSecrets(secrets).names()).toEqual(["token"]);
    await chown(path.join(secrets, "token"), 54_322, 54_322);
    expect(openSecrets(secrets).names()).toEqual([]);
  },
);
