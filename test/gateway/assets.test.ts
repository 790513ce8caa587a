import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { isPublic, readAssets } from "../../node/gateway/assets.ts";

let folder: string;
const script = "say('hello');\n".repeat(100);
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "swarmd-assets-"));
  await mkdir(path.join(folder, "page"));
  await writeFile(path.join(folder, "index.html"), "<!doctype html>built");
  await writeFile(path.join(folder, "page/main-1.js"), script);
  await writeFile(path.join(folder, "page/notes.secret"), "no type, no answer");
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test("a built page is read whole; what has a digest in its name lasts", () => {
  const assets = readAssets(folder);
  expect([...assets.keys()].sort()).toEqual(["/", "/page/main-1.js"]);
  expect(assets.get("/")).toMatchObject({ isLasting: false, type: "text/html; charset=utf-8" });
  expect(assets.get("/page/main-1.js")).toMatchObject({ isLasting: true });
  for (const url of assets.keys()) expect(isPublic(url)).toBe(true);
  for (const url of ["/api/v1/status", "/page", "/metrics", "/ipfs/page/"]) expect(isPublic(url)).toBe(false);
});

test("it goes out in an encoding that was asked for, where that makes it smaller", () => {
  const assets = readAssets(folder);
  const packed = (accepted?: string) => assets.get("/page/main-1.js")!.packed(accepted);
  expect(brotliDecompressSync(packed("gzip, deflate, br, zstd").body).toString()).toBe(script);
  expect(gunzipSync(packed("GZIP;q=0.5, br;q=0").body).toString()).toBe(script);
  expect(packed("gzip;q=0.5").encoding).toBe("gzip");
  for (const none of [undefined, "", "deflate", "br;q=0.0"]) expect(packed(none).encoding).toBeUndefined();
  expect(assets.get("/")!.packed("gzip").encoding).toBeUndefined();
});

test("where no page is built, one says how to", () => {
  const assets = readAssets(path.join(folder, "nowhere"));
  expect([...assets.keys()]).toEqual(["/"]);
  expect(Buffer.from(assets.get("/")!.body).toString()).toContain("npm run build:web");
});
