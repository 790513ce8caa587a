/** The command line's side of the control socket: `Control`, spoken to the daemon of one home. */
import { once } from "node:events";
import type { ClientRequest, IncomingMessage, OutgoingHttpHeaders } from "node:http";
import net from "node:net";
import { errorCodes, SwarmError } from "../../protocol/kernel/errors.ts";
import type { Digest } from "../../protocol/kernel/ids.ts";
import { http } from "../http.ts";
import type { ReplayLine, TimelineLine } from "./account.ts";
import type { BringEvent, BuildEvent, Control, LogChunk } from "./api.ts";
import type { WireLine } from "./data.ts";
import {
  answerBytesMax,
  digestsMax,
  lineBytesMax,
  type Route,
  type RouteInputs,
  type RouteName,
  routes,
} from "./routes.ts";
import type { ShellEvent } from "./shells.ts";
import { shortPath } from "./socket.ts";

/**
 * Every method throws `SwarmError`: what the daemon refused, with its code; `daemon-unreachable` when nothing answers or the
 * answer breaks off; `timed-out` when the daemon is silent for longer than the route allows.
 */
export function controlClient(socketPath: string): Control {
  const agent = new SocketAgent(socketPath);

  async function* ask<K extends RouteName>(
    name: K,
    input: RouteInputs[K],
    more: { signal?: AbortSignal; bytes?: AsyncIterable<Uint8Array> } = {},
  ): AsyncGenerator<Uint8Array> {
    const route: Route = routes[name];
    const call = new Call(agent, socketPath, route, input as Record<string, unknown>, more.signal);
    try {
      const response = await call.send(more.bytes);
      if (response.statusCode !== 200) throw await refusalIn(response);
      yield* response as AsyncIterable<Uint8Array>;
      if (!response.complete) throw brokenOff();
    } catch (thrown) {
      if (more.signal?.aborted) return;
      throw call.explain(thrown);
    } finally {
      call.drop();
    }
  }

  async function value<K extends RouteName>(
    name: K,
    input: RouteInputs[K],
    bytes?: AsyncIterable<Uint8Array>,
  ): Promise<Awaited<ReturnType<Control[K]>>> {
    return parse(await collect(ask(name, input, { bytes }), answerBytesMax)) as Awaited<
      ReturnType<Control[K]>
    >;
  }

  async function* lines<T>(parts: AsyncIterable<Uint8Array>): AsyncGenerator<T> {
    for await (const line of split(parts)) {
      const item = parse(line) as T | { error: unknown };
      if (typeof item === "object" && item !== null && "error" in item) throw refusalOf(item.error);
      yield item as T;
    }
  }

  return {
    status: () => value("status", {}),
    nodes: () => value("nodes", {}),
    builds: () => value("builds", {}),
    build: (build) => value("build", { build }),
    watch: (build, signal) => lines<BuildEvent>(ask("watch", { build }, { signal })),
    logs: ({ subject, follow }, signal) => lines<LogChunk>(ask("logs", { ...subject, follow }, { signal })),
    resolveToolchains: (sets) => value("resolveToolchains", { sets }),
    async missingBlobs(digests) {
      const missing: Digest[] = [];
      for (let at = 0; at < digests.length; at += digestsMax)
        missing.push(...(await value("missingBlobs", { digests: digests.slice(at, at + digestsMax) })));
      return missing;
    },
    putBlob: (digest, bytes) => value("putBlob", { digest }, bytes),
    getBlob: (digest) => ask("getBlob", { digest }),
    artifact: (word) => value("artifact", { word }),
    attest: (word) => value("attest", { word }),
    holders: (digest) => value("holders", { digest }),
    bring: (digest, signal) => lines<BringEvent>(ask("bring", { digest }, { signal })),
    getTree: (digest) => value("getTree", { digest }),
    submit: (request) => value("submit", request),
    control: (build, op, options) => value("control", { build, op, ...options }),
    operate: (operation, options) => value("operate", { operation, ...options }),
    rebuild: (request) => value("rebuild", request),
    rebuilt: (check) => value("rebuilt", { check }),
    recipe: (build, action) => value("recipe", { build, action }),
    debug: (build, word, options) => value("debug", { build, word, ...options }),
    debugging: (build) => value("debugging", { build }),
    preview: (build, options) => value("preview", { build, ...options }),
    shell: (request, signal) => lines<ShellEvent>(ask("shell", request, { signal })),
    leaveShell: (room, keep) => value("leaveShell", { room, keep }),
    why: (build, action) => value("why", { build, action }),
    criticalPath: (build) => value("criticalPath", { build }),
    autopsy: (build) => value("autopsy", { build }),
    decisions: (request) => value("decisions", { ...request }),
    readings: (build) => value("readings", { build }),
    replay: (request, signal) => lines<ReplayLine>(ask("replay", { ...request }, { signal })),
    timeline: ({ kinds, ...request }, signal) =>
      lines<TimelineLine>(
        ask("timeline", { ...request, ...(kinds ? { kinds: kinds.join(",") } : {}) }, { signal }),
      ),
    exportBuild: (request, signal) => ask("exportBuild", request, { signal }),
    sqlTables: () => value("sqlTables", {}),
    sqlSchema: () => value("sqlSchema", {}),
    sqlQuery: (sql) => value("sqlQuery", { sql }),
    statistics: (request) => value("statistics", request),
    wire: (request, signal) => lines<WireLine>(ask("wire", request, { signal })),
    wireStats: () => value("wireStats", {}),
    wireDensity: (request) => value("wireDensity", request),
    traceBuild: (request) => ask("traceBuild", request),
    queue: () => value("queue", {}),
    releases: () => value("releases", {}),
    releaseManifest: (channel, epoch) => value("releaseManifest", { channel, epoch }),
    release: (command) => value("release", command),
    members: () => value("members", {}),
    taint: (request) => value("taint", request),
    taints: () => value("taints", {}),
    member: (operation, options) => value("member", { operation, ...options }),
    rotate: () => value("rotate", {}),
    invite: (request) => value("invite", request),
    doctor: () => value("doctor", {}),
    fleet: () => value("fleet", {}),
    reach: () => value("reach", {}),
    collect: (options) => value("collect", options),
    stop: () => value("stop", {}),
  };
}

/** Connections to the socket, kept for the next request; idle ones do not keep the process. */
class SocketAgent extends http.Agent {
  private readonly socketPath: string;

  constructor(socketPath: string) {
    super({ keepAlive: true, maxSockets: 32 });
    this.socketPath = socketPath;
  }

  override createConnection(): net.Socket {
    const short = shortPath(this.socketPath);
    const socket = net.connect({ path: short.path });
    let released = false;
    const release = () => {
      if (!released) short.release();
      released = true;
    };
    socket.once("connect", release).once("close", release);
    return socket;
  }
}

/** One request, until its answer has been read or dropped. */
class Call {
  private readonly request: ClientRequest;
  private readonly body: string | undefined;
  private readonly socketPath: string;
  private readonly route: Route;
  private response: IncomingMessage | undefined;
  /** What the source of an upload threw: no fault of the daemon. */
  private sourceFault: unknown;

  constructor(
    agent: SocketAgent,
    socketPath: string,
    route: Route,
    input: Record<string, unknown>,
    signal: AbortSignal | undefined,
  ) {
    this.route = route;
    this.socketPath = socketPath;
    this.body = route.method === "POST" ? JSON.stringify(input) : undefined;
    const headers: OutgoingHttpHeaders = { host: "swarmd" };
    if (this.body !== undefined) {
      headers["content-type"] = "application/json";
      headers["content-length"] = Buffer.byteLength(this.body);
    }
    this.request = http.request({
      agent,
      method: route.method,
      path: route.path + (this.body === undefined ? queryOf(input) : ""),
      headers,
      signal,
      timeout: route.silenceMsMax,
    });
    this.request.on("error", () => {}); // whoever waits hears of it by `once` or by the response
    this.request.on("timeout", () =>
      this.request.destroy(
        new SwarmError("timed-out", `the daemon did not answer within ${route.silenceMsMax / 1000} s`, {
          remedy: "look at its process and its log (logs/ in the home): swarmd doctor",
        }),
      ),
    );
  }

  async send(bytes: AsyncIterable<Uint8Array> | undefined): Promise<IncomingMessage> {
    const answered = once(this.request, "response") as Promise<[IncomingMessage]>;
    answered.catch(() => {});
    if (bytes) await this.upload(bytes, answered);
    else this.request.end(this.body);
    [this.response] = await answered;
    return this.response;
  }

  /** Ends early when the daemon has answered before all was sent: it has refused. */
  private async upload(bytes: AsyncIterable<Uint8Array>, answered: Promise<unknown>) {
    let over = false;
    const end = answered.then(
      () => {
        over = true;
      },
      () => {
        over = true;
      },
    );
    try {
      for await (const chunk of bytes) {
        if (over) return;
        if (!this.request.write(chunk))
          await Promise.race([once(this.request, "drain").catch(() => {}), end]);
      }
    } catch (thrown) {
      this.sourceFault = thrown;
      throw thrown;
    }
    this.request.end();
  }

  /** Gives the connection back after a whole answer, closes it otherwise. */
  drop() {
    if (!this.response?.complete || !this.request.writableFinished) this.request.destroy();
  }

  explain(thrown: unknown): unknown {
    if (thrown instanceof SwarmError || thrown === this.sourceFault) return thrown;
    const code = (thrown as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ECONNREFUSED" || code === "ENOTDIR")
      return new SwarmError("daemon-unreachable", `no daemon answers on ${this.socketPath}`, {
        remedy: "start it: swarmd run",
        cause: thrown,
      });
    if (code === "EACCES" || code === "EPERM")
      return new SwarmError("daemon-unreachable", `${this.socketPath} belongs to another user`, {
        remedy: "run the command as the user that runs the daemon",
        cause: thrown,
      });
    if (code === "ECONNRESET" || code === "EPIPE" || code === "ERR_STREAM_PREMATURE_CLOSE")
      return brokenOff(thrown);
    return new SwarmError(
      "daemon-unreachable",
      `${this.route.path} failed: ${thrown instanceof Error ? thrown.message : thrown}`,
      { cause: thrown },
    );
  }
}

const brokenOff = (cause?: unknown) =>
  new SwarmError("daemon-unreachable", "the daemon went away in the middle of its answer", {
    remedy: "start it again (swarmd run); its log, in logs/ of the home, says why it ended",
    cause,
  });

function queryOf(input: Record<string, unknown>): string {
  const query = new URLSearchParams();
  for (const [key, item] of Object.entries(input)) if (item !== undefined) query.set(key, String(item));
  return query.size > 0 ? `?${query}` : "";
}

async function refusalIn(response: IncomingMessage): Promise<SwarmError> {
  const body = parse(await collect(response as AsyncIterable<Uint8Array>, lineBytesMax));
  return refusalOf((body as { error?: unknown } | null)?.error);
}

function refusalOf(error: unknown): SwarmError {
  const { code, message, remedy } = (error ?? {}) as Record<string, unknown>;
  if (typeof code !== "string" || !(code in errorCodes) || typeof message !== "string")
    return new SwarmError("version-unknown", "the daemon refused in words this version does not know", {
      remedy: "daemon and command line may differ in version: restart the daemon",
    });
  return new SwarmError(code as keyof typeof errorCodes, message, {
    remedy: typeof remedy === "string" ? remedy : undefined,
  });
}

async function collect(parts: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let taken = 0;
  for await (const chunk of parts) {
    taken += chunk.length;
    if (taken > maxBytes) throw new SwarmError("too-large", `the daemon's answer exceeds ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function* split(parts: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let rest: Uint8Array[] = [];
  let restBytes = 0;
  for await (const part of parts) {
    let from = 0;
    for (let end = part.indexOf(10); end !== -1; end = part.indexOf(10, from)) {
      const line = Buffer.concat([...rest, part.subarray(from, end)]);
      rest = [];
      restBytes = 0;
      from = end + 1;
      if (line.length > 0) yield line;
    }
    if (from < part.length) rest.push(part.subarray(from));
    restBytes += part.length - from;
    if (restBytes > lineBytesMax)
      throw new SwarmError("too-large", `a line of the daemon's answer exceeds ${lineBytesMax} bytes`);
  }
  if (restBytes > 0) throw brokenOff();
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch (cause) {
    throw new SwarmError("malformed", "the daemon's answer is not JSON", { cause });
  }
}
