/** Length-prefixed frames on a libp2p stream: four bytes of length (big endian), then the payload; bounded, with back-pressure both ways. */
import type { Stream, StreamCloseEvent, StreamMessageEvent } from "@libp2p/interface";
import { Uint8ArrayList } from "uint8arraylist";
import { SwarmError } from "../../protocol/kernel/errors.ts";

const headerBytes = 4;
const nothing = new Uint8Array();
/** The first room for a frame that comes in pieces. */
const roomBytesMin = 1024;
/** Below this a copy is cheaper than a write of its own for header and payload. */
const copyBytesMax = 16 << 10;
/** A reader that falls this far behind its consumer pauses the stream. */
const readAheadBytes = 256 << 10;

/** One frame made of `parts`, ready to be sent. */
export function frame(...parts: readonly Uint8Array[]): Uint8Array | Uint8ArrayList {
  let length = 0;
  for (const part of parts) length += part.length;
  const header = new Uint8Array(headerBytes);
  new DataView(header.buffer).setUint32(0, length);
  return length > copyBytesMax ? new Uint8ArrayList(header, ...parts) : Buffer.concat([header, ...parts]);
}

/** Cuts what arrives into frames and hands each on at once. It holds what has come of one frame, however small the pieces were it came in. */
export class FrameSplitter {
  readonly #header = new Uint8Array(headerBytes);
  readonly #maxBytes: number;
  readonly #onFrame: (payload: Uint8Array) => void;
  readonly #reuses: boolean;
  #headerHas = 0;
  #length = 0;
  #payload = nothing;
  #has = 0;

  /** With `reuses` a payload is only good until `onFrame` returns: the next may come in the same room. */
  constructor(maxBytes: number, onFrame: (payload: Uint8Array) => void, reuses = false) {
    this.#maxBytes = maxBytes;
    this.#onFrame = onFrame;
    this.#reuses = reuses;
  }

  /** Throws `too-large` as soon as a header announces more than the bound; nothing after it may be pushed. */
  push(bytes: Uint8Array | Uint8ArrayList): void {
    if (bytes instanceof Uint8Array) this.#take(bytes);
    else for (const part of bytes) this.#take(part);
  }

  #take(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      if (this.#headerHas < headerBytes) {
        const part = bytes.subarray(at, at + headerBytes - this.#headerHas);
        at += part.length;
        this.#begin(part);
        continue;
      }
      const part = bytes.subarray(at, at + this.#length - this.#has);
      at += part.length;
      if (part.length === this.#length) this.#hand(part);
      else this.#keep(part);
    }
  }

  #begin(part: Uint8Array): void {
    this.#header.set(part, this.#headerHas);
    this.#headerHas += part.length;
    if (this.#headerHas < headerBytes) return;
    this.#length = new DataView(this.#header.buffer).getUint32(0);
    if (this.#length > this.#maxBytes)
      throw new SwarmError(
        "too-large",
        `a frame of ${this.#length} bytes exceeds the bound of ${this.#maxBytes}`,
      );
    if (this.#length === 0) this.#hand(nothing);
  }

  /** Room grows with what has come, not with what a header says will. */
  #keep(part: Uint8Array): void {
    const has = this.#has + part.length;
    if (has > this.#payload.length) {
      const larger = new Uint8Array(Math.min(this.#length, Math.max(4 * has, roomBytesMin)));
      larger.set(this.#payload.subarray(0, this.#has));
      this.#payload = larger;
    }
    this.#payload.set(part, this.#has);
    this.#has = has;
    if (has === this.#length) this.#hand(this.#payload.subarray(0, has));
  }

  #hand(payload: Uint8Array): void {
    this.#headerHas = 0;
    this.#length = 0;
    if (!this.#reuses) this.#payload = nothing;
    this.#has = 0;
    this.#onFrame(payload);
  }
}

/**
 * The frames of a stream until the other side closes it. A slow consumer pauses the sender. Throws what broke the stream, and
 * `too-large` for a frame over the bound; leaving early aborts the stream.
 */
export async function* readFrames(stream: Stream, maxBytes: number): AsyncGenerator<Uint8Array, void> {
  const ready: Uint8Array[] = [];
  let readyBytes = 0;
  let ended = isSpent(stream);
  let failure: Error | undefined;
  let wake = () => {};
  const splitter = new FrameSplitter(maxBytes, (payload) => {
    ready.push(payload);
    readyBytes += payload.length + headerBytes;
  });
  const onMessage = ({ data }: StreamMessageEvent) => {
    if (failure) return;
    try {
      splitter.push(data);
    } catch (cause) {
      failure = cause as Error;
      stream.abort(failure);
    }
    if (readyBytes > readAheadBytes) pause(stream);
    wake();
  };
  const onEnd = () => {
    ended = true;
    wake();
  };
  const onClose = (event: StreamCloseEvent) => {
    resume(stream); // hands on what was held back by a pause
    failure ??= event.error;
    onEnd();
  };
  stream.addEventListener("message", onMessage);
  stream.addEventListener("end", onEnd);
  stream.addEventListener("close", onClose);
  // listening hands on in a microtask what was there before
  if (stream.readableEnded) queueMicrotask(onEnd);
  try {
    for (let next = 0; ; ) {
      if (next < ready.length) {
        const payload = ready[next++]!;
        yield payload;
        continue;
      }
      ready.length = 0;
      next = 0;
      readyBytes = 0;
      resume(stream);
      if (ready.length > 0) continue;
      if (failure) throw failure;
      if (ended) return;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    stream.removeEventListener("message", onMessage);
    stream.removeEventListener("end", onEnd);
    stream.removeEventListener("close", onClose);
    if (!ended) stream.abort(new SwarmError("refused", "nobody reads this stream any more"));
  }
}

/**
 * Hands on each frame as it comes, good only until `hear` returns, until the other side closes the stream. Nothing slows the sender, and
 * nothing is kept: for answers to a bounded number of questions. Throws what broke the stream, `too-large`, and what `hear` throws; the
 * stream is the caller's to abort then.
 */
export async function hearFrames(
  stream: Stream,
  maxBytes: number,
  hear: (payload: Uint8Array) => void,
): Promise<void> {
  const over = Promise.withResolvers<void>();
  let open = true;
  const splitter = new FrameSplitter(maxBytes, hear, true);
  const onMessage = ({ data }: StreamMessageEvent) => {
    if (!open) return;
    try {
      splitter.push(data);
    } catch (cause) {
      open = false;
      over.reject(cause);
    }
  };
  const onEnd = () => over.resolve();
  const onClose = ({ error }: StreamCloseEvent) => (error ? over.reject(error) : over.resolve());
  stream.addEventListener("message", onMessage);
  stream.addEventListener("end", onEnd);
  stream.addEventListener("close", onClose);
  // listening hands on in a microtask what was there before
  if (isSpent(stream) || stream.readableEnded) queueMicrotask(onEnd);
  try {
    await over.promise;
  } finally {
    stream.removeEventListener("message", onMessage);
    stream.removeEventListener("end", onEnd);
    stream.removeEventListener("close", onClose);
  }
}

/** The one frame that is expected; `malformed` when the stream ends without it, `timed-out` when it does not come. The stream stays open. */
export async function readFrame(stream: Stream, maxBytes: number, timeoutMs: number): Promise<Uint8Array> {
  return await new Promise((resolve, reject) => {
    const done = (settle: () => void) => {
      clearTimeout(timer);
      stream.removeEventListener("message", onMessage);
      stream.removeEventListener("end", onEnd);
      stream.removeEventListener("close", onEnd);
      settle();
    };
    const timer = setTimeout(
      () => done(() => reject(new SwarmError("timed-out", `no answer within ${timeoutMs} ms`))),
      timeoutMs,
    );
    const splitter = new FrameSplitter(maxBytes, (payload) => done(() => resolve(payload)));
    const onMessage = ({ data }: StreamMessageEvent) => {
      try {
        splitter.push(data);
      } catch (cause) {
        done(() => reject(cause));
      }
    };
    const onEnd = () => done(() => reject(new SwarmError("malformed", "the stream ended without an answer")));
    stream.addEventListener("message", onMessage);
    stream.addEventListener("end", onEnd);
    stream.addEventListener("close", onEnd);
    if (isSpent(stream)) onEnd();
  });
}

/** Sends one frame and waits while the receiver is behind; `timed-out` if it stays so, `peer-unreachable` if it goes. */
export async function writeFrame(
  stream: Stream,
  parts: readonly Uint8Array[],
  timeoutMs: number,
): Promise<void> {
  stream.send(frame(...parts));
  if (stream.writableNeedsDrain) await drained(stream, timeoutMs);
}

/** Not `stream.onDrain()`: in @libp2p/utils 7.4 its promise stays resolved for ever after the first drain. */
async function drained(stream: Stream, timeoutMs: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onDrain = () => {
    // the stream's own listener came first and has queued what goes on sending
    queueMicrotask(() => {
      if (!stream.writableNeedsDrain) resolve();
    });
  };
  const onClose = () => reject(new SwarmError("peer-unreachable", "the receiver is gone"));
  const timer = setTimeout(
    () => reject(new SwarmError("timed-out", "the receiver does not take what it asked for")),
    timeoutMs,
  );
  stream.addEventListener("drain", onDrain);
  stream.addEventListener("close", onClose);
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    stream.removeEventListener("drain", onDrain);
    stream.removeEventListener("close", onClose);
  }
}

/** Nothing more will come: `end` may have been said before anyone listened, and with bytes still to be read. */
const isSpent = (stream: Stream): boolean =>
  stream.readBufferLength === 0 && (stream.readableEnded || !["open", "closing"].includes(stream.status));

function pause(stream: Stream) {
  if (stream.readStatus === "readable") stream.pause();
}

function resume(stream: Stream) {
  if (stream.readStatus !== "paused") return;
  try {
    stream.resume();
  } catch {
    // what was held back is handed on before the muxer tells the other side, which may be gone
  }
}
