/** A release as people make it: staged, finalized on all mirrors, rolled back; one machine away, two away. */
import { readdir, readFile, readlink } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { BuildResult, StatusView } from "../../node/control/api.ts";
import type { ChannelView, EpochView, TaintsView } from "../../node/control/publishing.ts";
import { sha256Hex } from "../../protocol/kernel/digest.ts";
import { until } from "../patience.ts";
import { Farm } from "./farm.ts";

let farm: Farm;
beforeEach(async () => {
  farm = await Farm.open();
});
afterEach(() => farm.close());

const spec = (text: string) =>
  farm.terminal.write(
    "tool.yaml",
    `swarmd: 1\nname: tool\nactions:\n  tool:\n    run: mkdir -p bin; echo ${text} > \${out}\n    out: bin/tool\nrelease: {include: tool}\n`,
  );
const shown = (name: string) => path.join(farm.homeOf(name), "releases", "stable", "current");
const staged = async (name: string) =>
  (await farm.json<readonly Pick<ChannelView, "staged">[]>(name, "staging")).flatMap((c) => c.staged);
const shows = async (name: string) => readFile(path.join(shown(name), "bin", "tool"), "utf8").catch(() => "");

test("what one builds and another finalizes is shown whole by all mirrors, also by one that was away", {
  timeout: 180_000,
}, async () => {
  const names = ["ann", "ben", "cat"];
  await farm.found(...names);
  for (const name of ["ben", "cat"]) await farm.good("ann", "member", "role", name, "+releaser");
  const empty = await farm.run("ann", "finalize");
  expect([empty.code, empty.stderr]).toEqual([4, expect.stringContaining("nothing is staged for stable")]);
  for (const name of names) expect(await farm.good(name, "mirror", "add")).toContain("serves releases");

  const { state } = await farm.json<BuildResult>("ben", "submit", await spec("one"));
  expect(state).toBe("complete");
  await farm.good("ben", "fetch", "tool");
  await until(async () => (await staged("cat"))[0]?.missingHere === 0);
  await until(async () => (await farm.json<StatusView>("ben", "status")).next.command?.[0] === "finalize");
  await until(
    async () => (await farm.json<{ mirrors: unknown[] }>("cat", "mirror", "list")).mirrors.length === 3,
  );
  expect(await farm.good("cat", "finalize")).toContain("epoch 1 of stable is released");
  for (const name of names) await until(async () => (await shows(name)) === "one\n");
  const files = (await readdir(shown("ben"))).sort();
  expect(files).toEqual(["SHA256SUMS", "bin", "manifest.json", "provenance"]);
  expect(await readFile(path.join(shown("ben"), "SHA256SUMS"), "utf8")).toBe(
    `${sha256Hex("one\n")}  bin/tool\n`,
  );

  // Two of three make the next; the third finds it when it is back.
  await farm.kill("ben");
  await farm.json("cat", "submit", await spec("two"));
  await until(async () => (await staged("ann")).length === 1);
  const second = await farm.json<{ epoch: number }>("ann", "finalize", "--reason", "news");
  expect(second.epoch).toBe(2);
  for (const name of ["ann", "cat"]) await until(async () => (await shows(name)) === "two\n");
  expect(await shows("ben")).toBe("one\n");
  await farm.start("ben");
  await until(async () => (await shows("ben")) === "two\n");
  expect(await readlink(shown("ben"))).toBe("2");
  expect(await farm.good("ben", "releases", "diff", "1", "2")).toBe("~ bin/tool\n");

  // What an epoch held comes back as a new one.
  await until(async () => (await farm.json<EpochView[]>("ben", "releases", "list")).length === 2);
  expect(await farm.good("ben", "rollback", "1")).toContain("epoch 3 of stable is released");
  for (const name of names) await until(async () => (await shows(name)) === "one\n");
  const epochs = await farm.json<EpochView[]>("cat", "releases", "list");
  expect(epochs.map((e) => e.voters.length)).toEqual([1, 3, 3]);
  expect(epochs[2]!.atMs).toBeGreaterThanOrEqual(epochs[1]!.atMs + 6000);

  // A minority is told so within seconds, and goes on serving.
  const third = await farm.json<BuildResult>("ann", "submit", await spec("three"));
  await until(async () => (await staged("ann")).length === 1);
  await farm.good("ann", "releases", "pin", "--reason", "a quiet week");
  const { channels } = await farm.json<StatusView>("ann", "status");
  expect(channels).toMatchObject([
    { staged: 1, hindered: expect.stringContaining("ann pinned the channel") },
  ]);
  const pinned = await farm.run("ann", "finalize");
  expect([pinned.code, pinned.stderr]).toEqual([
    4,
    expect.stringContaining("pinned to epoch 3: a quiet week"),
  ]);
  await farm.good("ann", "releases", "unpin");
  for (const name of ["ben", "cat"]) await farm.kill(name);
  const refused = await farm.run("ann", "finalize");
  expect([refused.code, refused.stderr]).toEqual([
    4,
    expect.stringContaining("no quorum: 1 of 3 voters answer, 2 are needed; silent: ben, cat"),
  ]);
  expect(await shows("ann")).toBe("one\n");
  for (const name of ["ben", "cat"]) await farm.start(name);
  await farm.meet(...names);
  // It was killed as soon as ann had said all this, and need not have heard any of it.
  await until(async () => {
    const [channel] = (await farm.json<StatusView>("cat", "status")).channels;
    return channel?.staged === 1 && channel.hindered === null;
  }, "cat's word that what is staged can be released");
  expect((await farm.json<{ epoch: number }>("cat", "finalize")).epoch).toBe(4);
  for (const name of names) await until(async () => (await shows(name)) === "three\n");

  // What a node made that turns out to be broken is found in every epoch that holds it, and not released again without a word.
  const [maker] = Object.keys(third.byNode);
  const tainted = ["taint", "--node", maker!, "--since", "1h", "--reason", "bad memory", "--yes"];
  const held = await farm.json<TaintsView>("ann", ...tainted);
  expect(held.epochs[0]).toMatchObject({ channel: "stable", epoch: 4, current: true, paths: ["bin/tool"] });
  expect(held.builds.map(({ build }) => build)).toContain(third.build);
  for (const name of ["ben", "cat"])
    await until(async () => (await farm.json<TaintsView>(name, "taint")).taints.length === 1);
  await farm.good("ann", "rollback", "1", "--reason", "the last sound one");
  await until(async () => (await farm.json<EpochView[]>("cat", "releases", "list")).length === 5);
  const back = await farm.run("cat", "rollback", "4");
  expect([back.code, back.stderr]).toEqual([4, expect.stringContaining("doubted-builder")]);
});
