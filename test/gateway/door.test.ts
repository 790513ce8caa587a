import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Gateway, openGateway } from "../../node/gateway/gateway.ts";
import { readToken } from "../../node/gateway/token.ts";
import { MemoryControl } from "../control/memory.ts";
import { raw } from "./raw.ts";

const token = "a-token-of-some-length";
const faults: unknown[] = [];
const common = {
  listen: "127.0.0.1:0",
  hosts: ["build.example"],
  views: new MemoryControl(),
  onFault: (fault: unknown) => faults.push(fault),
};
let open: Gateway;
let guarded: Gateway;
beforeAll(async () => {
  [open, guarded] = await Promise.all([openGateway(common), openGateway({ ...common, token })]);
});
afterAll(async () => {
  await Promise.all([open.close(), guarded.close()]);
  expect(faults).toEqual([]);
});

const ask = (line: string, ...headers: readonly string[]) =>
  raw(open.url, `${[line, ...headers, "Connection: close"].join("\r\n")}\r\n\r\n`);

describe("the door of the gateway", () => {
  test.each([
    ["localhost", 200],
    ["LOCALHOST:4780", 200],
    ["127.0.0.1:9", 200],
    ["[::1]:4780", 200],
    ["build.example:80", 200],
    ["evil.example", 421],
    ["127.0.0.1.evil.example", 421],
    ["localhost.", 421],
    ["192.0.2.7", 421],
    ["", 421],
    ["a b", 421],
  ])("called %j it answers %i", async (host, status) => {
    const answer = await ask("GET /api/v1/ping HTTP/1.1", `Host: ${host}`);
    expect(answer.status).toBe(status);
    if (status === 421) expect(answer.said).toContain("gatewayHosts");
  });

  test("pages of others may not read, its own may", async () => {
    const from = (origin: string) =>
      ask("GET /api/v1/status HTTP/1.1", "Host: localhost:4780", `Origin: ${origin}`);
    expect((await from("http://evil.example")).status).toBe(403);
    expect((await from("null")).status).toBe(403);
    expect((await from("http://localhost:4781")).status).toBe(403);
    const own = await from("http://localhost:4780");
    expect(own.status).toBe(200);
    expect(own.said).not.toMatch(/access-control/i);
  });

  test.each(["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"])(
    "%s changes nothing",
    async (method) => {
      const answer = await ask(
        `${method} /api/v1/queue HTTP/1.1`,
        "Host: localhost",
        "Content-Length: 2",
        "",
        "{}",
      );
      expect(answer.status).toBe(405);
      expect(answer.said).toMatch(/^Allow: GET, HEAD\r$/im);
      expect(answer.said).toContain("swarmd submit");
    },
  );

  test.each(["CONNECT localhost:80", "TRACE /", "BREW /pot"])("%s is refused", async (line) => {
    expect((await ask(`${line} HTTP/1.1`, "Host: localhost")).status).toBeGreaterThanOrEqual(400);
  });

  test.each([
    "/../../etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/..%2f..%2fetc/passwd",
    "/..%5c..%5cetc/passwd",
    "/..\\..\\etc\\passwd",
    "/api/v1/builds/%00",
    "/%",
    "//evil.example/",
    "http://evil.example/",
    "*",
  ])("the path %j leads nowhere", async (target) => {
    const { status } = await ask(`GET ${target} HTTP/1.1`, "Host: localhost");
    expect([400, 404]).toContain(status);
  });

  test("what might be read as another request is refused, and the connection ends", async () => {
    const smuggled = "GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for (const header of [
      `Content-Length: ${smuggled.length}`,
      "Transfer-Encoding: chunked",
      `Content-Length: ${smuggled.length}\r\nTransfer-Encoding: chunked`,
      "Content-Length: 1\r\nContent-Length: 2",
    ]) {
      const { said, status } = await raw(
        open.url,
        `GET /api/v1/ping HTTP/1.1\r\nHost: localhost\r\n${header}\r\n\r\n${smuggled}`,
      );
      expect(status).toBe(400);
      expect(said.match(/HTTP\/1\.1 (?!400)/g)).toBeNull();
    }
  });

  test("long heads and addresses are refused", async () => {
    const long = await ask(`GET /${"a".repeat(7000)}?${"b".repeat(7000)} HTTP/1.1`, "Host: localhost");
    expect([414, 431]).toContain(long.status);
    const heads = await ask("GET / HTTP/1.1", "Host: localhost", `X: ${"y".repeat(20_000)}`);
    expect(heads.status).toBe(431);
  });

  test("every answer forbids what pages of others could do with it", async () => {
    for (const target of ["/", "/api/v1/status", "/nothing", "/metrics"]) {
      const { headers } = await fetch(`${open.url}${target}`);
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.get("content-security-policy")).toContain("default-src 'self'");
      expect(headers.get("access-control-allow-origin")).toBeNull();
      expect(headers.get("set-cookie")).toBeNull();
    }
  });
});

describe("a gateway with a token", () => {
  const get = (target: string, headers = {}) => fetch(`${guarded.url}${target}`, { headers });

  test("shows the page to all, and the rest to who has it", async () => {
    expect((await get("/")).status).toBe(200);
    for (const target of ["/api/v1/status", "/metrics", "/ipfs/bafy", "/nothing"]) {
      const { status, headers } = await get(target);
      expect(status).toBe(401);
      expect(headers.get("www-authenticate")).toContain("Bearer");
    }
    for (const wrong of ["Bearer", `Bearer ${token}x`, `Basic ${token}`, token])
      expect((await get("/api/v1/ping", { authorization: wrong })).status).toBe(401);
    expect((await get("/api/v1/ping", { authorization: `Bearer ${token}` })).status).toBe(200);
  });

  test("is needed where others may come", async () => {
    for (const listen of ["0.0.0.0:0", "[::]:0", "192.0.2.7:80"])
      await expect(openGateway({ ...common, listen })).rejects.toMatchObject({ code: "usage" });
  });

  test("stands in a file that holds something like one", async () => {
    const dir = await mkdtemp(path.join(tmpdir(), "swarmd-token-"));
    const file = path.join(dir, "token");
    await expect(readToken(file)).rejects.toThrow("there is no");
    for (const text of ["short", "with a space in it, yes", ""]) {
      await writeFile(file, text);
      await expect(readToken(file)).rejects.toMatchObject({ code: "usage" });
    }
    await writeFile(file, `${token}\n`);
    expect(await readToken(file)).toBe(token);
    await rm(dir, { recursive: true });
  });
});

test("a second gateway on one machine takes the next port, and says so", async () => {
  const { host } = new URL(open.url);
  const second = await openGateway({ ...common, listen: host });
  try {
    expect(second.isNext).toBe(true);
    expect(second.url).not.toBe(open.url);
    expect(await (await fetch(`${second.url}/api/v1/ping`)).json()).toEqual({ pong: true });
  } finally {
    await second.close();
  }
});
