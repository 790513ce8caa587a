import { mkdir, readFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Farm } from "./farm.ts";

let farm: Farm;
beforeEach(async () => {
  farm = await Farm.open();
});
afterEach(async () => {
  await farm.run("pc", "stop");
  await farm.close();
});

interface Said {
  readonly next: { readonly command: string[] | null; readonly why: string };
}

/** What differs from run to run. */
const settled = (text: string) =>
  text
    .replaceAll(farm.terminal.dir, "DIR")
    .replace(/\b(hello)-[0-9a-f]{10}/g, "$1-ID")
    .replace(/(\.\.\/)+[^ ]*specs\//g, "PROJECT/specs/")
    .replace(/\(process \d+\)/g, "(process N)")
    .replace(/\d+(\.\d+)? (ms|s)\b/g, "TIME")
    .replace(/\d+(\.\d+)? (Ki)?B\b/g, "SIZE")
    .replace(/^\[.*\n/gm, "");

/** Of a status: the counts and the proposal. The tables hold what this machine is today. */
const essence = (status: string) =>
  settled(status)
    .split("\n")
    .filter((line) => /^(needed|NEXT| {6}\S|no daemon)/.test(line))
    .join("\n");

test("from an empty machine to fetched results by doing only what status says", {
  timeout: 240_000,
}, async () => {
  await mkdir(farm.homeOf("pc"), { mode: 0o700 });
  const transcript: string[] = [];
  for (let step = 0; step < 8; step++) {
    const status = await farm.good("pc", "status");
    transcript.push(`$ swarmd status\n${essence(status)}\n`);
    const { next } = await farm.json<Said>("pc", "status");
    expect(status).toContain(next.why);
    if (!next.command) break;
    // Typed as it stands: what the human sees after NEXT is that command.
    const shown = /^NEXT {2}swarmd (.*)$/m.exec(status)![1]!;
    expect(shown).toBe(`${next.command.join(" ")} --home pc`);
    const output = await farm.good("pc", ...next.command);
    transcript.push(`$ swarmd ${settled(next.command.join(" "))}\n${settled(output)}`);
  }
  await expect(transcript.join("\n")).toMatchFileSnapshot("../golden/walk.txt");
  expect(await readFile(path.join(farm.terminal.dir, "out/hello/greeting.txt"), "utf8")).toContain("swarm");
});

test("`swarmd next --yes` walks the same way by itself", { timeout: 240_000 }, async () => {
  for (const command of ["init", "run", "submit", "fetch"]) {
    const { next } = await farm.json<Said>("pc", "status");
    expect(next.command?.[0]).toBe(command);
    await farm.good("pc", "next", "--yes");
  }
  expect((await farm.json<Said>("pc", "status")).next.command).toBeNull();
  const unasked = await farm.run("pc", "next");
  expect(unasked.code).toBe(0);
});

test("a failed build leads to the log of what failed, and mended to its results", {
  timeout: 240_000,
}, async () => {
  await farm.good("pc", "init");
  await farm.good("pc", "run", "--detach");
  const spec = (run: string) =>
    farm.terminal.write(
      "s.yaml",
      `swarmd: 1\nname: s\nactions:\n  say:\n    run: ${run}\n    out: said.txt\n`,
    );
  const failed = await farm.run("pc", "submit", await spec("echo no such luck >&2; exit 3"));
  expect(failed.code).toBe(1);
  expect(failed.stdout).toContain("  no such luck\n");
  const { next } = await farm.json<Said>("pc", "status");
  expect(next.command).toEqual(["fix-blocked", expect.stringMatching(/^s-[0-9a-f]{10}$/)]);
  const told = await farm.good("pc", ...next.command!);
  expect(told).toContain("it printed last: no such luck");
  const [, build] = /logs (s-[0-9a-f]{10}) say/.exec(told) ?? [];
  // Once for each of its attempts.
  expect(await farm.good("pc", "logs", build!, "say")).toMatch(/^(no such luck\n)+$/);
  await farm.good("pc", "submit", await spec("echo luck > said.txt"));
  expect((await farm.json<Said>("pc", "status")).next.command?.[0]).toBe("fetch");
});
