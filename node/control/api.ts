/**
 * What the daemon offers on its control socket, typed once: the daemon implements `Control`, the client speaks it over the
 * Unix socket, and the routes in `server.ts` and `client.ts` are one table. All times are milliseconds, all sizes bytes.
 */

import type { ToolSet } from "../../protocol/build/tool-sets.ts";
import type { MemberOperation, Operation } from "../../protocol/contract.ts";
import type { ErrorCode } from "../../protocol/kernel/errors.ts";
import type { ActionName, BuildId, ClaimId, Digest, PeerId } from "../../protocol/kernel/ids.ts";
import type { Vitals } from "../../protocol/swarm/vitals.ts";
import type { Output, Role, Usage, Why } from "../../protocol/timeline/events.ts";
import type { ToolChoices } from "../../protocol/work/tooling.ts";
import type { Envelope } from "../release/attestation.ts";
import type { Accounts } from "./account.ts";
import type { Data } from "./data.ts";
import type { Debugging } from "./debugging.ts";
import type { Exports } from "./exporting.ts";
import type { Publishing } from "./publishing.ts";
import type { Rebuilding } from "./rebuilding.ts";
import type { Recipes } from "./recipe.ts";
import type { Shells } from "./shells.ts";
import type { HoldView, Moved, WordOptions } from "./words.ts";

export type NodeState = "self" | "alive" | "suspect" | "dead" | "unseen";

export interface NodeView {
  readonly name: string;
  readonly peerId: PeerId;
  readonly state: NodeState;
  readonly roles: readonly Role[];
  readonly addresses: readonly string[];
  /** null until its first beat is heard. */
  readonly vitals: Vitals | null;
  /** Of the program it runs, as it beats or as it said when it connected: also of one whose beats are not understood. Absent where it is not known. */
  readonly version?: string;
  /** Its wall clock is so far ahead of this node's (behind, below 0): one of the two is wrong. Absent where they agree. */
  readonly clockAheadMs?: number;
  readonly running: readonly {
    readonly build: BuildId;
    readonly action: ActionName;
    readonly sinceMs: number;
  }[];
}

export type BuildState = "running" | "paused" | "complete" | "failed" | "cancelled";
/** waiting: for dependencies; ready: runnable; claimed: granted, not known to have started; blocked: failed for good; held: behind a blocked one. */
export type ActionState =
  | "waiting"
  | "ready"
  | "claimed"
  | "running"
  | "done"
  | "blocked"
  | "held"
  | "cancelled";

export interface BuildSummary {
  readonly build: BuildId;
  readonly name: string;
  readonly state: BuildState;
  readonly submitter: string;
  readonly submittedAtMs: number;
  /** From submit to the end, or to now. */
  readonly wallMs: number;
  readonly actions: number;
  readonly counts: Readonly<Record<ActionState, number>>;
  /** It was submitted to run everything: the action cache is not asked. */
  readonly fresh?: true;
  /** It checks this build by running actions of it again. */
  readonly checks?: BuildId;
  /** What people hold of it now; absent: nothing. */
  readonly holds?: readonly HoldView[];
}

/** The line that `submit --json` ends with, in this order. */
export interface BuildResult {
  readonly build: BuildId;
  readonly state: BuildState;
  readonly actions: number;
  /** Actions that ran to a result. */
  readonly executed: number;
  readonly cached: number;
  readonly failed: number;
  readonly blocked: number;
  /** Runs beyond the first of an action that had a result anyway. */
  readonly duplicated: number;
  /** Actions of which members made unequal results: at most 100. */
  readonly divergent: readonly DivergentView[];
  readonly wallMs: number;
  /** Node name → actions it executed. */
  readonly byNode: Readonly<Record<string, number>>;
}

/** Unequal results of the same inputs, the one that dependents consume first. */
export interface DivergentView {
  readonly action: ActionName;
  readonly results: readonly {
    readonly nodes: readonly string[];
    /** Absent: another build had it. */
    readonly outputs?: readonly Output[];
  }[];
}

export interface AttemptView {
  readonly claim: ClaimId;
  readonly attempt: number;
  readonly node: string;
  readonly steward: string;
  readonly state: "claimed" | "running" | "done" | "failed" | "abandoned" | "expired";
  readonly reason?: string;
  readonly exitCode?: number;
  readonly usage?: Usage;
  readonly stdout?: Digest;
  readonly stderr?: Digest;
  readonly why?: Why;
}

export interface ActionView {
  readonly name: ActionName;
  readonly group: string;
  /** What it compiles for, where something says so. */
  readonly target?: string;
  readonly state: ActionState;
  readonly dependsOn: readonly ActionName[];
  readonly key?: Digest;
  readonly cached: boolean;
  /** The spec releases its outputs. */
  readonly released?: boolean;
  /** Of the valid result, where there is one. */
  readonly outputs: readonly Output[];
  readonly attempts: readonly AttemptView[];
  /** For what is not done: what it waits for, in words. */
  readonly waitsFor?: string;
}

export interface CriticalPathView {
  readonly totalMs: number;
  readonly steps: readonly { readonly action: ActionName; readonly node: string; readonly ms: number }[];
}

export interface BuildView extends BuildSummary {
  /** The blob of its graph (`protocol/build/graph.ts`). */
  readonly graph: Digest;
  /** Actions of a complete build of which this node has not heard what they made; absent: none. */
  readonly awaited?: number;
  readonly result: BuildResult;
  readonly actionViews: readonly ActionView[];
  /** Sum over executed actions. */
  readonly cpuMs: number;
  /** Bytes of artifacts that crossed the network for this build, as the holders counted them. */
  readonly fetchedBytes: number;
  readonly byNodeUsage: readonly {
    readonly node: string;
    readonly executed: number;
    readonly wallMs: number;
    readonly cpuMs: number;
    readonly fetchedBytes: number;
  }[];
  readonly criticalPath: CriticalPathView;
}

/** One line of a followed build; the first is a `snapshot`, the last an `end`. */
export type BuildEvent =
  | { readonly kind: "snapshot"; readonly summary: BuildSummary; readonly running: readonly RunningAction[] }
  | {
      readonly kind: "action";
      readonly action: ActionName;
      readonly state: ActionState;
      readonly node?: string;
      readonly cached?: boolean;
      readonly ms?: number;
      readonly reason?: string;
      readonly counts: BuildSummary["counts"];
    }
  /** What people hold of it is another from here on. */
  | { readonly kind: "holds"; readonly holds: readonly HoldView[] }
  | { readonly kind: "end"; readonly result: BuildResult };

export interface RunningAction {
  readonly action: ActionName;
  readonly node: string;
  readonly sinceMs: number;
}

/** What to do next: one command to copy, and why. */
export interface NextAction {
  /** Arguments after `swarmd`; null when there is nothing to do. */
  readonly command: readonly string[] | null;
  readonly why: string;
}

export interface StatusView {
  readonly swarm: { readonly id: string; readonly name: string; readonly members: number };
  readonly node: NodeView;
  readonly peers: readonly NodeView[];
  readonly builds: readonly BuildSummary[];
  /** Actions of all live builds; `staged`: files that wait to be released. */
  readonly counts: {
    readonly needed: number;
    readonly building: number;
    readonly complete: number;
    readonly blocked: number;
    readonly staged: number;
  };
  /** What others have and this node still lacks: ended builds, and entries that wait for those before them. */
  readonly behind: { readonly builds: number; readonly entries: number };
  /** What was found damaged on this node's disk and put aside, and how many entries others have still to give; absent: nothing. */
  readonly damaged?: { readonly files: number; readonly missing: number; readonly folder: string };
  /** Members that told two stories. */
  readonly forks: readonly ForkView[];
  /** Names of members that may admit others, and of who asks to come in. */
  readonly admins: readonly string[];
  readonly asking: readonly string[];
  /** Ready work that no living node may take, what waits longest first. */
  readonly waits: readonly WaitView[];
  /** Builds with unequal results of the same inputs, and who made them. */
  readonly divergent: readonly {
    readonly build: BuildId;
    readonly first: ActionName;
    readonly actions: number;
    readonly nodes: readonly string[];
    /** The check by rebuilding that found it. */
    readonly check?: BuildId;
  }[];
  /** Channels that have released or staged something. */
  readonly channels: readonly {
    readonly channel: string;
    readonly current: number;
    /** Builds. */
    readonly staged: number;
    readonly atRisk: string | null;
    /** What stands in the way of releasing what is staged. */
    readonly hindered: string | null;
  }[];
  /** No daemon answers, but a recording of one build: whose, in words. */
  readonly recording?: string;
  /** Where browsers find this node's page; null: nowhere. */
  readonly gateway: string | null;
  readonly next: NextAction;
}

/** Ready actions of one kind, for which there is no node. */
export interface WaitView {
  readonly build: BuildId;
  readonly first: ActionName;
  readonly actions: number;
  /** What is missing, and which node comes nearest. */
  readonly why: string;
  /** It ends only when a node comes or changes. */
  readonly never: boolean;
  readonly forMs: number;
  /** Nodes that could have built it, and whether they are away. */
  readonly had: readonly { readonly node: string; readonly away: boolean }[];
  /** What ends it, when a person can do something: arguments after `swarmd`, or words. */
  readonly remedy?: { readonly command?: readonly string[]; readonly text: string };
}

/** A start of a member that contradicts itself: from a place of its chain on nothing of it counts. */
export interface ForkView {
  readonly node: string;
  readonly start: string;
  readonly seq: number;
  /** Where it shows; absent: in the timeline. */
  readonly build?: BuildId;
  /** The node's present start is another one, and counts. */
  readonly over: boolean;
}

/** A live build and when its turn is. */
export interface QueuedBuild extends BuildSummary {
  /** Counted from 1, in the order in which idle nodes look for work. */
  readonly place: number;
  readonly priority: number;
  /** What it gained by waiting with nothing in hand. */
  readonly gained: number;
  /** Of the actions that are in somebody's hands now, 0 to 1. */
  readonly share: number;
}

export interface InviteReply {
  /** `swarmd1…`: everything a machine needs to join, once. */
  readonly ticket: string;
  readonly expiresAtMs: number;
  readonly addresses: readonly string[];
}

export interface MemberView {
  readonly name: string;
  readonly peerId: PeerId;
  /** For people to compare: 16 hex digits in groups of four, the same on every machine. */
  readonly fingerprint: string;
  readonly roles: readonly Role[];
  readonly state: NodeState;
  /** Until then its certificate opens connections; an admin that sees it renews it before. */
  readonly notAfterMs: number;
}

export interface FormerView {
  readonly name: string;
  readonly peerId: PeerId;
  readonly why: "revoked" | "left" | "rotated";
  /** Who said so. */
  readonly by: string;
  readonly reason?: string;
}

/** Somebody who asks to join. */
export interface RequestView {
  readonly name: string;
  readonly peerId: PeerId;
  readonly fingerprint: string;
  /** What it would get if nobody says otherwise. */
  readonly roles: readonly Role[];
  /** The member at whose door it waits. */
  readonly via: string;
  /** Since it was last heard of. */
  readonly idleMs: number;
  /** It holds this ticket, good or not. */
  readonly ticket?: { readonly ticket: string; readonly issuer: string; readonly good: boolean };
}

export interface MembersView {
  readonly swarm: { readonly id: string; readonly name: string };
  readonly self: PeerId;
  readonly members: readonly MemberView[];
  readonly former: readonly FormerView[];
  readonly requests: readonly RequestView[];
}

export interface LogRequest {
  readonly subject: { readonly build: BuildId; readonly action?: ActionName } | { readonly node: string };
  readonly follow: boolean;
}

/** A piece of a log, at most 64 KiB of text. */
export interface LogChunk {
  readonly node: string;
  readonly build: BuildId;
  readonly action: ActionName;
  readonly stream: "stdout" | "stderr";
  readonly text: string;
}

/** ok: nothing to do; note: works, but less well; bad: does not work until the remedy is taken. */
export interface Finding {
  readonly check: string;
  readonly level: "ok" | "note" | "bad";
  readonly text: string;
  readonly remedy?: string;
}

/** What the doctor of one member finds; `why` instead where it cannot be asked. */
export interface Patient {
  readonly node: string;
  readonly peerId: PeerId;
  readonly state: NodeState;
  /** The member through which it was asked, where this node does not reach it. */
  readonly via?: string;
  readonly findings?: readonly Finding[];
  readonly why?: string;
}

/** The connections of one member. */
export interface ReachRow {
  readonly node: string;
  readonly peerId: PeerId;
  readonly state: NodeState;
  /** The member through which it was asked, where this node does not reach it. */
  readonly via?: string;
  /** Absent: it could not be asked. */
  readonly ways?: readonly {
    readonly node: string;
    readonly peerId: PeerId;
    /** outbound: the row's node dialled. */
    readonly direction: "inbound" | "outbound";
    /** Of the other end. */
    readonly address: string;
    /** Of a round trip just now; absent: nothing came back. */
    readonly latencyMs?: number;
  }[];
}

export interface ReachView {
  readonly rows: readonly ReachRow[];
}

/** Where an artifact comes from. */
export interface ArtifactOrigin {
  readonly build: BuildId;
  /** The action that made it; absent for what was submitted. */
  readonly action?: ActionName;
  readonly digest: Digest;
  /** Its place in the workspace; `stdout` and `stderr` for logs. */
  readonly path: string;
  /** The nodes that made it, or held it at submit. */
  readonly nodes: readonly string[];
}

export interface ArtifactView {
  readonly digest: Digest;
  readonly cid: string;
  readonly sizeBytes: number;
  /** A folder's digest is that of its Directory. unknown: no build that this node knows speaks of it. */
  readonly kind: "file" | "folder" | "log" | "input" | "graph" | "unknown";
  /** On this disk; less than the size while it is coming. */
  readonly hereBytes: number;
  /** Of the newest build first. */
  readonly origins: readonly ArtifactOrigin[];
  /** Live builds that keep it. */
  readonly neededBy: readonly BuildId[];
}

export interface HolderView {
  readonly node: string;
  readonly peerId: PeerId;
  readonly state: NodeState;
  /** fact: a build says so; record: the DHT does; answer: it said so when asked. */
  readonly by: readonly ("fact" | "record" | "answer")[];
  /** unknown: it did not answer. */
  readonly holds: "yes" | "no" | "unknown";
  /** Of its answer. */
  readonly latencyMs?: number;
  /** How often this node got wrong bytes, or a false list of pieces, from it since its start. */
  readonly corrupt: number;
  readonly lied: number;
}

/** How far an artifact is that is being brought here. */
export interface BringEvent {
  readonly hereBytes: number;
  readonly sizeBytes: number;
}

/** What went from the daemon's disk to make room, or would. */
export interface CollectionView {
  readonly dryRun: boolean;
  /** What goes first is named first: at most 1000 of `count`. */
  readonly goes: readonly {
    readonly digest: Digest;
    readonly bytes: number;
    /** By this machine's clock. */
    readonly usedMs: number;
  }[];
  readonly count: number;
  readonly bytes: number;
  /** What stays, by why: live builds, releases, own builds, logs of what ran here, used just now, or there is room for it. */
  readonly kept: Readonly<
    Record<
      "live" | "released" | "own" | "logs" | "recent" | "room",
      { readonly count: number; readonly bytes: number }
    >
  >;
  /** Before anything went. */
  readonly usedBytes: number;
  readonly usedBytesMax: number;
  readonly freeBytes: number;
  readonly freeBytesMin: number;
  /** Bytes that should go besides, and cannot. */
  readonly shortBytes: number;
  /** Ended builds older than `keptMs`, whose entries go (some by name); absent: they stay for good. */
  readonly timeline?: {
    readonly builds: number;
    readonly entries: number;
    readonly first: readonly BuildId[];
    readonly keptMs: number;
  };
}

/** Refusals come back as `SwarmError` with their code on both sides. */
export interface Control extends Accounts, Data, Debugging, Exports, Publishing, Rebuilding, Recipes, Shells {
  status(): Promise<StatusView>;
  nodes(): Promise<NodeView[]>;
  builds(): Promise<BuildSummary[]>;
  build(build: BuildId): Promise<BuildView>;
  /** Follows until the end of the build or until the signal. */
  watch(build: BuildId, signal: AbortSignal): AsyncIterable<BuildEvent>;
  logs(request: LogRequest, signal: AbortSignal): AsyncIterable<LogChunk>;
  /** The fingerprint that each demand is pinned to, and why; refuses `no-eligible-node` naming what is missing and who comes nearest. */
  resolveToolchains(sets: readonly ToolSet[]): Promise<ToolChoices>;
  /** Which of these blobs the daemon does not have. */
  missingBlobs(digests: readonly Digest[]): Promise<Digest[]>;
  /** Verified while it is stored: `blob-corrupt` if the bytes are not the digest's. */
  putBlob(digest: Digest, bytes: AsyncIterable<Uint8Array>): Promise<void>;
  /** From this disk or from whoever holds it; `blob-missing` otherwise. */
  getBlob(digest: Digest): AsyncIterable<Uint8Array>;
  /** What is known of an artifact, by digest, CID or sha2-256 alone; `blob-missing` when its size cannot be found out. */
  artifact(word: string): Promise<ArtifactView>;
  /** Where it comes from: a statement for each build that made it, signed by this node, the newest first. Throws as `artifact`, and `not-found`. */
  attest(word: string): Promise<Envelope[]>;
  /** Who holds it, or is said to. */
  holders(digest: Digest): Promise<HolderView[]>;
  /** Brings it to the daemon's disk; the last event says that all is here. Goes on by itself when nobody listens any more. */
  bring(digest: Digest, signal: AbortSignal): AsyncIterable<BringEvent>;
  /** All files below an output folder's Directory. */
  getTree(
    digest: Digest,
  ): Promise<{ path: string; digest: Digest; executable: boolean; link?: string; folder?: true }[]>;
  /**
   * Returns once the inputs lie on two members (one if alone) and both have the build in their ledger: from then on it ends also when this
   * node dies. `word`: what the person should know, when no second member took them.
   */
  submit(request: {
    readonly name: string;
    readonly graph: Digest;
    readonly priority: number;
    /** Runs everything: the action cache is not asked. */
    readonly fresh?: boolean;
  }): Promise<{ readonly build: BuildId; readonly word?: string }>;
  control(build: BuildId, op: "pause" | "resume" | "cancel", options?: WordOptions): Promise<Moved>;
  /** `retry` and `retry-failures` of a build that ended as failed, or whose toolchains are gone, submit it again. */
  operate(operation: Operation, options?: WordOptions): Promise<Moved>;
  /** Live builds, the one whose turn it is first. */
  queue(): Promise<QueuedBuild[]>;
  /** Who belongs to the swarm, who did, and who would like to. */
  members(): Promise<MembersView>;
  /** Says something of a member, or of one who would be one; returns once it is on disk here and under way to all. */
  member(operation: MemberOperation, options?: { readonly reason?: string }): Promise<void>;
  /** This node goes on under a new key, as `peer`; its daemon starts anew. */
  rotate(): Promise<{ readonly peer: PeerId }>;
  invite(request: { readonly roles: readonly Role[]; readonly ttlMs: number }): Promise<InviteReply>;
  /** Of this machine, this node and its company; some members are asked to dial back. */
  doctor(): Promise<Finding[]>;
  /** The same of every member, each asked itself. */
  fleet(): Promise<Patient[]>;
  /** Who reaches whom, as each member says of itself. */
  reach(): Promise<ReachView>;
  /**
   * Removes artifacts that nothing needs, as many as room is short for; with `unusedMs` all that nobody used for so long. `dryRun` only
   * says which.
   */
  collect(options: { readonly dryRun?: boolean; readonly unusedMs?: number }): Promise<CollectionView>;
  stop(): Promise<void>;
}

export interface WireError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly remedy?: string;
}
