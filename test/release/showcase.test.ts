/** A mirror's folder: nothing is seen before the switch, and what a crash left unfinished is gone at the next start. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { FilesFormat } from "../../node/release/formats/files.ts";
import { openShowcase } from "../../node/release/showcase.ts";
import { type DiskBlobs, openBlobStore } from "../../node/store/blobs.ts";
import type { PublishStep } from "../../protocol/contract.ts";
import type { Digest } from "../../protocol/kernel/ids.ts";
import { publishSteps } from "./publishing.ts";

let dir: string;
let blobs: DiskBlobs;
beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "showcase-"));
  blobs = await openBlobStore(path.join(dir, "blobs"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const open = () => openShowcase({ dir: path.join(dir, "shown"), blobs, formats: [new FilesFormat()] });

const steps = (epoch: number, text: string) => publishSteps(blobs, epoch, "bin/tool", Buffer.from(text));

test("an epoch is seen whole after its last step, and at no moment before", async () => {
  const run = async (step: PublishStep) => {
    const showcase = await open();
    return new Promise<unknown>((resolve) => showcase.run(step, resolve));
  };
  const current = () => readFile(path.join(dir, "shown/stable/current/bin/tool"), "utf8").catch(() => "");
  const first = await open();
  for (const step of await steps(1, "one"))
    expect(await new Promise((resolve) => first.run(step, resolve))).toBe(undefined);
  expect(await current()).toBe("one");
  const second = await open();
  for (const step of (await steps(2, "two")).slice(0, -1)) {
    expect(await new Promise((resolve) => second.run(step, resolve))).toBe(undefined);
    expect(await current()).toBe("one");
  }
  const again = await open();
  expect(again.restored()).toEqual([{ channel: "stable", epochs: [1, 2], current: 1 }]);
  expect(await run({ step: "switch", channel: "stable", epoch: 2 })).toBe(undefined);
  expect(await current()).toBe("two");
  await run({ step: "begin", channel: "stable", epoch: 3 });
  await open();
  expect((await readdir(path.join(dir, "shown/stable"))).sort()).toEqual(["1", "2", "current"]);
});

test("a file that this disk lacks stops the step by name", async () => {
  const showcase = await open();
  const digest = `${"0".repeat(64)}/3` as Digest;
  const step: PublishStep = { step: "fill", channel: "stable", epoch: 1, files: [{ path: "a", digest }] };
  const error = await new Promise((resolve) => showcase.run(step, resolve));
  expect(error).toMatchObject({ code: "blob-missing", message: "a is not on this disk" });
});
