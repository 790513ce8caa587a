import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { probeTarget, probeToolchains } from "../../node/build/toolchains.ts";

describe("toolchains of this machine", () => {
  let home: string;
  let cacheFile: string;
  let first: Record<string, string>;
  beforeAll(async () => {
    home = await mkdtemp(path.join(tmpdir(), "swarmd-toolchains-"));
    cacheFile = path.join(home, "toolchains.json");
    first = await probeToolchains({ cacheFile });
  });
  afterAll(() => rm(home, { recursive: true }));

  it("have a fingerprint each, sorted by name", () => {
    expect(Object.keys(first)).toContain("sh");
    expect(Object.keys(first)).toEqual(Object.keys(first).sort());
    for (const fingerprint of Object.values(first)) expect(fingerprint).toMatch(/^[0-9a-f]{32}$/);
    expect(new Set(Object.values(first)).size).toBe(Object.keys(first).length);
  });

  it("are the same when asked again", async () => {
    expect(await probeToolchains()).toEqual(first);
  });

  it("are taken from the cache as long as their programs are the same", async () => {
    const cache: Record<string, string> = JSON.parse(await readFile(cacheFile, "utf8"));
    const key = Object.keys(cache).find((one) => one.startsWith("sh "))!;
    await writeFile(cacheFile, JSON.stringify({ ...cache, [key]: "0".repeat(32) }));
    expect((await probeToolchains({ cacheFile })).sh).toBe("0".repeat(32));
    const other = { ...cache, [`${key} of another time`]: "0".repeat(32) };
    delete other[key];
    await writeFile(cacheFile, JSON.stringify(other));
    expect(await probeToolchains({ cacheFile })).toEqual(first);
  });

  it("are asked anew when the cache is damaged", async () => {
    await writeFile(cacheFile, '{"sh": 7');
    expect(await probeToolchains({ cacheFile })).toEqual(first);
  });

  it("stand on a target that names cpu, kernel and C library", async () => {
    expect(await probeTarget()).toMatch(/^[a-z0-9_]+-linux-[a-z0-9]+$/);
  });
});
