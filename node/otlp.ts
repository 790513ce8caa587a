/** Gives traces of builds to a collector of OpenTelemetry, over HTTP, in JSON: at once where a person waits, or behind a daemon's back, bounded and patient. */
import { setTimeout as pause } from "node:timers/promises";
import { type OtlpRequest, otlpTraceOf } from "../protocol/explain/otlp-trace.ts";
import { SwarmError } from "../protocol/kernel/errors.ts";
import type { BuildId, PeerId } from "../protocol/kernel/ids.ts";
import type { Build } from "../protocol/work/build.ts";
import type { Desk } from "../protocol/work/desk.ts";
import { awaited } from "../protocol/work/standing.ts";
import type { Log } from "./log.ts";
import type { Recall } from "./recall.ts";

const triesMax = 5;
const firstWaitMs = 1_000;
const waitMsMax = 60_000;
const answerMsMax = 10_000;
const answerBytesMax = 64 << 10;
/** Ended builds that wait for a collector; more are left out. */
const waitingMax = 64;
/** What a collector may say that means: later. */
const laterStatuses = new Set([429, 502, 503, 504]);

export interface PostOptions {
  readonly signal: AbortSignal;
  /** Between two tries. */
  readonly wait?: (ms: number) => Promise<unknown>;
}

/** As OpenTelemetry says of its setting: the path of traces is added to an endpoint that does not name it. */
export function tracesUrl(endpoint: string): URL {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (!url || (url.protocol !== "http:" && url.protocol !== "https:"))
    throw new SwarmError("usage", `${endpoint} is no address of a collector`, {
      remedy: "write it as http://localhost:4318",
    });
  if (!url.pathname.endsWith("/v1/traces")) url.pathname = `${url.pathname.replace(/\/+$/, "")}/v1/traces`;
  return url;
}

/** Posts requests one after the other; the spans that were taken. Throws `usage`, `peer-unreachable`, `timed-out`, and `refused` with what the collector said. */
export async function postTrace(
  endpoint: string,
  requests: Iterable<OtlpRequest> | AsyncIterable<OtlpRequest>,
  options: PostOptions,
): Promise<number> {
  const url = tracesUrl(endpoint);
  let spans = 0;
  for await (const request of requests) {
    await postOne(url, JSON.stringify(request), options);
    for (const { scopeSpans } of request.resourceSpans)
      for (const scope of scopeSpans) spans += scope.spans.length;
  }
  return spans;
}

async function postOne(
  url: URL,
  body: string,
  { signal, wait = patience(signal) }: PostOptions,
): Promise<void> {
  let waitMs = firstWaitMs;
  for (let attempt = 1; ; attempt++) {
    const { status, text, afterMs } = await answerTo(url, body, signal);
    if (status !== undefined && status < 300) return heed(url, text);
    if (attempt === triesMax || (status !== undefined && !laterStatuses.has(status)))
      throw status === undefined
        ? new SwarmError("peer-unreachable", `no collector answers at ${url.href}: ${text}`, {
            remedy: "is it running, and does it take OTLP over HTTP? (often port 4318)",
          })
        : new SwarmError("refused", `the collector at ${url.href} answers ${status}: ${text.slice(0, 200)}`, {
            remedy: "its log says more",
          });
    await wait(Math.min(waitMsMax, Math.max(waitMs, afterMs)));
    signal.throwIfAborted();
    waitMs *= 2;
  }
}

interface Answer {
  /** Absent: there was none. */
  readonly status?: number;
  readonly text: string;
  readonly afterMs: number;
}

async function answerTo(url: URL, body: string, signal: AbortSignal): Promise<Answer> {
  try {
    const answer = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/json", "User-Agent": "swarmd" },
      body,
      redirect: "manual",
      signal: AbortSignal.any([signal, AbortSignal.timeout(answerMsMax)]),
    });
    const after = Number(answer.headers.get("retry-after") ?? 0);
    const text = await shortText(answer);
    return { status: answer.status, text, afterMs: Number.isFinite(after) ? after * 1000 : 0 };
  } catch (error) {
    signal.throwIfAborted();
    const { cause, message } = error as Error;
    return { text: cause instanceof Error ? cause.message : message, afterMs: 0 };
  }
}

/** The begin of an answer: whoever it is, it may not fill the memory. */
async function shortText(answer: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of answer.body ?? []) {
    parts.push(part);
    bytes += part.length;
    if (bytes > answerBytesMax) break;
  }
  return Buffer.concat(parts).toString("utf8", 0, answerBytesMax);
}

/** A collector may take a part alone, and says so. */
function heed(url: URL, text: string): void {
  let said: { partialSuccess?: { rejectedSpans?: string | number; errorMessage?: string } } | undefined;
  try {
    said = JSON.parse(text) as typeof said;
  } catch {
    return;
  }
  const rejected = Number(said?.partialSuccess?.rejectedSpans ?? 0);
  if (rejected > 0)
    throw new SwarmError(
      "refused",
      `the collector at ${url.href} left out ${rejected} spans: ${said?.partialSuccess?.errorMessage ?? "it does not say why"}`,
    );
}

/** A command that waits for nothing else must not end meanwhile. */
const patience = (signal: AbortSignal) => (ms: number) => pause(ms, undefined, { signal });

/** As far as its words say, also while its plan is not read yet. */
const hasEnded = (build: Build): boolean =>
  build.facts().some(({ entry }) => entry.events.some(({ kind }) => kind === "sealed"));

export interface OtlpReporterOptions {
  readonly endpoint: string;
  readonly desk: Pick<Desk, "builds" | "config" | "members">;
  /** What ended may have left memory by the time that it is told of. */
  readonly recall: Pick<Recall, "find">;
  readonly nameOf: (peer: PeerId) => string;
  readonly log: Pick<Log, "warn" | "debug">;
  readonly wait?: PostOptions["wait"];
}

/** Posts each build that was submitted here once it has ended. No build waits for it, and nothing of it is kept beyond a start. */
export class OtlpReporter {
  readonly #options: OtlpReporterOptions;
  readonly #over = new AbortController();
  /** Builds that are told of, or need not be: those that had ended before this start. */
  readonly #seen = new Set<BuildId>();
  /** Builds that are to be told of once they have ended. */
  readonly #open = new Set<BuildId>();
  readonly #waiting: BuildId[] = [];
  #posting: Promise<void> | undefined;

  constructor(options: OtlpReporterOptions) {
    this.#options = options;
    for (const [id, build] of options.desk.builds) if (hasEnded(build)) this.#seen.add(id);
  }

  /** Takes up what has ended since the last look. */
  look(): void {
    const { desk } = this.#options;
    for (const [id, build] of desk.builds) {
      if (build.submission?.author !== desk.config.self || this.#seen.has(id)) continue;
      if (build.claims?.sealed && awaited(build, desk.members) === 0) this.#take(id);
      else this.#open.add(id);
    }
    for (const id of this.#open) if (!desk.builds.has(id)) this.#take(id);
    for (const id of this.#seen) if (!desk.builds.has(id)) this.#seen.delete(id);
    if (this.#waiting.length > 0) this.#posting ??= this.#post().finally(() => (this.#posting = undefined));
  }

  #take(id: BuildId): void {
    this.#open.delete(id);
    this.#seen.add(id);
    if (this.#waiting.length >= waitingMax)
      this.#options.log.warn({ build: id }, "too many traces wait for the collector: this one is left out");
    else this.#waiting.push(id);
  }

  /** What waits is let go. */
  async close(): Promise<void> {
    this.#over.abort();
    await this.#posting;
  }

  async #post(): Promise<void> {
    const { endpoint, desk, recall, nameOf, log, wait } = this.#options;
    const { signal } = this.#over;
    for (let id = this.#waiting.shift(); id !== undefined && !signal.aborted; id = this.#waiting.shift()) {
      try {
        const build = await recall.find(id);
        const requests = otlpTraceOf({ build, nameOf, version: desk.config.version });
        const spans = await postTrace(endpoint, requests, { signal, ...(wait ? { wait } : {}) });
        log.debug({ build: id, spans }, "its trace is with the collector");
      } catch (error) {
        if (!signal.aborted)
          log.warn(
            { build: id, err: error, remedy: `by hand: swarmd export ${id} --otlp-endpoint ${endpoint}` },
            "its trace did not reach the collector",
          );
      }
    }
  }
}
