/** The routes of the gateway, put together: JSON from the table of reads, logs and artifacts as streams, events as they happen. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { getRequestListener } from "@hono/node-server";
import { type Context, Hono } from "hono";
import { z } from "zod";
import { type ErrorCode, SwarmError } from "../../protocol/kernel/errors.ts";
import { type ActionName, type BuildId, isBuildId } from "../../protocol/kernel/ids.ts";
import type { TimelineLine } from "../control/account.ts";
import type { WireLine } from "../control/data.ts";
import { traceFormats } from "../control/exporting.ts";
import { type Answer, Answers } from "./answers.ts";
import { readAssets } from "./assets.ts";
import { cutOf, wantedOf } from "./byte-range.ts";
import { former } from "./former.ts";
import { formatFor, Metrics } from "./metrics.ts";
import { openApiOf } from "./openapi.ts";
import { documented, parametersOf } from "./parameters.ts";
import { Status } from "./read.ts";
import { reads } from "./reads.ts";
import { Series } from "./series.ts";
import { eventsOf, messagesOf } from "./sources.ts";
import { Stream } from "./stream.ts";
import type { Views } from "./views.ts";

export interface App {
  answer(request: IncomingMessage, response: ServerResponse): Promise<unknown>;
  /** Gives what was answered to this a moment ago, by the shortest way: no routes, no copies. False: it was not. */
  answersAgain(
    request: IncomingMessage,
    response: ServerResponse,
    headers: Readonly<Record<string, string>>,
  ): boolean;
  /** Ends all streams. */
  close(): void;
}

const apiRoot = "/api/v1";

/** Answers requests that the door has let in; `page` is the folder of the built dashboard, `onFault` hears of what is no refusal. */
export function openApp(views: Views, page: string, onFault: (fault: unknown, path: string) => void): App {
  const streams: Readonly<Record<string, Stream<TimelineLine> | Stream<WireLine>>> = {
    [`${apiRoot}/stream`]: new Stream(eventsOf(views)),
    [`${apiRoot}/wire/stream`]: new Stream(messagesOf(views)),
  };
  const series = new Series(views);
  const answers = new Answers();
  const { fetch } = routed(views, answers, series, page, onFault);
  const listener = getRequestListener(fetch, { overrideGlobalObjects: false });
  return {
    async answer(request, response) {
      const [path = ""] = (request.url ?? "").split("?", 1);
      const stream = Object.hasOwn(streams, path) ? streams[path] : undefined;
      if (!stream) return listener(request, response);
      return stream.serve(request, response).catch((thrown) => {
        const { status, error } = refusalOf(thrown, path, onFault);
        response.writeHead(status, { "Content-Type": "application/json" });
        response.end(JSON.stringify({ error }));
      });
    },
    answersAgain(request, response, headers) {
      const given = answers.given(request.url ?? "");
      if (given) give(given, request, response, headers);
      return given !== undefined;
    },
    close() {
      for (const stream of Object.values(streams)) stream.close();
      series.close();
    },
  };
}

function give(
  { status, body, etag }: Answer,
  request: IncomingMessage,
  response: ServerResponse,
  headers: Readonly<Record<string, string>>,
): void {
  const isKnown = status === 200 && request.headers["if-none-match"] === etag;
  response.writeHead(isKnown ? 304 : status, {
    ...headers,
    "Content-Type": "application/json",
    ETag: etag,
    "Cache-Control": "no-cache",
    ...(isKnown ? {} : { "Content-Length": body.length }),
  });
  response.end(isKnown || request.method === "HEAD" ? undefined : body);
}

function routed(
  views: Views,
  answers: Answers,
  series: Series,
  page: string,
  onFault: (fault: unknown, path: string) => void,
): Hono {
  const assets = readAssets(page);
  const metrics = new Metrics(views);
  const app = new Hono();

  for (const read of reads)
    app.get(`${apiRoot}${read.path}`, async (c) => {
      const input = inputOf(c, read.input);
      return json(c, answers, addressOf(c), async () => {
        const value = await read.run(views, input as never);
        return value instanceof Status ? { status: value.status, value: value.body } : { status: 200, value };
      });
    });

  app.get(`${apiRoot}/openapi.json`, (c) => {
    inputOf(c, noInput);
    return json(c, answers, "openapi", async () => ({ status: 200, value: openApiOf(reads) }));
  });
  app.get(`${apiRoot}/metrics`, (c) => {
    inputOf(c, noInput);
    return json(c, answers, "series", async () => ({ status: 200, value: await series.all() }));
  });
  app.get("/healthz", (c) => c.text("ok\n"));
  app.get("/metrics", async (c) => {
    const format = formatFor(c.req.header("accept"));
    return c.body(await metrics.text(format), 200, { "Content-Type": format });
  });

  app.get(`${apiRoot}/builds/:build/log`, (c) => log(c, views));
  app.get(`${apiRoot}/builds/:build/trace`, (c) => trace(c, views));
  app.get("/ipfs/:cid", (c) => artifact(c, views));

  former(app);

  app.get("*", (c) => {
    const asset = assets.get(new URL(c.req.url).pathname);
    if (asset === undefined)
      throw new SwarmError("not-found", "there is nothing at this path", { remedy: documented });
    const { body, encoding } = asset.packed(c.req.header("accept-encoding"));
    const etag = encoding === undefined ? asset.etag : `${asset.etag.slice(0, -1)}-${encoding}"`;
    const headers = {
      ETag: etag,
      Vary: "Accept-Encoding",
      "Cache-Control": asset.isLasting ? "public, max-age=31536000, immutable" : "no-cache",
    };
    if (c.req.header("if-none-match") === etag) return c.body(null, 304, headers);
    return c.body(body, 200, {
      ...headers,
      "Content-Type": asset.type,
      ...(encoding === undefined ? {} : { "Content-Encoding": encoding }),
    });
  });

  app.onError((thrown, c) => {
    const { status, error } = refusalOf(thrown, c.req.path, onFault);
    return c.json({ error }, status);
  });
  return app;
}

/** In words, as JSON says it; what is no refusal is a fault of this daemon. */
function refusalOf(thrown: unknown, path: string, onFault: (fault: unknown, path: string) => void) {
  if (thrown instanceof SwarmError) {
    const { code, message, remedy = documented } = thrown;
    return { status: statusOf(code), error: { code, message, remedy } };
  }
  onFault(thrown, path);
  const error = {
    code: "refused",
    message: "this daemon failed at it",
    remedy: "its log says more: swarmd doctor",
  };
  return { status: 500, error } as const;
}

/** As it stands in the request's first line. */
const addressOf = ({ req: { url } }: Context): string => url.slice(url.indexOf("/", "https://".length));

/** What is asked for, by the path and by the query. Throws `usage`. */
function inputOf<S extends z.ZodObject>(c: Context, schema: S): z.infer<S> {
  const { pathname, searchParams } = new URL(c.req.url);
  const inPath: Record<string, string> = c.req.param();
  const known = Object.keys(schema.shape).filter((name) => !Object.hasOwn(inPath, name));
  const input = schema.safeParse({ ...parametersOf(pathname, searchParams, known), ...inPath });
  if (!input.success) throw new SwarmError("usage", complaint(input.error), { remedy: documented });
  return input.data;
}

const noInput = z.object({});

async function json(
  c: Context,
  answers: Answers,
  key: string,
  make: () => Promise<{ status: number; value: unknown }>,
): Promise<Response> {
  const { status, body, etag } = await answers.of(key, make);
  const headers = { "Content-Type": "application/json", ETag: etag, "Cache-Control": "no-cache" };
  if (status === 200 && c.req.header("if-none-match") === etag) return c.body(null, 304, headers);
  return c.body(body, status as 200, headers);
}

const logInput = z.object({
  build: z.custom<BuildId>((v) => typeof v === "string" && isBuildId(v), "is no build id"),
  action: (z.string().min(1).max(512) as unknown as z.ZodType<ActionName>).optional(),
  follow: z.enum(["true", "false"]).default("false"),
});

/** Plain text: standard output and error of an action, or of a whole build with its actions' names before the lines; a part of it by `Range`. */
async function log(c: Context, views: Views): Promise<Response> {
  const { build, action, follow } = inputOf(c, logInput);
  const over = new AbortController();
  const subject = { build, ...(action === undefined ? {} : { action }) };
  const chunks = views.logs({ subject, follow: follow === "true" }, over.signal);
  const encoder = new TextEncoder();
  const text = async function* () {
    for await (const chunk of chunks)
      yield encoder.encode(action === undefined ? named(chunk.action, chunk.text) : chunk.text);
  };
  const headers = { "Content-Type": "text/plain; charset=utf-8" };
  // What has no end yet has no parts.
  const wanted = follow === "true" ? undefined : wantedOf(c.req.header("range"));
  if (wanted === undefined)
    return c.body(streamOf(text(), over), 200, {
      ...headers,
      ...(follow === "true" ? {} : { "Accept-Ranges": "bytes" }),
    });
  const cut = await cutOf(text(), wanted);
  if (cut === undefined) {
    const error = { code: "usage", message: "the log has nothing there", remedy: "ask without a range" };
    return c.json({ error }, 416);
  }
  const { bytes, first, totalBytes = "*" } = cut;
  return c.body(Uint8Array.from(bytes), 206, {
    ...headers,
    "Accept-Ranges": "bytes",
    "Content-Range": `bytes ${first}-${first + bytes.length - 1}/${totalBytes}`,
    "Content-Length": String(bytes.length),
  });
}

const named = (action: string, text: string): string => text.replaceAll(/^(?=.)/gm, () => `${action}: `);

const traceInput = z.object({
  build: z.custom<BuildId>((v) => typeof v === "string" && isBuildId(v), "is no build id"),
  format: z.enum(traceFormats).default("chrome"),
});

/** A build for the tools of others: Chrome's trace events, or lines of OTLP. */
async function trace(c: Context, views: Views): Promise<Response> {
  const request = inputOf(c, traceInput);
  const { build, format } = request;
  // What is refused is refused before the answer begins.
  await views.build(build);
  const headers = {
    "Content-Type": format === "chrome" ? "application/json" : "application/x-ndjson",
    "Content-Disposition": `attachment; filename="${build}.${format === "chrome" ? "trace.json" : "otlp.jsonl"}"`,
  };
  return c.body(streamOf(views.traceBuild(request), new AbortController()), 200, headers);
}

const artifactInput = z.object({ cid: z.string(), format: z.string().default("raw") });

/** The bytes of an artifact, by CID or sha2-256; whoever asked checks them against it. */
async function artifact(c: Context, views: Views): Promise<Response> {
  const { cid: asked, format } = inputOf(c, artifactInput);
  if (format !== "raw")
    throw new SwarmError("usage", "artifacts are given as they are", { remedy: "ask with ?format=raw" });
  const { digest, cid, sizeBytes } = await views.artifact(asked);
  const over = new AbortController();
  const headers = {
    "Content-Type": "application/vnd.ipld.raw",
    "Content-Disposition": `attachment; filename="${cid}.bin"`,
    "Content-Security-Policy": "default-src 'none'; sandbox",
    ETag: `"${cid}.raw"`,
    "Cache-Control": "public, max-age=29030400, immutable",
    "Content-Length": String(sizeBytes),
  };
  if (c.req.header("if-none-match") === headers.ETag) return c.body(null, 304, headers);
  if (c.req.method === "HEAD") return c.body(null, 200, headers);
  return c.body(streamOf(views.getBlob(digest), over), 200, headers);
}

/** Of pieces as they come; who goes away ends it. */
function streamOf(
  pieces: AsyncIterable<Uint8Array | string>,
  over: AbortController,
): ReadableStream<Uint8Array> {
  const iterator = pieces[Symbol.asyncIterator]();
  const encoder = new TextEncoder();
  return new ReadableStream(
    {
      async pull(controller) {
        const { value, done } = await iterator.next();
        if (done) controller.close();
        else controller.enqueue(typeof value === "string" ? encoder.encode(value) : value);
      },
      async cancel() {
        over.abort();
        await iterator.return?.();
      },
    },
    { highWaterMark: 0 },
  );
}

function complaint(error: z.ZodError): string {
  const [issue] = error.issues;
  if (!issue) return "wrong input";
  return issue.path.length > 0 ? `${issue.path.join(".")}: ${issue.message}` : issue.message;
}

/** By whom it can be mended: the asker (4xx), as things stand with what was asked for (409), or this node (5xx). */
function statusOf(code: ErrorCode): 400 | 404 | 409 | 413 | 502 | 503 | 504 {
  if (code === "not-found" || code === "blob-missing") return 404;
  if (code === "too-large") return 413;
  if (code === "refused") return 409;
  if (code === "timed-out") return 504;
  if (code === "peer-unreachable") return 502;
  return code === "usage" || code === "ambiguous" || code === "malformed" ? 400 : 503;
}
