/** A client reads what a mirror shows all the while it makes a hundred epochs and is killed at each of its steps: no read is torn, nothing is missing, nothing goes back. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, readlink, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Listener } from "../../node/listener.ts";
import { serveBinhost } from "../../node/release/serve.ts";
import { shelvesOf } from "../../node/release/shelves.ts";
import { sha256Hex } from "../../protocol/kernel/digest.ts";
import { patient } from "../patience.ts";

const epochs = 100;
const everyMs = 10;
/** Where the n-th life of the mirror ends: before and after each step, in turn. */
const moments = ["begin", "fill", "index", "keep", "switch", "remove"].flatMap((step) => [
  `before ${step}`,
  `after ${step}`,
]);

let dir: string;
let listener: Listener;
beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "reader-"));
  listener = await serveBinhost("127.0.0.1:0", shelvesOf(path.join(dir, "shown")));
});
afterAll(async () => {
  await listener.close();
  await rm(dir, { recursive: true, force: true });
});

const textOf = (epoch: number): string => `epoch ${epoch}\n`.repeat(2000);
const indexOf = (epoch: number): string => `${sha256Hex(textOf(epoch))}  bin/tool\n`;
const epochBy = new Map(
  Array.from({ length: epochs }, (_, n) => [
    [textOf(n + 1), n + 1],
    [indexOf(n + 1), n + 1],
  ]).flat() as [string, number][],
);

/** In its first lives it makes no more than so many: whoever is to kill it may be slow, and a hundred are to last for all moments. */
const mostInLife = 7;

/** One life: it is killed as soon as it says this, or ends by itself; whether it did. */
async function live(moment: string, most: number): Promise<boolean> {
  const child = spawn(
    process.execPath,
    [path.join(import.meta.dirname, "mirror-process.ts"), dir, String(epochs), String(most)],
    {
      stdio: ["pipe", "pipe", "inherit"],
    },
  );
  const ended = once(child, "close");
  // In its third epoch at the latest: each life makes some.
  let seen = 0;
  for await (const line of createInterface({ input: child.stdout }))
    if (line.startsWith(moment) && ++seen === 3) child.kill("SIGKILL");
  const [code, signal] = await ended;
  if (signal === null) expect(code).toBe(0);
  return signal === null;
}

test("a hundred epochs under kill -9", { timeout: 600_000 }, async () => {
  const wrong: string[] = [];
  const newest = { http: 0, index: 0, folder: 0 };
  let reads = 0;
  const see = (what: keyof typeof newest, text: string) => {
    reads++;
    const epoch = epochBy.get(text);
    if (epoch === undefined) wrong.push(`${what}: torn, ${text.length} bytes`);
    else if (epoch < newest[what]) wrong.push(`${what}: back from ${newest[what]} to ${epoch}`);
    else newest[what] = epoch;
  };
  const get = async (what: "http" | "index", file: string) => {
    const answer = await fetch(`http://${listener.address}/stable/${file}`);
    if (answer.status !== 200) wrong.push(`${what}: ${answer.status}`);
    else see(what, await answer.text());
  };
  let busy = false;
  let begun = false;
  const look = async () => {
    if (busy) return;
    busy = true;
    try {
      const current = path.join(dir, "shown/stable/current");
      const name = await readlink(current).catch(() => undefined);
      begun ||= name !== undefined;
      if (!begun) return;
      if (name === undefined) return void wrong.push("current is not there");
      await get("http", "bin/tool");
      await get("index", "SHA256SUMS");
      const folder = path.join(dir, "shown/stable", name);
      const [tool, index] = await Promise.all(
        ["bin/tool", "SHA256SUMS"].map((file) => readFile(path.join(folder, file), "utf8")),
      );
      see("folder", tool!);
      if (index !== indexOf(Number(name))) wrong.push(`epoch ${name} has another index`);
    } catch (error) {
      wrong.push((error as Error).message);
    } finally {
      busy = false;
    }
  };
  const polling = setInterval(look, everyMs);
  try {
    let lives = 0;
    const mostIn = (life: number) => (life < moments.length ? mostInLife : epochs);
    while (!(await live(moments[lives % moments.length]!, mostIn(lives)))) lives++;
    expect(lives).toBeGreaterThanOrEqual(moments.length);
  } finally {
    clearInterval(polling);
  }
  await expect.poll(() => busy, patient).toBe(false);
  await look();
  expect(wrong).toEqual([]);
  expect(newest).toEqual({ http: epochs, index: epochs, folder: epochs });
  expect(reads).toBeGreaterThan(epochs);
});
