/** Serves blobs of the own disk to members: small answers are read ahead, large ones streamed; all in the order asked for. */
import type { Connection, Stream } from "@libp2p/interface";
import { sizeOf } from "../../protocol/kernel/digest.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { Digest, PeerId } from "../../protocol/kernel/ids.ts";
import type { Log } from "../log.ts";
import type { BlobStore, PiecedBlob } from "../ports.ts";
import { pieceCountOf } from "../store/pieces.ts";
import type { Askers } from "./askers.ts";
import {
  answers,
  type BlobRequest,
  encodeOffer,
  encodePieces,
  encodeSize,
  frameBytesMax,
  idleMsMax,
  obtainMsMax,
  offerMsMax,
  othersMax,
  packBits,
  readRequest,
  requestBytesMax,
  smallBytesMax,
} from "./blob-wire.ts";
import { Errands } from "./errands.ts";
import { readFrames, writeFrame } from "./frames.ts";
import { peerOf } from "./gate.ts";
import { Offers } from "./offers.ts";
import { Slots } from "./slots.ts";

/** Answers read ahead per stream: at most this many times `smallBytesMax` in memory. */
const aheadMax = 16;
/** Files read, and large answers sent, at once. */
const readsMax = 32;
const sendsMax = 32;
/** Pieces read ahead, of all streams together. */
const piecesAheadMax = 24;

type Send = (kind: number, ...parts: readonly Uint8Array[]) => Promise<void>;
/** Writes one answer, in its turn. */
type Answer = (send: Send) => Promise<void>;

export function blobsHandler(options: {
  readonly blobs: Pick<BlobStore, "has" | "stream" | "pieced" | "sizeOfHash">;
  /** Brings a blob here for somebody that does not reach its holders: true once others can have it, or its first pieces, from here. */
  readonly obtain: (digest: Digest, from: readonly PeerId[], signal: AbortSignal) => Promise<boolean>;
  /** Reads a blob again that somebody found wrong: whether it is here and right. */
  readonly doubted: (digest: Digest) => Promise<boolean>;
  readonly askers: Askers;
  readonly log: Log;
  readonly sent: (bytes: number) => void;
}): (stream: Stream, connection: Connection) => Promise<void> {
  const { blobs, log, askers } = options;
  const reads = new Slots(readsMax);
  const sends = new Slots(sendsMax);
  const piecesAhead = new Slots(piecesAheadMax);
  const offers = new Offers();
  const errands = new Errands();

  /** Starts reading what is small; what is large is read when its turn comes. */
  function prepare(request: BlobRequest, peer: PeerId): Answer {
    switch (request.kind) {
      case "stat": {
        const bits = packBits(request.digests.map((digest) => blobs.has(digest)));
        return (send) => send(answers.stat, bits);
      }
      case "get":
        return prepareGet(request);
      case "size": {
        const size = blobs.sizeOfHash(request.hash);
        return (send) => (size === undefined ? send(answers.missing) : send(answers.size, encodeSize(size)));
      }
      case "obtain":
        return prepareObtain(request, peer);
      case "doubt":
        return prepareDoubt(request.digest);
      case "pieces":
        return preparePieces(request.digest, peer);
      case "offer":
        return prepareOffer(request);
      case "piece":
        return preparePiece(request);
    }
  }

  function prepareObtain({ digest, from }: BlobRequest & { kind: "obtain" }, peer: PeerId): Answer {
    const ended = errands.begin(peer, digest);
    if (!ended) return (send) => send(answers.missing);
    const obtained = options
      .obtain(digest, from, AbortSignal.timeout(obtainMsMax))
      .catch((error) => {
        log.debug({ digest, err: error }, "a blob could not be brought for another member");
        return false;
      })
      .finally(ended);
    return async (send) => await send((await obtained) ? answers.obtained : answers.missing);
  }

  function prepareDoubt(digest: Digest): Answer {
    const right = options.doubted(digest).catch((error) => {
      log.warn({ digest, err: error }, "a blob could not be read");
      return false;
    });
    return async (send) => await send((await right) ? answers.right : answers.missing);
  }

  function preparePieces(digest: Digest, peer: PeerId): Answer {
    const others = askers
      .of(digest)
      .filter((other) => other !== peer)
      .slice(0, othersMax);
    const found = piecedOrNot(digest);
    askers.note(digest, peer);
    return async (send) => {
      const blob = await found;
      if (!blob) return await send(answers.missing);
      await send(answers.pieces, encodePieces({ list: blob.list, whole: blob.whole, others }));
    };
  }

  function prepareOffer({ digest, lack, max }: BlobRequest & { kind: "offer" }): Answer {
    const offer = async () => {
      const deadlineMs = performance.now() + offerMsMax;
      for (;;) {
        const blob = await piecedOrNot(digest);
        const chosen = blob && offers.propose(digest, pieceCountOf(digest), blob, lack, max);
        if (chosen === undefined || chosen.length > 0) return chosen;
        const leftMs = deadlineMs - performance.now();
        if (leftMs <= 0 || blob?.whole) return chosen;
        await within(leftMs, blob!.more());
      }
    };
    const chosen = offer();
    return async (send) => {
      const indexes = await chosen;
      await (indexes ? send(answers.offer, encodeOffer(indexes)) : send(answers.missing));
    };
  }

  /** Read ahead, and counted until it is sent: slots are given in the order of requests, so that the first in line always has its own. */
  function preparePiece({ digest, index }: BlobRequest & { kind: "piece" }): Answer {
    const slot = piecesAhead.take();
    const read = slot
      .then(() => piecedOrNot(digest))
      .then((blob) => blob?.read(index))
      .catch((error) => {
        if (!(error instanceof SwarmError)) log.warn({ digest, err: error }, "a piece could not be read");
        return undefined;
      });
    return async (send) => {
      try {
        const bytes = await read;
        if (!bytes) return await send(answers.missing);
        options.sent(bytes.length);
        for (let at = 0; at < bytes.length; at += frameBytesMax)
          await send(answers.data, bytes.subarray(at, at + frameBytesMax));
      } finally {
        (await slot)();
      }
    };
  }

  async function piecedOrNot(digest: Digest): Promise<PiecedBlob | undefined> {
    try {
      return await blobs.pieced(digest);
    } catch (error) {
      log.warn({ digest, err: error }, "a blob could not be read");
      return undefined;
    }
  }

  function prepareGet(request: BlobRequest & { kind: "get" }): Answer {
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
        for (let at = 0; at < next.value.length; at += frameBytesMax)
          await send(answers.data, next.value.subarray(at, at + frameBytesMax));
      }
    } finally {
      release();
      await source.return?.();
    }
  }

  return async (stream, connection) => {
    const room = new Slots(aheadMax);
    let turn: Promise<void> = Promise.resolve();
    let failure: unknown;
    const send: Send = async (kind, ...parts) => {
      if (failure) throw failure;
      await writeFrame(stream, [Uint8Array.of(kind), ...parts], idleMsMax);
    };
    try {
      for await (const bytes of readFrames(stream, requestBytesMax)) {
        if (failure) throw failure;
        const answer = prepare(readRequest(bytes), peerOf(connection));
        // after a failure too: an answer gives back what it holds
        turn = turn
          .then(() => answer(send))
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

/** Until it happens, or for so long. */
async function within(timeoutMs: number, event: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs);
  });
  await Promise.race([event, late]);
  clearTimeout(timer);
}
