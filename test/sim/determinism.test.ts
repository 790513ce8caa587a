import { execFile } from "node:child_process";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { hashOf } from "./hash.ts";

const script = fileURLToPath(new URL("hash.ts", import.meta.url));
const run = async (seed: number, env: Record<string, string>, cwd: string) =>
  (await promisify(execFile)(process.execPath, [script, `${seed}`], { env, cwd })).stdout;

test("one seed tells one story, another seed another", () => {
  expect(hashOf(1)).toBe(hashOf(1));
  expect(hashOf(1)).not.toBe(hashOf(2));
  // The second number counts lines: what is hashed is a whole story, not a beginning.
  expect(Number(hashOf(1).split(" ")[1])).toBeGreaterThan(1000);
});

test("two processes with other time zones, languages and folders tell the same story", async () => {
  const [here, there] = await Promise.all([
    run(3, { TZ: "UTC", LANG: "C" }, tmpdir()),
    run(3, { TZ: "Pacific/Apia", LANG: "tr_TR.UTF-8", LC_ALL: "tr_TR.UTF-8" }, "/"),
  ]);
  expect(here).toMatch(/^[0-9a-f]{64} [0-9]+$/);
  expect(there).toBe(here);
  expect(hashOf(3)).toBe(here);
});
