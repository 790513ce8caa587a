import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";

const dir = mkdtempSync(path.join(tmpdir(), "swarmd-ci-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const file = (...statuses: string[]) => ({
  status: statuses.includes("failed") ? "failed" : "passed",
  assertionResults: statuses.map((status) => ({ status })),
});
const broken = { status: "failed", assertionResults: [] };

/** What the CI counts for a report of these files and the exit code of the run. */
function counts(testResults: ReturnType<typeof file>[], code: number): string {
  const all = testResults.flatMap((one) => one.assertionResults.map(({ status }) => status));
  const numPassedTests = all.filter((status) => status === "passed").length;
  const numFailedTests = all.filter((status) => status === "failed").length;
  const report = path.join(dir, "report.json");
  writeFileSync(report, JSON.stringify({ numPassedTests, numFailedTests, testResults }));
  const script = path.resolve(import.meta.dirname, "../.ci/counts.mjs");
  return execFileSync(process.execPath, [script, report, String(code)], { encoding: "utf8" }).trim();
}

test("what passed and what failed is counted, what was skipped is not", () => {
  expect(counts([file("passed", "passed"), file("passed", "skipped")], 0)).toBe("3 0");
  expect(counts([file("passed", "failed"), file("failed")], 1)).toBe("1 2");
});

test("a file that failed before its tests counts as a failure", () => {
  expect(counts([file("passed"), broken], 1)).toBe("1 1");
});

test("a run that ended badly although no test failed counts as a failure", () => {
  expect(counts([file("passed")], 1)).toBe("1 1");
  expect(counts([file("passed")], 124)).toBe("1 1");
});

test("a run without a report is an error", () => {
  const script = path.resolve(import.meta.dirname, "../.ci/counts.mjs");
  expect(() =>
    execFileSync(process.execPath, [script, path.join(dir, "none.json"), "0"], { stdio: "ignore" }),
  ).toThrow();
});
