import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createLog, createLogTo } from "../node/log.ts";

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "swarmd-log-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const secret = `swarmd1${"ab2c".repeat(40)}`;

test("no ticket gets into a log, wherever it stands", () => {
  const lines: string[] = [];
  const log = createLogTo({ write: (line) => lines.push(line) }, "debug");
  log.info({ ticket: secret, nested: { argv: ["join", secret] } }, `joining with ${secret}`);
  log.error(new Error(`no such command: ${secret.toUpperCase()}`));
  log.child({ secret }).warn("as a binding");
  expect(lines).toHaveLength(3);
  expect(lines.join("")).not.toMatch(/ab2c/i);
  expect(lines.join("")).toContain("swarmd1…");
});

test("values are fields of one JSON line, and what is below the level is left out", () => {
  const lines: string[] = [];
  const log = createLogTo({ write: (line) => lines.push(line) }, "info");
  log.debug("unheard");
  log.info({ peer: "ann", ms: 3 }, "connected");
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0]!)).toMatchObject({ peer: "ann", ms: 3, msg: "connected" });
});

test("a line is in the file as soon as it was logged, and only its owner may read it", async () => {
  const file = path.join(dir, "logs", "daemon.log");
  createLog({ level: "info", file }).info("here");
  expect(await readFile(file, "utf8")).toContain("here");
  expect((await stat(file)).mode & 0o777).toBe(0o600);
});

test("a log that has grown too long is set aside at the next start", async () => {
  const file = path.join(dir, "daemon.log");
  await writeFile(file, new Uint8Array(17 << 20));
  createLog({ level: "info", file }).info("fresh");
  expect((await stat(file)).size).toBeLessThan(1000);
  expect((await stat(`${file}.1`)).size).toBe(17 << 20);
});
