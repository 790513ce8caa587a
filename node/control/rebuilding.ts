/** What the daemon answers about checks by rebuilding. */

import type { ActionName, BuildId } from "../../protocol/kernel/ids.ts";
import type { Claims } from "../../protocol/work/claims.ts";
import type { RebuildVerdict, Rebuilt, RebuiltAction } from "../../protocol/work/rebuilt.ts";

/** The part of `Control` that checks builds by running their actions again elsewhere. */
export interface Rebuilding {
  /**
   * Runs a share of a build's executed actions again, on members that did not come to their results, as a build of its own: it returns as
   * `submit` does. Refuses `not-found`, `blob-missing`, and `no-eligible-node` where nothing of it can be checked.
   */
  rebuild(request: RebuildRequest): Promise<RebuildBegun>;
  /** What a check came to so far. Refuses `not-found` also for a build that is no check. */
  rebuilt(check: BuildId): Promise<RebuildView>;
}

export interface RebuildRequest {
  readonly build: BuildId;
  /** Above 0, at most 1. */
  readonly share: number;
  /** This one alone. */
  readonly action?: ActionName;
  readonly priority?: number;
}

export interface RebuildBegun {
  readonly check: BuildId;
  /** Actions that run again, out of so many that were executed; `left` of those picked cannot. */
  readonly picked: number;
  readonly of: number;
  readonly left: number;
  /** What the person should know. */
  readonly word?: string;
}

/** Members by their names. */
export interface RebuiltView extends Omit<RebuiltAction, "by" | "again"> {
  readonly by: readonly string[];
  readonly again: readonly string[];
}

export interface RebuildView extends Omit<Rebuilt, "actions" | "left"> {
  readonly check: BuildId;
  readonly state: Claims["state"];
  readonly counts: Readonly<Record<RebuildVerdict, number>>;
  /** What differs first. */
  readonly actions: readonly RebuiltView[];
}
