import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { FilesFormat } from "../../node/release/formats/files.ts";
import { layOut, released } from "./channel.ts";

test("a plain folder is checked by sha256sum, whatever its files are called", async () => {
  const dir = await mkdtemp(path.join(tmpdir(), "swarmd-files-"));
  try {
    const files = {
      a: Buffer.from("one"),
      "with\nbreak": Buffer.from("two"),
      "back\\slash": Buffer.from("three"),
    };
    const blobs = await released(path.join(dir, "blobs"), files);
    const folder = path.join(dir, "shown");
    await layOut(new FilesFormat(), folder, blobs);
    for (const { path: name, file } of blobs) await writeFile(path.join(folder, name), await readFile(file));
    const check = () =>
      execFileSync("sha256sum", ["--check", "--strict", "SHA256SUMS"], { cwd: folder, stdio: "pipe" });
    expect(check().toString().match(/OK$/gm)).toHaveLength(3);
    const manifest = JSON.parse((await readFile(path.join(folder, "manifest.json"))).toString());
    expect(manifest).toMatchObject({ channel: "stable", epoch: 1, at: "2026-01-02T03:04:05.000Z" });
    await writeFile(path.join(folder, "a"), "on");
    expect(check).toThrow();
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
