/** Logs of actions, wherever they ran: what has ended comes from artifacts, what runs comes live from the node that runs it. */
import type { Core } from "../protocol/core.ts";
import type { ActionName, BuildId, Digest, PeerId } from "../protocol/kernel/ids.ts";
import type { Build } from "../protocol/work/build.ts";
import { isOpen } from "../protocol/work/claim.ts";
import type { LogChunk, LogRequest } from "./control/api.ts";
import type { Mesh, TailChunk, TailRequest, TailSource } from "./ports.ts";
import type { Queries } from "./queries.ts";
import type { Recall } from "./recall.ts";

const chunkChars = 64 << 10;

interface Sources {
  readonly core: Core;
  readonly queries: Queries;
  readonly recall: Pick<Recall, "find">;
  readonly tails: TailSource;
  readonly mesh: Pick<Mesh, "tail">;
  /** Bytes of a log artifact, from this disk or whoever holds it; null when nobody does. */
  readonly read: (digest: Digest) => Promise<Uint8Array | null>;
  /** Why it is so where nobody does. */
  readonly absent: string;
  /** Resolves when the build has ended or the signal fires. */
  readonly ended: (build: BuildId, signal: AbortSignal) => Promise<void>;
}

export async function* logsOf(
  request: LogRequest,
  signal: AbortSignal,
  sources: Sources,
): AsyncIterable<LogChunk> {
  const { subject, follow } = request;
  if ("node" in subject) {
    const node = sources.queries.node(subject.node);
    yield* tailOf(node.peerId, { follow }, signal, sources);
    return;
  }
  const build = await sources.recall.find(subject.build);
  yield* endedLogs(build, subject.action, sources);
  if (!build.live) return;
  const over = new AbortController();
  const both = AbortSignal.any([signal, over.signal]);
  if (follow) void sources.ended(subject.build, both).finally(() => over.abort());
  const { action } = subject;
  const want: TailRequest = { build: subject.build, follow, ...(action === undefined ? {} : { action }) };
  yield* merged(sources.core.desk.alive().map((peer) => tailOf(peer, want, both, sources)));
}

async function* endedLogs(
  { id, claims }: Build,
  only: ActionName | undefined,
  sources: Sources,
): AsyncIterable<LogChunk> {
  for (const claim of claims?.claims.values() ?? []) {
    const action = claims!.action(claim.action).name;
    if (isOpen(claim) || (only !== undefined && action !== only)) continue;
    const hash = claim.done?.resultHash;
    const outs = claim.fail ?? claims!.resultsOf(claim.action).find((r) => r.hash === hash)?.result;
    const node = sources.queries.nameOf(claim.holder);
    for (const stream of ["stdout", "stderr"] as const) {
      const digest = outs?.[stream];
      if (!digest) continue;
      const bytes = await sources.read(digest);
      const text = bytes ? new TextDecoder().decode(bytes) : `(${sources.absent}: ${digest})\n`;
      for (let at = 0; at < text.length; at += chunkChars)
        yield { node, build: id, action, stream, text: text.slice(at, at + chunkChars) };
    }
  }
}

async function* tailOf(
  peer: PeerId,
  request: TailRequest,
  signal: AbortSignal,
  sources: Sources,
): AsyncIterable<LogChunk> {
  const own = peer === sources.core.desk.config.self;
  const node = sources.queries.nameOf(peer);
  const chunks: AsyncIterable<TailChunk> = own
    ? sources.tails.tail(request, signal)
    : sources.mesh.tail(peer, request, signal);
  try {
    for await (const chunk of chunks) yield { node, ...chunk };
  } catch (error) {
    // A node that dies while it is watched ends its own tail, not everybody's.
    if (own || request.build === undefined) throw error;
  }
}

/** Whatever comes first from any of the sources, until all have ended. */
async function* merged<T>(sources: readonly AsyncIterable<T>[]): AsyncIterable<T> {
  const iterators = sources.map((s) => s[Symbol.asyncIterator]());
  const next = (index: number) => {
    const result = iterators[index]!.next().then((found) => ({ index, result: found }));
    result.catch(() => {}); // what breaks while a slow reader has the last piece is told when he reads on
    return result;
  };
  const waiting = new Map(iterators.map((_, index) => [index, next(index)]));
  try {
    while (waiting.size > 0) {
      const { index, result } = await Promise.race(waiting.values());
      if (result.done) waiting.delete(index);
      else {
        waiting.set(index, next(index));
        yield result.value;
      }
    }
  } finally {
    // not waited for: one that hangs would hold up whoever waits for the end
    for (const iterator of iterators) iterator.return?.().catch(() => {});
  }
}
