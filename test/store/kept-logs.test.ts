/** Logs of what ran here: how long they are known, and what of them is overdue. */
import { appendFileSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { KeptLogs } from "../../node/store/kept-logs.ts";
import { digestOf } from "../../protocol/kernel/digest.ts";

const dayMs = 86_400_000;
const noonMs = Date.parse("2026-03-01T12:00:00Z");

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), "swarmd-logs-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

const digest = (text: string) => digestOf(Buffer.from(text));
const logsOf = (bytesMax = 1000) => new KeptLogs({ dir, keptMs: 7 * dayMs, bytesMax });

test("a log stays until so many days after its own have passed; then it is overdue, and forgotten once it went", () => {
  const logs = logsOf();
  logs.add(digest("first"), noonMs);
  logs.add(digest("second"), noonMs + 3 * dayMs);
  expect([...logs.at(noonMs + 7 * dayMs).kept]).toEqual([digest("second"), digest("first")]);
  const later = logsOf().at(noonMs + 8 * dayMs);
  expect([...later.kept]).toEqual([digest("second")]);
  expect([...later.overdue]).toEqual([digest("first")]);
  logs.forget(noonMs + 8 * dayMs);
  expect(readdirSync(dir)).toEqual(["2026-03-04"]);
  expect(logs.at(noonMs + 8 * dayMs).overdue.size).toBe(0);
});

test("the newest stay as far as there is room for them", () => {
  const logs = logsOf(25);
  for (const [n, text] of ["a".repeat(10), "b".repeat(10), "c".repeat(10)].entries())
    logs.add(digest(text), noonMs + n * 1000);
  const { kept, overdue } = logs.at(noonMs + 5000);
  expect([...kept]).toEqual([digest("c".repeat(10)), digest("b".repeat(10))]);
  expect([...overdue]).toEqual([digest("a".repeat(10))]);
});

test("what was said again later is not overdue, and a torn line names nothing", () => {
  const logs = logsOf();
  logs.add(digest("again"), noonMs);
  logs.add(digest("again"), noonMs + 6 * dayMs);
  appendFileSync(path.join(dir, "2026-03-07"), `${digest("torn")}`.slice(0, 30));
  appendFileSync(path.join(dir, "notes.txt"), "of somebody");
  const { kept, overdue } = logs.at(noonMs + 9 * dayMs);
  expect([...kept]).toEqual([digest("again")]);
  expect(overdue.size).toBe(0);
  logs.forget(noonMs + 100 * dayMs);
  expect(readdirSync(dir)).toEqual(["notes.txt"]);
});

test("where nothing can be written nobody is held up", () => {
  const logs = logsOf();
  rmSync(dir, { recursive: true });
  logs.add(digest("lost"), noonMs);
  logsOf();
  expect(logs.at(noonMs).kept.size).toBe(0);
});
