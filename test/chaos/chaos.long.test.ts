import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { missingForLab } from "../lab/lab.ts";
import type { ChaosReport } from "./chaos.ts";

const missing = await missingForLab();
if (missing) console.warn(`chaos is not tried: there is no ${missing}`);

test.skipIf(missing !== undefined)(
  "three minutes of trouble break no invariant",
  {
    timeout: 600_000,
  },
  async () => {
    const main = path.join(import.meta.dirname, "main.ts");
    const args = [main, "--minutes", "3", "--seed", "7", "--json"];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    const report = JSON.parse(stdout) as ChaosReport;
    expect(report.violations).toEqual([]);
    expect(report.faults.length).toBeGreaterThan(5);
    expect(report.builds).toBeGreaterThan(1);
  },
);
