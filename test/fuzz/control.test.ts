import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import http from "node:http";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Control } from "../../node/control/api.ts";
import { bodyBytesMax, type RouteName, routes } from "../../node/control/routes.ts";
import { type ControlServer, serveControl } from "../../node/control/server.ts";
import { errorCodes } from "../../protocol/kernel/errors.ts";
import { fakePeer } from "../../sim/signer.ts";
import { keyOf } from "../work/facts.ts";
import { hostileBytes } from "./bytes.ts";
import type { Dice } from "./dice.ts";
import { fuzzSlow } from "./fuzz.ts";
import { build } from "./swarm.ts";
import { hostileValue } from "./values.ts";

const atOnce = 100;

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

/** A loop turns so often until whoever reads has read and answered what can be answered. */
const turnsMax = 50;

/** All that comes back for these bytes; empty where the daemon cuts off. What waits for more gets no more. */
function answerTo(bytes: Uint8Array): Promise<string> {
  return new Promise((resolve) => {
    const socket = net.connect(socketPath);
    let answer = "";
    socket.on("error", () => {}).on("close", () => resolve(answer));
    socket.setEncoding("latin1").on("data", (text: string) => {
      answer += text;
    });
    socket.write(bytes);
    let turns = 0;
    const turn = () => {
      if (socket.destroyed) return;
      if (answer !== "" || turns++ >= turnsMax) socket.end();
      else setImmediate(turn);
    };
    setImmediate(turn);
  });
}

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

const digest = keyOf("a");
const someone = fakePeer("bob");
/** What each route may be asked, in its query or its body. */
const questions: Readonly<Record<RouteName, readonly Record<string, unknown>[]>> = {
  status: [{}],
  nodes: [{}],
  builds: [{}],
  build: [{ build }],
  watch: [{ build }],
  logs: [
    { build, follow: "false" },
    { build, action: "a", follow: "true" },
    { node: "ann", follow: "false" },
  ],
  resolveToolchains: [{ sets: [{ demands: ["gcc", "cc >= 12"], action: "a", requires: { cpus: 2 } }] }],
  missingBlobs: [{ digests: [digest, keyOf("b")] }],
  putBlob: [{ digest }],
  getBlob: [{ digest }],
  artifact: [{ word: digest }, { word: "bafkreib" }],
  attest: [{ word: digest }],
  holders: [{ digest }],
  bring: [{ digest }],
  getTree: [{ digest }],
  submit: [{ name: "demo", graph: keyOf("g"), priority: 0 }],
  control: [{ build, op: "pause", reason: "why", dryRun: true }],
  operate: [
    { operation: { op: "drain", peer: someone, now: true } },
    { operation: { op: "reset", build }, reason: "why" },
  ],
  rebuild: [
    { build, share: 0.1 },
    { build, share: 1, action: "a", priority: -10 },
  ],
  rebuilt: [{ check: build }],
  recipe: [{ build, action: "a" }],
  debug: [
    { build, word: { op: "step", actions: ["a"], count: 2 }, reason: "why", dryRun: true },
    { build, word: { op: "break", action: "a", clear: true } },
    { build, word: { op: "place", action: "a", peer: someone } },
    { build, word: { op: "record", count: 3 } },
  ],
  debugging: [{ build }],
  preview: [{ build }, { build, count: "3" }],
  shell: [
    { build, action: "a", terminal: true, term: "xterm" },
    { build, action: "a", terminal: false, command: "ls" },
  ],
  leaveShell: [{ room: "0123456789abcdef", keep: true }],
  why: [{ build, action: "a" }],
  criticalPath: [{ build }],
  autopsy: [{ build }],
  decisions: [
    { build, offset: "0", limit: "9" },
    { build, node: "ann", action: "a", kind: "asked", offset: "3", limit: "1" },
  ],
  sqlTables: [{}],
  sqlSchema: [{}],
  sqlQuery: [{ sql: "select * from builds" }],
  statistics: [{ by: "kind" }, { by: "node", sinceMs: "12" }],
  wire: [{ follow: "false" }, { peer: "ann", kind: "sync", sinceMs: "12", limit: "3", follow: "true" }],
  wireStats: [{}],
  wireDensity: [{}, { sinceMs: "12", steps: "7" }],
  readings: [{ build }],
  replay: [
    { build, steps: "true" },
    { build, atMs: "5", steps: "false" },
  ],
  timeline: [{ follow: "false" }, { build, kinds: "claim,node", sinceMs: "5", limit: "9", follow: "false" }],
  traceBuild: [
    { build, format: "chrome" },
    { build, format: "otlp" },
  ],
  exportBuild: [{ build, logs: "failed", tapes: "true" }],
  queue: [{}],
  releases: [{}],
  releaseManifest: [{ channel: "stable", epoch: "1" }],
  release: [
    { kind: "mirror", op: "add", votes: true },
    { kind: "finalize", channel: "stable", reason: "why" },
    { kind: "rollback", channel: "stable", epoch: 1 },
    { kind: "pin", channel: "stable", epoch: 3, reason: "why" },
    { kind: "drop", channel: "stable", build, reason: "why" },
  ],
  taint: [{ peer: someone, sinceMs: 1, reason: "bad memory" }],
  taints: [{}],
  members: [{}],
  member: [
    { operation: { op: "role", peer: someone, roles: ["builder"] } },
    { operation: { op: "leave", force: true }, reason: "why" },
  ],
  rotate: [{}],
  invite: [{ roles: ["builder"], ttlMs: 1000 }],
  doctor: [{}],
  fleet: [{}],
  reach: [{}],
  collect: [{ dryRun: true }, { unusedMs: 86_400_000 }],
  stop: [{}],
};
const names = Object.keys(routes) as RouteName[];
const everything = Object.values(questions).flat();

function questionFor(dice: Dice, name: RouteName): unknown {
  const own = dice.pick(questions[name]);
  return dice.once(4) ? own : hostileValue(dice, dice.once(6) ? everything : [own, ...questions[name]]);
}

/** JSON of a value, or of nothing. */
const jsonOf = (value: unknown): string =>
  JSON.stringify(value, (_, v) => (v instanceof Uint8Array ? [...v] : v)) ?? "";

/** As it stands behind a question mark. */
const queryOf = (value: unknown): string =>
  value === null || typeof value !== "object"
    ? encodeURIComponent(`${jsonOf(value)}`.toWellFormed())
    : Object.entries(value)
        .map(([key, v]) => `${key}=${typeof v === "string" ? v : jsonOf(v)}`.toWellFormed())
        .map((pair) => pair.split("=").map(encodeURIComponent).join("="))
        .join("&")
        .slice(0, 12_000);

/** What some request says after its first line, where the rest may be wrong. */
function requestOf(verb: string, target: string, body: Uint8Array, saysBytes: number, more = ""): Uint8Array {
  const head = `${verb} ${target} HTTP/1.1\r\nHost: x\r\n${more}Content-Length: ${saysBytes}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head, "latin1"), body]);
}

/** A request that is one, but for what it asks. */
function wrongRequest(dice: Dice): Uint8Array {
  const name = dice.pick(names);
  const { method, path: place } = routes[name];
  const question = questionFor(dice, name);
  const inQuery = method !== "POST";
  const asks = inQuery ? `?${queryOf(question)}` : "";
  const target = dice.once(6)
    ? `/${Buffer.from(hostileBytes(dice, [Buffer.from(place.slice(1))], 9000))
        .toString("latin1")
        .replace(/[^!-~]/g, "%00")}`
    : place;
  const text = Buffer.from(inQuery ? "x".repeat(dice.size(40)) : jsonOf(question));
  const body = dice.once(5) ? hostileBytes(dice, [text], 20_000) : text;
  const verb = dice.once(10) ? dice.pick(["GET", "PUT", "POST", "DELETE", "OPTIONS"]) : method;
  const more = dice.once(5) ? `X-${dice.below(9)}: ${"y".repeat(dice.size(9000))}\r\n` : "";
  const says = dice.once(20) ? dice.below(2 * body.length + 1) : body.length;
  return requestOf(verb, target + asks, body, says, more);
}

/** Some are altered anywhere: a server refuses most of these before anyone reads them. */
const hostileRequest = (dice: Dice): Uint8Array =>
  dice.once(4) ? hostileBytes(dice, [wrongRequest(dice), wrongRequest(dice)], 20_000) : wrongRequest(dice);

test("hostile bytes on the control socket are answered or cut off, and the daemon goes on", async () => {
  called.clear();
  const { refused, taken } = await fuzzSlow({
    make: hostileRequest,
    run: async (bytes) => {
      const status = (await answerTo(bytes)).slice(9, 12);
      return status.startsWith("2") ? undefined : status || "cut off";
    },
    atOnce,
  });
  await whole();
  // Most come to whoever answers, on every route; and no few are answered with a refusal in words.
  expect([...called].sort()).toEqual(names.toSorted());
  expect(taken).toBeGreaterThan(0.1);
  expect(Object.keys(refused)).toEqual(expect.arrayContaining(["400", "404", "cut off"]));
});

test("altered bodies are taken or refused in words, on every route", async () => {
  called.clear();
  const posts = names.filter((name) => routes[name].method === "POST");
  await fuzzSlow({
    make: (dice) => {
      const name = dice.pick(posts);
      const text = Buffer.from(jsonOf(questionFor(dice, name)));
      return { name, body: dice.once(5) ? hostileBytes(dice, [text], 20_000) : text };
    },
    run: async ({ name, body }) => {
      const answer = await answerTo(requestOf("POST", routes[name].path, body, body.length));
      const status = answer.slice(9, 12);
      expect(["200", "400", "404", "413"]).toContain(status);
      if (status === "200") return undefined;
      const reply = answer.slice(answer.indexOf("\r\n\r\n") + 4);
      const { error } = JSON.parse(reply) as { error: { code: string; message: string } };
      expect(Object.keys(errorCodes)).toContain(error.code);
      expect(error.message).not.toContain("the daemon failed");
      return error.code;
    },
    atOnce,
  });
  expect([...called].sort()).toEqual(posts.toSorted());
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
