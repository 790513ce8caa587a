import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import http from "node:http";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Control } from "../../node/control/api.ts";
import { bodyBytesMax, routes } from "../../node/control/routes.ts";
import { type ControlServer, serveControl } from "../../node/control/server.ts";
import { errorCodes } from "../../protocol/kernel/errors.ts";
import { fakePeer } from "../../sim/signer.ts";
import { keyOf } from "../work/facts.ts";
import { hostileBytes } from "./bytes.ts";
import type { Dice } from "./dice.ts";
import { fuzzSlow } from "./fuzz.ts";
import { build } from "./swarm.ts";
import { hostileValue } from "./values.ts";

const atOnce = 25;

let folder: string;
let socketPath: string;
let server: ControlServer;
const faults: unknown[] = [];
const called = new Set<string>();

/** Answers everything, and takes what it is given as it says it comes. */
const control = new Proxy({} as Control, {
  get:
    (_, name: string) =>
    (...given: readonly unknown[]) => {
      called.add(name);
      if (routes[name as keyof typeof routes]?.answer !== "json") return (async function* () {})();
      const bytes = given.find(
        (one) => one !== null && typeof one === "object" && Symbol.asyncIterator in one,
      );
      return (async () => {
        if (bytes) for await (const _ of bytes as AsyncIterable<Uint8Array>);
        return {};
      })();
    },
});

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "swarmd-hostile-"));
  socketPath = path.join(folder, "control.sock");
  server = await serveControl(control, socketPath, { onFault: (fault) => faults.push(fault) });
});
afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});

async function asked(method: string, target: string, body?: string | Uint8Array, headers = {}) {
  const request = http.request({ socketPath, method, path: target, headers, agent: false });
  request.end(body);
  const [response] = (await once(request, "response")) as [http.IncomingMessage];
  const chunks: Uint8Array[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return { status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() };
}

/** Everything still works, and nothing of what came is in what all objects have. */
async function whole(): Promise<void> {
  expect((await asked("GET", "/1/status")).status).toBe(200);
  expect(faults).toEqual([]);
  expect(Object.keys(Object.prototype)).toEqual([]);
}

const requests = [
  "GET /1/status HTTP/1.1\r\nHost: x\r\n\r\n",
  `GET /1/build?build=${build} HTTP/1.1\r\nHost: x\r\n\r\n`,
  'POST /1/submit HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 27\r\n\r\n{"name":"x","priority":"1"}',
  'POST /1/control HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"a":\r\n2\r\n1}\r\n0\r\n\r\n',
  `PUT /1/blob?digest=${encodeURIComponent(keyOf("a"))} HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc`,
].map((text) => Buffer.from(text));

/** Half of them well formed but for what is asked: a server refuses most other bytes before anyone reads them. */
function hostileRequest(dice: Dice): Uint8Array {
  if (dice.once(2)) return hostileBytes(dice, requests, 20_000);
  const [method = "", target = "", ...rest] = dice.pick(requests).toString().split(" ");
  const kept = dice.pick(["/", "/1/", "/1/build?build="]);
  const altered = hostileBytes(dice, [Buffer.from(target.slice(kept.length))], 9000);
  const asked =
    kept +
    Buffer.from(altered)
      .toString("latin1")
      .replace(/[^!-~]/g, "%00");
  const verb = dice.once(4) ? dice.pick(["GET", "PUT", "POST", "DELETE", "OPTIONS"]) : method;
  return Buffer.from([verb, asked, ...rest].join(" "));
}

test("hostile bytes on the control socket are answered or cut off, and the daemon goes on", async () => {
  await fuzzSlow({
    make: hostileRequest,
    run: async (bytes) => {
      const socket = net.connect(socketPath);
      let answer = "";
      socket.on("error", () => {});
      socket.setEncoding("latin1").on("data", (text: string) => {
        answer ||= text.slice(9, 12);
        socket.end();
      });
      socket.write(bytes);
      // Half a request is waited for by a server: once another was answered, who sent it goes away.
      await asked("GET", "/1/status");
      socket.end();
      if (!socket.destroyed) await once(socket, "close");
      return answer.startsWith("2") ? undefined : answer || "cut off";
    },
    atOnce,
  });
  await whole();
});

const bodies: Readonly<Record<string, readonly unknown[]>> = {
  "/1/toolchains": [{ names: ["gcc", "cc"] }],
  "/1/missing": [{ digests: [keyOf("a"), keyOf("b")] }],
  "/1/submit": [{ name: "demo", graph: keyOf("g"), priority: 0 }],
  "/1/control": [{ build, op: "pause", reason: "why", dryRun: true }],
  "/1/operate": [
    { operation: { op: "drain", peer: fakePeer("bob"), now: true } },
    { operation: { op: "reset", build } },
  ],
  "/1/invite": [{ roles: ["builder"], ttlMs: 1000 }],
};

test("altered bodies are taken or refused in words, on every route", async () => {
  await fuzzSlow({
    make: (dice) => {
      const route = dice.pick(Object.keys(bodies));
      const value = hostileValue(dice, bodies[route]!);
      const text = JSON.stringify(value, (_, v) => (v instanceof Uint8Array ? [...v] : v)) ?? "undefined";
      return { route, body: dice.once(5) ? hostileBytes(dice, [Buffer.from(text)], 20_000) : text };
    },
    run: async ({ route, body }) => {
      const { status, text: reply } = await asked("POST", route, body);
      expect([200, 400, 404, 413]).toContain(status);
      if (status === 200) return undefined;
      const { error } = JSON.parse(reply) as { error: { code: string; message: string } };
      expect(Object.keys(errorCodes)).toContain(error.code);
      expect(error.message).not.toContain("the daemon failed");
      return error.code;
    },
    atOnce,
  });
  expect(called.size).toBeGreaterThan(3);
  await whole();
});

test.each([
  [
    "names of what all objects have",
    `{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}`,
    400,
  ],
  ["a nest of a hundred thousand lists", `${"[".repeat(100_000)}${"]".repeat(100_000)}`, 400],
  ["three hundred thousand maps", `{"names":[${"{},".repeat(300_000)}{}]}`, 400],
  ["more than may come", `"${"x".repeat(bodyBytesMax)}"`, 413],
])("a body with %s is refused", async (_, body, status) => {
  expect((await asked("POST", "/1/toolchains", body)).status).toBe(status);
  await whole();
});

test("a bomb of headers is refused, and so is one long line", async () => {
  const many = Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`x-${i}`, "y".repeat(20)]));
  const outcomes = await Promise.all(
    [asked("GET", "/1/status", undefined, many), asked("GET", `/1/status?${"x".repeat(100_000)}`)].map(
      (one) => one.then(({ status }) => status).catch(() => "cut off"),
    ),
  );
  for (const outcome of outcomes) expect(outcome).not.toBe(200);
  await whole();
});
