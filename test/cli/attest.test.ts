import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { digestOf } from "../../protocol/kernel/digest.ts";
import { MemoryControl } from "../control/memory.ts";
import { elfOf } from "../release/elves.ts";
import { debOf, demoControl } from "../release/packages.ts";
import { Terminal } from "./terminal.ts";

let terminal: Terminal;
const bytes = Buffer.from("an artifact");
const digest = digestOf(bytes);
beforeAll(async () => {
  terminal = await Terminal.open();
  const control = new MemoryControl();
  const findings = [{ where: "a/path", what: "1 member built it, 2 are wanted" }];
  const part = {
    kind: "too-few-builders",
    points: 10,
    count: 1,
    findings,
    remedy: "build it again",
  } as const;
  control.risk = { score: 10, refuses: true, parts: [part] };
  control.blobs.set(digest, bytes);
  await terminal.serve(control);
});
afterAll(() => terminal.close());

describe("attest", () => {
  test("writes statements that it checks again, and finds one that was changed", async () => {
    expect(await terminal.good("attest", digest, "-o", "a.jsonl")).toBe("1 statement, in a.jsonl\n");
    expect(await terminal.good("attest", "--check", "a.jsonl")).toMatch(
      /^"a\/path","[0-9a-f]{64}": signed by 12D3/,
    );
    const line = JSON.parse(await terminal.good("attest", digest)) as { payload: string };
    const payload = Buffer.from(line.payload, "base64").toString().replace("a/path", "b/path");
    const changed = { ...line, payload: Buffer.from(payload).toString("base64") };
    await writeFile(path.join(terminal.dir, "b.jsonl"), `${JSON.stringify(changed)}\n`);
    const { code, stderr } = await terminal.run("attest", "--check", "b.jsonl");
    expect(code).toBe(4);
    expect(stderr).toContain("does not hold");
  });

  test("says what it takes", async () => {
    for (const args of [[], [digest, "--check", "a.jsonl"], ["--check", "none"]])
      expect((await terminal.run("attest", ...args)).code, args.join(" ")).toBe(2);
  });
});

describe("verify", () => {
  test("alone judges what is staged, as finalize does", async () => {
    const { code, stdout } = await terminal.run("verify");
    expect(code).toBe(4);
    expect(stdout).toBe(
      "risk 10 of 100 for epoch 3 of stable\n  10  too-few-builders, 1 time → build it again\n        a/path: 1 member built it, 2 are wanted\n",
    );
  });

  test("judges packages without a daemon: parts that are explained, 4 from ten on", async () => {
    await mkdir(path.join(terminal.dir, "out"));
    const put = async (name: string, content: Uint8Array) =>
      writeFile(path.join(terminal.dir, "out", name), content);
    await put("good.deb", await debOf());
    const body = elfOf({ machine: 183, interpreter: "/lib/ld-linux-aarch64.so.1" });
    await put("other.deb", await debOf(demoControl, [{ name: "./usr/bin/x", mode: 0o755, body }]));
    await put("noise.deb", Buffer.from("noise"));
    expect(await terminal.good("verify", "out/good.deb")).toBe("risk 0 of 100 for 1 package\n");
    const { code, stdout } = await terminal.run("verify", "out/good.deb", "out/other.deb", "out/noise.deb");
    expect(code).toBe(4);
    expect(stdout).toMatch(/^risk 60 of 100 for 3 packages\n +40 {2}wrong-machine, 1 time/);
    expect(stdout).toContain("out/noise.deb: it is no ar archive, so it is no deb");
    const json = await terminal.run("verify", "out/other.deb", "--target", "aarch64-linux-gnu", "--json");
    expect(JSON.parse(json.stdout)).toEqual({ score: 0, refuses: false, parts: [] });
  });

  test("says what it takes", async () => {
    for (const args of [["none.deb"], ["out"]])
      expect((await terminal.run("verify", ...args)).code, args.join(" ")).toBe(2);
  });
});
