import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { lockHome } from "../node/lock.ts";

let dir: string;
/** They stay until they are ended: also where a test failed before it did so. */
let contenders: { kill(): Promise<void> }[];

beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "swarmd-lock-"));
  contenders = [];
});
afterEach(async () => {
  for (const one of contenders) await one.kill();
  await rm(dir, { recursive: true, force: true });
});

/** A process that tries for the lock, says `held` or the refusal, and stays until it is ended. */
function contender() {
  const source = `
    import { lockHome } from ${JSON.stringify(path.resolve(import.meta.dirname, "../node/lock.ts"))};
    try { await lockHome(${JSON.stringify(dir)}); console.log("held"); setInterval(() => {}, 1000); }
    catch (error) { console.log(error.code + " " + error.message); }`;
  const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", source], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const said = once(child.stdout, "data").then(([data]) => String(data).trim());
  const ended = once(child, "exit");
  const one = {
    pid: child.pid!,
    said,
    async kill() {
      child.kill("SIGKILL");
      await ended;
    },
  };
  contenders.push(one);
  return one;
}

test("a second daemon is refused and told the first one's process", async () => {
  const first = contender();
  expect(await first.said).toBe("held");
  await expect(lockHome(dir)).rejects.toMatchObject({
    code: "home-locked",
    message: expect.stringContaining(String(first.pid)),
    remedy: expect.stringContaining("swarmd stop"),
  });
  await first.kill();
});

test("the lock of a daemon that was killed is free at once", async () => {
  const first = contender();
  expect(await first.said).toBe("held");
  await first.kill();
  await (await lockHome(dir)).release();
});

test("of many that try at once exactly one gets the lock, also after a kill", async () => {
  for (let round = 0; round < 2; round++) {
    const all = Array.from({ length: 5 }, contender);
    const said = await Promise.all(all.map((one) => one.said));
    expect(said.filter((word) => word === "held")).toHaveLength(1);
    expect(said.filter((word) => word.startsWith("home-locked"))).toHaveLength(4);
    for (const one of all) await one.kill();
  }
});

test("within one process the lock is held once, and free after its release", async () => {
  const lock = await lockHome(dir);
  await expect(lockHome(dir)).rejects.toMatchObject({ code: "home-locked" });
  await lock.release();
  await lock.release();
  await (await lockHome(dir)).release();
});

test("a file left over with the number of a living process locks nobody out", async () => {
  await writeFile(path.join(dir, "lock.pid"), `${process.pid}\n`);
  await (await lockHome(dir)).release();
});

test("a home that is not there cannot be locked", async () => {
  await expect(lockHome(path.join(dir, "none"))).rejects.toMatchObject({ code: "home-invalid" });
});
