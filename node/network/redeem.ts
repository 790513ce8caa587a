/** Asking at the door, before there is a daemon: dials a member, sends one admission request and returns what it answers. */
import type { Connection, Libp2p } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { PeerId } from "../../protocol/kernel/ids.ts";
import { exchange } from "./admission.ts";
import { peerOf } from "./gate.ts";
import { createDialingHost } from "./libp2p.ts";

const addressesMax = 32;

export interface Answered {
  readonly peer: PeerId;
  /** The address that answered. */
  readonly address: string;
  readonly reply: Uint8Array;
}

/** Somebody who stands at doors, perhaps for long: each ring is a connection of its own. */
export class Caller {
  readonly #host: Libp2p;

  private constructor(host: Libp2p) {
    this.#host = host;
  }

  /** `privateKey`: the seed of the node's key, 32 bytes. */
  static async open(privateKey: Uint8Array): Promise<Caller> {
    return new Caller(await createDialingHost(privateKey));
  }

  /**
   * Tries the addresses (multiaddrs, with or without a peer id) in order until one answers. Throws `peer-unreachable` when none can be
   * reached, `refused` or `timed-out` when whoever was reached gives no answer.
   */
  async ring(addresses: readonly string[], request: Uint8Array): Promise<Answered> {
    const causes: unknown[] = [];
    for (const address of addresses.slice(0, addressesMax)) {
      let connection: Connection;
      try {
        connection = await this.#host.dial(multiaddr(address));
      } catch (cause) {
        causes.push(cause);
        continue;
      }
      // a request that was sent may have been heard: it is not repeated elsewhere
      try {
        return { peer: peerOf(connection), address, reply: await exchange(connection, request) };
      } finally {
        connection.close().catch(() => connection.abort(new Error("the call is over")));
      }
    }
    throw new SwarmError(
      "peer-unreachable",
      `none of these addresses answers: ${addresses.join(", ") || "(none given)"}`,
      {
        cause: new AggregateError(causes),
        remedy:
          "check that the daemon runs there (swarmd status), that its port is open to this machine, and that both clocks are right",
      },
    );
  }

  async close(): Promise<void> {
    await this.#host.stop();
  }
}

/** One ring. */
export async function redeem(options: {
  readonly privateKey: Uint8Array;
  readonly addresses: readonly string[];
  readonly request: Uint8Array;
}): Promise<Answered> {
  const caller = await Caller.open(options.privateKey);
  try {
    return await caller.ring(options.addresses, options.request);
  } finally {
    await caller.close();
  }
}
