/**
 * The gate in front of every protocol but admission: a stream of a peer that is no member is held, unread, until the peer is
 * admitted, and refused when that takes too long. Holding instead of refusing matters: gossipsub and the DHT open their
 * streams once, at a moment when only one of the two sides may have admitted the other.
 *
 * Handlers are wrapped, not put behind `libp2p.use`: libp2p 3.3 appends the handler to the registered list of middleware at
 * every inbound stream, so that the second stream of a protocol runs its handler twice.
 */
import type { Connection, Stream, StreamHandler, StreamHandlerOptions } from "@libp2p/interface";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { PeerId } from "../../protocol/kernel/ids.ts";

/** How long a stream, or a connection, may wait for its peer to be admitted. */
export const admissionMsMax = 5_000;
/** Streams held at once, of all strangers together. */
const heldMax = 512;

interface Registrar {
  handle(protocol: string, handler: StreamHandler, options?: StreamHandlerOptions): Promise<void>;
}

export const peerOf = (connection: Connection): PeerId => connection.remotePeer.toString() as PeerId;

export class Gate {
  readonly admits: (peer: PeerId) => boolean;
  readonly #waiters = new Map<PeerId, Set<(admitted: boolean) => void>>();
  #held = 0;
  #closed = false;

  constructor(admits: (peer: PeerId) => boolean) {
    this.admits = admits;
  }

  /** Lets through what waits for peers that are admitted by now. */
  recheck(): void {
    for (const [peer, waiters] of this.#waiters) if (this.admits(peer)) for (const go of waiters) go(true);
  }

  /** Refuses everything that waits, and all that comes. */
  close(): void {
    this.#closed = true;
    for (const waiters of this.#waiters.values()) for (const go of waiters) go(false);
  }

  /** True once the peer is admitted; false after `admissionMsMax`, or when too many wait. */
  async admitted(peer: PeerId): Promise<boolean> {
    if (this.#closed) return false;
    if (this.admits(peer)) return true;
    if (this.#held >= heldMax) return false;
    this.#held++;
    let waiters = this.#waiters.get(peer);
    if (!waiters) {
      waiters = new Set();
      this.#waiters.set(peer, waiters);
    }
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(resolve, admissionMsMax, false);
    waiters.add(resolve);
    const admitted = await promise;
    clearTimeout(timer);
    this.#held--;
    waiters.delete(resolve);
    if (waiters.size === 0 && this.#waiters.get(peer) === waiters) this.#waiters.delete(peer);
    return admitted;
  }

  /** The handler behind the gate. */
  guard(handler: StreamHandler): StreamHandler {
    return async (stream: Stream, connection: Connection) => {
      const peer = peerOf(connection);
      if (this.#closed || !this.admits(peer)) {
        stream.pause(); // the peer's window fills up, our memory does not
        if (!(await this.admitted(peer))) {
          stream.abort(new SwarmError("not-a-member", `${peer} is no member`));
          return;
        }
        if (stream.status !== "open") return;
        stream.resume();
      }
      await handler(stream, connection);
    };
  }

  /** A service of libp2p whose protocols all stand behind the gate. */
  guardService<C extends { registrar: Registrar }, S>(create: (components: C) => S): (components: C) => S {
    return (components) => {
      const registrar = new Proxy(components.registrar, {
        get: (target, name) => {
          if (name === "handle")
            return async (protocol: string, handler: StreamHandler, options?: StreamHandlerOptions) =>
              await target.handle(protocol, this.guard(handler), options);
          const value = Reflect.get(target, name, target);
          return typeof value === "function" ? value.bind(target) : value;
        },
      });
      return create(
        new Proxy(components, {
          get: (target, name) => (name === "registrar" ? registrar : Reflect.get(target, name, target)),
        }),
      );
    };
  }
}
