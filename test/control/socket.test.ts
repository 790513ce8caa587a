import { once } from "node:events";
import { mkdtemp, rm, stat } from "node:fs/promises";
import http from "node:http";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Control } from "../../node/control/api.ts";
import { controlClient } from "../../node/control/client.ts";
import { bodyBytesMax } from "../../node/control/routes.ts";
import { type ControlServer, serveControl } from "../../node/control/server.ts";
import { digestOf } from "../../protocol/kernel/digest.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { type ActionName, type BuildId, type Digest, peerIdOf } from "../../protocol/kernel/ids.ts";
import { patient } from "../patience.ts";
import { MemoryControl } from "./memory.ts";

let folder: string;
let socketPath: string;
let servers: ControlServer[];

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "swarmd-control-"));
  socketPath = path.join(folder, "control.sock");
  servers = [];
});
afterEach(async () => {
  for (const server of servers) await server.close();
  await rm(folder, { recursive: true });
});

async function serve(control: Partial<Control>, options?: Parameters<typeof serveControl>[2]) {
  const server = await serveControl(control as Control, socketPath, options);
  servers.push(server);
  return { server, client: controlClient(socketPath) };
}

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => "no refusal",
    (thrown) => (thrown instanceof SwarmError ? thrown.code : thrown),
  );

async function* chunks(...parts: Uint8Array[]) {
  yield* parts;
}

const never = new AbortController().signal;
const someBuild = "hello-0123456789" as BuildId;

/** One request without the client's manners. */
async function raw(method: string, target: string, body?: string) {
  const request = http.request({ socketPath, method, path: target });
  request.end(body);
  const [response] = (await once(request, "response")) as [http.IncomingMessage];
  let text = "";
  for await (const chunk of response) text += chunk;
  return { status: response.statusCode, error: JSON.parse(text).error };
}

describe("the control socket", () => {
  test("carries every plain answer as the daemon gave it", async () => {
    const memory = new MemoryControl({ nodes: ["alpha", "beta"] });
    const { client } = await serve(memory);
    expect(await client.status()).toEqual(await memory.status());
    expect(await client.nodes()).toEqual(await memory.nodes());
    expect(await client.builds()).toEqual([]);
    expect(await client.doctor()).toEqual(await memory.doctor());
    const sets = [{ demands: ["cc"], action: "compile" }];
    expect(await client.resolveToolchains(sets)).toEqual(await memory.resolveToolchains(sets));
    expect((await client.invite({ roles: ["builder"], ttlMs: 1000 })).ticket).toBe(memory.tickets[0]);
    await client.stop();
    expect(memory.stopped).toBe(true);
  });

  test("carries a person's words as they were said, and what they came to", async () => {
    const heard: unknown[] = [];
    const { client } = await serve({
      operate: async (...word) => {
        heard.push(word);
        return { moved: 2, lost: 1 };
      },
      control: async (...word) => {
        heard.push(word);
        return { moved: 3, lost: 0, build: someBuild };
      },
      queue: async () => [],
    });
    const drain = { op: "drain", peer: peerIdOf(new Uint8Array(32)), now: true } as const;
    const unblock = { op: "unblock", build: someBuild, action: "a" as ActionName } as const;
    expect(await client.operate(drain, { reason: "a fan", dryRun: true })).toEqual({ moved: 2, lost: 1 });
    await client.operate(unblock);
    expect(await client.control(someBuild, "pause", {})).toEqual({ moved: 3, lost: 0, build: someBuild });
    expect(await client.queue()).toEqual([]);
    expect(heard).toEqual([
      [drain, { reason: "a fan", dryRun: true }],
      [unblock, {}],
      [someBuild, "pause", {}],
    ]);
  });

  test("carries refusals with code, message and remedy", async () => {
    const { client } = await serve(new MemoryControl());
    const refusal = await client
      .resolveToolchains([{ demands: ["fortran"], action: "x" }])
      .catch((thrown) => thrown);
    expect(refusal).toBeInstanceOf(SwarmError);
    expect(refusal).toMatchObject({
      code: "no-eligible-node",
      message: "no node can build x, which needs fortran: alpha comes nearest: it lacks fortran",
      remedy: "on alpha: install fortran",
    });
    expect(await codeOf(client.build(someBuild))).toBe("not-found");
    expect(await codeOf(client.watch(someBuild, never)[Symbol.asyncIterator]().next())).toBe("not-found");
  });

  test("says a fault of ours as a refusal and tells the daemon of it", async () => {
    const onFault = vi.fn();
    const { client } = await serve({ status: () => Promise.reject(new TypeError("oops")) }, { onFault });
    expect(await codeOf(client.status())).toBe("refused");
    expect(onFault).toHaveBeenCalledWith(expect.any(TypeError), "status");
  });

  test("carries blobs of several megabytes both ways, and the empty one", async () => {
    const memory = new MemoryControl();
    const { client } = await serve(memory);
    for (const size of [0, 1, 5_000_000]) {
      const bytes = Buffer.alloc(size, "x");
      const digest = digestOf(bytes);
      await client.putBlob(digest, chunks(bytes));
      expect(await client.missingBlobs([digest])).toEqual([]);
      const parts: Uint8Array[] = [];
      for await (const part of client.getBlob(digest)) parts.push(part);
      expect(Buffer.concat(parts).equals(bytes)).toBe(true);
    }
  });

  test("refuses a blob whose bytes are others, or more, than its digest says", async () => {
    const { client } = await serve(new MemoryControl());
    const digest = digestOf(Buffer.from("right"));
    expect(await codeOf(client.putBlob(digest, chunks(Buffer.from("wrong"))))).toBe("blob-corrupt");
    expect(await codeOf(client.putBlob(digest, chunks(Buffer.alloc(9_000_000))))).toBe("too-large");
    const parts = client.getBlob(digest)[Symbol.asyncIterator]();
    expect(await codeOf(parts.next() as Promise<unknown>)).toBe("blob-missing");
  });

  test("lets an error of the uploaded source through as it is", async () => {
    const { client } = await serve(new MemoryControl());
    const fault = Object.assign(new Error("gone"), { code: "ENOENT" });
    // biome-ignore lint/correctness/useYield: a source that breaks before its first chunk
    async function* broken(): AsyncGenerator<Uint8Array> {
      throw fault;
    }
    expect(await client.putBlob(digestOf(Buffer.from("x")), broken()).catch((thrown) => thrown)).toBe(fault);
  });

  test("asks for any number of missing blobs", async () => {
    const { client } = await serve(new MemoryControl());
    const digests = Array.from(
      { length: 25_000 },
      (_, i) => `${i.toString(16).padStart(64, "0")}/1` as Digest,
    );
    expect(await client.missingBlobs(digests)).toEqual(digests);
  });

  test("breaks off a blob that breaks off on the daemon's side, as an error", async () => {
    async function* half() {
      yield Buffer.alloc(100);
      throw new SwarmError("blob-corrupt", "the disk lies");
    }
    const { client } = await serve({ getBlob: half });
    const read = async () => {
      for await (const _ of client.getBlob(digestOf(Buffer.alloc(200)))) {
      }
    };
    expect(await codeOf(read())).toBe("daemon-unreachable");
  });
});

describe("a stream", () => {
  test("ends when the daemon's ends", async () => {
    const memory = new MemoryControl();
    const { client } = await serve({
      ...memory,
      async *logs() {
        for (let i = 0; i < 1000; i++)
          yield { node: "alpha", build: someBuild, action: "a" as never, stream: "stdout", text: `${i}\n` };
      },
    });
    const seen: string[] = [];
    for await (const chunk of client.logs({ subject: { build: someBuild }, follow: false }, never))
      seen.push(chunk.text);
    expect(seen).toHaveLength(1000);
    expect(seen.at(-1)).toBe("999\n");
  });

  test("passes build, action, node and follow on", async () => {
    const asked: unknown[] = [];
    const { client } = await serve({
      // biome-ignore lint/correctness/useYield: an empty stream
      async *logs(request) {
        asked.push(request);
      },
    });
    const subjects = [
      { build: someBuild },
      { build: someBuild, action: "a b/&c" as never },
      { node: "beta" },
    ];
    for (const subject of subjects)
      for await (const _ of client.logs({ subject, follow: false }, never)) expect.unreachable();
    for await (const _ of client.logs({ subject: { node: "beta" }, follow: true }, never))
      expect.unreachable();
    expect(asked).toEqual([
      ...subjects.map((subject) => ({ subject, follow: false })),
      { subject: { node: "beta" }, follow: true },
    ]);
  });

  test("carries a refusal in its middle", async () => {
    async function* torn() {
      yield { kind: "end" } as never;
      throw new SwarmError("timed-out", "enough");
    }
    const { client } = await serve({ watch: torn });
    const events = client.watch(someBuild, never)[Symbol.asyncIterator]();
    await events.next();
    expect(await codeOf(events.next())).toBe("timed-out");
  });

  test("stops the daemon's side when the client leaves by its signal", async () => {
    const ended = Promise.withResolvers<boolean>();
    const { client } = await serve({
      async *watch(_, signal) {
        yield { kind: "end" } as never;
        await once(signal, "abort");
        ended.resolve(signal.aborted);
      },
    });
    const leaving = new AbortController();
    const seen: unknown[] = [];
    for await (const event of client.watch(someBuild, leaving.signal)) {
      seen.push(event);
      leaving.abort();
    }
    expect(seen).toHaveLength(1);
    expect(await ended.promise).toBe(true);
  });

  test("stops the daemon's side when the client just stops reading", async () => {
    const ended = Promise.withResolvers<void>();
    const { client } = await serve({
      async *watch(_, signal) {
        yield { kind: "end" } as never;
        await once(signal, "abort");
        ended.resolve();
      },
    });
    for await (const _ of client.watch(someBuild, never)) break;
    await ended.promise;
  });

  test("does not run ahead of a reader that is slow", async () => {
    let made = 0;
    const text = "x".repeat(60_000);
    const { client } = await serve({
      async *logs() {
        for (; made < 2000; made++)
          yield { node: "alpha", build: someBuild, action: "a" as never, stream: "stdout", text };
      },
    });
    const chunksOf = client
      .logs({ subject: { node: "alpha" }, follow: false }, never)
      [Symbol.asyncIterator]();
    await chunksOf.next();
    // 2000 chunks are 120 MB: far more than the buffers on the way hold.
    let before = -1;
    await vi.waitFor(() => {
      const settled = made === before;
      before = made;
      expect(settled).toBe(true);
    }, patient);
    expect(made).toBeLessThan(200);
    await chunksOf.return?.();
  });

  test("tells of each look of a person, and that one who watches still does", async () => {
    let looks = 0;
    const { client } = await serve(
      {
        async *watch(_, signal) {
          await once(signal, "abort");
          yield { kind: "end" } as never;
        },
      },
      { beatMs: 5, onLook: () => looks++ },
    );
    await expect(
      client
        .watch("nonsense" as never, never)
        [Symbol.asyncIterator]()
        .next(),
    ).rejects.toThrow();
    expect(looks).toBe(0);
    const leaving = new AbortController();
    const first = client.watch(someBuild, leaving.signal)[Symbol.asyncIterator]().next();
    await vi.waitFor(() => expect(looks).toBeGreaterThanOrEqual(3), patient);
    leaving.abort();
    await first;
  });

  test("shows that the daemon lives while it has nothing to say", async () => {
    const { client } = await serve(
      {
        async *watch(_, signal) {
          await once(signal, "abort");
          yield { kind: "end" } as never;
        },
      },
      { beatMs: 5 },
    );
    const request = http.request({ socketPath, path: `/1/watch?build=${someBuild}` });
    request.end();
    const [response] = (await once(request, "response")) as [http.IncomingMessage];
    const [beat] = await once(response, "data");
    expect(String(beat)).toMatch(/^\n+$/);
    request.destroy();
    const leaving = new AbortController();
    const events = client.watch(someBuild, leaving.signal)[Symbol.asyncIterator]();
    const first = events.next();
    leaving.abort();
    expect((await first).done).toBe(true);
  });

  test("ends with an error when the daemon closes in its middle", async () => {
    const { client, server } = await serve({
      async *watch(_, signal) {
        yield { kind: "snapshot" } as never;
        await once(signal, "abort");
      },
    });
    const seen: unknown[] = [];
    const reading = (async () => {
      for await (const event of client.watch(someBuild, never)) {
        seen.push(event);
        void server.close();
      }
    })();
    expect(await codeOf(reading)).toBe("daemon-unreachable");
    expect(seen).toHaveLength(1);
  });
});

describe("hostile or foolish requests", () => {
  test.each([
    ["an unknown route", "GET", "/1/secrets", undefined, 404, "not-found"],
    ["a route out of its tree", "GET", "/../../etc/passwd", undefined, 404, "not-found"],
    ["a wrong method", "DELETE", "/1/status", undefined, 400, "usage"],
    ["a read by POST", "POST", "/1/status", "{}", 400, "usage"],
    ["bad JSON", "POST", "/1/submit", "{", 400, "malformed"],
    ["a missing field", "POST", "/1/submit", "{}", 400, "usage"],
    ["an unknown field", "GET", "/1/status?x=1", undefined, 400, "usage"],
    ["a build id that is none", "GET", "/1/build?build=../x", undefined, 400, "usage"],
    ["a digest that is none", "GET", "/1/blob?digest=zz", undefined, 400, "usage"],
    ["logs of nothing", "GET", "/1/logs?follow=true", undefined, 400, "usage"],
    ["logs of two things", "GET", `/1/logs?follow=true&node=a&build=${someBuild}`, undefined, 400, "usage"],
    ["a word nobody knows", "POST", "/1/operate", '{"operation":{"op":"destroy"}}', 400, "usage"],
    ["a word about nothing", "POST", "/1/operate", '{"operation":{"op":"reset"}}', 400, "usage"],
    ["a peer id that is none", "POST", "/1/operate", '{"operation":{"op":"drain","peer":"x"}}', 400, "usage"],
    ["a body beyond the bound", "POST", "/1/submit", `"${"x".repeat(bodyBytesMax)}"`, 413, "too-large"],
  ])("%s is refused with its code", async (_, method, target, body, status, code) => {
    await serve(new MemoryControl());
    const reply = await raw(method, target, body);
    expect(reply).toMatchObject({ status, error: { code } });
  });

  test("bytes that are no HTTP end their connection and nothing else", async () => {
    const { client } = await serve(new MemoryControl());
    const socket = net.connect(socketPath);
    socket.on("error", () => {});
    socket.write("\x16\x03\x01 hello, is this TLS?\r\n\r\n");
    await once(socket, "close");
    expect((await client.status()).swarm.name).toBe("test");
  });
});

describe("the socket's place", () => {
  test("is open to its owner alone, and gone after the end", async () => {
    const { server } = await serve(new MemoryControl());
    expect((await stat(socketPath)).mode & 0o777).toBe(0o600);
    await server.close();
    await expect(stat(socketPath)).rejects.toMatchObject({ code: "ENOENT" });
  });

  test("may lie deeper than the kernel takes paths", async () => {
    const deep = path.join(folder, ...Array(6).fill("d".repeat(200)));
    const { mkdir } = await import("node:fs/promises");
    await mkdir(deep, { recursive: true });
    socketPath = path.join(deep, "control.sock");
    const { client, server } = await serve(new MemoryControl());
    expect((await client.status()).node.name).toBe("alpha");
    await server.close();
    await expect(stat(socketPath)).rejects.toMatchObject({ code: "ENOENT" });
    expect(await codeOf(controlClient(socketPath).status())).toBe("daemon-unreachable");
  });

  test("is taken over from a daemon that was killed", async () => {
    await serve(new MemoryControl());
    const { client } = await serve(new MemoryControl({ nodes: ["beta"] }));
    expect((await client.status()).node.name).toBe("beta");
    // The first one's end leaves the second one's socket where it is.
    await servers[0]?.close();
    expect((await client.status()).node.name).toBe("beta");
  });

  test("without a daemon gives daemon-unreachable and how to start one", async () => {
    const refusal = await controlClient(socketPath)
      .status()
      .catch((thrown) => thrown);
    expect(refusal).toMatchObject({ code: "daemon-unreachable", remedy: "start it: swarmd run" });
    expect(await codeOf(controlClient(path.join(folder, "no", "such", "s")).status())).toBe(
      "daemon-unreachable",
    );
  });

  test("lets an answer under way reach its reader when it closes", async () => {
    const begun = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    const { client, server } = await serve({
      async stop() {
        begun.resolve();
        await go.promise;
      },
    });
    const stopping = client.stop();
    await begun.promise;
    const closed = server.close();
    go.resolve();
    await stopping;
    await closed;
  });
});
