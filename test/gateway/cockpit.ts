/** A real Cockpit with one session that needs no login, over packages in a folder of its own. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { build } from "vite";
import { vi } from "vitest";
import { installInCockpit, packageFolder } from "../../cli/cockpit.ts";
import { patient } from "../patience.ts";

const server = "/usr/lib/cockpit/cockpit-ws";

/** Why there is none here; undefined: there is one. */
export const noCockpit =
  existsSync(server) && !spawnSync("cockpit-bridge", ["--version"]).error
    ? undefined
    : "needs Debian's cockpit-bridge and cockpit-ws";

export interface OpenedCockpit {
  /** Of swarmd's page, as Cockpit serves it. */
  readonly url: string;
  /** As `cockpit-bridge --packages` lists them. */
  readonly packages: string;
  close(): Promise<void>;
}

export async function openCockpit(gatewayPort: number): Promise<OpenedCockpit> {
  const dir = await mkdtemp(path.join(tmpdir(), "swarmd-cockpit-"));
  const env = { ...process.env, XDG_DATA_HOME: path.join(dir, "data"), LC_ALL: "C.UTF-8" };
  const configFile = path.resolve(import.meta.dirname, "../../node/gateway/web/cockpit/vite.config.ts");
  await build({ configFile, logLevel: "silent", build: { outDir: path.join(dir, "built") } });
  await installInCockpit(path.join(dir, "built"), packageFolder(0, env), gatewayPort);
  const packages = execFileSync("cockpit-bridge", ["--packages"], { env, encoding: "utf8" });
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  const args = [
    "--no-tls",
    "--address",
    "127.0.0.1",
    "--port",
    `${port}`,
    "--local-session",
    "cockpit-bridge",
  ];
  // A group of its own: what a session brings with it (a bus, an agent of keys) does not end with it.
  const child = spawn(server, args, { env, stdio: "ignore", detached: true });
  await vi
    .waitFor(() => fetch(origin), { ...patient, interval: 50 })
    .catch(async (fault: unknown) => {
      await ended(child);
      throw fault;
    });
  return {
    url: `${origin}/cockpit/@localhost/swarmd/index.html`,
    packages,
    async close() {
      await ended(child);
      await rm(dir, { recursive: true, force: true });
    },
  };
}

async function ended(child: ChildProcess): Promise<void> {
  const over =
    child.exitCode === null && child.signalCode === null
      ? new Promise((resolve) => child.once("exit", resolve))
      : undefined;
  try {
    process.kill(-child.pid!);
  } catch {
    // nobody of the group is there any more
  }
  await over;
}

/** Cockpit takes a number only; below those that the system gives to connections. */
async function freePort(): Promise<number> {
  for (let port = 20_000 + (process.pid % 10_000); ; port++) {
    const probe = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      probe.once("error", () => resolve(false));
      probe.listen(port, "127.0.0.1", () => resolve(true));
    });
    await new Promise((resolve) => (isFree ? probe.close(resolve) : resolve(undefined)));
    if (isFree) return port;
  }
}
