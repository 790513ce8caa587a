import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { mainFile } from "../cli/terminal.ts";
import { until } from "../patience.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "swarmd-demo-"));
});
afterEach(async () => {
  await until(async () => {
    const left = await daemons();
    for (const pid of left) kill(pid);
    return left.length === 0;
  }, "the end of all daemons");
  await rm(dir, { recursive: true, force: true });
});

/** What `npm start` runs, in a folder of its own. */
function start(...args: string[]) {
  const child = spawn(process.execPath, [mainFile, "demo", ...args], {
    cwd: dir,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (piece) => {
      text += piece;
    });
  return { child, text: () => text, ended: once(child, "close").then(([code]) => ({ code, text })) };
}

/** Daemons whose home lies in the test's folder; with a word only those that were begun with it. */
async function daemons(word = ""): Promise<number[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")),
  );
  const fits = (line: string) => line.includes(`--home\0${dir}`) && line.includes(`\0${word}`);
  return pids.filter((_, i) => fits(lines[i]!)).map(Number);
}

function kill(pid: number) {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // gone meanwhile
  }
}

const exited = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null;

test("builds LevelDB with three daemons, then serves it from the cache, then starts over", {
  timeout: 15 * 60_000,
}, async () => {
  const first = await start().ended;
  expect(first.text).toContain("LevelDB is built and tested");
  expect(first.code).toBe(0);
  expect(first.text).toMatch(/^NODE +EXECUTED +WALL +CPU +FETCHED$/m);
  for (const name of ["ann", "ben", "cleo"]) expect(first.text).toMatch(new RegExp(`^${name} +[1-9]`, "m"));
  expect(first.text).toMatch(/The critical path took .*:\n/);
  expect(first.text).toMatch(/[1-9][\d.]* MiB crossed the network/);
  expect(first.text).toContain("on others   swarmd join TICKET --detach");
  expect((await stat(path.join(dir, "out/leveldb/libleveldb.a"))).size).toBeGreaterThan(100_000);
  expect(await daemons()).toEqual([]);

  const second = await start().ended;
  expect(second.code).toBe(0);
  expect(second.text).toContain("starting the swarm of the last time");
  expect(second.text).toContain("everything came from the cache");
  expect(await daemons()).toEqual([]);

  const fresh = start("--fresh", "--nodes", "2");
  await until(async () => exited(fresh.child) || /^\[ +\d+\/\d+\] compile/m.test(fresh.text()));
  expect(fresh.text()).toContain("founding a swarm of 2 daemons");
  expect(fresh.text()).not.toContain("from the cache");
  fresh.child.kill("SIGINT");
  expect((await fresh.ended).code).toBe(130);
  expect(await daemons()).toEqual([]);
});

test("a demo that is ended while its first daemon starts leaves none", { timeout: 180_000 }, async () => {
  const early = start("--nodes", "1");
  await until(async () => exited(early.child) || (await daemons("run")).length > 0);
  early.child.kill("SIGINT");
  expect((await early.ended).code).toBe(130);
  expect(await daemons("run")).toEqual([]);
});

test("a demo that was killed leaves daemons, which the next one stops; two at once are refused", {
  timeout: 10 * 60_000,
}, async () => {
  const killed = start();
  await until(async () => exited(killed.child) || killed.text().includes("submitted "));
  const other = await start().ended;
  expect(other.code).toBe(4);
  expect(other.text).toContain("another demo runs");
  killed.child.kill("SIGKILL");
  await killed.ended;
  // A daemon that just begins a process is two of its name, until that one is another program.
  let left: number[] = [];
  await until(async () => {
    left = await daemons();
    return left.length === 3;
  }, "three daemons that are left");

  const next = start();
  await until(async () => exited(next.child) || next.text().includes("have met"));
  expect((await daemons()).filter((pid) => left.includes(pid))).toEqual([]);
  next.child.kill("SIGTERM");
  expect((await next.ended).code).toBe(130);
  expect(await daemons()).toEqual([]);
});
