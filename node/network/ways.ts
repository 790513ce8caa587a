/** How good a way is: the round trip over a connection that is open, and whether an address answers when it is dialled. */
import net from "node:net";
import type { Connection, Stream, StreamMessageEvent } from "@libp2p/interface";
import type { PeerId } from "../../protocol/kernel/ids.ts";
import type { Try } from "../ports.ts";
import { dialable, isLoopback } from "./peer-book.ts";

/** libp2p's echo: whoever speaks it sends back what came. */
const pingProtocol = "/ipfs/ping/1.0.0";
const pingBytes = 32;
const pingMsMax = 3_000;
const dialMsMax = 3_000;

/** The quicker of two round trips, milliseconds; undefined when nothing comes back in time. */
export async function latencyOf(connection: Connection): Promise<number | undefined> {
  const signal = AbortSignal.timeout(pingMsMax);
  let stream: Stream | undefined;
  try {
    stream = await connection.newStream(pingProtocol, { signal });
    const first = await echo(stream, signal);
    const second = await echo(stream, signal);
    void stream.close().catch(() => {});
    return Math.min(first, second);
  } catch (error) {
    stream?.abort(error as Error);
    return undefined;
  }
}

/** Whether the other end gives an echo in that time. Never throws. */
export async function echoes(connection: Connection, withinMs: number): Promise<boolean> {
  const signal = AbortSignal.timeout(withinMs);
  let stream: Stream | undefined;
  try {
    stream = await connection.newStream(pingProtocol, { signal });
    await echo(stream, signal);
    void stream.close().catch(() => {});
    return true;
  } catch (error) {
    stream?.abort(error as Error);
    // it said so: it is there
    return (error as Error).name === "UnsupportedProtocolError";
  }
}

/** Throws what kept the echo away; a stream that is gone already refuses to be written to. */
async function echo(stream: Stream, signal: AbortSignal): Promise<number> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const beganMs = performance.now();
  let left = pingBytes;
  const hear = ({ data }: StreamMessageEvent) => {
    left -= data.byteLength;
    if (left <= 0) resolve(performance.now() - beganMs);
  };
  const give = () => reject(new Error("nothing came back"));
  stream.addEventListener("message", hear);
  stream.addEventListener("close", give);
  signal.addEventListener("abort", give);
  try {
    stream.send(crypto.getRandomValues(new Uint8Array(pingBytes)));
    return await promise;
  } finally {
    stream.removeEventListener("message", hear);
    stream.removeEventListener("close", give);
    signal.removeEventListener("abort", give);
  }
}

/** Dials each address of a peer, all at once, and hangs up. What is no TCP address is not tried, nor this machine itself unless the peer is on it. */
export async function dialBack(
  peer: PeerId,
  addresses: readonly string[],
  sameHost: boolean,
): Promise<Try[]> {
  return Promise.all(
    addresses.map(async (text): Promise<Try> => {
      const address = dialable(text, peer);
      if (address && isLoopback(address) && !sameHost)
        return { address: text, why: "only its own machine reaches that" };
      if (!address) return { address: text, why: "it is no TCP address" };
      const [host, port] = address.getComponents().map(({ value }) => value);
      return { address: text, ...(await dial(host!, Number(port))) };
    }),
  );
}

function dial(host: string, port: number): Promise<Omit<Try, "address">> {
  const { promise, resolve } = Promise.withResolvers<Omit<Try, "address">>();
  const beganMs = performance.now();
  const socket = net.connect({ host, port });
  socket.setTimeout(dialMsMax, () => resolve({ why: "no answer: a firewall, or no way there" }));
  socket.once("connect", () => resolve({ latencyMs: performance.now() - beganMs }));
  socket.once("error", (error: NodeJS.ErrnoException) => resolve({ why: whyOf(error) }));
  return promise.finally(() => socket.destroy());
}

const whys: Readonly<Record<string, string>> = {
  ECONNREFUSED: "refused: nothing listens there, or a firewall rejects it",
  EHOSTUNREACH: "no route to that host",
  ENETUNREACH: "no route to that network",
  ETIMEDOUT: "no answer: a firewall, or no way there",
  ENOTFOUND: "its name is not known there",
  EAI_AGAIN: "its name is not known there",
};

const whyOf = ({ code, message }: NodeJS.ErrnoException): string =>
  whys[code ?? ""] ?? (message || String(code)).slice(0, 200);
