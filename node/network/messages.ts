/** Messages between two members: each side opens one long-lived stream per connection and only ever speaks on its own. */
import type { Connection, Stream, StreamMessageEvent } from "@libp2p/interface";
import type { PeerId } from "../../protocol/kernel/ids.ts";
import type { NetworkHandlers } from "../../protocol/ports.ts";
import { messageBytesMax } from "../../protocol/swarm/message.ts";
import type { Log } from "../log.ts";
import { FrameSplitter, frame } from "./frames.ts";
import { admissionMsMax, peerOf } from "./gate.ts";
import type { Press } from "./press.ts";

export const messagesProtocol = "/swarmd/1/messages";

/** What may wait for a slow receiver; messages beyond it are dropped. */
const queueBytesMax = 8 << 20;

/** The speaking end towards one peer. */
export interface Line {
  /** Queued in order; dropped when the line is broken, its queue full or the message over `messageBytesMax`. Says which. */
  send(message: Uint8Array): "sent" | "dropped";
}

/** Opens the own line over a connection; `broken` is called once, when nothing can be said on it any more. */
export async function openLine(connection: Connection, broken: () => void): Promise<Line> {
  const stream = await connection.newStream(messagesProtocol, {
    signal: AbortSignal.timeout(2 * admissionMsMax),
  });
  stream.addEventListener("close", broken, { once: true });
  if (stream.status !== "open") queueMicrotask(broken);
  return {
    send(message) {
      if (message.length > messageBytesMax || stream.writeBufferLength + message.length > queueBytesMax)
        return "dropped";
      try {
        stream.send(frame(message));
        return "sent";
      } catch {
        return "dropped";
      }
    },
  };
}

/** The listening end: hands on each message as it comes, from the moment the peer counts as connected. */
export function messagesHandler(options: {
  readonly handlers: Pick<NetworkHandlers, "admits" | "message">;
  readonly press: Press;
  readonly connected: (peer: PeerId) => Promise<boolean>;
  /** It sends what is no frame: its connection is to end. */
  readonly misspoke: (connection: Connection) => void;
  readonly log: Log;
}): (stream: Stream, connection: Connection) => Promise<void> {
  const { handlers, press, log } = options;
  return async (stream, connection) => {
    const peer = peerOf(connection);
    stream.pause();
    if (!(await options.connected(peer))) {
      stream.abort(new Error("no line to this peer"));
      return;
    }
    if (stream.status !== "open") return;
    const splitter = new FrameSplitter(messageBytesMax, (message) => {
      if (!handlers.admits(peer) || press.greets(peer, message)) return;
      try {
        handlers.message(peer, press.open(message, messageBytesMax));
      } catch (error) {
        log.warn({ peer, err: error }, "a message was not understood");
      }
    });
    stream.addEventListener("message", ({ data }: StreamMessageEvent) => {
      try {
        splitter.push(data);
      } catch (error) {
        log.debug({ peer, err: error }, "a member sends what is no message");
        options.misspoke(connection);
      }
    });
    stream.resume();
  };
}
