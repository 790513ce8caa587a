import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { installInCockpit, packageFolder, removeFromCockpit } from "../../cli/cockpit.ts";

let dir: string;
let built: string;
let folder: string;
beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "swarmd-cockpit-"));
  built = path.join(dir, "built");
  folder = packageFolder(1000, { XDG_DATA_HOME: path.join(dir, "data") });
  await mkdir(path.join(built, "page"), { recursive: true });
  await writeFile(path.join(built, "index.html"), '<meta name="swarmd-gateway-port" content="4780" />');
  await writeFile(path.join(built, "manifest.json"), "{}");
  await writeFile(path.join(built, "page/one.js"), "1");
});
afterAll(() => rm(dir, { recursive: true, force: true }));

test("a package goes where Cockpit looks for those of a user, or of the machine", () => {
  expect(packageFolder(1000, { HOME: "/home/ann" })).toBe("/home/ann/.local/share/cockpit/swarmd");
  expect(packageFolder(0, { HOME: "/root" })).toBe("/usr/local/share/cockpit/swarmd");
});

test("it knows the gateway's port, is put in anew over an earlier one, and goes without a trace", async () => {
  await installInCockpit(built, folder, 4790);
  await writeFile(path.join(folder, "page/old.js"), "0");
  await installInCockpit(built, folder, 4791);
  expect(await readFile(path.join(folder, "index.html"), "utf8")).toContain('content="4791"');
  await expect(readFile(path.join(folder, "page/old.js"))).rejects.toThrow("ENOENT");
  expect(await removeFromCockpit(folder)).toBe(true);
  expect(await removeFromCockpit(folder)).toBe(false);
});

test("a package of somebody else stays, and a page that is not built is said to be so", async () => {
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, "manifest.json"), "{}");
  await expect(installInCockpit(built, folder, 1)).rejects.toMatchObject({ code: "refused" });
  await expect(removeFromCockpit(folder)).rejects.toMatchObject({ code: "refused" });
  await expect(installInCockpit(path.join(dir, "nothing"), folder, 1)).rejects.toMatchObject({
    code: "not-found",
  });
});
