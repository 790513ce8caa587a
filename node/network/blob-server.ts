/** Serves blobs of the own disk to members: small answers are read ahead, large ones streamed; all in the order asked for. */
import type { Connection, Stream } from "@libp2p/interface";
import { sizeOf } from "../../protocol/kernel/digest.ts";
import type { Log } from "../log.ts";
import type { BlobStore } from "../ports.ts";
import {
  answers,
  type BlobRequest,
  idleMsMax,
  packBits,
  pieceBytesMax,
  readRequest,
  requestBytesMax,
  smallBytesMax,
} from "./blob-wire.ts";
import { readFrames, writeFrame } from "./frames.ts";
import { peerOf } from "./gate.ts";
import { Slots } from "./slots.ts";

/** Answers read ahead per stream: at most this many times `smallBytesMax` in memory. */
const aheadMax = 16;
/** Files read, and large answers sent, at once. */
const readsMax = 32;
const sendsMax = 32;

type Send = (kind: number, ...parts: readonly Uint8Array[]) => Promise<void>;
/** Writes one answer, in its turn. */
type Answer = (send: Send) => Promise<void>;

export function blobsHandler(options: {
  readonly blobs: Pick<BlobStore, "has" | "stream">;
  readonly log: Log;
  readonly sent: (bytes: number) => void;
}): (stream: Stream, connection: Connection) => Promise<void> {
  const { blobs, log } = options;
  const reads = new Slots(readsMax);
  const sends = new Slots(sendsMax);

  /** Starts reading what is small; what is large is read when its turn comes. */
  function prepare(request: BlobRequest): Answer {
    if (request.kind === "stat") {
      const bits = packBits(request.digests.map((digest) => blobs.has(digest)));
      return (send) => send(answers.stat, bits);
    }
    const { digest, offset } = request;
    if (!blobs.has(digest)) return (send) => send(answers.missing);
    const wanted = sizeOf(digest) - offset;
    if (wanted > smallBytesMax) return (send) => sendLarge(request, send);
    const read = readSmall(request);
    return async (send) => {
      const pieces = await read;
      if (!pieces) return await send(answers.broken);
      options.sent(wanted);
      await send(answers.data, ...pieces);
    };
  }

  async function readSmall({ digest, offset }: BlobRequest & { kind: "get" }) {
    const release = await reads.take();
    try {
      const pieces: Uint8Array[] = [];
      let left = sizeOf(digest) - offset;
      if (left > 0)
        for await (const piece of blobs.stream(digest, offset)) {
          pieces.push(piece);
          left -= piece.length;
        }
      return left === 0 ? pieces : null;
    } catch (error) {
      log.warn({ digest, err: error }, "a blob could not be read");
      return null;
    } finally {
      release();
    }
  }

  async function sendLarge({ digest, offset }: BlobRequest & { kind: "get" }, send: Send) {
    const release = await sends.take();
    const source = blobs.stream(digest, offset)[Symbol.asyncIterator]();
    try {
      for (let left = sizeOf(digest) - offset; left > 0; ) {
        const next = await source.next().catch((error) => {
          log.warn({ digest, err: error }, "a blob could not be read");
          return undefined;
        });
        if (!next || next.done || next.value.length > left) return await send(answers.broken);
        left -= next.value.length;
        options.sent(next.value.length);
        for (let at = 0; at < next.value.length; at += pieceBytesMax)
          await send(answers.data, next.value.subarray(at, at + pieceBytesMax));
      }
    } finally {
      release();
      await source.return?.();
    }
  }

  return async (stream, connection) => {
    const send: Send = (kind, ...parts) => writeFrame(stream, [Uint8Array.of(kind), ...parts], idleMsMax);
    const room = new Slots(aheadMax);
    let turn: Promise<void> = Promise.resolve();
    let failure: unknown;
    try {
      for await (const bytes of readFrames(stream, requestBytesMax)) {
        if (failure) throw failure;
        const answer = prepare(readRequest(bytes));
        turn = turn
          .then(() => (failure ? undefined : answer(send)))
          .catch((error) => {
            failure ??= error;
          });
        const release = await room.take();
        turn = turn.then(release);
      }
      await turn;
      if (failure) throw failure;
      await stream.close();
    } catch (error) {
      log.debug({ peer: peerOf(connection), err: error }, "a blob stream ended early");
      stream.abort(error as Error);
    }
  };
}
