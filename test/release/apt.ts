/** Debian's own apt-get with all of its state in one folder: reads no file of this machine's apt, and needs no root. */
import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { findProgram } from "../../node/build/programs.ts";

export const hasApt = ["apt-get", "dpkg-deb", "gpg", "gpgv"].every((name) => findProgram(name) !== undefined);

const run = promisify(execFile);

export class Apt {
  private readonly dir: string;

  private constructor(dir: string) {
    this.dir = dir;
  }

  /** `source`: the line of sources.list. */
  static async at(dir: string, source: string, architecture = "amd64"): Promise<Apt> {
    for (const folder of [
      "state/lists/partial",
      "cache/archives/partial",
      "etc/apt.conf.d",
      "etc/sources.list.d",
      "etc/preferences.d",
      "etc/trusted.gpg.d",
      "log",
    ])
      await mkdir(path.join(dir, folder), { recursive: true });
    await writeFile(path.join(dir, "state/status"), "");
    await writeFile(path.join(dir, "etc/sources.list"), `${source}\n`);
    const config = [
      `Dir "${dir}";`,
      `Dir::State "${dir}/state";`,
      `Dir::State::status "${dir}/state/status";`,
      `Dir::Cache "${dir}/cache";`,
      `Dir::Log "${dir}/log";`,
      `Dir::Etc "${dir}/etc";`,
      'Dir::Bin::methods "/usr/lib/apt/methods";',
      `APT::Architecture "${architecture}";`,
      `APT::Architectures { "${architecture}"; };`,
      'APT::Sandbox::User "";',
      'Acquire::Languages "none";',
      'Acquire::http::Proxy "false";',
      'Acquire::Retries "0";',
      'Debug::NoLocking "true";',
    ];
    await writeFile(path.join(dir, "apt.conf"), `${config.join("\n")}\n`);
    return new Apt(dir);
  }

  /** What it prints; rejects when it fails, with what it said. */
  async run(...args: readonly string[]): Promise<string> {
    const env = {
      PATH: "/usr/bin:/bin",
      LC_ALL: "C",
      APT_CONFIG: path.join(this.dir, "apt.conf"),
      HOME: this.dir,
    };
    const { stdout, stderr } = await run("/usr/bin/apt-get", [...args], {
      env,
      cwd: this.dir,
      timeout: 100_000,
    }).catch((error: { stdout?: string; stderr?: string; message: string }) => {
      throw new Error(`${error.message}\n${error.stdout ?? ""}${error.stderr ?? ""}`);
    });
    if (/^(W|E):/m.test(stderr)) throw new Error(stderr);
    return stdout;
  }
}
