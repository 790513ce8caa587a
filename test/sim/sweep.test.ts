/** Seeds in two phases, and the command that sweeps them. */
import { execFile } from "node:child_process";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { runSeed } from "../../sim/trial.ts";

const main = fileURLToPath(new URL("../../sim/main.ts", import.meta.url));
/** Runs the command; never rejects. */
const run = (args: readonly string[], env: Record<string, string> = {}, cwd = tmpdir()) =>
  new Promise<{ code: number; out: string; err: string }>((done) => {
    execFile(process.execPath, [main, ...args], { env, cwd }, (error, out, err) =>
      done({ code: typeof error?.code === "number" ? error.code : error ? -1 : 0, out, err }),
    );
  });
const lastLine = (text: string) => text.trimEnd().split("\n").at(-1)!;

test("a seed ends with its core whole: something broke, and everything holds", () => {
  const report = runSeed(2);
  expect(report.violations).toEqual([]);
  expect(report.faults).toBeGreaterThan(2);
  expect(report.hash).toMatch(/^[0-9a-f]{64}$/);
  // Phase 1 and the 30 s after it.
  expect(report.virtualMs).toBeGreaterThan(45_000);
  expect(report.counts.events).toHaveProperty("done");
});

test("what throws inside is a violation with its moment, not the end of the sweep", () => {
  const { violations } = runSeed(2, {
    plant: (swarm) => {
      swarm.world.at(2000, () => {
        throw new Error("planted");
      });
      return () => {};
    },
  });
  expect(violations).toHaveLength(1);
  expect(violations[0]).toMatchObject({ atMs: 2000, invariant: "steps end" });
});

test("--json ends with one line of five keys, equal in processes of other time zones, languages and folders", async () => {
  const [here, there] = await Promise.all([
    run(["--seed", "5", "--json"], { TZ: "UTC", LANG: "C" }),
    run(["--seed", "5", "--json", "--story"], { TZ: "Pacific/Apia", LC_ALL: "tr_TR.UTF-8" }, "/"),
  ]);
  const line = lastLine(here.out);
  expect(Object.keys(JSON.parse(line))).toEqual(["seed", "hash", "virtualMs", "faults", "violations"]);
  expect(lastLine(there.out)).toBe(line);
  const { hash, virtualMs, faults, violations } = runSeed(5);
  expect(JSON.parse(line)).toEqual({ seed: 5, hash, virtualMs, faults, violations });
  expect(here.code).toBe(violations.length > 0 ? 1 : 0);
});

test("a small sweep over two threads prints the table and how it went", async () => {
  const { out } = await run(["--seeds", "3", "--from", "10", "--workers", "2"]);
  expect(out).toContain("transitions (");
  expect(lastLine(out)).toMatch(/seeds, 0 failed|^run: npm run sim/);
  expect(out).toMatch(/[0-9]+ seeds, [0-9]+ failed, [0-9]+ faults/);
});

test.each([
  [["--sides", "3"], "--sides"],
  [["--seeds", "many"], "--seeds takes a whole number"],
  [["--seed", "1", "--seeds", "3"], "--seed runs one seed"],
  [["--json"], "go with --seed"],
  [["17"], "17"],
])("bad usage (%j) says what is wrong and how to go on, and ends with 2", async (args, said) => {
  const { code, out, err } = await run(args);
  expect(code).toBe(2);
  expect(out).toBe("");
  expect(err).toContain(said);
  expect(err).toContain("npm run sim -- --help");
});

test("--help shows examples", async () => {
  const { code, out } = await run(["--help"]);
  expect(code).toBe(0);
  expect(out).toContain("npm run sim -- --seeds 200");
});
