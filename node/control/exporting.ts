/** What the daemon gives out of a build for elsewhere: a recording of it, or a trace for the tools of others. */
import type { BuildId } from "../../protocol/kernel/ids.ts";
import type { LogChoice } from "../recording/contents.ts";

export interface ExportRequest {
  readonly build: BuildId;
  /** Whose output is taken along. */
  readonly logs: LogChoice;
  /** Whether what this node recorded of itself meanwhile is taken along. */
  readonly tapes: boolean;
}

export const traceFormats = ["chrome", "otlp"] as const;
/** chrome: Chrome's trace events, one JSON object; otlp: a line of JSON for each request of OTLP. */
export type TraceFormat = (typeof traceFormats)[number];

export interface TraceRequest {
  readonly build: BuildId;
  readonly format: TraceFormat;
}

/** The part of `Control` that hands builds out. All of it refuses `not-found`, and `blob-missing` while a build's plan is nowhere. */
export interface Exports {
  /** The bytes of a recording, sealed by this node (specs/recording.md). What breaks off is no recording. */
  exportBuild(request: ExportRequest, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** The build as a trace for tools of others, as text (specs/traces.md). */
  traceBuild(request: TraceRequest): AsyncIterable<Uint8Array>;
}
