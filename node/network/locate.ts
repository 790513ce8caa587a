/** Who holds a blob, asked of everyone: provider records in a Kademlia DHT of the swarm's own. Meant for few, long-lived names (build roots, releases); `done` facts come first. */
import { type KadDHT, kadDHT, passthroughMapper } from "@libp2p/kad-dht";
import { CID } from "multiformats/cid";
import { cidOf, digestFrom } from "../../protocol/kernel/digest.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { PeerId, SwarmId } from "../../protocol/kernel/ids.ts";
import type { Locator } from "../ports.ts";

export type { KadDHT };

/** Providers named by one search. */
const holdersMax = 32;
const searchMsMax = 1_500;

export const locateService = (swarm: SwarmId) =>
  kadDHT({
    protocol: `/swarmd/1/kad/${swarm.slice(0, 16)}`,
    // members have private addresses and all of them answer
    clientMode: false,
    peerInfoMapper: passthroughMapper,
    allowQueryWithZeroPeers: true,
    // what this node provides is told again once a day, one record after the other
    reprovide: { concurrency: 1 },
  });

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
    async withdraw(digest) {
      await dht.cancelReprovide(CID.parse(cidOf(digest)));
    },
    async *holders(hash, signal) {
      const seen = new Set<string>();
      for await (const event of dht.findProviders(CID.parse(cidOf(digestFrom(hash, 0))), { signal })) {
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

/** Whom provider records name, as far as they come in a moment; nobody where none can be asked. */
export async function located(locator: Pick<Locator, "holders">, hash: string): Promise<PeerId[]> {
  const holders: PeerId[] = [];
  try {
    for await (const peer of locator.holders(hash, AbortSignal.timeout(searchMsMax))) holders.push(peer);
  } catch {
    // it took too long: what was found counts
  }
  return holders;
}
