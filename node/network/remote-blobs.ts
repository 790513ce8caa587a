/** Blobs of other members: many small requests share one pipelined stream per connection, each large one has a stream of its own. */
import type { Connection, Stream } from "@libp2p/interface";
import { sizeOf } from "../../protocol/kernel/digest.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { Digest, PeerId } from "../../protocol/kernel/ids.ts";
import type { PiecesAnswer, RemoteBlobs } from "../ports.ts";
import { pieceAt } from "../store/pieces.ts";
import {
  answerBytesMax,
  answers,
  bitAt,
  blobsProtocol,
  encodeRequest,
  idleMsMax,
  othersMax,
  piecesBytesMax,
  readOffer,
  readPieces,
  readSize,
  smallBytesMax,
  statMax,
} from "./blob-wire.ts";
import { frame, hearFrames, readFrames } from "./frames.ts";
import { Slots } from "./slots.ts";

/** Small requests under way per peer: at most this many times `smallBytesMax` in memory. */
const smallMax = 64;
/** Large transfers from one peer at once. */
const largeMax = 8;
/** Pieces, and offers of some, asked of one peer at once. */
const piecesMax = 16;
const offersMax = 32;
/** Blobs that one peer is to bring for us at once. */
const errandsMax = 4;
const openMsMax = 5_000;
const laneBytesMax = Math.max(answerBytesMax, piecesBytesMax + 1);

interface Waiting {
  /** True when the answer is complete. The payload is good only until it returns. */
  onAnswer(kind: number, payload: Uint8Array): boolean;
  onFailure(cause: unknown): void;
}

export interface RemoteBlobsOptions {
  readonly connectionTo: (peer: PeerId) => Connection | undefined;
  readonly received: (bytes: number) => void;
}

/** `stop` ends what is under way with `peer-unreachable`. */
export function createRemoteBlobs(options: RemoteBlobsOptions): RemoteBlobs & { stop(): void } {
  const sources = new Map<Connection, Source>();

  function source(peer: PeerId): Source {
    const connection = options.connectionTo(peer);
    if (!connection) throw unreachable(peer);
    let known = sources.get(connection);
    if (!known) {
      known = new Source(peer, connection, options.received);
      sources.set(connection, known);
      connection.addEventListener("close", () => sources.delete(connection), { once: true });
    }
    return known;
  }

  return {
    sizeOf: async (peer, hash) => await source(peer).sizeOf(hash),
    obtain: async (peer, digest, from) => await source(peer).obtain(digest, from),
    doubt: async (peer, digest) => await source(peer).doubt(digest),
    pieces: async (peer, digest) => await source(peer).pieces(digest),
    offer: async (peer, digest, lack, max) => await source(peer).offer(digest, lack, max),
    piece: async (peer, digest, index, room) => await source(peer).piece(digest, index, room),
    async stat(peer, digests) {
      const found = new Set<Digest>();
      for (let at = 0; at < digests.length; at += statMax) {
        const asked = digests.slice(at, at + statMax);
        const bits = await source(peer).stat(asked);
        asked.forEach((digest, i) => {
          if (bitAt(bits, i)) found.add(digest);
        });
      }
      return found;
    },
    async *get(peer, digest, offset) {
      const left = sizeOf(digest) - offset;
      if (!Number.isSafeInteger(offset) || offset < 0 || left < 0)
        throw new SwarmError("malformed", `${digest} has no byte ${offset}`);
      if (left <= smallBytesMax) yield await source(peer).getSmall(digest, offset);
      else yield* source(peer).getLarge(digest, offset);
    },
    stop() {
      for (const known of sources.values()) known.stop();
      sources.clear();
    },
  };
}

const unreachable = (peer: PeerId, cause?: unknown): SwarmError =>
  cause instanceof SwarmError && ["timed-out", "blob-missing"].includes(cause.code)
    ? cause
    : new SwarmError("peer-unreachable", `${peer} cannot be asked for blobs`, {
        cause,
        remedy: "run: swarmd node list",
      });

type LaneName = "small" | "offers" | "pieces" | "errands";

/** One connection as a source of blobs. */
class Source {
  readonly #peer: PeerId;
  readonly #connection: Connection;
  readonly #received: (bytes: number) => void;
  readonly #small = new Slots(smallMax);
  readonly #large = new Slots(largeMax);
  /** What takes long or waits has a stream of its own, so that it holds nothing else up. */
  readonly #rooms: Readonly<Record<LaneName, Slots>> = {
    small: this.#small,
    offers: new Slots(offersMax),
    errands: new Slots(errandsMax),
    pieces: new Slots(piecesMax),
  };
  readonly #lanes = new Map<LaneName, Promise<Lane>>();

  constructor(peer: PeerId, connection: Connection, received: (bytes: number) => void) {
    this.#peer = peer;
    this.#connection = connection;
    this.#received = received;
  }

  async stat(digests: readonly Digest[]): Promise<Uint8Array> {
    return await this.#ask<Uint8Array>(
      "small",
      encodeRequest({ kind: "stat", digests }),
      (resolve) => (kind, payload) => {
        if (kind !== answers.stat || payload.length !== Math.ceil(digests.length / 8)) throw odd(kind);
        resolve(payload.slice());
        return true;
      },
    );
  }

  async getSmall(digest: Digest, offset: number): Promise<Uint8Array> {
    const left = sizeOf(digest) - offset;
    return await this.#ask<Uint8Array>(
      "small",
      encodeRequest({ kind: "get", digest, offset }),
      (resolve, reject) => (kind, payload) => {
        if (kind === answers.data && payload.length === left) {
          this.#received(payload.length);
          resolve(payload.slice());
        } else reject(failed(kind, digest));
        return true;
      },
    );
  }

  async sizeOf(hash: string): Promise<number> {
    return await this.#ask<number>(
      "small",
      encodeRequest({ kind: "size", hash }),
      (resolve, reject) => (kind, payload) => {
        if (kind === answers.missing) reject(failed(kind, hash));
        else if (kind === answers.size) resolve(readSize(payload));
        else throw odd(kind);
        return true;
      },
    );
  }

  async obtain(digest: Digest, from: readonly PeerId[]): Promise<void> {
    await this.#ask<void>(
      "errands",
      encodeRequest({ kind: "obtain", digest, from: from.slice(0, othersMax) }),
      (resolve, reject) => (kind) => {
        if (kind === answers.missing) reject(failed(kind, digest));
        else if (kind === answers.obtained) resolve();
        else throw odd(kind);
        return true;
      },
    );
  }

  async doubt(digest: Digest): Promise<boolean> {
    return await this.#ask<boolean>(
      "errands",
      encodeRequest({ kind: "doubt", digest }),
      (resolve) => (kind) => {
        if (kind !== answers.missing && kind !== answers.right) throw odd(kind);
        resolve(kind === answers.right);
        return true;
      },
    );
  }

  async pieces(digest: Digest): Promise<PiecesAnswer> {
    return await this.#ask<PiecesAnswer>(
      "offers",
      encodeRequest({ kind: "pieces", digest }),
      (resolve, reject) => (kind, payload) => {
        if (kind === answers.missing) reject(failed(kind, digest));
        else if (kind === answers.pieces) resolve(readPieces(digest, payload.slice()));
        else throw odd(kind);
        return true;
      },
    );
  }

  async offer(digest: Digest, lack: Uint8Array, max: number): Promise<number[]> {
    return await this.#ask<number[]>(
      "offers",
      encodeRequest({ kind: "offer", digest, lack, max }),
      (resolve, reject) => (kind, payload) => {
        if (kind === answers.missing) reject(failed(kind, digest));
        else if (kind === answers.offer) resolve(readOffer(payload, lack, max));
        else throw odd(kind);
        return true;
      },
    );
  }

  async piece(digest: Digest, index: number, room?: Uint8Array): Promise<Uint8Array> {
    const { bytes } = pieceAt(digest, index);
    const piece = room?.subarray(0, bytes) ?? Buffer.allocUnsafe(bytes);
    let at = 0;
    return await this.#ask<Uint8Array>(
      "pieces",
      encodeRequest({ kind: "piece", digest, index }),
      (resolve, reject) => (kind, payload) => {
        if (kind === answers.missing && at === 0) {
          reject(failed(kind, digest));
          return true;
        }
        if (kind !== answers.data || payload.length === 0 || payload.length > bytes - at) throw odd(kind);
        piece.set(payload, at);
        at += payload.length;
        this.#received(payload.length);
        if (at === bytes) resolve(piece);
        return at === bytes;
      },
    );
  }

  async *getLarge(digest: Digest, offset: number): AsyncGenerator<Uint8Array, void> {
    const release = await this.#large.take();
    let stream: Stream | undefined;
    let idle: IdleWatch | undefined;
    try {
      stream = await this.#open();
      idle = new IdleWatch(stream);
      stream.send(frame(encodeRequest({ kind: "get", digest, offset })));
      const frames = readFrames(stream, answerBytesMax);
      for (let left = sizeOf(digest) - offset; left > 0; ) {
        idle.start();
        const { value, done } = await frames.next();
        idle.stop();
        if (done) throw new SwarmError("peer-unreachable", "the peer ended the transfer");
        const piece = value.subarray(1);
        if (value[0] !== answers.data || piece.length === 0 || piece.length > left)
          throw failed(value[0], digest);
        left -= piece.length;
        this.#received(piece.length);
        yield piece;
      }
      const whole = stream;
      stream = undefined;
      whole.close().catch((error) => whole.abort(error));
    } catch (cause) {
      throw unreachable(this.#peer, cause);
    } finally {
      idle?.stop();
      release();
      stream?.abort(new SwarmError("refused", "the transfer is over"));
    }
  }

  stop(): void {
    for (const lane of this.#lanes.values())
      lane.then(
        (open) => open.fail(unreachable(this.#peer)),
        () => {},
      );
  }

  async #open(): Promise<Stream> {
    return await this.#connection.newStream(blobsProtocol, { signal: AbortSignal.timeout(openMsMax) });
  }

  async #openLane(name: LaneName): Promise<Lane> {
    const forget = () => {
      this.#lanes.delete(name);
    };
    try {
      return new Lane(await this.#open(), forget);
    } catch (cause) {
      forget();
      throw cause;
    }
  }

  async #ask<T>(
    name: LaneName,
    request: Uint8Array,
    answer: (resolve: (value: T) => void, reject: (cause: unknown) => void) => Waiting["onAnswer"],
  ): Promise<T> {
    const release = await this.#rooms[name].take();
    try {
      let opening = this.#lanes.get(name);
      if (!opening) {
        opening = this.#openLane(name);
        this.#lanes.set(name, opening);
      }
      const lane = await opening;
      return await new Promise<T>((resolve, reject) => {
        lane.ask(request, { onAnswer: answer(resolve, reject), onFailure: reject });
      });
    } catch (cause) {
      throw unreachable(this.#peer, cause);
    } finally {
      release();
    }
  }
}

/** One stream with many requests under way, answered in order. */
class Lane {
  readonly #stream: Stream;
  readonly #idle: IdleWatch;
  readonly #waiting: Waiting[] = [];
  readonly #ended: () => void;
  #failed = false;

  constructor(stream: Stream, ended: () => void) {
    this.#stream = stream;
    this.#ended = ended;
    this.#idle = new IdleWatch(stream);
    this.#listen().catch((cause) => this.fail(cause));
  }

  ask(request: Uint8Array, waiting: Waiting): void {
    this.#waiting.push(waiting);
    if (this.#waiting.length === 1) this.#idle.start();
    try {
      this.#stream.send(frame(request));
    } catch (cause) {
      this.fail(cause);
    }
  }

  fail(cause: unknown): void {
    if (!this.#failed) this.#ended();
    this.#failed = true;
    this.#idle.stop();
    this.#stream.abort(cause instanceof Error ? cause : new Error("the lane failed"));
    for (const { onFailure } of this.#waiting.splice(0)) onFailure(cause);
  }

  async #listen() {
    await hearFrames(this.#stream, laneBytesMax, (answer) => {
      const first = this.#waiting[0];
      if (!first || answer.length === 0) throw odd(answer[0]);
      if (first.onAnswer(answer[0]!, answer.subarray(1))) this.#waiting.shift();
      this.#idle.stop();
      if (this.#waiting.length > 0) this.#idle.start();
    });
    throw new SwarmError("peer-unreachable", "the peer closed its blob stream");
  }
}

/** Aborts a stream on which an answer is due and nothing comes. */
class IdleWatch {
  readonly #stream: Stream;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #dueAtMs = 0;

  constructor(stream: Stream) {
    this.#stream = stream;
  }

  start(): void {
    this.#dueAtMs = performance.now() + idleMsMax;
    this.#timer ??= setTimeout(() => this.#check(), idleMsMax).unref();
  }

  /** The timer stays: a new one per answer would cost more than the answer. */
  stop(): void {
    this.#dueAtMs = 0;
  }

  #check() {
    this.#timer = undefined;
    if (this.#dueAtMs === 0) return;
    const leftMs = this.#dueAtMs - performance.now();
    if (leftMs > 0) this.#timer = setTimeout(() => this.#check(), leftMs).unref();
    else this.#stream.abort(new SwarmError("timed-out", `no answer within ${idleMsMax} ms`));
  }
}

const odd = (kind: number | undefined): SwarmError =>
  new SwarmError("malformed", `an answer of kind ${kind} is out of place`);

function failed(kind: number | undefined, what: string): SwarmError {
  if (kind === answers.missing || kind === answers.broken)
    return new SwarmError("blob-missing", `the peer does not have ${what}`);
  return odd(kind);
}
