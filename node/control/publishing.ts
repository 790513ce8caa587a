/** What the daemon answers and does about releases: channels, epochs, what is staged, who serves, what is tainted. All times are milliseconds, all sizes bytes. */
import type { ActionName, BuildId, Digest, PeerId } from "../../protocol/kernel/ids.ts";
import type { Manifest } from "../../protocol/release/manifest.ts";
import type { ReleaseCommand, ReleaseReply } from "../../protocol/release/releases.ts";
import type { Liveness } from "../../protocol/swarm/liveness.ts";

/** An epoch of a channel. */
export interface EpochView {
  readonly epoch: number;
  readonly atMs: number;
  readonly manifest: Digest;
  /** The name of what was voted on, by which the next epoch refers to it. */
  readonly value: string;
  /** Who coordinated it, and in which round. */
  readonly by: string;
  readonly round: number;
  /** Its certificate. */
  readonly votes: readonly { readonly node: string; readonly entry: string }[];
  readonly voters: readonly string[];
  readonly nextVoters: readonly string[];
  readonly shownBy: readonly string[];
}

/** What one build staged and nobody released or dropped. */
export interface StagedView {
  readonly build: BuildId;
  readonly items: number;
  readonly bytes: number;
  readonly stagedBy: string;
  /** Empty until its list is here. */
  readonly paths: readonly string[];
  /** What is missing to know what it is. */
  readonly waitsFor?: string;
  /** Files of it that are not on this disk. */
  readonly missingHere: number;
  readonly missingBytes: number;
}

export interface ChannelView {
  readonly channel: string;
  /** 0 = nothing released. */
  readonly current: number;
  /** Of the next epoch. */
  readonly voters: readonly {
    readonly node: string;
    readonly peerId: PeerId;
    readonly state: Liveness | "self";
  }[];
  /** What the loss of one voter would cost, or has cost already; null: nothing. */
  readonly atRisk: string | null;
  /** What stands in the way of releasing what is staged; null: nothing that is known. */
  readonly hindered: string | null;
  /** It stays on its epoch until somebody lets it go on. */
  readonly pinned?: { readonly by: string; readonly reason?: string };
  /** The oldest first. */
  readonly epochs: readonly EpochView[];
  /** Epochs for which voters signed two releases. */
  readonly conflicts: readonly number[];
  readonly staged: readonly StagedView[];
}

export interface MirrorView {
  readonly node: string;
  readonly peerId: PeerId;
  readonly state: Liveness | "self";
  readonly votes: boolean;
  /** Per channel the epoch it serves (0 = none) of how many there are, and why it lags. */
  readonly shows: readonly {
    readonly channel: string;
    readonly epoch: number;
    readonly of: number;
    readonly lags?: string;
  }[];
}

export interface ReleasesView {
  readonly channels: readonly ChannelView[];
  readonly mirrors: readonly MirrorView[];
}

/** What counts no more because of who made it, and what holds it. Lists of names hold at most 100 of `count`. */
export interface TaintsView {
  readonly taints: readonly {
    readonly node: string;
    readonly peerId: PeerId;
    readonly sinceMs: number;
    readonly by: string;
    readonly reason?: string;
  }[];
  /** Actions whose results went, made there or made of that. */
  readonly builds: readonly {
    readonly build: BuildId;
    readonly actions: readonly ActionName[];
    readonly count: number;
  }[];
  readonly staged: readonly {
    readonly channel: string;
    readonly build: BuildId;
    readonly paths: readonly string[];
    readonly count: number;
  }[];
  /** The newest of a channel first. */
  readonly epochs: readonly {
    readonly channel: string;
    readonly epoch: number;
    readonly current: boolean;
    readonly paths: readonly string[];
    readonly count: number;
  }[];
  /** Builds and epochs that could not be looked at. */
  readonly unread: readonly string[];
}

/** The part of `Control` that is about releases. */
export interface Publishing {
  /** Channels, epochs, what is staged, who votes and who serves. */
  releases(): Promise<ReleasesView>;
  /** What an epoch holds; `not-found`, `blob-missing`. */
  releaseManifest(channel: string, epoch: number): Promise<Manifest>;
  /** Answers once an epoch is certified; refuses `no-quorum`, `clock-wrong`, `role-missing`, `blob-missing`, `not-found`, `refused`. */
  release(command: ReleaseCommand): Promise<ReleaseReply>;
  /** What a member made since then counts no more, nor what was made of it; refuses `not-found` where it made nothing, `role-missing`. */
  taint(request: {
    readonly peer: PeerId;
    readonly sinceMs: number;
    readonly reason?: string;
  }): Promise<TaintsView>;
  /** All that is tainted, and what holds it. */
  taints(): Promise<TaintsView>;
}
