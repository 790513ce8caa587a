/**
 * The routes of the control socket: one table that the server and the client share. A GET takes its input from the query, a POST
 * from a JSON body, a PUT has the bytes themselves as its body. It stays light, for the CLI loads it at every start.
 */
import type { ToolSet } from "../../protocol/build/tool-sets.ts";
import type { DebugWord, MemberOperation, Operation } from "../../protocol/contract.ts";
import type { ActionName, BuildId, Digest, PeerId } from "../../protocol/kernel/ids.ts";
import type { ReleaseCommand } from "../../protocol/release/releases.ts";
import type { Role } from "../../protocol/timeline/events.ts";
import type { DecisionsRequest, ReplayRequest, TimelineRequest } from "./account.ts";
import type { Control } from "./api.ts";
import type { DensityRequest, StatisticsRequest, WireRequest } from "./data.ts";
import type { ExportRequest, TraceRequest } from "./exporting.ts";
import type { RebuildRequest } from "./rebuilding.ts";
import type { ShellRequest } from "./shells.ts";

export interface Route {
  readonly method: "GET" | "POST" | "PUT";
  readonly path: string;
  /** One JSON value; newline-delimited JSON with an empty line now and then; or the bytes of a blob. */
  readonly answer: "json" | "lines" | "bytes";
  /** How long the client bears not hearing a byte; the server's empty lines keep a quiet stream alive. */
  readonly silenceMsMax: number;
}

export type RouteName = keyof Control;

const quick = 30_000;
const slow = 600_000;

export const routes = {
  status: { method: "GET", path: "/1/status", answer: "json", silenceMsMax: quick },
  nodes: { method: "GET", path: "/1/nodes", answer: "json", silenceMsMax: quick },
  builds: { method: "GET", path: "/1/builds", answer: "json", silenceMsMax: quick },
  build: { method: "GET", path: "/1/build", answer: "json", silenceMsMax: quick },
  watch: { method: "GET", path: "/1/watch", answer: "lines", silenceMsMax: 60_000 },
  logs: { method: "GET", path: "/1/logs", answer: "lines", silenceMsMax: 60_000 },
  resolveToolchains: { method: "POST", path: "/1/toolchains", answer: "json", silenceMsMax: slow },
  missingBlobs: { method: "POST", path: "/1/missing", answer: "json", silenceMsMax: slow },
  putBlob: { method: "PUT", path: "/1/blob", answer: "json", silenceMsMax: slow },
  getBlob: { method: "GET", path: "/1/blob", answer: "bytes", silenceMsMax: slow },
  artifact: { method: "GET", path: "/1/artifact", answer: "json", silenceMsMax: quick },
  attest: { method: "GET", path: "/1/attest", answer: "json", silenceMsMax: slow },
  holders: { method: "GET", path: "/1/holders", answer: "json", silenceMsMax: quick },
  bring: { method: "POST", path: "/1/bring", answer: "lines", silenceMsMax: 60_000 },
  getTree: { method: "GET", path: "/1/tree", answer: "json", silenceMsMax: slow },
  submit: { method: "POST", path: "/1/submit", answer: "json", silenceMsMax: slow },
  control: { method: "POST", path: "/1/control", answer: "json", silenceMsMax: quick },
  operate: { method: "POST", path: "/1/operate", answer: "json", silenceMsMax: slow },
  rebuild: { method: "POST", path: "/1/rebuild", answer: "json", silenceMsMax: slow },
  rebuilt: { method: "GET", path: "/1/rebuild", answer: "json", silenceMsMax: slow },
  recipe: { method: "GET", path: "/1/recipe", answer: "json", silenceMsMax: slow },
  debug: { method: "POST", path: "/1/debug", answer: "json", silenceMsMax: quick },
  debugging: { method: "GET", path: "/1/debugging", answer: "json", silenceMsMax: quick },
  preview: { method: "GET", path: "/1/preview", answer: "json", silenceMsMax: slow },
  shell: { method: "POST", path: "/1/shell", answer: "lines", silenceMsMax: slow },
  leaveShell: { method: "POST", path: "/1/shell/leave", answer: "json", silenceMsMax: slow },
  why: { method: "GET", path: "/1/why", answer: "json", silenceMsMax: slow },
  criticalPath: { method: "GET", path: "/1/critical-path", answer: "json", silenceMsMax: slow },
  autopsy: { method: "GET", path: "/1/autopsy", answer: "json", silenceMsMax: slow },
  decisions: { method: "GET", path: "/1/decisions", answer: "json", silenceMsMax: slow },
  readings: { method: "GET", path: "/1/readings", answer: "json", silenceMsMax: slow },
  replay: { method: "GET", path: "/1/replay", answer: "lines", silenceMsMax: slow },
  timeline: { method: "GET", path: "/1/timeline", answer: "lines", silenceMsMax: 60_000 },
  exportBuild: { method: "GET", path: "/1/export", answer: "bytes", silenceMsMax: slow },
  sqlTables: { method: "GET", path: "/1/sql/tables", answer: "json", silenceMsMax: slow },
  sqlSchema: { method: "GET", path: "/1/sql/schema", answer: "json", silenceMsMax: quick },
  sqlQuery: { method: "POST", path: "/1/sql", answer: "json", silenceMsMax: slow },
  statistics: { method: "GET", path: "/1/statistics", answer: "json", silenceMsMax: slow },
  wire: { method: "GET", path: "/1/wire", answer: "lines", silenceMsMax: 60_000 },
  wireStats: { method: "GET", path: "/1/wire/stats", answer: "json", silenceMsMax: quick },
  wireDensity: { method: "GET", path: "/1/wire/density", answer: "json", silenceMsMax: quick },
  traceBuild: { method: "GET", path: "/1/trace", answer: "bytes", silenceMsMax: slow },
  queue: { method: "GET", path: "/1/queue", answer: "json", silenceMsMax: quick },
  releases: { method: "GET", path: "/1/releases", answer: "json", silenceMsMax: quick },
  releaseManifest: { method: "GET", path: "/1/release", answer: "json", silenceMsMax: slow },
  release: { method: "POST", path: "/1/release", answer: "json", silenceMsMax: slow },
  members: { method: "GET", path: "/1/members", answer: "json", silenceMsMax: quick },
  taint: { method: "POST", path: "/1/taint", answer: "json", silenceMsMax: slow },
  taints: { method: "GET", path: "/1/taints", answer: "json", silenceMsMax: slow },
  member: { method: "POST", path: "/1/member", answer: "json", silenceMsMax: quick },
  rotate: { method: "POST", path: "/1/rotate", answer: "json", silenceMsMax: quick },
  invite: { method: "POST", path: "/1/invite", answer: "json", silenceMsMax: quick },
  doctor: { method: "GET", path: "/1/doctor", answer: "json", silenceMsMax: 120_000 },
  fleet: { method: "GET", path: "/1/fleet", answer: "json", silenceMsMax: 120_000 },
  reach: { method: "GET", path: "/1/reach", answer: "json", silenceMsMax: 60_000 },
  collect: { method: "POST", path: "/1/collect", answer: "json", silenceMsMax: slow },
  stop: { method: "POST", path: "/1/stop", answer: "json", silenceMsMax: 60_000 },
} as const satisfies Record<RouteName, Route>;

/** What each route takes. */
export interface RouteInputs {
  readonly status: Record<never, never>;
  readonly nodes: Record<never, never>;
  readonly builds: Record<never, never>;
  readonly build: { readonly build: BuildId };
  readonly watch: { readonly build: BuildId };
  /** Either a build, perhaps with an action of it, or a node. */
  readonly logs: {
    readonly build?: BuildId;
    readonly action?: ActionName;
    readonly node?: string;
    readonly follow: boolean;
  };
  readonly resolveToolchains: { readonly sets: readonly ToolSet[] };
  readonly missingBlobs: { readonly digests: readonly Digest[] };
  readonly putBlob: { readonly digest: Digest };
  readonly getBlob: { readonly digest: Digest };
  readonly artifact: { readonly word: string };
  readonly attest: { readonly word: string };
  readonly holders: { readonly digest: Digest };
  readonly bring: { readonly digest: Digest };
  readonly getTree: { readonly digest: Digest };
  readonly submit: {
    readonly name: string;
    readonly graph: Digest;
    readonly priority: number;
    readonly fresh?: boolean;
  };
  readonly control: {
    readonly build: BuildId;
    readonly op: "pause" | "resume" | "cancel";
    readonly reason?: string;
    readonly dryRun?: boolean;
  };
  readonly operate: {
    readonly operation: Operation;
    readonly reason?: string;
    readonly dryRun?: boolean;
  };
  readonly rebuild: RebuildRequest;
  readonly rebuilt: { readonly check: BuildId };
  readonly recipe: { readonly build: BuildId; readonly action: ActionName };
  readonly debug: {
    readonly build: BuildId;
    readonly word: DebugWord;
    readonly reason?: string;
    readonly dryRun?: boolean;
  };
  readonly debugging: { readonly build: BuildId };
  readonly preview: { readonly build: BuildId; readonly count?: number };
  readonly shell: ShellRequest;
  readonly leaveShell: { readonly room: string; readonly keep: boolean };
  readonly why: { readonly build: BuildId; readonly action: ActionName };
  readonly criticalPath: { readonly build: BuildId };
  readonly autopsy: { readonly build: BuildId };
  readonly decisions: DecisionsRequest;
  readonly readings: { readonly build: BuildId };
  readonly replay: ReplayRequest;
  /** Kinds with commas between them. */
  readonly timeline: Omit<TimelineRequest, "kinds"> & { readonly kinds?: string };
  readonly exportBuild: ExportRequest;
  readonly sqlTables: Record<never, never>;
  readonly sqlSchema: Record<never, never>;
  readonly sqlQuery: { readonly sql: string };
  readonly statistics: StatisticsRequest;
  readonly wire: WireRequest;
  readonly wireStats: Record<never, never>;
  readonly wireDensity: DensityRequest;
  readonly traceBuild: TraceRequest;
  readonly queue: Record<never, never>;
  readonly releases: Record<never, never>;
  readonly releaseManifest: { readonly channel: string; readonly epoch: number };
  readonly release: ReleaseCommand;
  readonly members: Record<never, never>;
  readonly member: { readonly operation: MemberOperation; readonly reason?: string };
  readonly taint: { readonly peer: PeerId; readonly sinceMs: number; readonly reason?: string };
  readonly taints: Record<never, never>;
  readonly rotate: Record<never, never>;
  readonly invite: { readonly roles: readonly Role[]; readonly ttlMs: number };
  readonly doctor: Record<never, never>;
  readonly fleet: Record<never, never>;
  readonly reach: Record<never, never>;
  readonly collect: { readonly dryRun?: boolean; readonly unusedMs?: number };
  readonly stop: Record<never, never>;
}

/** Of the body of a POST. */
export const bodyBytesMax = 1 << 20;
/** Of one question for missing blobs; the client asks several times for more. */
export const digestsMax = 10_000;
/** Of one answer of the timeline, before what comes. */
export const timelineLinesMax = 100_000;
/** Of one answer about decisions. */
export const decisionsMax = 1000;
/** Of one line of a stream. */
export const lineBytesMax = 4 << 20;
/** Of one JSON answer: the view of a build of 200,000 actions fits. */
export const answerBytesMax = 512 << 20;
