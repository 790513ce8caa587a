import { fstatSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createLog, createLogTo, leadsToJournal, withPriorities } from "../node/log.ts";

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

test("a log that grows too long while the daemon runs is set aside, line by line whole; three are kept", async () => {
  const file = path.join(dir, "daemon.log");
  const log = createLog({ level: "info", file });
  const text = "x".repeat(1 << 20);
  for (let n = 0; n < 70; n++) log.info({ n, text });
  const names = ["daemon.log", "daemon.log.1", "daemon.log.2", "daemon.log.3"];
  expect((await readdir(dir)).sort()).toEqual(names);
  const numbers: number[] = [];
  for (const name of names.reverse())
    for (const line of (await readFile(path.join(dir, name), "utf8")).trimEnd().split("\n"))
      numbers.push(JSON.parse(line).n);
  expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, i) => 70 - numbers.length + i));
  expect(numbers.length).toBeGreaterThan(50);
});

test("a disk that takes no line ends no daemon", () => {
  const log = createLog({ level: "info", file: "/dev/full" });
  for (let n = 0; n < 100; n++) log.info("into the void");
});

test("lines for the journal begin with their priority, and only that stream is the journal", () => {
  const lines: string[] = [];
  const log = createLogTo(withPriorities({ write: (line) => lines.push(line) }), "debug");
  log.error("e");
  log.warn("w");
  log.info("i");
  log.debug("d");
  expect(lines.map((line) => line.slice(0, 3))).toEqual(["<3>", "<4>", "<6>", "<7>"]);
  for (const line of lines) JSON.parse(line.slice(3));
  const { dev, ino } = fstatSync(2);
  expect(leadsToJournal({ JOURNAL_STREAM: `${dev}:${ino}` }, 2)).toBe(true);
  expect(leadsToJournal({ JOURNAL_STREAM: `${dev}:${ino + 1}` }, 2)).toBe(false);
  expect(leadsToJournal({}, 2)).toBe(false);
});
