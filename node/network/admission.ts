/**
 * The door that is open to strangers: `/swarmd/1/admission`. One request, one reply, both an encoded presentation or
 * redemption that the core judges; bounded in size, time and rate. Whoever dialled speaks first.
 */
import type { Connection, Stream } from "@libp2p/interface";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { PeerId } from "../../protocol/kernel/ids.ts";
import type { NetworkHandlers } from "../../protocol/ports.ts";
import { admissionBytesMax } from "../../protocol/swarm/admission.ts";
import type { Log } from "../log.ts";
import { readFrame, writeFrame } from "./frames.ts";
import { admissionMsMax, peerOf } from "./gate.ts";

export const admissionProtocol = "/swarmd/1/admission";

/** Requests of peers that are no members: a burst, then a steady rate; per remote host and in all. */
const rates = {
  host: { burst: 64, perSecond: 8 },
  all: { burst: 256, perSecond: 32 },
  hostsMax: 1_024,
};

/** Sends a request over an open connection and returns the reply; `refused` when the other side gives none. */
export async function exchange(connection: Connection, request: Uint8Array): Promise<Uint8Array> {
  const stream = await connection.newStream(admissionProtocol, {
    signal: AbortSignal.timeout(admissionMsMax),
  });
  try {
    const reply = readFrame(stream, admissionBytesMax, admissionMsMax);
    reply.catch(() => {}); // a failing write is the one to report
    await writeFrame(stream, [request], admissionMsMax);
    return await reply;
  } catch (cause) {
    if (cause instanceof SwarmError && cause.code === "timed-out") throw cause;
    throw new SwarmError("refused", "the peer closed the door without an answer", { cause });
  } finally {
    stream.close().catch(() => stream.abort(new SwarmError("refused", "admission is over")));
  }
}

/** The listening side. `judged` is called once the core has judged a request, `refused` when it is to go. */
export function admissionHandler(options: {
  readonly handlers: Pick<NetworkHandlers, "admits" | "admission">;
  readonly judged: (connection: Connection) => void;
  readonly refused: (connection: Connection, why: string) => void;
  readonly log: Log;
  /** Monotonic milliseconds. */
  readonly now?: (() => number) | undefined;
}): (stream: Stream, connection: Connection) => Promise<void> {
  const { handlers, log } = options;
  const pace = new Pace(options.now ?? (() => performance.now()));
  return async (stream, connection) => {
    const peer = peerOf(connection);
    if (!handlers.admits(peer) && !pace.allows(hostOf(connection))) {
      options.refused(connection, "too many requests for admission");
      return;
    }
    try {
      const request = await readFrame(stream, admissionBytesMax, admissionMsMax);
      const reply = await judge(handlers, peer, request, hostOf(connection));
      if (!reply) {
        options.refused(connection, "not admitted");
        return;
      }
      await writeFrame(stream, [reply], admissionMsMax);
      await stream.close();
      options.judged(connection);
    } catch (error) {
      log.debug({ peer, err: error }, "an admission request failed");
      stream.abort(error as Error);
    }
  };
}

/** Hands a request, or the reply to ours, to the core and waits for its answer; null refuses. */
export async function judge(
  handlers: Pick<NetworkHandlers, "admission">,
  peer: PeerId,
  request: Uint8Array,
  source?: string,
): Promise<Uint8Array | null> {
  const { promise, resolve } = Promise.withResolvers<Uint8Array | null>();
  const timer = setTimeout(resolve, admissionMsMax, null);
  try {
    handlers.admission(peer, request, resolve, source);
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}

const hostOf = (connection: Connection): string => connection.remoteAddr.getComponents()[0]?.value ?? "?";

/** Two kinds of token buckets; a host that is not known takes the place of the one not heard of for longest. */
class Pace {
  readonly #hosts = new Map<string, Bucket>();
  readonly #all = new Bucket(rates.all);
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  allows(host: string): boolean {
    const nowMs = this.#now();
    const bucket = this.#hosts.get(host) ?? new Bucket(rates.host);
    this.#hosts.delete(host);
    this.#hosts.set(host, bucket);
    if (this.#hosts.size > rates.hostsMax) this.#hosts.delete(this.#hosts.keys().next().value!);
    return bucket.take(nowMs) && this.#all.take(nowMs);
  }
}

class Bucket {
  readonly #rate: { readonly burst: number; readonly perSecond: number };
  #tokens: number;
  #atMs = 0;

  constructor(rate: { readonly burst: number; readonly perSecond: number }) {
    this.#rate = rate;
    this.#tokens = rate.burst;
  }

  take(nowMs: number): boolean {
    const grown = this.#tokens + ((nowMs - this.#atMs) / 1_000) * this.#rate.perSecond;
    this.#tokens = Math.min(this.#rate.burst, grown);
    this.#atMs = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}
