/**
 * Building again what failed in a build that has ended: the same graph under the same name. Results come from the action cache, so
 * that only what failed, and what waited for it, runs.
 */
import { decodeGraph } from "../protocol/build/graph.ts";
import { didYouMean } from "../protocol/build/nearest.ts";
import type { Command, CommandReply } from "../protocol/contract.ts";
import { sha256Hex } from "../protocol/kernel/digest.ts";
import { SwarmError } from "../protocol/kernel/errors.ts";
import type { ActionName, BuildId, Digest } from "../protocol/kernel/ids.ts";
import { type Build, buildIdOf } from "../protocol/work/build.ts";
import type { Desk } from "../protocol/work/desk.ts";
import type { Moved } from "./control/api.ts";

export interface RetryParts {
  readonly desk: Desk;
  /** Brings blobs to the own disk; throws `blob-missing`. */
  readonly bring: (digests: readonly Digest[]) => Promise<void>;
  readonly read: (digest: Digest) => Promise<Uint8Array>;
  readonly command: (command: Command) => Promise<Extract<CommandReply, { ok: true }>>;
}

/** Drawn from the build that failed: to retry twice from one node is to retry once. */
const nonceOf = (failed: BuildId): string => sha256Hex(`swarmd-retry-1 ${failed}`).slice(0, 16);

/** The build that this node submitted in place of one that failed, or the one in place of that; the build itself when there is none. */
export function latestRetry(desk: Desk, id: BuildId): BuildId {
  for (let latest = id; ; ) {
    const event = desk.builds.get(latest)?.submission?.event;
    const next = event && buildIdOf(event.name, desk.config.self, event.graph, nonceOf(latest));
    if (next === undefined || !desk.builds.get(next)?.submission) return latest;
    latest = next;
  }
}

/**
 * Submits a build again that ended without all its results. Undefined when it is not such a one: then the core knows what a retry
 * means. Throws `not-found` for an unknown action, `blob-missing` when its inputs are gone.
 */
export async function retryEnded(
  parts: RetryParts,
  asked: { readonly build: BuildId; readonly action?: ActionName },
  dryRun: boolean,
): Promise<Moved | undefined> {
  const { desk } = parts;
  const id = latestRetry(desk, asked.build);
  const build = desk.builds.get(id);
  const state = build?.claims?.sealed?.event.state;
  if (!build || state === undefined) return undefined;
  if (state === "complete" && id !== asked.build) return { moved: 0, lost: 0, build: id };
  // What a person cancelled stays so; but a retry that was cancelled may be tried again.
  if (state === "complete" || (state === "cancelled" && id === asked.build)) return undefined;
  const { actions, indexOf } = build.claims!;
  if (asked.action !== undefined && !indexOf.has(asked.action))
    throw new SwarmError("not-found", `${id} has no action ${asked.action}`, {
      remedy: didYouMean(asked.action, indexOf.keys()) ?? `what it is made of: swarmd logs ${id}`,
    });
  const moved = actions.size - actions.counts.done;
  return { moved, lost: 0, build: dryRun ? id : await submitAgain(parts, build) };
}

async function submitAgain({ bring, read, command }: RetryParts, build: Build): Promise<BuildId> {
  const { name, graph, priority } = build.submission!.event;
  await bring([graph]);
  await bring([...new Set(decodeGraph(await read(graph)).files.map((file) => file.digest))]);
  const reply = await command({ kind: "submit", name, graph, nonce: nonceOf(build.id), priority });
  return reply.build!;
}
