/** Words of people: what they come to, and those that hold a build. All times are milliseconds. */
import type { Repinned } from "../../protocol/build/renewal.ts";
import type { ActionName, BuildId } from "../../protocol/kernel/ids.ts";

/** What a person's word came to, or with `dryRun` would. */
export interface Moved {
  /** Actions that changed hands or became runnable. */
  readonly moved: number;
  /** Runs thrown away. */
  readonly lost: number;
  /** The build it is about; another than the one named where a new one took its place. */
  readonly build?: BuildId;
  /** What the person should know of it. */
  readonly word?: string;
  /** The actions that a step lets run, or that were written down. */
  readonly actions?: readonly ActionName[];
  /** Toolchains that are others in it. */
  readonly toolchains?: readonly Repinned[];
}

export interface WordOptions {
  readonly reason?: string;
  /** Change nothing, say what it would come to. */
  readonly dryRun?: boolean;
}

/** A person's word that stands: who said it when, by the clock of that node, and why. */
export interface WordView {
  readonly by: string;
  readonly atMs: number;
  readonly reason?: string;
}

/** What holds a build, or an action of it, now. */
export interface HoldView extends WordView {
  readonly kind: "pause" | "failure" | "breakpoint";
  /** The action that failed, or that waits at its breakpoint. */
  readonly action?: ActionName;
  /** How long it has held, as far as this node saw. */
  readonly forMs: number;
}
