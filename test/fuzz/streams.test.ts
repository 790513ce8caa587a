import { pino } from "pino";
import { afterAll, afterEach, beforeEach, expect, test, vi } from "vitest";
import { admissionHandler } from "../../node/network/admission.ts";
import { Askers } from "../../node/network/askers.ts";
import { blobsHandler } from "../../node/network/blob-server.ts";
import { encodeRequest } from "../../node/network/blob-wire.ts";
import { FrameSplitter } from "../../node/network/frames.ts";
import { messagesHandler } from "../../node/network/messages.ts";
import { peersHandler } from "../../node/network/peers.ts";
import { Press } from "../../node/network/press.ts";
import { tailHandler } from "../../node/network/tail.ts";
import { encode } from "../../protocol/kernel/codec.ts";
import { sha256Hex } from "../../protocol/kernel/digest.ts";
import type { SwarmId } from "../../protocol/kernel/ids.ts";
import { fakePeer } from "../../sim/signer.ts";
import { keyOf } from "../work/facts.ts";
import { hostileBytes } from "./bytes.ts";
import { Dice } from "./dice.ts";
import { fuzz, fuzzSlow, weigh } from "./fuzz.ts";
import { connectionOf, HeldStream } from "./stream.ts";
import { admissionSamples, build, messageSamples } from "./swarm.ts";

const log = pino({ level: "silent" });
const eve = connectionOf(fakePeer("eve"));
/** A minute for what waits for time: the slowest bound of any handler, and some. */
const minutesMs = 120_000;

const framed = (bytes: Uint8Array): Uint8Array => {
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, bytes.length);
  return new Uint8Array(Buffer.concat([length, bytes]));
};

let heard = 0;
const misspoke = new Set<HeldStream>();
const handlers = {
  messages: (held: HeldStream) =>
    messagesHandler({
      handlers: { admits: () => true, message: () => void heard++ },
      press: new Press(sha256Hex("a swarm") as SwarmId, () => []),
      connected: async () => true,
      misspoke: () => {
        misspoke.add(held);
        held.abort(new Error("it sends what is no message"));
      },
      log,
    }),
  admission: (held: HeldStream) =>
    admissionHandler({
      handlers: {
        admits: () => true,
        admission: (_peer, request, answer) => answer(request.length % 2 === 0 ? null : new Uint8Array(9)),
      },
      judged: () => {},
      refused: () => held.abort(new Error("refused")),
      log,
    }),
  blobs: () =>
    blobsHandler({
      blobs: {
        has: (digest) => digest === keyOf("a"),
        stream: async function* () {
          yield Buffer.from("key of a");
        },
        pieced: async () => undefined,
        sizeOfHash: () => undefined,
      },
      obtain: async () => false,
      doubted: async () => false,
      askers: new Askers(() => 0),
      log,
      sent: () => {},
    }),
  tail: () => tailHandler({ tails: { tail: async function* () {} }, log }),
  peers: () => peersHandler({ book: { peers: () => [], addresses: () => [] }, admits: () => true, log }),
} as const;

const samples: Readonly<Record<keyof typeof handlers, readonly Uint8Array[]>> = {
  messages: messageSamples.map(framed),
  admission: admissionSamples.map(framed),
  blobs: [
    framed(encodeRequest({ kind: "get", digest: keyOf("a"), offset: 0 })),
    framed(encodeRequest({ kind: "get", digest: keyOf("b"), offset: 1 })),
    framed(encodeRequest({ kind: "stat", digests: [keyOf("a"), keyOf("b")] })),
    framed(encodeRequest({ kind: "size", hash: keyOf("a").slice(0, 64) })),
    framed(encodeRequest({ kind: "doubt", digest: keyOf("a") })),
    framed(encodeRequest({ kind: "obtain", digest: keyOf("a"), from: [fakePeer("bob")] })),
    framed(encodeRequest({ kind: "pieces", digest: keyOf("a") })),
  ],
  tail: [framed(encode({ build, follow: true })), framed(encode({ build, action: "a", follow: false }))],
  peers: [framed(new Uint8Array())],
};

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});
const unhandled: unknown[] = [];
const note = (reason: unknown) => void unhandled.push(reason);
process.on("unhandledRejection", note);
afterAll(() => {
  process.off("unhandledRejection", note);
});

/** One stream from its opening to its end; `pieces` undefined at its end: the other side never says that it is done. */
async function play(
  name: keyof typeof handlers,
  pieces: readonly Uint8Array[],
  ends: boolean,
): Promise<HeldStream> {
  const held = new HeldStream();
  const handled = handlers[name](held)(held.stream, eve);
  for (const piece of pieces) {
    await Promise.resolve();
    held.comes(piece);
  }
  if (ends) held.ends();
  else await vi.advanceTimersByTimeAsync(minutesMs);
  await handled;
  return held;
}

function cut(dice: Dice, bytes: Uint8Array): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 1 + dice.below(dice.once(2) ? 9 : bytes.length);
    pieces.push(bytes.slice(at, end));
    at = end;
  }
  return pieces;
}

test.each(Object.keys(handlers) as (keyof typeof handlers)[])(
  "hostile bytes on a %s stream end it or are answered, however they are cut",
  async (name) => {
    await fuzzSlow({
      make: (dice) => cut(dice, hostileBytes(dice, samples[name], 100_000)),
      run: async (pieces) => {
        const held = await play(name, pieces, true);
        expect(held.sentBytes).toBeLessThan(1 << 20);
        if (name !== "messages") expect(held.status).not.toBe("open");
        return held.status === "aborted" ? "aborted" : undefined;
      },
    });
    expect(unhandled).toEqual([]);
  },
);

test.each(Object.keys(handlers) as (keyof typeof handlers)[])(
  "a valid request on a %s stream, cut after any byte, ends the stream when no more comes",
  async (name) => {
    for (const sample of samples[name]) {
      const step = Math.max(1, Math.floor(sample.length / 40));
      for (let length = 0; length < sample.length; length += step) {
        const held = await play(name, [sample.subarray(0, length)], true);
        if (name !== "messages") expect(held.status).not.toBe("open");
      }
    }
    expect(unhandled).toEqual([]);
  },
);

test.each(["admission", "tail", "peers"] as const)(
  "a %s stream that drips a byte now and then and never ends is given up in its time",
  async (name) => {
    const held = new HeldStream();
    const handled = handlers[name](held)(held.stream, eve);
    for (let i = 0; i < 20 && held.status === "open"; i++) {
      held.comes(Uint8Array.of(0));
      await vi.advanceTimersByTimeAsync(4000);
      if (i === 2) break;
    }
    await vi.advanceTimersByTimeAsync(minutesMs);
    await handled;
    expect(held.status).not.toBe("open");
  },
);

test("a message that is announced too long ends its connection at once", async () => {
  const held = await play("messages", [Uint8Array.of(0xff, 0xff, 0xff, 0xff)], true);
  expect(misspoke.has(held)).toBe(true);
  expect(held.status).toBe("aborted");
});

test("valid messages are heard, in whatever pieces they come", async () => {
  heard = 0;
  for (const sample of samples.messages) await play("messages", cut(new Dice(heard), sample), true);
  expect(heard).toBe(samples.messages.length);
});

test("a frame that drips in single bytes takes no more room than its bytes", () => {
  const bytes = framed(new Uint8Array(300_000));
  const run = () => {
    let frames = 0;
    const splitter = new FrameSplitter(1 << 20, () => frames++);
    // Each byte lies in a larger chunk, as the parts of a packet do.
    for (const byte of bytes) splitter.push(new Uint8Array(Buffer.alloc(64, byte)).subarray(0, 1));
    expect(frames).toBe(1);
  };
  expect(weigh({ run, moreMs: () => 500 }, undefined)).toBeUndefined();
});

test("hostile bytes come out of a splitter as frames within the bound, or are refused", () => {
  fuzz({
    make: (dice) => cut(dice, hostileBytes(dice, samples.blobs, 50_000)),
    run: (pieces) => {
      const splitter = new FrameSplitter(4096, (payload) => expect(payload.length).toBeLessThanOrEqual(4096));
      for (const piece of pieces) splitter.push(piece);
    },
  });
});
