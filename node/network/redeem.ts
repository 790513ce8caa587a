/** Joining, before there is a daemon: dials a member, sends one admission request and returns what it answers. */
import type { Connection } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { PeerId } from "../../protocol/kernel/ids.ts";
import { exchange } from "./admission.ts";
import { peerOf } from "./gate.ts";
import { createDialingHost } from "./libp2p.ts";

const addressesMax = 32;

/**
 * Tries the addresses (multiaddrs, with or without a peer id) in order until one answers. `privateKey`: the seed of the node's
 * key, 32 bytes. Throws `peer-unreachable` when none can be reached, `refused` or `timed-out` when whoever was reached gives no answer.
 */
export async function redeem(options: {
  readonly privateKey: Uint8Array;
  readonly addresses: readonly string[];
  readonly request: Uint8Array;
}): Promise<{ readonly peer: PeerId; readonly reply: Uint8Array }> {
  const host = await createDialingHost(options.privateKey);
  try {
    const causes: unknown[] = [];
    for (const address of options.addresses.slice(0, addressesMax)) {
      let connection: Connection;
      try {
        connection = await host.dial(multiaddr(address));
      } catch (cause) {
        causes.push(cause);
        continue;
      }
      // a request that was sent may have been heard: it is not repeated elsewhere
      return { peer: peerOf(connection), reply: await exchange(connection, options.request) };
    }
    throw new SwarmError(
      "peer-unreachable",
      `none of these addresses answers: ${options.addresses.join(", ") || "(none given)"}`,
      {
        cause: new AggregateError(causes),
        remedy:
          "check that the daemon runs there (swarmd status), that its port is open to this machine, and that both clocks are right",
      },
    );
  } finally {
    await host.stop();
  }
}
