import { existsSync, mkdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { startJanitor } from "../../node/build/janitor.ts";
import { until } from "../patience.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "swarmd-janitor-"));
});
afterEach(() => rm(dir, { recursive: true }));

it("removes the rest one by one where no program can be given the list, and tells what stays", async () => {
  const told: string[] = [];
  const janitor = startJanitor((message) => told.push(message));
  const folder = path.join(dir, "a");
  mkdirSync(folder);
  janitor.discard("/of no\0name");
  janitor.discard(folder);
  await until(() => !existsSync(folder), "the folder is gone");
  await janitor.stop();
  expect(told).toEqual([expect.stringContaining("ERR_INVALID_ARG_VALUE")]);
});
