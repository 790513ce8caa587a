/** Live output of actions that follow one another in one folder. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createTail, type TailedAction } from "../../node/build/tail.ts";
import type { ActionName, BuildId, ClaimId } from "../../protocol/kernel/ids.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "swarmd-tail-"));
});
afterEach(() => rm(dir, { recursive: true }));

const run = (claim: string, action: string): TailedAction => ({
  claim: claim as ClaimId,
  build: "demo-0123456789" as BuildId,
  action: action as ActionName,
  dir,
});

it("what an action says is told as its own, though another ended a moment ago in the same folder", async () => {
  let running = [run("claim.1", "first")];
  const over = new AbortController();
  const chunks = createTail(() => running)
    .tail({ follow: true }, over.signal)
    [Symbol.asyncIterator]();
  const told = async () => {
    const { value } = await chunks.next();
    return value && [value.action, value.text];
  };
  await writeFile(path.join(dir, "out"), "one");
  expect(await told()).toEqual(["first", "one"]);
  // It says a last word and ends; the folder goes to another before anybody looks.
  await writeFile(path.join(dir, "out"), " and last", { flag: "a" });
  await rm(path.join(dir, "out"));
  await writeFile(path.join(dir, "out"), "two");
  running = [run("claim.2", "second")];
  expect([await told(), await told()]).toEqual([
    ["first", " and last"],
    ["second", "two"],
  ]);
  over.abort();
  expect(await told()).toBeUndefined();
});
