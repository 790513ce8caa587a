/** Who holds a blob, asked of everyone: provider records in a Kademlia DHT of the swarm's own. Meant for few, long-lived names (build roots, releases); `done` facts come first. */
import { type KadDHT, kadDHT, passthroughMapper } from "@libp2p/kad-dht";
import { CID } from "multiformats/cid";
import { cidOf } from "../../protocol/kernel/digest.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { Digest, PeerId, SwarmId } from "../../protocol/kernel/ids.ts";

export type { KadDHT };

/** Providers named by one search. */
const holdersMax = 32;

export const locateService = (swarm: SwarmId) =>
  kadDHT({
    protocol: `/swarmd/1/kad/${swarm.slice(0, 16)}`,
    // members have private addresses and all of them answer
    clientMode: false,
    peerInfoMapper: passthroughMapper,
    allowQueryWithZeroPeers: true,
  });

export interface Locator {
  /** Tells the swarm that this node holds the blob. Throws `peer-unreachable` when nobody took the record. */
  provide(digest: Digest, signal: AbortSignal): Promise<void>;
  /** Peers that said they hold it, as answers come in; some may be gone, and none of them is verified. */
  holders(digest: Digest, signal: AbortSignal): AsyncIterable<PeerId>;
}

export function createLocator(dht: KadDHT): Locator {
  return {
    async provide(digest, signal) {
      let stored = 0;
      try {
        for await (const event of dht.provide(CID.parse(cidOf(digest)), { signal }))
          if (event.name === "PEER_RESPONSE" && event.messageName === "ADD_PROVIDER") stored++;
      } catch (cause) {
        throw new SwarmError("peer-unreachable", "the provider record found no place", { cause });
      }
      if (stored === 0)
        throw new SwarmError("peer-unreachable", "no peer took the provider record", {
          remedy: "run: swarmd node list",
        });
    },
    async *holders(digest, signal) {
      const seen = new Set<string>();
      for await (const event of dht.findProviders(CID.parse(cidOf(digest)), { signal })) {
        if (event.name !== "PROVIDER" && event.name !== "PEER_RESPONSE") continue;
        for (const { id } of event.providers) {
          const peer = id.toString();
          if (seen.has(peer)) continue;
          seen.add(peer);
          yield peer as PeerId;
          if (seen.size >= holdersMax) return;
        }
      }
    },
  };
}
