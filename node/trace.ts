/** A build as text for tools of others: Chrome's trace events in one JSON object, or lines of OTLP in JSON. */
import { chromeTraceOf } from "../protocol/explain/chrome-trace.ts";
import { courseOf } from "../protocol/explain/course.ts";
import { type OtlpRequest, otlpTraceOf } from "../protocol/explain/otlp-trace.ts";
import type { BuildId } from "../protocol/kernel/ids.ts";
import type { Desk } from "../protocol/work/desk.ts";
import type { AccountQueries } from "./account-queries.ts";
import type { TraceRequest } from "./control/exporting.ts";
import type { Queries } from "./queries.ts";
import type { RecordedReadings } from "./recorded-readings.ts";

const readingsMax = 100_000;
/** Handed out at once. */
const chunkChars = 64 << 10;

export interface TraceParts {
  readonly desk: Pick<Desk, "config">;
  readonly accounts: Pick<AccountQueries, "opened" | "criticalPath">;
  readonly queries: Pick<Queries, "nameOf">;
  readonly readings: Pick<RecordedReadings, "between">;
}

/** Throws `not-found`, and `blob-missing` while the build's plan is nowhere. */
export async function* traceOf(
  { build, format }: TraceRequest,
  parts: TraceParts,
): AsyncIterable<Uint8Array> {
  const encoder = new TextEncoder();
  let chunk = "";
  for await (const piece of format === "chrome" ? chromeText(build, parts) : otlpText(build, parts)) {
    chunk += piece;
    if (chunk.length < chunkChars) continue;
    yield encoder.encode(chunk);
    chunk = "";
  }
  yield encoder.encode(chunk);
}

/** The requests of OTLP that a build comes to. Throws as `traceOf`. */
export async function otlpRequestsOf(
  id: BuildId,
  { desk, accounts, queries }: Omit<TraceParts, "readings">,
): Promise<Iterable<OtlpRequest>> {
  const build = await accounts.opened(id);
  return otlpTraceOf({ build, nameOf: (peer) => queries.nameOf(peer), version: desk.config.version });
}

async function* otlpText(id: BuildId, parts: TraceParts): AsyncIterable<string> {
  for (const request of await otlpRequestsOf(id, parts)) yield `${JSON.stringify(request)}\n`;
}

async function* chromeText(id: BuildId, parts: TraceParts): AsyncIterable<string> {
  const { accounts, queries, desk } = parts;
  const build = await accounts.opened(id);
  const { fact: path } = await accounts.criticalPath(id);
  const { submittedMs, lastMs } = courseOf(build)!;
  const readings = [];
  for await (const reading of parts.readings.between(submittedMs, lastMs)) {
    readings.push(reading);
    if (readings.length >= readingsMax) break;
  }
  yield '{"traceEvents":[';
  let before = "\n";
  for (const event of chromeTraceOf({ build, nameOf: (peer) => queries.nameOf(peer), path, readings })) {
    yield `${before}${JSON.stringify(event)}`;
    before = ",\n";
  }
  const otherData = { build: id, submittedMs, program: `swarmd ${desk.config.version}` };
  yield `\n],"displayTimeUnit":"ms","otherData":${JSON.stringify(otherData)}}\n`;
}
