/**
 * The daemon's side of the control socket: HTTP over a Unix socket that its owner alone may open. It checks and bounds what comes in, calls
 * `Control`, and carries refusals back as `WireError`. It decides nothing.
 */
import { once } from "node:events";
import { chmod, mkdtemp, rename, rm, stat } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import path from "node:path";
import { z } from "zod";
import { requirementsSchema } from "../../protocol/build/graph.ts";
import type { DebugWord, MemberOperation, Operation } from "../../protocol/contract.ts";
import { decisionKinds } from "../../protocol/explain/decisions.ts";
import { isDigest, sizeOf } from "../../protocol/kernel/digest.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import {
  type ActionName,
  type BuildId,
  type Digest,
  isBuildId,
  isPeerId,
  type PeerId,
} from "../../protocol/kernel/ids.ts";
import type { ReleaseCommand } from "../../protocol/release/releases.ts";
import { channelPattern, roles, stepActionsMax } from "../../protocol/timeline/events.ts";
import { http } from "../http.ts";
import { logChoices } from "../recording/contents.ts";
import type { Control } from "./api.ts";
import { dataHandlers } from "./data-handlers.ts";
import { traceFormats } from "./exporting.ts";
import { type Handler, nothing } from "./handler.ts";
import { refuse, sendBytes, sendJson, sendLines } from "./replies.ts";
import {
  bodyBytesMax,
  decisionsMax,
  digestsMax,
  type RouteName,
  routes,
  timelineLinesMax,
} from "./routes.ts";
import { shortPath } from "./socket.ts";

export interface ControlServer {
  /** Ends streams, lets answers under way finish (for at most two seconds), and takes the socket away. */
  close(): Promise<void>;
}

export interface ControlServerOptions {
  /** Hears of what a handler threw that is no refusal: a bug of ours. */
  readonly onFault?: (fault: unknown, route: RouteName) => void;
  /** A stream that is silent for this long gets an empty line, so that the client knows we live. */
  readonly beatMs?: number;
  /** Hears of each request, and of each silence in a stream. */
  readonly onLook?: () => void;
}

/**
 * Serves `control` on `socketPath`, mode 0600, in place of whatever socket lay there: the caller holds the home's lock. No request
 * of others is ever answered, also not between bind and chmod.
 */
export async function serveControl(
  control: Control,
  socketPath: string,
  options: ControlServerOptions = {},
): Promise<ControlServer> {
  const closing = new AbortController();
  const server = http.createServer((request, response) => {
    void answer(control, request, response, closing.signal, options);
  });
  server.requestTimeout = 0; // an upload takes as long as it takes; its sender is the owner of this process
  server.headersTimeout = 10_000;
  server.on("clientError", (_, socket) => socket.destroy());

  // Node's own idea of an idle connection leaves out those that never asked anything.
  const idle = new Set<Socket>();
  server.on("connection", (socket) => {
    idle.add(socket);
    socket.once("close", () => idle.delete(socket));
  });
  server.on("request", ({ socket }, response) => {
    idle.delete(socket);
    response.once("close", () => {
      if (closing.signal.aborted) socket.end();
      else if (!socket.destroyed) idle.add(socket);
    });
  });

  // Bound in a folder that nobody else can enter, then moved to its place: it is never there with wider rights.
  const folder = await mkdtemp(path.join(path.dirname(path.resolve(socketPath)), ".control-"));
  try {
    const draft = path.join(folder, "s");
    const short = shortPath(draft);
    try {
      server.listen(short.path);
      await once(server, "listening");
    } finally {
      short.release();
    }
    await chmod(draft, 0o600);
    await rename(draft, socketPath);
  } catch (cause) {
    server.close();
    throw cause;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  const { ino } = await stat(socketPath);

  return {
    async close() {
      if (closing.signal.aborted) return;
      closing.abort();
      const there = await stat(socketPath).catch(() => undefined);
      if (there?.ino === ino) await rm(socketPath, { force: true });
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of idle) socket.destroy();
      const force = setTimeout(() => server.closeAllConnections(), 2000);
      await closed;
      clearTimeout(force);
    },
  };
}

const build = z.custom<BuildId>((v) => typeof v === "string" && isBuildId(v), "is no build id");
const digest = z.custom<Digest>((v) => typeof v === "string" && isDigest(v), "is no digest");
const peer = z.custom<PeerId>((v) => typeof v === "string" && isPeerId(v), "is no peer id");
const action = z.string().min(1).max(512) as unknown as z.ZodType<ActionName>;

const unusedMsMax = 100 * 365 * 86_400_000;
const roleList = z.array(z.enum(roles)).min(1).max(roles.length);
const wordOptions = { reason: z.string().max(256).optional(), dryRun: z.boolean().optional() };
const operation: z.ZodType<Operation, unknown> = z.union([
  z.strictObject({
    op: z.enum(["retry", "unblock", "retry-failures", "clear-failures"]),
    build,
    action: action.optional(),
  }),
  z.strictObject({ op: z.literal("reset"), build }),
  z.strictObject({ op: z.literal("rebalance"), build: build.optional() }),
  z.strictObject({ op: z.enum(["pause", "resume", "unground"]), peer }),
  z.strictObject({ op: z.literal("drain"), peer, now: z.boolean().optional() }),
]);

const previewCount = z.int().positive().max(stepActionsMax);
const debugWord: z.ZodType<DebugWord, unknown> = z.union([
  z.strictObject({
    op: z.literal("step"),
    actions: z.array(action).max(stepActionsMax).optional(),
    count: previewCount.optional(),
  }),
  z.strictObject({ op: z.literal("break"), action: action.optional(), clear: z.boolean().optional() }),
  z.strictObject({ op: z.literal("place"), action, peer: peer.optional() }),
  z.strictObject({ op: z.literal("record"), count: previewCount.optional() }),
]);

const nodeNamePattern = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const memberOperation: z.ZodType<MemberOperation, unknown> = z.union([
  z.strictObject({ op: z.literal("approve"), peer, roles: roleList.optional() }),
  z.strictObject({ op: z.enum(["deny", "renew"]), peer }),
  z.strictObject({ op: z.literal("role"), peer, roles: roleList, force: z.boolean().optional() }),
  z.strictObject({
    op: z.literal("revoke"),
    peer,
    force: z.boolean().optional(),
    disown: z.boolean().optional(),
  }),
  z.strictObject({ op: z.literal("rename"), peer, name: z.string().regex(nodeNamePattern) }),
  z.strictObject({ op: z.literal("leave"), force: z.boolean().optional() }),
]);

const channel = z.string().regex(channelPattern, "is no name of a channel");
const releaseReason = z.string().max(250).optional();
const releaseCommand: z.ZodType<ReleaseCommand, unknown> = z.union([
  z.strictObject({ kind: z.literal("mirror"), op: z.enum(["add", "remove"]), votes: z.boolean() }),
  z.strictObject({ kind: z.literal("verify"), channel }),
  z.strictObject({ kind: z.literal("finalize"), channel, reason: releaseReason }),
  z.strictObject({
    kind: z.literal("rollback"),
    channel,
    epoch: z.int().positive().max(1e9),
    reason: releaseReason,
  }),
  z.strictObject({
    kind: z.literal("pin"),
    channel,
    epoch: z.int().positive().max(1e9).nullable(),
    reason: releaseReason,
  }),
  z.strictObject({ kind: z.literal("drop"), channel, build, reason: z.string().min(1).max(250) }),
]);

const handlers: { readonly [K in RouteName]: Handler<K> } = {
  status: { input: nothing, run: (control) => control.status() },
  nodes: { input: nothing, run: (control) => control.nodes() },
  builds: { input: nothing, run: (control) => control.builds() },
  build: { input: z.strictObject({ build }), run: (control, input) => control.build(input.build) },
  watch: {
    input: z.strictObject({ build }),
    run: (control, input, { signal }) => control.watch(input.build, signal),
  },
  logs: {
    input: z
      .strictObject({
        build: build.optional(),
        action: action.optional(),
        node: z.string().min(1).max(128).optional(),
        follow: z.enum(["true", "false"]).transform((text) => text === "true"),
      })
      .refine((v) => (v.build === undefined) !== (v.node === undefined), "takes a build or a node")
      .refine((v) => v.action === undefined || v.build !== undefined, "takes an action with its build"),
    run: (control, { build, action, node, follow }, { signal }) =>
      control.logs(
        { subject: build !== undefined ? { build, action } : { node: node ?? "" }, follow },
        signal,
      ),
  },
  resolveToolchains: {
    input: z.strictObject({
      sets: z
        .array(
          z.strictObject({
            demands: z.array(z.string().min(1).max(256)).max(256),
            requires: requirementsSchema.optional(),
            action: z.string().min(1).max(256),
          }),
        )
        .max(10_000),
    }),
    run: (control, input) => control.resolveToolchains(input.sets),
  },
  missingBlobs: {
    input: z.strictObject({ digests: z.array(digest).max(digestsMax) }),
    run: (control, input) => control.missingBlobs(input.digests),
  },
  putBlob: {
    input: z.strictObject({ digest }),
    run: (control, input, { bytes }) => control.putBlob(input.digest, upTo(sizeOf(input.digest), bytes)),
  },
  getBlob: {
    input: z.strictObject({ digest }),
    run: (control, input) => control.getBlob(input.digest),
  },
  artifact: {
    input: z.strictObject({ word: z.string().min(1).max(256) }),
    run: (control, input) => control.artifact(input.word),
  },
  attest: {
    input: z.strictObject({ word: z.string().min(1).max(256) }),
    run: (control, input) => control.attest(input.word),
  },
  holders: { input: z.strictObject({ digest }), run: (control, input) => control.holders(input.digest) },
  bring: {
    input: z.strictObject({ digest }),
    run: (control, input, { signal }) => control.bring(input.digest, signal),
  },
  getTree: { input: z.strictObject({ digest }), run: (control, input) => control.getTree(input.digest) },
  submit: {
    input: z.strictObject({
      name: z.string().min(1).max(64),
      graph: digest,
      priority: z.int().min(-1000).max(1000),
      fresh: z.boolean().optional(),
    }),
    run: (control, input) => control.submit(input),
  },
  control: {
    input: z.strictObject({
      build,
      op: z.enum(["pause", "resume", "cancel"]),
      ...wordOptions,
    }),
    run: (control, { build, op, ...options }) => control.control(build, op, options),
  },
  operate: {
    input: z.strictObject({ operation, ...wordOptions }),
    run: (control, { operation, ...options }) => control.operate(operation, options),
  },
  rebuild: {
    input: z.strictObject({
      build,
      share: z.number().positive().max(1),
      action: action.optional(),
      priority: z.int().min(-1000).max(1000).optional(),
    }),
    run: (control, input) => control.rebuild(input),
  },
  rebuilt: { input: z.strictObject({ check: build }), run: (control, input) => control.rebuilt(input.check) },
  recipe: {
    input: z.strictObject({ build, action }),
    run: (control, input) => control.recipe(input.build, input.action),
  },
  debug: {
    input: z.strictObject({ build, word: debugWord, ...wordOptions }),
    run: (control, { build, word, ...options }) => control.debug(build, word, options),
  },
  debugging: {
    input: z.strictObject({ build }),
    run: (control, input) => control.debugging(input.build),
  },
  preview: {
    input: z.strictObject({ build, count: z.coerce.number().pipe(previewCount).optional() }),
    run: (control, { build, ...options }) => control.preview(build, options),
  },
  shell: {
    input: z.strictObject({
      build,
      action,
      command: z.string().min(1).max(65_536).optional(),
      terminal: z.boolean(),
      term: z
        .string()
        .regex(/^[A-Za-z0-9._+-]{1,64}$/)
        .optional(),
    }),
    run: (control, input, { signal }) => control.shell(input, signal),
  },
  leaveShell: {
    input: z.strictObject({ room: z.string().regex(/^[0-9a-f]{16}$/), keep: z.boolean() }),
    run: (control, { room, keep }) => control.leaveShell(room, keep),
  },
  why: {
    input: z.strictObject({ build, action }),
    run: (control, input) => control.why(input.build, input.action),
  },
  criticalPath: {
    input: z.strictObject({ build }),
    run: (control, input) => control.criticalPath(input.build),
  },
  autopsy: { input: z.strictObject({ build }), run: (control, input) => control.autopsy(input.build) },
  decisions: {
    input: z.strictObject({
      build,
      node: z.string().min(1).max(128).optional(),
      action: z.string().min(1).max(512).optional(),
      kind: z.enum(decisionKinds).optional(),
      offset: z.coerce.number().int().nonnegative(),
      limit: z.coerce.number().int().positive().max(decisionsMax),
    }),
    run: (control, request) => control.decisions(request),
  },
  readings: { input: z.strictObject({ build }), run: (control, input) => control.readings(input.build) },
  replay: {
    input: z.strictObject({
      build,
      atMs: z.coerce.number().int().nonnegative().optional(),
      steps: z.enum(["true", "false"]).transform((text) => text === "true"),
    }),
    run: (control, request, { signal }) => control.replay(request, signal),
  },
  ...dataHandlers,
  timeline: {
    input: z.strictObject({
      build: build.optional(),
      node: z.string().min(1).max(128).optional(),
      kinds: z.string().max(1024).optional(),
      sinceMs: z.coerce.number().int().nonnegative().optional(),
      limit: z.coerce.number().int().positive().max(timelineLinesMax).optional(),
      follow: z.enum(["true", "false"]).transform((text) => text === "true"),
    }),
    run: (control, { kinds, ...request }, { signal }) =>
      control.timeline({ ...request, ...(kinds === undefined ? {} : { kinds: kinds.split(",") }) }, signal),
  },
  exportBuild: {
    input: z.strictObject({
      build,
      logs: z.enum(logChoices),
      tapes: z.enum(["true", "false"]).transform((text) => text === "true"),
    }),
    run: (control, request, { signal }) => control.exportBuild(request, signal),
  },
  traceBuild: {
    input: z.strictObject({ build, format: z.enum(traceFormats) }),
    run: (control, request) => control.traceBuild(request),
  },
  queue: { input: nothing, run: (control) => control.queue() },
  releases: { input: nothing, run: (control) => control.releases() },
  releaseManifest: {
    input: z.strictObject({
      channel,
      epoch: z
        .string()
        .regex(/^[1-9][0-9]{0,8}$/)
        .transform(Number),
    }),
    run: (control, input) => control.releaseManifest(input.channel, input.epoch),
  },
  release: { input: releaseCommand, run: (control, input) => control.release(input) },
  members: { input: nothing, run: (control) => control.members() },
  taint: {
    input: z.strictObject({ peer, sinceMs: z.int().nonnegative(), reason: z.string().max(256).optional() }),
    run: (control, input) => control.taint(input),
  },
  taints: { input: nothing, run: (control) => control.taints() },
  member: {
    input: z.strictObject({ operation: memberOperation, reason: z.string().max(256).optional() }),
    run: (control, { operation, ...options }) => control.member(operation, options),
  },
  rotate: { input: nothing, run: (control) => control.rotate() },
  invite: {
    input: z.strictObject({
      roles: z.array(z.enum(roles)).min(1).max(roles.length),
      ttlMs: z
        .int()
        .positive()
        .max(366 * 86_400_000),
    }),
    run: (control, input) => control.invite(input),
  },
  doctor: { input: nothing, run: (control) => control.doctor() },
  fleet: { input: nothing, run: (control) => control.fleet() },
  reach: { input: nothing, run: (control) => control.reach() },
  collect: {
    input: z.strictObject({
      dryRun: z.boolean().optional(),
      unusedMs: z.int().min(0).max(unusedMsMax).optional(),
    }),
    run: (control, options) => control.collect(options),
  },
  stop: { input: nothing, run: (control) => control.stop() },
};

async function answer(
  control: Control,
  request: IncomingMessage,
  response: ServerResponse,
  closing: AbortSignal,
  options: ControlServerOptions,
) {
  response.on("error", () => {}); // the client went away; `close` says so
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  const signal = AbortSignal.any([gone.signal, closing]);
  let name: RouteName | undefined;
  try {
    const url = new URL(request.url ?? "/", "http://swarmd");
    name = routeOf(request.method ?? "", url.pathname);
    const route = routes[name];
    const handler = handlers[name] as Handler<RouteName>;
    const given = route.method === "POST" ? await readJson(request) : Object.fromEntries(url.searchParams);
    const input = handler.input.safeParse(given);
    if (!input.success) throw new SwarmError("usage", `${url.pathname}: ${complaint(input.error)}`);
    options.onLook?.();
    const reply = handler.run(control, input.data as never, {
      bytes: bodyOf(request),
      signal,
    });
    if (route.answer === "json") sendJson(response, 200, (await reply) ?? null);
    else if (route.answer === "lines")
      await sendLines(response, reply as AsyncIterable<unknown>, signal, options);
    else await sendBytes(response, reply as AsyncIterable<Uint8Array>, signal);
  } catch (thrown) {
    if (!(thrown instanceof SwarmError) && name !== undefined && !signal.aborted)
      options.onFault?.(thrown, name);
    refuse(response, thrown);
    request.resume(); // what is left of a refused upload must not keep its connection
  }
}

function routeOf(method: string, pathname: string): RouteName {
  const candidates = (Object.keys(routes) as RouteName[]).filter((name) => routes[name].path === pathname);
  if (candidates.length === 0)
    throw new SwarmError("not-found", `the control socket has no route ${pathname.slice(0, 200)}`, {
      remedy: "daemon and command line may differ in version: restart the daemon",
    });
  const name = candidates.find((candidate) => routes[candidate].method === method);
  if (name === undefined)
    throw new SwarmError(
      "usage",
      `${pathname} takes ${candidates.map((candidate) => routes[candidate].method).join(" or ")}, not ${method}`,
    );
  return name;
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of upTo(bodyBytesMax, bodyOf(request))) chunks.push(chunk);
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch (cause) {
    throw new SwarmError("malformed", "the body is not JSON", { cause });
  }
}

/** The body; who stops reading it early may still answer. */
const bodyOf = (request: IncomingMessage): AsyncIterable<Uint8Array> =>
  request.iterator({ destroyOnReturn: false });

/** What comes, refused with `too-large` once it is more than `maxBytes`. */
async function* upTo(maxBytes: number, bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let taken = 0;
  for await (const chunk of bytes) {
    taken += chunk.length;
    if (taken > maxBytes) throw new SwarmError("too-large", `the body exceeds ${maxBytes} bytes`);
    yield chunk;
  }
}

function complaint(error: z.ZodError): string {
  const issue = error.issues[0];
  return issue
    ? `${issue.path.length > 0 ? `${issue.path.join(".")}: ` : ""}${issue.message}`
    : "wrong input";
}
