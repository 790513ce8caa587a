/**
 * Building again under the same name what failed in a build that has ended, or what waits in a live one for toolchains that are gone.
 * Results come from the action cache, so that only what failed, and what waited for it, runs. Toolchains that nobody has any more are
 * resolved anew.
 */
import { decodeGraph, encodeGraph, type Graph } from "../protocol/build/graph.ts";
import { type Repinned, repinned, toolSetsOfGraph } from "../protocol/build/renewal.ts";
import type { ToolSet } from "../protocol/build/tool-sets.ts";
import type { Command, CommandReply } from "../protocol/contract.ts";
import { sha256Hex } from "../protocol/kernel/digest.ts";
import type { ActionName, BuildId, Digest } from "../protocol/kernel/ids.ts";
import type { Build } from "../protocol/work/build.ts";
import type { Desk } from "../protocol/work/desk.ts";
import { indexNamed } from "../protocol/work/named.ts";
import type { ToolChoices } from "../protocol/work/tooling.ts";
import { toolsAreGone } from "../protocol/work/waits.ts";
import type { Moved } from "./control/words.ts";

export interface RetryParts {
  readonly desk: Desk;
  /** Brings blobs to the own disk; throws `blob-missing`. */
  readonly bring: (digests: readonly Digest[]) => Promise<void>;
  readonly read: (digest: Digest) => Promise<Uint8Array>;
  readonly keep: (bytes: Uint8Array) => Promise<Digest>;
  /** As at submit; throws `no-eligible-node`. */
  readonly resolve: (sets: readonly ToolSet[]) => Promise<ToolChoices>;
  readonly command: (command: Command) => Promise<Extract<CommandReply, { ok: true }>>;
}

/** Drawn from the build that failed: to retry twice from one node is to retry once. */
const nonceOf = (failed: BuildId): string => sha256Hex(`swarmd-retry-1 ${failed}`).slice(0, 16);

/** The build that this node submitted in place of one that failed, or the one in place of that; the build itself when there is none. */
export function latestRetry(desk: Desk, id: BuildId): BuildId {
  for (let latest = id; ; ) {
    const nonce = nonceOf(latest);
    const next = [...desk.builds.values()].find(
      ({ submission }) => submission?.author === desk.config.self && submission.event.nonce === nonce,
    );
    if (!next) return latest;
    latest = next.id;
  }
}

/**
 * Submits a build again that ended without all its results, or that waits for toolchains which no living node has; the latter is
 * cancelled then. Undefined when it is neither: then the core knows what a retry means. Throws `not-found` for an unknown action,
 * `blob-missing` when its inputs are gone, `no-eligible-node` when its toolchains are and nothing can stand in for them.
 */
export async function retryAnew(
  parts: RetryParts,
  asked: { readonly build: BuildId; readonly action?: ActionName },
  dryRun: boolean,
): Promise<Moved | undefined> {
  const { desk } = parts;
  const id = latestRetry(desk, asked.build);
  const build = desk.builds.get(id);
  const claims = build?.claims;
  if (!build || !claims) return undefined;
  const gone = toolsAreGone(desk, build);
  const state = claims.sealed?.event.state;
  if (state === undefined && (!gone || claims.settled || claims.cancelled || claims.paused)) return undefined;
  if (state === "complete" && id !== asked.build) return { moved: 0, lost: 0, build: id };
  // What a person cancelled stays so; but a retry that was cancelled may be tried again.
  if (state === "complete" || (state === "cancelled" && id === asked.build)) return undefined;
  const { actions } = claims;
  if (asked.action !== undefined) indexNamed(build, asked.action);
  const moved = actions.size - actions.counts.done;
  const lost = state === undefined ? claims.openClaims.size : 0;
  const { graph, changes } = gone
    ? await resolvedAnew(parts, claims.graph)
    : { graph: undefined, changes: [] };
  if (state === undefined && changes.length === 0) return undefined;
  const told = changes.length > 0 ? { toolchains: changes } : {};
  if (dryRun) return { moved, lost, build: id, ...told };
  const again = await submitAgain(parts, build, graph);
  if (state === undefined) {
    const reason = `built again as ${again}: its toolchains are gone`;
    await parts.command({ kind: "control", build: id, op: "cancel", reason });
  }
  return { moved, lost, build: again, ...told };
}

async function resolvedAnew(
  { resolve }: RetryParts,
  graph: Graph,
): Promise<{ graph: Graph; changes: Repinned[] }> {
  const { fingerprints } = await resolve(toolSetsOfGraph(graph));
  return repinned(graph, fingerprints);
}

/** `changed`: the graph to build in place of the one that was submitted. */
async function submitAgain(
  { bring, read, keep, command }: RetryParts,
  build: Build,
  changed: Graph | undefined,
): Promise<BuildId> {
  const { name, graph: submitted, priority, fresh, checks } = build.submission!.event;
  await bring([submitted]);
  await bring([...new Set(decodeGraph(await read(submitted)).files.map((file) => file.digest))]);
  const graph = changed ? await keep(encodeGraph(changed).bytes) : submitted;
  const reply = await command({
    kind: "submit",
    name,
    graph,
    nonce: nonceOf(build.id),
    priority,
    // A check that asked the cache would find what it is to check.
    ...(checks ? { fresh, checks } : {}),
  });
  return reply.build!;
}
