/** A mirror's folder: the contract of its port, and what web servers and owners of such folders count on. */
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { FilesFormat } from "../../node/release/formats/files.ts";
import { openShowcase } from "../../node/release/showcase.ts";
import { openBlobStore } from "../../node/store/blobs.ts";
import { showcaseContract } from "../contract/showcase.ts";
import { patient } from "../patience.ts";
import { publishSteps } from "./publishing.ts";

/** A folder with blobs and what is shown of them. */
async function place() {
  const dir = await mkdtemp(path.join(tmpdir(), "showcase-"));
  const blobs = await openBlobStore(path.join(dir, "blobs"));
  const shown = path.join(dir, "shown");
  return {
    dir,
    shown,
    blobs,
    open: () => openShowcase({ dir: shown, blobs, formats: [new FilesFormat()] }),
    steps: (epoch: number, text: string) => publishSteps(blobs, epoch, "bin/tool", Buffer.from(text)),
    close: () => rm(dir, { recursive: true, force: true }),
  };
}

showcaseContract("a mirror's folder", async () => {
  const { open, steps, blobs, shown, close } = await place();
  return {
    open,
    steps,
    close,
    put: (text) => blobs.put(Buffer.from(text)),
    read: () => readFile(path.join(shown, "stable/current/bin/tool"), "utf8").catch(() => undefined),
    settle: (condition) => vi.waitFor(() => expect(condition()).toBe(true), { ...patient, interval: 1 }),
  };
});

let here: Awaited<ReturnType<typeof place>>;
beforeEach(async () => {
  here = await place();
});
afterEach(() => here.close());

const publish = async (epoch: number, text: string) => {
  const showcase = await here.open();
  for (const step of await here.steps(epoch, text))
    expect(await new Promise((resolve) => showcase.run(step, resolve))).toBe(undefined);
};

test("what is shown may be read by everybody, whatever the daemon's umask", async () => {
  const before = process.umask(0o077);
  try {
    await publish(1, "one");
    await publish(2, "two");
  } finally {
    process.umask(before);
  }
  const others = async (name: string) => (await stat(path.join(here.shown, name))).mode & 0o007;
  for (const folder of [".", "stable", "stable/2", "stable/2/bin"]) expect(await others(folder)).toBe(0o5);
  for (const file of ["bin/tool", "SHA256SUMS", "manifest.json"])
    expect(await others(`stable/current/${file}`)).toBe(0o4);
});

test("what is no channel of the swarm is left as it is, and what a crash left of one is gone", async () => {
  await mkdir(path.join(here.shown, "Packages.d"), { recursive: true });
  await mkdir(path.join(here.shown, "app-misc/greet"), { recursive: true });
  await writeFile(path.join(here.shown, "app-misc/greet/greet-1.gpkg.tar"), "somebody else's");
  await publish(1, "one");
  await mkdir(path.join(here.shown, "stable/.new-2/bin"), { recursive: true });
  const showcase = await here.open();
  expect(showcase.restored().filter(({ current }) => current > 0)).toEqual([
    { channel: "stable", epochs: [1], current: 1 },
  ]);
  expect((await readdir(path.join(here.shown, "stable"))).sort()).toEqual(["1", "current"]);
  expect(await readdir(path.join(here.shown, "app-misc/greet"))).toEqual(["greet-1.gpkg.tar"]);
});

test("how each file was made stands beside it, as the epoch that brought it says", async () => {
  const asked: string[] = [];
  const provenance = async (
    { path: name }: { readonly path: string },
    { epoch }: { readonly epoch: number },
  ) => {
    asked.push(`${name} ${epoch}`);
    return epoch === 3 ? undefined : `${name} came with ${epoch}\n`;
  };
  const open = () =>
    openShowcase({ dir: here.shown, blobs: here.blobs, formats: [new FilesFormat()], provenance });
  for (const [epoch, text] of ["one", "one", "two", "one"].entries()) {
    const showcase = await open();
    for (const step of await here.steps(epoch + 1, text))
      expect(await new Promise((resolve) => showcase.run(step, resolve))).toBe(undefined);
  }
  expect(asked).toEqual(["bin/tool 1", "bin/tool 3"]);
  const folder = path.join(here.shown, "stable/current/provenance");
  const [name, ...others] = await readdir(folder);
  expect(others).toEqual([]);
  expect(name).toMatch(/^[0-9a-f]{64}\.intoto\.jsonl$/);
  expect(await readFile(path.join(folder, name!), "utf8")).toBe("bin/tool came with 1\n");
});

test("a folder that cannot be used is named at the start", async () => {
  await writeFile(here.shown, "a file");
  await expect(here.open()).rejects.toMatchObject({
    code: "home-invalid",
    remedy: expect.stringContaining("binhostPath"),
  });
  const nowhere = { dir: "/proc/nope/shown", blobs: here.blobs, formats: [] };
  await expect(openShowcase(nowhere)).rejects.toMatchObject({ code: "home-invalid" });
});
