import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { clearGroup } from "../node/build/processes.ts";
import {
  type KnownProcess,
  lives,
  processOf,
  processText,
  readProcess,
  signalKnown,
} from "../node/known-process.ts";
import { holderOf, lockHome } from "../node/lock.ts";
import { processesWith } from "./build/processes-with.ts";
import { patient } from "./patience.ts";

let dir: string;
let stranger: ChildProcess;
let doomed: ChildProcess | undefined;
/** Its number, with the start of a process that had it before. */
let earlier: KnownProcess;
beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "swarmd-known-"));
  stranger = spawn("sh", ["-c", "sleep 1000 & wait"], { stdio: "ignore", detached: true });
  await once(stranger, "spawn");
  const { pid, startTicks } = processOf(stranger.pid!);
  earlier = { pid, startTicks: startTicks! - 1 };
});
afterEach(async () => {
  doomed?.kill("SIGKILL");
  await rm(dir, { recursive: true, force: true });
  if (stranger.exitCode === null && stranger.signalCode === null) process.kill(-stranger.pid!, "SIGKILL");
});

const unharmed = () =>
  stranger.exitCode === null && stranger.signalCode === null && lives(processOf(stranger.pid!));

test("a process is known by its number and its start: whoever has the number later is not it", async () => {
  const known = processOf(stranger.pid!);
  expect(lives(known)).toBe(true);
  expect(lives(earlier)).toBe(false);
  expect(signalKnown(earlier, "SIGKILL")).toBe(false);
  expect(signalKnown({ pid: stranger.pid! }, "SIGKILL")).toBe(false);
  expect(unharmed()).toBe(true);
  expect(signalKnown(known, "SIGKILL")).toBe(true);
  await once(stranger, "exit");
  expect(lives(known)).toBe(false);
  expect(signalKnown(known, "SIGKILL")).toBe(false);
});

test("a file of a home that names a stranger by number harms nobody", async () => {
  const file = path.join(dir, "lock.pid");
  await writeFile(file, processText(earlier));
  const holder = (await holderOf(dir))!;
  expect(holder).toEqual(earlier);
  expect([lives(holder), signalKnown(holder, "SIGKILL")]).toEqual([false, false]);
  // As older versions wrote it: enough to wait for, too little to kill.
  await writeFile(file, `${stranger.pid}\n`);
  const old = (await holderOf(dir))!;
  expect([lives(old), signalKnown(old, "SIGKILL")]).toEqual([true, false]);
  expect(unharmed()).toBe(true);
  const lock = await lockHome(dir);
  expect(await holderOf(dir)).toEqual(processOf(process.pid));
  await lock.release();
  expect(await holderOf(dir)).toBeUndefined();
});

test("what a file may hold of a process", () => {
  expect(readProcess("12\nstarted=34\n")).toEqual({ pid: 12, startTicks: 34 });
  expect(readProcess("12\n")).toEqual({ pid: 12 });
  for (const text of ["", "0\n", "-1\n", "1e3\n", "12 13\n", "12\n13\n", "12\nstarted=x\n"])
    expect(readProcess(text), text).toBeUndefined();
});

test("what an action left is not looked for in a group that has its number by now", async () => {
  await clearGroup(earlier);
  await clearGroup({ pid: earlier.pid });
  for (const pid of [0, 1]) await clearGroup({ pid });
  expect(unharmed()).toBe(true);
  const ended = once(stranger, "exit");
  await clearGroup(processOf(stranger.pid!));
  expect(await ended).toEqual([null, "SIGKILL"]);
});

test("the warden of a daemon that is gone kills nobody who has the number of a launcher by now", async () => {
  const work = path.join(dir, "work");
  const module = path.join(import.meta.dirname, "../node/build/warden.ts");
  const daemon = `import { startWarden } from ${JSON.stringify(module)};
    startWarden(process.argv[1], {}).watch(${JSON.stringify(earlier)});
    setInterval(() => {}, 1000); console.log("watched");`;
  doomed = spawn(process.execPath, ["--input-type=module-typescript", "-e", daemon, work], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(doomed.stdout!, "data");
  expect(processesWith(`warden\0${work}`)).toHaveLength(1);
  doomed.kill("SIGKILL");
  await expect.poll(() => processesWith(`warden\0${work}`), patient).toEqual([]);
  expect(unharmed()).toBe(true);
});
