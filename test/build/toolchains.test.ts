import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { probeTarget, versionIn } from "../../node/build/probe.ts";
import { declaredToolsSchema } from "../../node/build/tool-names.ts";
import { createToolchains, type Toolchains } from "../../node/build/toolchains.ts";
import { actionKey, platformOf } from "../../protocol/build/reapi.ts";
import { pinOf, readOffer, targetsOf } from "../../protocol/build/toolchain.ts";
import { digestOf } from "../../protocol/kernel/digest.ts";

const has = (program: string) => spawnSync(program, ["--version"]).status === 0;
const crossCompilers = ["aarch64-linux-gnu-gcc", "riscv64-linux-gnu-gcc"];
const crossed = crossCompilers.every(has);
if (!crossed)
  console.warn(`${crossCompilers.join(" or ")} is not installed: tests of cross compilers are skipped`);

const opened: Toolchains[] = [];
async function open(options: Parameters<typeof createToolchains>[0] = {}): Promise<Toolchains> {
  const toolchains = createToolchains({ pollMs: 3_600_000, ...options });
  await toolchains.look();
  opened.push(toolchains);
  return toolchains;
}
afterEach(() => {
  for (const toolchains of opened.splice(0)) toolchains.stop();
});

describe("toolchains of this machine", () => {
  let home: string;
  let cacheFile: string;
  let first: Toolchains;
  beforeAll(async () => {
    home = await mkdtemp(path.join(tmpdir(), "swarmd-toolchains-"));
    cacheFile = path.join(home, "toolchains.json");
    first = createToolchains({ cacheFile, pollMs: 3_600_000 });
    await first.look();
    first.stop();
  });
  afterAll(() => rm(home, { recursive: true }));

  it("have a fingerprint each, sorted by name", () => {
    const names = Object.keys(first.offers);
    expect(names).toContain("sh");
    expect(names).toEqual([...names].sort());
    expect(new Set(Object.values(first.offers)).size).toBe(names.length);
    for (const fingerprint of Object.values(first.offers)) {
      expect(readOffer(fingerprint).said).toMatch(/^[0-9a-f]{20}$/);
      expect(fingerprint.length).toBeLessThanOrEqual(128);
    }
  });

  it("say their versions as their own --version does", () => {
    const { stdout } = spawnSync("make", ["--version"], { encoding: "utf8" });
    const said = /^GNU Make ([0-9.]+)/.exec(stdout ?? "")?.[1];
    expect(first.offers.make && readOffer(first.offers.make).version).toBe(said);
  });

  it.skipIf(!has("gcc"))("of compilers say the target, which is the machine's for its own", () => {
    expect(readOffer(first.offers.gcc!)).toMatchObject({
      target: first.target,
      version: spawnSync("gcc", ["-dumpfullversion"], { encoding: "utf8" }).stdout.trim(),
    });
  });

  it.skipIf(!crossed)(
    "are compilers for other targets too, found by their names, and their own by fingerprint",
    () => {
      const targets = targetsOf(first.target, first.offers);
      expect(targets).toEqual(expect.arrayContaining(["aarch64-linux-gnu", "riscv64-linux-gnu"]));
      expect(targets[0]).toBe(first.target);
      const [gcc, arm, riscv] = ["gcc", ...crossCompilers].map((name) => readOffer(first.offers[name]!));
      expect(gcc!.version).toBe(arm!.version);
      expect(new Set([gcc!.said, arm!.said, riscv!.said]).size).toBe(3);
      expect(Object.keys(first.offers)).toContain("aarch64-linux-gnu-ar");
    },
  );

  it("are taken from the cache as long as their programs are the same", async () => {
    const cache = JSON.parse(await readFile(cacheFile, "utf8"));
    const key = Object.keys(cache.answers).find((one) => one.startsWith('["sh"'))!;
    cache.answers[key].said = "0".repeat(20);
    await writeFile(cacheFile, JSON.stringify(cache));
    expect(readOffer((await open({ cacheFile })).offers.sh!).said).toBe("0".repeat(20));
    const [file] = Object.keys(cache.answers[key].stamps);
    cache.answers[key].stamps[file!] = "of another time";
    await writeFile(cacheFile, JSON.stringify(cache));
    expect((await open({ cacheFile })).offers).toEqual(first.offers);
  });

  it("are asked anew when the cache is damaged", async () => {
    await writeFile(cacheFile, '{"version": 3, "answers": 7');
    expect((await open({ cacheFile })).offers).toEqual(first.offers);
  });

  it("stand on a target that names cpu, kernel and C library", async () => {
    expect(await probeTarget()).toMatch(/^[a-z0-9_]+-linux-[a-z0-9]+$/);
  });
});

describe("toolchains that the owner declared", () => {
  let prefix: string;
  let clock = 0;
  beforeEach(async () => {
    prefix = await mkdtemp(path.join(tmpdir(), "swarmd-prefix-"));
    mkdirSync(path.join(prefix, "bin"));
  });
  afterEach(async () => {
    for (const folder of [prefix, `${prefix}-cache`]) await rm(folder, { recursive: true, force: true });
  });

  const install = (name: string, script: string) => {
    const file = path.join(prefix, "bin", name);
    writeFileSync(file, `#!/bin/sh\n${script}\n`);
    chmodSync(file, 0o755);
    // However coarse the clock of the file system is.
    utimesSync(file, 1_700_000_000, 1_700_000_000 + clock++);
  };
  const compiler = (version: string, more = "") =>
    `case "$1" in --version) echo "mycc (Mine) ${version}";; -dumpmachine) echo arm-none-eabi;; *) exit 1;; esac ${more}`;
  const pin = (toolchains: Toolchains, name: string, exact = false) => ({
    [name]: pinOf({ name, bounds: [], exact }, toolchains.offers[name])!,
  });

  it("are offered under their names, with what they compile for, and bring their folder along", async () => {
    install("gcc-99", compiler("99.1"));
    install("mytool", "echo mytool 3.4");
    const toolchains = await open({
      declared: { "gcc-99": prefix, mytool: { prefix, program: "bin/mytool" } },
    });
    expect(readOffer(toolchains.offers["gcc-99"]!)).toMatchObject({
      version: "99.1",
      target: "arm-none-eabi",
    });
    expect(readOffer(toolchains.offers.mytool!)).toMatchObject({ version: "3.4" });
    expect(toolchains.roomFor(["mytool", "gcc-99", "sh"])).toEqual({ prefixes: [prefix] });
    expect(toolchains.roomFor(["sh"])).toEqual({ prefixes: [] });
    expect(targetsOf(toolchains.target, toolchains.offers)).toContain("arm-none-eabi");
  });

  it("are noticed when they are installed, upgraded and removed, without a restart", async () => {
    const toolchains = await open({ declared: { mytool: prefix } });
    let changes = 0;
    toolchains.watch(() => changes++);
    expect(toolchains.offers.mytool).toBeUndefined();
    install("mytool", "echo mytool 1.0");
    await toolchains.look();
    expect(readOffer(toolchains.offers.mytool!).version).toBe("1.0");
    install("mytool", "echo mytool 1.1");
    await toolchains.look();
    expect(readOffer(toolchains.offers.mytool!).version).toBe("1.1");
    await rm(path.join(prefix, "bin/mytool"));
    await toolchains.look();
    expect(toolchains.offers.mytool).toBeUndefined();
    expect(changes).toBe(3);
    await toolchains.look();
    expect(changes).toBe(3);
  });

  it("are offered though one who hears of it fails, and what is exact of them is read on", async () => {
    install("mytool", "echo mytool 1.0");
    const said: string[] = [];
    const log = { info: () => {}, warn: (_: unknown, text?: string) => void said.push(text ?? "") };
    const toolchains = await open({ declared: { mytool: prefix }, log });
    let heard = 0;
    toolchains.watch(() => {
      throw new Error("no room");
    });
    toolchains.watch(() => heard++);
    await toolchains.readFiles(["mytool"]);
    expect(readOffer(toolchains.offers.mytool!).exact).toBeDefined();
    install("mytool", "echo mytool 1.1");
    await toolchains.look();
    await toolchains.readFiles([]);
    expect(readOffer(toolchains.offers.mytool!)).toMatchObject({ version: "1.1", exact: expect.any(String) });
    expect(heard).toBe(3);
    expect(said).toHaveLength(3);
  });

  it("are looked at again before a run: another version, or none, is said with its reason", async () => {
    install("mytool", "echo mytool 1.0");
    const toolchains = await open({ declared: { mytool: prefix } });
    const granted = pin(toolchains, "mytool");
    expect(await toolchains.check(granted)).toBeUndefined();
    install("mytool", "echo mytool 2.0");
    expect(await toolchains.check(granted)).toMatch(/^mytool 1\.0 \[.{8}\] → 2\.0 \[.{8}\]$/);
    expect(await toolchains.check(pin(toolchains, "mytool"))).toBeUndefined();
    install("mytool", "echo mytool 1.0");
    expect(await toolchains.check(granted)).toBeUndefined();
    await rm(path.join(prefix, "bin/mytool"));
    expect(await toolchains.check(granted)).toBe("mytool is not there any more");
  });

  it("that say the same and hold other bytes are told apart where the demand is exact, and share no key", async () => {
    install("gcc-99", compiler("99.1"));
    const toolchains = await open({ declared: { "gcc-99": prefix } });
    expect(pin(toolchains, "gcc-99", true)["gcc-99"]).toBeUndefined();
    await toolchains.readFiles(["gcc-99", "is-no-tool"]);
    const [plain, exact] = [pin(toolchains, "gcc-99"), pin(toolchains, "gcc-99", true)];
    install("gcc-99", compiler("99.1", "# patched"));
    await toolchains.look();
    expect(pin(toolchains, "gcc-99")).toEqual(plain);
    const patched = pin(toolchains, "gcc-99", true);
    expect(patched).not.toEqual(exact);
    expect(await toolchains.check(plain)).toBeUndefined();
    expect(await toolchains.check(patched)).toBeUndefined();
    expect(await toolchains.check(exact)).toMatch(/gcc-99/);
    const keyOf = (pins: Record<string, string>) =>
      actionKey(
        { argv: ["x"], env: {}, outputs: [], timeoutMs: 1, cache: true, platform: platformOf(pins) },
        digestOf(new Uint8Array()),
      ).key;
    expect(new Set([plain, exact, patched].map(keyOf)).size).toBe(3);
  });

  it("notices under an exact demand what changes beside the program itself", async () => {
    install("gcc-99", compiler("99.1"));
    mkdirSync(path.join(prefix, "include"));
    const toolchains = await open({ declared: { "gcc-99": prefix } });
    await toolchains.readFiles(["gcc-99"]);
    const before = pin(toolchains, "gcc-99", true);
    writeFileSync(path.join(prefix, "include/a.h"), "int a;");
    await toolchains.readFiles([]);
    expect(pin(toolchains, "gcc-99", true)).not.toEqual(before);
    expect(await toolchains.check(before)).toBeDefined();
  });

  it("are read exactly also for who asks before the first look is over", async () => {
    install("mytool", "echo mytool 1.0");
    const toolchains = createToolchains({ declared: { mytool: prefix }, pollMs: 3_600_000 });
    try {
      const asked = toolchains.readFiles(["mytool"]);
      await Promise.all([toolchains.look(), asked]);
      expect(readOffer(toolchains.offers.mytool!).exact).toBeDefined();
    } finally {
      toolchains.stop();
    }
  });

  it("keep what was asked for exactly over a start", async () => {
    install("mytool", "echo mytool 1.0");
    const cacheFile = path.join(`${prefix}-cache`, "cache.json");
    mkdirSync(path.dirname(cacheFile));
    const one = await open({ declared: { mytool: prefix }, cacheFile });
    await one.readFiles(["mytool"]);
    const two = await open({ declared: { mytool: prefix }, cacheFile });
    // thousands of files: a start has more urgent things to do
    expect(readOffer(two.offers.mytool!).exact).toBeUndefined();
    await two.readFiles([]);
    expect(readOffer(two.offers.mytool!).exact).toBe(readOffer(one.offers.mytool!).exact);
  });

  it.each([
    ["floods its output", "yes"],
    ["says nothing and fails", "exit 3"],
    ["says nothing it could be known by", ":"],
    ["answers with a megabyte on one line", "head -c 40000 /dev/zero | tr '\\0' x"],
  ])("whose program %s costs nothing but its own place", async (_, script) => {
    install("mytool", script);
    const { offers } = await open({ declared: { mytool: prefix } });
    expect((offers.mytool ?? "").length).toBeLessThanOrEqual(128);
    expect(offers.sh).toBeDefined();
  });

  it.each([
    ["/", false],
    ["/etc/x", false],
    ["/work", false],
    ["/tmp", false],
    ["relative", false],
    ["/opt/../etc", false],
    ["/opt/gcc-14", true],
    ["/home/me/cc", true],
    [null, true],
  ])("lie where the box has room: %s", (folder, fits) => {
    expect(declaredToolsSchema.safeParse({ mycc: folder }).success).toBe(fits);
  });
});

describe("the version in what a tool says", () => {
  it.each([
    ["gcc (Debian 12.2.0-14+deb12u1) 12.2.0\nCopyright", "12.2.0"],
    ["gcc (Gentoo 13.3.1_p20241220 p2) 13.3.1 20241220", "13.3.1"],
    ["Debian clang version 14.0.6\nTarget: x86_64-pc-linux-gnu", "14.0.6"],
    ["GNU ld (GNU Binutils for Debian) 2.40", "2.40"],
    ["go version go1.21.5 linux/amd64", "1.21.5"],
    ["v24.21.0", "24.21.0"],
    ["rustc 1.75.0 (82e1608df 2023-12-21)", "1.75.0"],
    ['openjdk version "17.0.15" 2025-04-15', "17.0.15"],
    ["This is perl 5, version 36, subversion 0 (v5.36.0) built for x86_64", "5.36.0"],
    ["Copyright (c) 1990-2008 Info-ZIP\nThis is Zip 3.0 (July 5th 2008)", "3.0"],
    ["bzip2, a block-sorting file compressor.  Version 1.0.8, 13-Jul-2019.", "1.0.8"],
    ["GNU bash, version 5.2.15(1)-release", "5.2.15"],
    ["nothing to see", undefined],
    ["", undefined],
    [undefined, undefined],
  ])("%j: %s", (text, version) => expect(versionIn(text)).toBe(version));
});
