/** The network as a daemon holds it: one host, its links to the other members, and what runs over them. */
import { networkInterfaces } from "node:os";
import type { Connection } from "@libp2p/interface";
import { peerIdFromString } from "@libp2p/peer-id";
import { CODE_P2P, type Multiaddr, multiaddr } from "@multiformats/multiaddr";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { Digest, PeerId, SwarmId } from "../../protocol/kernel/ids.ts";
import type { NetworkHandlers } from "../../protocol/ports.ts";
import { gossipBytesMax } from "../../protocol/swarm/message.ts";
import type { Log } from "../log.ts";
import type { BlobStore, Inquirable, Inquiry, InquiryAnswer, Mesh, TailSource, Way } from "../ports.ts";
import { type Every, everyByTimer } from "../rounds.ts";
import { admissionHandler, admissionProtocol } from "./admission.ts";
import type { Askers } from "./askers.ts";
import { blobsHandler } from "./blob-server.ts";
import { blobsProtocol, streamsMax } from "./blob-wire.ts";
import { Dialer } from "./dialer.ts";
import { Gate, peerOf } from "./gate.ts";
import { openGossip } from "./gossip.ts";
import { clipped, inquireOf, inquiriesMax, inquiryHandler, inquiryProtocol } from "./inquiry.ts";
import { createHost, versionIn } from "./libp2p.ts";
import { Links } from "./links.ts";
import { createLocator } from "./locate.ts";
import { messagesHandler, messagesProtocol } from "./messages.ts";
import { nearestFirst } from "./nearness.ts";
import { dialable, isLoopback, PeerBook } from "./peer-book.ts";
import { peersHandler, peersOf, peersProtocol } from "./peers.ts";
import { Press } from "./press.ts";
import { createRemoteBlobs } from "./remote-blobs.ts";
import { Silence } from "./silence.ts";
import {
  tailHandler,
  tailOf,
  tailProtocol,
  tailsMax,
  tailThroughHandler,
  tailThroughProtocol,
} from "./tail.ts";
import { dialBack, echoes, latencyOf } from "./ways.ts";

/** How often links are looked over for gossip that stopped flowing. */
const sweepMs = 5_000;
/** How often some member is asked whom it knows, for those that join without dialling us. */
const hearsayMs = 30_000;
/** How often this machine is asked for its addresses. */
const watchMs = 3_000;
const identifyMsMax = 10_000;
/** So many members are asked to pass on a question to one that is not reached. */
const throughMax = 3;

export interface MeshOptions {
  /** Seed of the node's Ed25519 key, 32 bytes. */
  readonly privateKey: Uint8Array;
  readonly swarm: SwarmId;
  /** Multiaddrs; port 0 takes a free one. */
  readonly listen: readonly string[];
  /** Multiaddrs to tell others beside those. */
  readonly announce?: readonly string[];
  /** The peer book. */
  readonly bookFile: string;
  readonly handlers: NetworkHandlers;
  /** All members there are now; none by default. */
  readonly members?: () => readonly PeerId[];
  readonly blobs: Pick<BlobStore, "has" | "stream" | "pieced" | "sizeOfHash">;
  /** Brings a blob here for a member that does not reach its holders. */
  readonly obtain: (digest: Digest, from: readonly PeerId[], signal: AbortSignal) => Promise<boolean>;
  /** Reads a blob of this disk again that somebody found wrong: whether it is here and right. */
  readonly doubted: (digest: Digest) => Promise<boolean>;
  /** What calls for a look at what may have changed; absent: timers. */
  readonly every?: Every;
  readonly askers: Askers;
  readonly tails: TailSource;
  /** What the doctor finds, for members that ask. */
  readonly health: () => Promise<Extract<InquiryAnswer, { kind: "health" }>["findings"]>;
  readonly log: Log;
  /** Finds members on the LAN; by default unless all of `listen` is loopback. */
  readonly mdns?: boolean;
  /** Monotonic milliseconds by which strangers' requests are paced; the process's own by default. */
  readonly now?: (() => number) | undefined;
}

/** Throws `address-in-use` when a port is taken, `usage` for an address that cannot be listened on. */
export async function createMesh(options: MeshOptions): Promise<Mesh> {
  const { handlers, swarm, log } = options;
  const listen = options.listen.map(readAddress);
  const announce = (options.announce ?? []).map(readAddress);
  const traffic = { receivedBytes: 0, sentBytes: 0 };
  let stopped = false;
  const gate = new Gate((peer) => !stopped && handlers.admits(peer));
  const host = await createHost({
    privateKey: options.privateKey,
    swarm,
    listen: listen.map(String),
    announce: announce.map(String),
    mdns: options.mdns ?? !listen.every(isLoopback),
    gate,
    knows: (peer) => !stopped && handlers.knows(peer),
    clocksApart: (aheadMs) =>
      log.debug({ aheadMs: Math.round(aheadMs) }, "a connection between clocks that differ"),
  });
  const every = options.every ?? everyByTimer;
  const silence = new Silence({
    connections: () => host.getConnections(),
    echoes,
    every,
    now: () => performance.now(),
    log,
  });
  const book = await PeerBook.open(options.bookFile, host.peerId.toString() as PeerId, log);

  const press = new Press(swarm, options.members ?? (() => []));
  const nearest = (addresses: readonly Multiaddr[]) => nearestFirst(addresses, networkInterfaces());

  const links: Links = new Links({
    handlers,
    gate,
    press,
    log,
    linked: (connection) => void identify(connection),
    foreign: (connection) => void identify(connection),
    versionOf: (peer) => versions.get(peer),
    closed(peer, linkedMs) {
      const other = links.to(peer);
      if (other) void identify(other);
      else dialer.lost(peer, linkedMs);
      if (!gate.admits(peer)) versions.delete(peer);
      if (!gate.admits(peer)) host.peerStore.delete(peerIdFromString(peer)).catch(() => {});
    },
  });
  const dialer = new Dialer({
    self: host.peerId.toString() as PeerId,
    admits: (peer) => !stopped && handlers.knows(peer),
    connected: (peer) => links.to(peer) !== undefined,
    addresses: (peer) => book.addresses(peer),
    dial: (peer, addresses) =>
      host.dial(
        nearest(addresses.map((address) => multiaddr(address))).map((address) =>
          multiaddr(`${address}/p2p/${peer}`),
        ),
      ),
    log,
  });
  const remoteBlobs = createRemoteBlobs({
    connectionTo: (peer) => links.to(peer),
    received(bytes) {
      traffic.receivedBytes += bytes;
    },
  });

  /** Learns a member's addresses and makes gossipsub and the DHT notice it: both wait for this. */
  async function identify(connection: Connection) {
    if (identifying.has(connection)) return;
    identifying.add(connection);
    const peer = peerOf(connection);
    try {
      const { listenAddrs, agentVersion } = await host.services.identify.identify(connection, {
        signal: AbortSignal.timeout(identifyMsMax),
      });
      const version = versionIn(agentVersion);
      if (version === undefined) versions.delete(peer);
      else versions.set(peer, version);
      const dialled = connection.direction === "outbound" ? [connection.remoteAddr] : [];
      book.add(peer, [...dialled, ...nearest(listenAddrs)].map(String), {
        viaLoopback: isLoopback(connection.remoteAddr),
      });
      await askForPeers(connection);
    } catch (error) {
      if (!stopped)
        log.debug({ peer, err: error }, "a member did not say who it is; the next sweep asks again");
    } finally {
      identifying.delete(connection);
    }
  }
  const identifying = new Set<Connection>();
  /** Of members that told; one that is a member no more is forgotten with its addresses. */
  const versions = new Map<PeerId, string>();

  /** A member's peer book, for those that are not in ours. */
  async function askForPeers(connection: Connection) {
    const viaLoopback = isLoopback(connection.remoteAddr);
    for (const [peer, addresses] of await peersOf(connection))
      if (book.add(peer, addresses, { viaLoopback, hearsay: true })) dialer.ensure([peer]);
  }

  function heedMove(peer: PeerId, connection: Connection, addresses: readonly string[]) {
    const known = nearest(addresses.flatMap((text) => dialable(text, peer) ?? [])).map(String);
    book.add(peer, known, { viaLoopback: isLoopback(connection.remoteAddr) });
  }

  /** An address of this machine came or went: the others are told, and links that the change broke are given up. */
  function moved() {
    const addresses = ownAddresses();
    log.info({ addresses }, "this machine's addresses have changed");
    for (const peer of links.peers()) {
      const connection = links.to(peer)!;
      inquireOf(connection, { kind: "moved", addresses: addresses.slice(0, 16) }).catch(() => {
        if (!stopped) connection.abort(new Error("it does not answer since an address changed"));
      });
    }
    for (const peer of book.peers()) if (!links.to(peer)) dialer.now(peer);
  }
  const ownAddresses = () =>
    host.getMultiaddrs().map((address) => address.decapsulateCode(CODE_P2P).toString());

  const ways = (): Promise<Way[]> =>
    Promise.all(
      links.peers().map(async (peer): Promise<Way> => {
        const connection = links.to(peer)!;
        const { direction, remoteAddr } = connection;
        const latencyMs = await latencyOf(connection);
        return {
          peer,
          direction,
          address: remoteAddr.toString(),
          ...(latencyMs === undefined ? {} : { latencyMs }),
        };
      }),
    );
  const answers: Inquirable = {
    async answer(asker, inquiry) {
      if (inquiry.kind === "reach") return { kind: "reach", ways: await ways() };
      if (inquiry.kind === "health") return { kind: "health", findings: clipped(await options.health()) };
      const from = links.to(asker);
      if (inquiry.kind === "moved") {
        if (from) heedMove(asker, from, inquiry.addresses);
        return { kind: "moved" };
      }
      const sameHost = from !== undefined && isLoopback(from.remoteAddr);
      return { kind: "dial", tries: await dialBack(asker, inquiry.addresses, sameHost) };
    },
  };

  host.addEventListener("connection:open", ({ detail }) => links.opened(detail));
  host.addEventListener("connection:close", ({ detail }) => links.ended(detail));
  host.addEventListener("peer:discovery", ({ detail }) => {
    const peer = detail.id.toString() as PeerId;
    if (!gate.admits(peer)) return;
    const addresses = detail.multiaddrs.map(String);
    if (book.add(peer, addresses, { viaLoopback: false, hearsay: true })) dialer.ensure([peer]);
  });
  await host.handle(
    admissionProtocol,
    admissionHandler({
      handlers,
      judged(connection) {
        gate.recheck();
        links.settle(connection);
      },
      refused: (connection, why) => links.refuse(connection, why),
      log,
      now: options.now,
    }),
    { maxInboundStreams: 2 },
  );
  await host.handle(
    messagesProtocol,
    gate.guard(
      messagesHandler({
        handlers: {
          admits: gate.admits,
          message(from, message) {
            silence.heard(from);
            handlers.message(from, message);
          },
        },
        press,
        connected: (peer) => links.connected(peer),
        misspoke: (connection) => links.refuse(connection, "it sends what is no message"),
        log,
      }),
    ),
    { maxInboundStreams: 1 },
  );
  await host.handle(
    blobsProtocol,
    gate.guard(
      blobsHandler({
        blobs: options.blobs,
        askers: options.askers,
        obtain: options.obtain,
        doubted: options.doubted,
        log,
        sent(bytes) {
          traffic.sentBytes += bytes;
        },
      }),
    ),
    { maxInboundStreams: streamsMax },
  );
  await host.handle(tailProtocol, gate.guard(tailHandler({ tails: options.tails, log })), {
    maxInboundStreams: tailsMax,
  });
  const connectionTo = (peer: PeerId) => (gate.admits(peer) ? links.to(peer) : undefined);
  await host.handle(tailThroughProtocol, gate.guard(tailThroughHandler({ connectionTo, log })), {
    maxInboundStreams: tailsMax,
  });
  await host.handle(
    inquiryProtocol,
    gate.guard(
      inquiryHandler({
        self: host.peerId.toString() as PeerId,
        answers,
        connectionTo,
        log,
      }),
    ),
    { maxInboundStreams: inquiriesMax },
  );
  await host.handle(peersProtocol, gate.guard(peersHandler({ book, admits: gate.admits, log })), {
    maxInboundStreams: 2,
  });

  try {
    await host.start();
  } catch (cause) {
    silence.stop();
    throw listenError(listen, cause);
  }
  const gossip = openGossip({
    service: host.services.gossip,
    swarm,
    admits: gate.admits,
    received(message, by) {
      silence.heard(by);
      handlers.gossip(press.open(message, gossipBytesMax), by);
    },
    every,
    log,
  });
  const hearers = () => gossip.hearers().filter((peer) => links.to(peer) !== undefined);
  const sweep = every(sweepMs, () => {
    for (const peer of links.peers()) if (!gossip.reaches(peer)) void identify(links.to(peer)!);
  });
  let at = ownAddresses().join();
  const watch = every(watchMs, () => {
    const now = ownAddresses().join();
    if (now === at) return;
    at = now;
    moved();
  });
  const hearsay = every(hearsayMs, () => {
    const peers = links.peers();
    const connection = links.to(peers[Math.floor(Math.random() * peers.length)]!);
    if (connection) askForPeers(connection).catch((error) => log.debug({ err: error }, "no peers were told"));
  });
  dialer.ensure(book.peers());

  return {
    remoteBlobs,
    locator: createLocator(host.services.dht),
    send: (to, message) => links.send(to, message),
    gossip(message) {
      // a larger one would be opened by nobody
      if (message.length > gossipBytesMax)
        log.warn({ bytes: message.length }, "gossip dropped: over the size bound");
      else gossip.publish(press.press(message, links.peers(), hearers().length));
    },
    echo: (to, message) => links.echo(to, message),
    async *tail(peer, request, signal) {
      const connection = links.to(peer);
      for (const via of connection ? [] : links.peers().slice(0, throughMax)) {
        let begun = false;
        try {
          for await (const chunk of tailOf(peer, links.to(via), request, signal, true)) {
            begun = true;
            yield chunk;
          }
          return;
        } catch (error) {
          if (begun) throw error;
          log.debug({ peer, via, err: error }, "its output does not come through this member");
        }
      }
      yield* tailOf(peer, connection, request, signal);
    },
    connected: () => links.peers(),
    ways,
    async inquire<K extends Inquiry["kind"]>(peer: PeerId, inquiry: Extract<Inquiry, { kind: K }>) {
      type Answer = Extract<InquiryAnswer, { kind: K }>;
      const connection = links.to(peer);
      if (connection) return { answer: (await inquireOf(connection, inquiry)) as Answer };
      for (const via of links.peers().slice(0, throughMax)) {
        const through = links.to(via);
        const answer = through && (await inquireOf(through, inquiry, peer).catch(() => undefined));
        if (answer) return { answer: answer as Answer, via };
      }
      throw new SwarmError("peer-unreachable", `${peer} cannot be asked, not through another member either`);
    },
    addresses: () => host.getMultiaddrs().map(String),
    addressesOf: (peer) => [...book.addresses(peer)],
    versionOf: (peer) => versions.get(peer),
    know(peer, addresses) {
      book.add(peer, addresses, { viaLoopback: true });
      dialer.now(peer);
    },
    membersChanged() {
      if (press.membersChanged()) links.greet();
      links.recheck();
      dialer.ensure(book.peers());
    },
    traffic: () => ({ ...traffic }),
    async stop() {
      if (stopped) return;
      stopped = true;
      gossip.stop();
      silence.stop();
      sweep();
      hearsay();
      watch();
      dialer.stop();
      gate.close();
      remoteBlobs.stop();
      links.stop();
      await host.stop();
      await book.flush();
    },
  };
}

function readAddress(text: string): Multiaddr {
  try {
    return multiaddr(text);
  } catch (cause) {
    throw new SwarmError("usage", `${text} is no multiaddr`, {
      cause,
      remedy: "write it like /ip4/0.0.0.0/tcp/4701",
    });
  }
}

function listenError(listen: readonly Multiaddr[], cause: unknown): SwarmError {
  const where = listen.join(", ");
  return /EADDRINUSE/.test(messagesOf(cause))
    ? new SwarmError("address-in-use", `another program listens on ${where}`, {
        cause,
        remedy: "choose another port: --listen /ip4/0.0.0.0/tcp/4702",
      })
    : new SwarmError("usage", `cannot listen on ${where}`, { cause });
}

/** All that an error and those inside it say. */
function messagesOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const inner = error instanceof AggregateError ? error.errors : [];
  return [error.message, ...inner.map(messagesOf), error.cause ? messagesOf(error.cause) : ""].join(" ");
}
