/** Live output of what runs on another member: one stream per watcher, ended by an empty frame or by the watcher. Who is not reached is watched through a third. */
import type { Connection, Stream } from "@libp2p/interface";
import { z } from "zod";
import { decode, encode } from "../../protocol/kernel/codec.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import {
  type ActionName,
  type BuildId,
  isBuildId,
  isPeerId,
  type PeerId,
} from "../../protocol/kernel/ids.ts";
import type { Log } from "../log.ts";
import type { TailChunk, TailRequest, TailSource } from "../ports.ts";
import { frame, readFrame, readFrames, writeFrame } from "./frames.ts";
import { peerOf } from "./gate.ts";

export const tailProtocol = "/swarmd/1/tail";
/** Of a member that the one who is asked reaches. */
export const tailThroughProtocol = "/swarmd/1/tail-through";

/** Watchers of one peer at once. */
export const tailsMax = 32;
const requestBytesMax = 4 << 10;
/** 64 KiB of text are at most three times as many bytes. */
const chunkBytesMax = (3 * 64 + 4) << 10;
const openMsMax = 5_000;
/** A watcher that takes nothing for this long has gone. */
const stalledMsMax = 60_000;

const build = z.custom<BuildId>((v) => typeof v === "string" && isBuildId(v));
const action = z.string().min(1).max(512) as unknown as z.ZodType<ActionName>;
const requestSchema = z.object({ build: build.optional(), action: action.optional(), follow: z.boolean() });
const throughSchema = requestSchema.extend({
  of: z.custom<PeerId>((v) => typeof v === "string" && isPeerId(v)),
});
const chunkSchema = z.object({
  build,
  action,
  stream: z.enum(["stdout", "stderr"]),
  text: z.string().max(64 << 10),
});

type Handler = (stream: Stream, connection: Connection) => Promise<void>;

/** Hands out what runs here. */
export const tailHandler = ({ tails, log }: { readonly tails: TailSource; readonly log: Log }): Handler =>
  handler((request, signal) => tails.tail(requestSchema.parse(request), signal), log);

/** Hands on what runs on a member that is reached from here; never through yet another. */
export const tailThroughHandler = (options: {
  readonly connectionTo: (peer: PeerId) => Connection | undefined;
  readonly log: Log;
}): Handler =>
  handler((request, signal) => {
    const { of, ...wanted } = throughSchema.parse(request);
    return tailOf(of, options.connectionTo(of), wanted, signal);
  }, options.log);

function handler(
  tails: (request: unknown, signal: AbortSignal) => AsyncIterable<TailChunk>,
  log: Log,
): Handler {
  return async (stream, connection) => {
    const gone = new AbortController();
    stream.addEventListener("close", () => gone.abort(), { once: true });
    try {
      const request = decode(await readFrame(stream, requestBytesMax, openMsMax), requestBytesMax);
      for await (const chunk of tails(request, gone.signal)) {
        if (gone.signal.aborted) return;
        await writeFrame(stream, [encode(chunk)], stalledMsMax);
      }
      await writeFrame(stream, [], stalledMsMax);
      await stream.close();
    } catch (error) {
      if (!gone.signal.aborted) log.debug({ peer: peerOf(connection), err: error }, "a tail ended early");
      stream.abort(error as Error);
    }
  };
}

/** `through`: the connection is to a third, who reaches the peer. Ends with the other side's output or with the signal; throws `peer-unreachable` when the peer is or goes away, `malformed` for what is no chunk. */
export async function* tailOf(
  peer: PeerId,
  connection: Connection | undefined,
  request: TailRequest,
  signal: AbortSignal,
  through = false,
): AsyncGenerator<TailChunk, void> {
  if (signal.aborted) return;
  const unreachable = (cause?: unknown) =>
    new SwarmError("peer-unreachable", `${peer} cannot be asked for its output`, {
      cause,
      remedy: "run: swarmd node list",
    });
  if (!connection) throw unreachable();
  let stream: Stream | undefined;
  const stop = () => stream?.abort(new Error("nobody watches any more"));
  signal.addEventListener("abort", stop);
  try {
    stream = await connection.newStream(through ? tailThroughProtocol : tailProtocol, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(openMsMax)]),
    });
    stream.send(frame(encode(through ? { ...request, of: peer } : request)));
    for await (const bytes of readFrames(stream, chunkBytesMax)) {
      if (bytes.length === 0) return;
      const chunk = chunkSchema.safeParse(decode(bytes, chunkBytesMax));
      if (!chunk.success) throw new SwarmError("malformed", "not a piece of output");
      yield chunk.data;
    }
    throw unreachable();
  } catch (cause) {
    if (signal.aborted) return;
    throw cause instanceof SwarmError ? cause : unreachable(cause);
  } finally {
    signal.removeEventListener("abort", stop);
    if (stream && stream.status !== "closed") stop();
  }
}
