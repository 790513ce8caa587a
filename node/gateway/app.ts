/** The routes of the gateway, put together: JSON from the table of reads, logs and artifacts as streams, events as they happen. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { getRequestListener } from "@hono/node-server";
import { type Context, Hono } from "hono";
import { z } from "zod";
import { type ErrorCode, SwarmError } from "../../protocol/kernel/errors.ts";
import { type ActionName, type BuildId, isBuildId } from "../../protocol/kernel/ids.ts";
import { Answers } from "./answers.ts";
import { readAssets } from "./assets.ts";
import { former } from "./former.ts";
import { formatFor, Metrics } from "./metrics.ts";
import { openApiOf } from "./openapi.ts";
import { reads, Status } from "./reads.ts";
import { Series } from "./series.ts";
import { Stream } from "./stream.ts";
import type { Views } from "./views.ts";

export interface App {
  answer(request: IncomingMessage, response: ServerResponse): Promise<unknown>;
  /** Ends all streams. */
  close(): void;
}

const apiRoot = "/api/v1";

/** Answers requests that the door has let in; `page` is the folder of the built dashboard, `onFault` hears of what is no refusal. */
export function openApp(views: Views, page: string, onFault: (fault: unknown, path: string) => void): App {
  const stream = new Stream(views);
  const series = new Series(views);
  const { fetch } = routed(views, stream, series, page, onFault);
  const listener = getRequestListener(fetch, { overrideGlobalObjects: false });
  return {
    answer: async (request, response) => listener(request, response),
    close() {
      stream.close();
      series.close();
    },
  };
}

function routed(
  views: Views,
  stream: Stream,
  series: Series,
  page: string,
  onFault: (fault: unknown, path: string) => void,
): Hono {
  const assets = readAssets(page);
  const metrics = new Metrics(views);
  const app = new Hono();
  const answers = new Answers();

  for (const read of reads)
    app.get(`${apiRoot}${read.path}`, async (c) => {
      const input = read.input.safeParse({ ...c.req.query(), ...c.req.param() });
      if (!input.success) throw new SwarmError("usage", complaint(input.error), { remedy: documented });
      return json(c, answers, c.req.url, async () => {
        const value = await read.run(views, input.data as never);
        return value instanceof Status ? { status: value.status, value: value.body } : { status: 200, value };
      });
    });

  app.get(`${apiRoot}/openapi.json`, (c) =>
    json(c, answers, "openapi", async () => ({ status: 200, value: openApiOf(reads) })),
  );
  app.get(`${apiRoot}/metrics`, (c) =>
    json(c, answers, "series", async () => ({ status: 200, value: await series.all() })),
  );
  app.get("/healthz", (c) => c.text("ok\n"));
  app.get("/metrics", async (c) => {
    const format = formatFor(c.req.header("accept"));
    return c.body(await metrics.text(format), 200, { "Content-Type": format });
  });

  app.get(`${apiRoot}/stream`, (c) => stream.answer(c.req.header("last-event-id"), c.req.raw.signal));
  app.get(`${apiRoot}/builds/:build/log`, (c) => log(c, views));
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
    if (thrown instanceof SwarmError) {
      const { code, message, remedy = documented } = thrown;
      return c.json({ error: { code, message, remedy } }, statusOf(code));
    }
    onFault(thrown, c.req.path);
    const error = {
      code: "refused",
      message: "this daemon failed at it",
      remedy: "its log says more: swarmd doctor",
    };
    return c.json({ error }, 500);
  });
  return app;
}

const documented = `what there is: ${apiRoot}/openapi.json`;

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

/** Plain text: standard output and error of an action, or of a whole build with its actions' names before the lines. */
function log(c: Context, views: Views): Response {
  const input = logInput.safeParse({ ...c.req.query(), ...c.req.param() });
  if (!input.success) throw new SwarmError("usage", complaint(input.error), { remedy: documented });
  const { build, action, follow } = input.data;
  const over = new AbortController();
  const subject = { build, ...(action === undefined ? {} : { action }) };
  const chunks = views.logs({ subject, follow: follow === "true" }, over.signal);
  const text = async function* () {
    for await (const chunk of chunks)
      yield action === undefined ? named(chunk.action, chunk.text) : chunk.text;
  };
  return c.body(streamOf(text(), over), 200, { "Content-Type": "text/plain; charset=utf-8" });
}

const named = (action: string, text: string): string => text.replaceAll(/^(?=.)/gm, () => `${action}: `);

/** The bytes of an artifact, by CID or sha2-256; whoever asked checks them against it. */
async function artifact(c: Context, views: Views): Promise<Response> {
  const asked = c.req.param("cid") ?? "";
  const { format = "raw", ...rest } = c.req.query();
  if (format !== "raw" || Object.keys(rest).length > 0)
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

function statusOf(code: ErrorCode): 400 | 404 | 413 | 502 | 503 | 504 {
  if (code === "not-found" || code === "blob-missing") return 404;
  if (code === "too-large") return 413;
  if (code === "timed-out") return 504;
  if (code === "peer-unreachable") return 502;
  return code === "usage" || code === "ambiguous" || code === "malformed" ? 400 : 503;
}
