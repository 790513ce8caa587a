/** How the control socket answers: a JSON value, lines of JSON, the bytes of a blob, or why not. */
import { once } from "node:events";
import type http from "node:http";
import { type ErrorCode, SwarmError } from "../../protocol/kernel/errors.ts";
import type { WireError } from "./api.ts";

export interface LineOptions {
  /** A stream that is silent for this long gets an empty line, so that the client knows we live. */
  readonly beatMs?: number;
  /** Hears of each silence in a stream. */
  readonly onLook?: () => void;
}

export function sendJson(response: http.ServerResponse, status: number, value: unknown) {
  const body = Buffer.from(JSON.stringify(value));
  response.writeHead(status, { "content-type": "application/json", "content-length": body.length });
  response.end(body);
}

const linesType = "application/x-ndjson";

/** Newline-delimited JSON as it comes, with an empty line wherever nothing came for long. */
export async function sendLines(
  response: http.ServerResponse,
  values: AsyncIterable<unknown>,
  signal: AbortSignal,
  { beatMs = 10_000, onLook }: LineOptions,
) {
  const begin = () => {
    if (response.headersSent) return;
    response.setHeader("content-type", linesType);
    response.flushHeaders();
  };
  // Headers wait for the first value or beat: a refusal before that has a status of its own.
  const beat = setInterval(() => {
    onLook?.();
    begin();
    if (!response.writableNeedDrain) response.write("\n");
  }, beatMs);
  try {
    for await (const value of values) {
      if (signal.aborted) break;
      begin();
      beat.refresh();
      await write(response, Buffer.from(`${JSON.stringify(value)}\n`), signal);
    }
    if (signal.aborted) throw new SwarmError("daemon-unreachable", "the daemon stops");
  } finally {
    clearInterval(beat);
  }
  begin();
  response.end();
}

export async function sendBytes(
  response: http.ServerResponse,
  bytes: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
) {
  for await (const chunk of bytes) {
    if (signal.aborted) break;
    await write(response, chunk, signal);
  }
  if (signal.aborted) response.destroy();
  else response.end();
}

async function write(response: http.ServerResponse, bytes: Uint8Array, signal: AbortSignal) {
  if (response.write(bytes) || signal.aborted) return;
  await once(response, "drain", { signal }).catch(() => {}); // aborted: the loop above ends
}

/** Says why not: as the answer while nothing was sent, as the last line of a stream, by breaking off the bytes of a blob. */
export function refuse(response: http.ServerResponse, thrown: unknown) {
  const error = wireErrorOf(thrown);
  if (!response.headersSent) sendJson(response, statusOf(error.code), { error });
  else if (response.getHeader("content-type") === linesType) response.end(`${JSON.stringify({ error })}\n`);
  else response.destroy();
}

function wireErrorOf(thrown: unknown): WireError {
  if (thrown instanceof SwarmError)
    return { code: thrown.code, message: thrown.message, remedy: thrown.remedy };
  return {
    code: "refused",
    message: `the daemon failed: ${thrown instanceof Error ? thrown.message : String(thrown)}`,
    remedy: "its log says more: the folder logs/ in the home",
  };
}

const statusOf = (code: ErrorCode): number =>
  code === "not-found" || code === "blob-missing" ? 404 : code === "too-large" ? 413 : 400;
