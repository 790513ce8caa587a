import { mkdir, mkdtemp, rename, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Listener } from "../../node/listener.ts";
import { GentooFormat } from "../../node/release/formats/gentoo.ts";
import { Readings } from "../../node/release/formats/readings.ts";
import { serveBinhost } from "../../node/release/serve.ts";
import { servedPath } from "../../node/release/served-path.ts";
import { shelvesOf } from "../../node/release/shelves.ts";
import { atMs, layOut, released } from "./channel.ts";
import { readBinhost } from "./gentoo-reader.ts";
import { demoMetadata, gpkgOf } from "./packages.ts";

let dir: string;
let listener: Listener;
let url: string;
const older: string[] = [];
beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "swarmd-serve-"));
  await mkdir(path.join(dir, "files/sub"), { recursive: true });
  await writeFile(path.join(dir, "secret"), "secret");
  await writeFile(path.join(dir, "files/.hidden"), "secret");
  await writeFile(path.join(dir, "files/text"), "0123456789");
  await writeFile(path.join(dir, "files/a b%#?é"), "odd");
  await utimes(path.join(dir, "files/text"), atMs / 1000, atMs / 1000);
  await symlink("text", path.join(dir, "files/inside"));
  await symlink("../secret", path.join(dir, "files/outside"));
  await symlink("loop", path.join(dir, "files/loop"));
  const foldersOf = (channel: string) =>
    channel === "files"
      ? [path.join(dir, "files")]
      : channel === "stable"
        ? [path.join(dir, "current"), ...older]
        : [];
  listener = await serveBinhost("127.0.0.1:0", { foldersOf });
  url = `http://${listener.address}`;
});
afterAll(async () => {
  await listener.close();
  await rm(dir, { recursive: true, force: true });
});

const get = (name: string, headers: Readonly<Record<string, string>> = {}, method = "GET") =>
  fetch(`${url}/${name}`, { headers, method });

/** What comes back for these very bytes, until the other side ends. */
function raw(bytes: string): Promise<string> {
  const [host, port] = listener.address.split(":");
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), host);
    let said = "";
    socket.setEncoding("latin1").on("data", (text: string) => {
      said += text;
    });
    socket.on("close", () => resolve(said)).on("error", reject);
    socket.write(bytes, "latin1");
  });
}
const status = (said: string) => Number(/^HTTP\/1\.1 (\d{3})/.exec(said)?.[1]);
const head = "Host: x\r\nConnection: close\r\n\r\n";

describe("a binhost", () => {
  test("serves a file with its date, a tag and its length; HEAD is the same without it", async () => {
    const whole = await get("files/text");
    expect(await whole.text()).toBe("0123456789");
    const without = await get("files/text", {}, "HEAD");
    expect(await without.text()).toBe("");
    for (const { headers, status: code } of [whole, without]) {
      expect(code).toBe(200);
      expect(headers.get("last-modified")).toBe(new Date(atMs).toUTCString());
      expect(headers.get("etag")).toMatch(/^"[0-9a-f]+-a"$/);
      expect(headers.get("content-length")).toBe("10");
      expect(headers.get("accept-ranges")).toBe("bytes");
      expect(headers.get("cache-control")).toBe("no-cache");
    }
  });

  test("serves ranges, and says so where there is nothing at that place", async () => {
    const part = await get("files/text", { range: "bytes=3-5" });
    expect([part.status, await part.text()]).toEqual([206, "345"]);
    expect(part.headers.get("content-range")).toBe("bytes 3-5/10");
    expect(await (await get("files/text", { range: "bytes=-2" })).text()).toBe("89");
    expect((await get("files/text", { range: "bytes=20-" })).status).toBe(416);
    const tag = part.headers.get("etag")!;
    expect((await get("files/text", { range: "bytes=0-1", "if-range": tag })).status).toBe(206);
    expect((await get("files/text", { range: "bytes=0-1", "if-range": '"other"' })).status).toBe(200);
  });

  test("answers conditions as an index's client asks them", async () => {
    // Else fetch asks for what no cache has.
    const asCached = { "cache-control": "max-age=0" };
    const since = (ms: number) =>
      get("files/text", { ...asCached, "if-modified-since": new Date(ms).toUTCString() });
    expect((await since(atMs)).status).toBe(304);
    expect((await since(atMs + 5000)).status).toBe(304);
    expect((await since(atMs - 1000)).status).toBe(200);
    const tag = (await get("files/text")).headers.get("etag")!;
    expect((await get("files/text", { ...asCached, "if-none-match": tag })).status).toBe(304);
    expect((await get("files/text", { ...asCached, "if-none-match": '"other"' })).status).toBe(200);
  });

  test("knows odd names, and links that stay inside", async () => {
    expect(await (await get(`files/${encodeURIComponent("a b%#?é")}`)).text()).toBe("odd");
    expect(await (await get("files/inside")).text()).toBe("0123456789");
    expect(await (await get("files/text?x=../secret")).text()).toBe("0123456789");
  });

  test("has nothing but files of channels: no lists, nothing hidden, nothing outside", async () => {
    for (const name of [
      "",
      "files",
      "files/",
      "files/sub",
      "files/sub/",
      "files/.hidden",
      "files/none",
      "files/text/x",
    ])
      expect((await get(name)).status, name).toBe(404);
    for (const name of ["files/outside", "files/loop", "other/text", "__proto__/text", "constructor/name"])
      expect((await get(name)).status, name).toBe(404);
  });

  const climbing = [
    "/files/../secret",
    "/files/sub/../../secret",
    "/files/%2e%2e/secret",
    "/files/%2E%2E%2Fsecret",
    "/files/..%2fsecret",
    "/files/..%5csecret",
    "/files/..\\secret",
    "/files/%252e%252e/secret",
    "/files/%c0%ae%c0%ae/secret",
    "/files/text%00.txt",
    "/files//text",
    "//files/text",
    "/files/%",
    "/files/%ff",
    "/files/./text",
    "/%2e%2e/secret",
    `/files/${"a/".repeat(900)}`,
    `/files/${"a".repeat(300)}`,
    "*",
    "files/text",
  ];
  for (const target of climbing)
    test(`gives nothing for ${target.slice(0, 40)}`, async () => {
      const said = await raw(`GET ${target} HTTP/1.1\r\n${head}`);
      expect([400, 404]).toContain(status(said));
      expect(said).not.toContain("secret");
      expect(said).not.toContain("0123456789");
    });

  test("refuses other methods, bodies, lengths that lie, heads that are too large, and what is no HTTP", async () => {
    for (const method of ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"])
      expect(status(await raw(`${method} /files/text HTTP/1.1\r\n${head}`)), method).toBe(405);
    expect(status(await raw(`CONNECT x:80 HTTP/1.1\r\n${head}`))).toBe(405);
    const smuggled = [
      `GET /files/text HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nGET /`,
      `GET /files/text HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 40\r\n\r\nGET /secret HTTP/1.1\r\n`,
      `GET /files/text HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      `GET /files/text HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n`,
      `GET /files/text HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n`,
      `GET /files/text HTTP/1.1\r\nHost : x\r\n\r\n`,
      `GET /files/text HTTP/1.1\r\n\r\n`,
      `GET /files/text\r\n\r\n`,
      `noise\r\n\r\n`,
      `GET /files/text HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n`,
    ];
    for (const bytes of smuggled) {
      const said = await raw(bytes);
      expect(status(said), bytes).toBe(400);
      expect(said).not.toContain("0123456789");
      expect(said.match(/^HTTP\/1/gm), bytes).toHaveLength(1);
    }
    expect(status(await raw(`GET /files/text HTTP/1.1\r\nX: ${"x".repeat(9000)}\r\n${head}`))).toBe(431);
    expect(status(await raw(`GET /${"x".repeat(9000)} HTTP/1.1\r\n${head}`))).toBe(431);
    expect(status(await raw(`GET /files/${"x/".repeat(1500)} HTTP/1.1\r\n${head}`))).toBe(414);
    expect(status(await raw(`GET /files/text HTTP/1.1\r\nExpect: 100-continue\r\n${head}`))).toBe(417);
  });

  test("a head that never ends is ended", async () => {
    const patient = listener;
    listener = await serveBinhost("127.0.0.1:0", { foldersOf: () => [] }, 100);
    try {
      expect(status(await raw("GET /files/text HTTP/1.1\r\nHost: x\r\nX-Slow: "))).toBe(408);
    } finally {
      await listener.close();
      listener = patient;
    }
  });

  test("a client of Gentoo's that holds the index before finds its packages, and no other file, while epochs change", async () => {
    const format = new GentooFormat(new Readings(path.join(dir, "readings")));
    const show = async (epoch: number, metadata: Readonly<Record<string, string>>) => {
      const folder = path.join(dir, `epoch-${epoch}`);
      const blobs = path.join(dir, `blobs-${epoch}`);
      const files = await released(blobs, { "demo.gpkg.tar": await gpkgOf({ metadata }) });
      await layOut(format, folder, files, { epoch, at: atMs + epoch * 6000 });
      await symlink(folder, path.join(dir, "next"));
      await rename(path.join(dir, "next"), path.join(dir, "current"));
      return folder;
    };
    const over = async (name: string) => {
      const answer = await get(`stable/${name}`);
      if (answer.status !== 200) return undefined;
      const dated = answer.headers.get("last-modified");
      return {
        body: Buffer.from(await answer.arrayBuffer()),
        lastModifiedMs: dated === null ? undefined : Date.parse(dated),
      };
    };
    const first = await show(1, demoMetadata);
    const held = await readBinhost(over);
    const place = held.packages[0]!.get("PATH")!;
    older.push(first);
    await show(2, { ...demoMetadata, BUILD_TIME: "1700000777" });
    const next = await readBinhost(over, held.timestampS);
    expect(next.packages[0]!.get("PATH")).not.toBe(place);
    const again = await get(`stable/${place}`);
    expect(again.status).toBe(200);
    expect(again.headers.get("cache-control")).toContain("immutable");
    expect(String((await again.arrayBuffer()).byteLength)).toBe(held.packages[0]!.get("SIZE"));
    // An index is of the epoch that is shown, never of one before.
    await rm(path.join(dir, "epoch-2/Packages.gz"));
    expect((await get("stable/Packages.gz")).status).toBe(404);
  });

  test("tells what is wrong with where it should listen", async () => {
    const none = { foldersOf: () => [] };
    for (const address of ["8480", "localhost", "x:99999", "a b:1", ":1"])
      await expect(serveBinhost(address, none), address).rejects.toMatchObject({ code: "usage" });
    await expect(serveBinhost(listener.address, none)).rejects.toMatchObject({ code: "address-in-use" });
  });
});

test("the folders of a channel are the epoch that is shown and then all others, the latest first", async () => {
  const folder = await mkdtemp(path.join(tmpdir(), "swarmd-shelves-"));
  try {
    const { foldersOf } = shelvesOf(folder);
    expect(foldersOf("stable")).toEqual([]);
    for (const name of ["stable/9", "stable/10", "stable/.new-11", "stable/x", "secret"])
      await mkdir(path.join(folder, name), { recursive: true });
    expect(foldersOf("stable")).toEqual([]);
    await symlink("9", path.join(folder, "stable/current"));
    expect(foldersOf("stable").map((one) => path.basename(one))).toEqual(["current", "10", "9"]);
    for (const channel of ["..", ".", "", "stable/9", "STABLE", "x".repeat(40)])
      expect(foldersOf(channel), channel).toEqual([]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test("a target names a channel and a plain path, or nothing", () => {
  expect(servedPath("/c/a/b?x=1#y")).toEqual({ channel: "c", path: "a/b" });
  expect(servedPath("/c/a%2Bb+c")).toEqual({ channel: "c", path: "a+b+c" });
  for (const target of ["/c", "/c/", "/", "", "c/a", "/c/a/", "/.c/a", "/c/\u0007", "http://x/c/a"])
    expect(servedPath(target), target).toBeUndefined();
});
