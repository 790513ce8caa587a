/** The only door to libp2p's host: how a swarmd node is put together from its parts, and which limits they get. */
import { privateKeyFromRaw } from "@libp2p/crypto/keys";
import { type Identify, identify } from "@libp2p/identify";
import type { Connection, Libp2p as Libp2pHost } from "@libp2p/interface";
import { mdns } from "@libp2p/mdns";
import { type Ping, ping } from "@libp2p/ping";
import { tcp } from "@libp2p/tcp";
import { createLibp2p } from "libp2p";
import type { PeerId, SwarmId } from "../../protocol/kernel/ids.ts";
import { publicHalfOf } from "../signer.ts";
import { version } from "../version.ts";
import { byTls } from "./ciphers.ts";
import type { Gate } from "./gate.ts";
import { type GossipSub, gossipService } from "./gossip.ts";
import { type KadDHT, locateService } from "./locate.ts";
import { muxing } from "./muxing.ts";
import { sealing } from "./sealing.ts";

/** Under this name all daemons of a LAN answer, whatever their swarm: who belongs to it is judged at the door. */
const lanService = "_swarmd._udp.local";

const program = "swarmd";

/** The version in what a member says it is; undefined for another program, or one that keeps it to itself. */
export const versionIn = (agent: string | undefined): string | undefined =>
  /^swarmd\/([0-9A-Za-z.+-]{1,64})$/.exec(agent ?? "")?.[1];

export type Host = Libp2pHost<{ identify: Identify; ping: Ping; gossip: GossipSub; dht: KadDHT }>;

export interface HostOptions {
  /** Seed of the node's Ed25519 key, 32 bytes. */
  readonly privateKey: Uint8Array;
  readonly swarm: SwarmId;
  readonly listen: readonly string[];
  /** Told to others beside the addresses that are listened on. */
  readonly announce: readonly string[];
  readonly mdns: boolean;
  readonly gate: Gate;
  /** Who may be dialled. */
  readonly knows: (peer: PeerId) => boolean;
  /** Somebody's clock is so far from this machine's that TLS would refuse it. */
  readonly clocksApart: (aheadMs: number) => void;
}

/** The parts that any of our hosts has: one encrypted, multiplexed transport. */
const transport = (seed: Uint8Array, clocksApart?: (aheadMs: number) => void) => ({
  // With its public half: libp2p would find that in JavaScript, which takes forty times as long.
  privateKey: privateKeyFromRaw(Buffer.concat([seed, publicHalfOf(seed)])),
  nodeInfo: { name: "swarmd", userAgent: `${program}/${version}` },
  transports: [tcp()],
  // the second is for those of an earlier version
  connectionEncrypters: [sealing(clocksApart ? { clocksApart } : {}), byTls()],
  streamMuxers: [muxing()],
});

/** A host with every service of a member, not yet started. */
export async function createHost(options: HostOptions): Promise<Host> {
  const { gate } = options;
  const host = await createLibp2p({
    ...transport(options.privateKey, options.clocksApart),
    start: false,
    addresses: { listen: [...options.listen], appendAnnounce: [...options.announce] },
    connectionGater: {
      denyDialPeer: (peer) => !options.knows(peer.toString() as PeerId),
    },
    connectionManager: {
      maxConnections: 1_024,
      inboundConnectionThreshold: 100,
      maxIncomingPendingConnections: 64,
      // on a line that loses much a connection takes seconds to come about
      addressDialTimeout: 5_000,
      dialTimeout: 15_000,
      // the peer book hands addresses over best first
      addressSorter: () => 0,
      // libp2p's own reconnecting stands back: redialling is dialer.ts
      reconnectRetries: 0,
    },
    // it would ask every connection again and again; silence.ts asks those over which nothing comes
    connectionMonitor: { enabled: false },
    ...(options.mdns ? { peerDiscovery: [mdns({ serviceTag: lanService })] } : {}),
    services: {
      identify: gate.guardService(
        // links.ts runs it once the peer is admitted
        identify({ runOnConnectionOpen: false, maxInboundStreams: 4, maxOutboundStreams: 4 }),
      ),
      ping: gate.guardService(ping({ maxInboundStreams: 8 })),
      gossip: gate.guardService(gossipService()),
      dht: gate.guardService(locateService(options.swarm)),
    },
  });
  host.addEventListener("connection:open", ({ detail }) => makeAbortSafe(detail));
  return host;
}

/**
 * In libp2p 3.3 aborting a connection whose transport is already closed throws out of the muxer and leaves the socket as it
 * is; the connection monitor does so where nobody catches it, which would end the process.
 */
function makeAbortSafe(connection: Connection) {
  const abort = connection.abort.bind(connection);
  connection.abort = (error) => {
    try {
      abort(error);
    } catch {
      connection.close().catch(() => {});
    }
  };
}

/** A host that only dials, for a node that is no member yet; started. With `mdns` it hears who is on the LAN. */
export async function createDialingHost(
  privateKey: Uint8Array,
  { mdns: listens = false }: { readonly mdns?: boolean } = {},
): Promise<Libp2pHost> {
  return await createLibp2p({
    ...transport(privateKey),
    addresses: { listen: [] },
    ...(listens
      ? { peerDiscovery: [mdns({ serviceTag: lanService, broadcast: false, interval: 1_000 })] }
      : {}),
    connectionMonitor: { enabled: false },
    connectionManager: { addressDialTimeout: 5_000, dialTimeout: 15_000, addressSorter: () => 0 },
  });
}
