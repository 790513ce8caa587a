/** What the daemon answers when it is asked for an account of what happened. All times are milliseconds, all sizes bytes. */
import type { AutopsyView } from "../../protocol/explain/autopsy.ts";
import type { DecisionsQuestion, DecisionsView } from "../../protocol/explain/decisions.ts";
import type { Family } from "../../protocol/explain/families.ts";
import type { PathView } from "../../protocol/explain/paths.ts";
import type { Reading } from "../../protocol/explain/readings.ts";
import type { Moment, ReplayStep } from "../../protocol/explain/replay.ts";
import type { WhyView } from "../../protocol/explain/why.ts";
import type { ActionName, BuildId, PeerId } from "../../protocol/kernel/ids.ts";

/** The part of `Control` that tells what happened. All of it refuses `not-found`, and `blob-missing` while a build's plan is nowhere. */
export interface Accounts {
  /** Why an action went as it did. */
  why(build: BuildId, action: ActionName): Promise<WhyView>;
  /** What its duration hangs on, and when it will end. */
  criticalPath(build: BuildId): Promise<PathView>;
  /** What its failures came from, what they hold up, and what to run. */
  autopsy(build: BuildId): Promise<AutopsyView>;
  /** Who got what, among whom and why; a page of it. */
  decisions(request: DecisionsRequest): Promise<DecisionsView>;
  /** The build at a moment, or every event of it with what it changed. */
  replay(request: ReplayRequest, signal: AbortSignal): AsyncIterable<ReplayLine>;
  /** How nodes were while it was built, from recorded beats; no nodes where nothing was recorded. */
  readings(build: BuildId): Promise<ReadingsView>;
  /** The last lines that fit, oldest first, then those that come. Refuses `usage` for a kind that is none. */
  timeline(request: TimelineRequest, signal: AbortSignal): AsyncIterable<TimelineLine>;
}

export interface DecisionsRequest extends DecisionsQuestion {
  readonly build: BuildId;
}

export interface ReplayRequest {
  readonly build: BuildId;
  /** Wall milliseconds; absent: when the last word was said in it. */
  readonly atMs?: number;
  readonly steps: boolean;
}

export interface ReadingsView {
  readonly build: BuildId;
  /** By name, the oldest first, thinned out; the first may be from before the submit. */
  readonly nodes: Readonly<Record<string, readonly Reading[]>>;
}

export type ReplayLine = Moment | ReplayStep;

/** Which lines of the timeline; all of them where nothing is said. */
export interface TimelineRequest {
  readonly build?: BuildId;
  /** A name or a peer id, also of one that is a member no more. */
  readonly node?: string;
  /** Kinds, families, or beginnings of kinds up to a dot. */
  readonly kinds?: readonly string[];
  /** By the clocks of those who spoke. */
  readonly sinceMs?: number;
  /** The last so many, before those that come. */
  readonly limit?: number;
  readonly follow: boolean;
}

/** An event as it was said, and by whom. */
export interface TimelineLine {
  /** By its author's clock. */
  readonly atMs: number;
  readonly node: string;
  readonly peerId: PeerId;
  readonly inc: string;
  /** Its entry's place in the author's chain, and its own place in that entry. */
  readonly seq: number;
  readonly place: number;
  readonly entry: string;
  readonly build?: BuildId;
  readonly family: Family;
  readonly kind: string;
  readonly action?: string;
  /** In words. */
  readonly text: string;
  /** Its author was cut off before: it counts nowhere. */
  readonly counts?: false;
  /** Every field; bytes as base64. */
  readonly event: { readonly kind: string };
}
