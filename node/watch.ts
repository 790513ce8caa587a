/** A build as those see it who follow it: `swarmd watch`, the dashboard, the monitor. */
import type { BuildId } from "../protocol/kernel/ids.ts";
import type { Build } from "../protocol/work/build.ts";
import type { BuildEvent } from "./control/api.ts";
import type { HoldView } from "./control/words.ts";
import type { Queries } from "./queries.ts";
import type { Recall } from "./recall.ts";

/** A watcher that falls further behind than this gets a new snapshot. */
const behindMax = 5000;
/** The word of the end may come before the word of what was made: that is waited for this long. */
const awaitedMsMax = 30_000;

export interface WatchParts {
  readonly queries: Queries;
  readonly recall: Pick<Recall, "find">;
  /** Resolves after the next step that may have changed something, or when the signal is aborted. */
  readonly changed: (signal?: AbortSignal) => Promise<void>;
}

/** Follows a build: a snapshot, every transition, the end, which comes once this node knows what the build made. */
export async function* watch(
  { queries, recall, changed }: WatchParts,
  id: BuildId,
  signal: AbortSignal,
): AsyncIterable<BuildEvent> {
  const snapshot = async (): Promise<BuildEvent> => {
    const build = await recall.find(id);
    return { kind: "snapshot", summary: queries.summary(build), running: queries.running(build) };
  };
  /** Since the seal was seen here: by its end, whatever is still on its way. */
  let patience: AbortSignal | undefined;
  let { claims } = await recall.find(id);
  let cursor = claims?.actions.journal.length ?? 0;
  const heldIn = (build: Build) => (build.claims ? queries.holds(build) : []);
  const named = (holds: readonly HoldView[]) => JSON.stringify(holds.map(({ forMs: _, ...hold }) => hold));
  yield await snapshot();
  let held = named(heldIn(await recall.find(id)));
  while (!signal.aborted) {
    const build = await recall.find(id);
    const journal = build.claims?.actions.journal ?? [];
    if (build.claims !== claims || journal.length - cursor > behindMax) {
      claims = build.claims;
      cursor = journal.length;
      yield await snapshot();
    }
    for (; claims && cursor < journal.length; cursor++) {
      const { action, state } = journal[cursor]!;
      const attempts = claims.claimsOf(action);
      // What blocked it has ended; of two runs at once the later may still be at it.
      const claim =
        attempts.find((c) => c.done) ??
        (state === "blocked" ? attempts.findLast((c) => c.fail) : undefined) ??
        attempts.at(-1);
      const reason = state === "blocked" ? claim?.fail?.reason : undefined;
      const ms = claim?.done?.usage?.wallMs;
      yield {
        kind: "action",
        action: claims.action(action).name,
        state,
        ...(claim ? { node: queries.nameOf(claim.holder) } : {}),
        ...(state === "done" && claims.wasCached(action) && !claim?.done ? { cached: true } : {}),
        ...(state === "done" && ms !== undefined ? { ms } : {}),
        ...(reason !== undefined ? { reason } : {}),
        counts: { ...claims.actions.counts },
      };
    }
    const holds = heldIn(build);
    if (named(holds) !== held) yield { kind: "holds", holds };
    held = named(holds);
    if (claims?.sealed) {
      patience ??= AbortSignal.timeout(awaitedMsMax);
      if (queries.awaited(build) === 0 || patience.aborted) {
        yield { kind: "end", result: queries.result(build) };
        return;
      }
    }
    await changed(patience ? AbortSignal.any([signal, patience]) : signal);
  }
}
