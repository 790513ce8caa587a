/** A home set back to a backup, on real daemons. */
import { cp, readFile, rename, rm } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { until } from "../patience.ts";
import { Farm } from "./farm.ts";

let farm: Farm;
beforeEach(async () => {
  farm = await Farm.open();
  await farm.found("ann", "ben");
  await farm.good("ben", "stop");
  await cp(farm.homeOf("ben"), farm.homeOf("backup"), { recursive: true });
});
afterEach(() => farm.close());

const starts = async (name: string) =>
  Number.parseInt(await readFile(path.join(farm.homeOf(name), "identity/incarnation"), "utf8"), 10);

test("a home set back to a backup hears of the starts it forgot, and starts again above them", {
  timeout: 240_000,
}, async () => {
  await farm.start("ben");
  await farm.meet("ann", "ben");
  await farm.good("ben", "stop");
  expect(await starts("ben")).toBe(2);
  await rm(farm.homeOf("ben"), { recursive: true });
  await rename(farm.homeOf("backup"), farm.homeOf("ben"));
  await farm.start("ben");
  await until(async () => (await starts("ben")) === 3);
  await farm.meet("ann", "ben");
});
