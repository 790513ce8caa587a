/**
 * Prints `passed failed` of a vitest JSON report. A file that failed before its tests, and a run that ended badly although no
 * test did, count as failures of their own. Runs on the machine's own Node.
 */
import { readFileSync } from "node:fs";

const [file, code] = process.argv.slice(2);
const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(file, "utf8"));
const brokenFiles = testResults.filter(
  ({ status, assertionResults }) =>
    status === "failed" && !assertionResults.some((assertion) => assertion.status === "failed"),
).length;
let failed = numFailedTests + brokenFiles;
if (failed === 0 && code !== "0") failed = 1;
console.log(`${numPassedTests} ${failed}`);
