/** Gossip to all members: one gossipsub topic per swarm. Messages are unsigned here (the entries inside are signed) and named by their content. */
import { createHash } from "node:crypto";
import { type GossipSub, gossipsub, TopicValidatorResult } from "@chainsafe/libp2p-gossipsub";
import type { PeerId, SwarmId } from "../../protocol/kernel/ids.ts";
import { gossipBytesMax } from "../../protocol/swarm/message.ts";
import type { Log } from "../log.ts";
import { Misdeeds } from "../misdeeds.ts";
import type { Every } from "../rounds.ts";
import { isDirect } from "./press.ts";

export type { GossipSub };

/** How often the mesh of gossip is looked after while anything goes on. */
const heartbeatMs = 1_000;
/** How often what is known of each peer's conduct fades; next to nothing of it counts here. */
const fadeMs = 60_000;

export const gossipService = () => {
  const create = gossipsub({
    globalSignaturePolicy: "StrictNoSign",
    msgIdFn: (message) => createHash("sha256").update(message.data).digest(),
    allowPublishToZeroTopicPeers: true,
    ignoreDuplicatePublishError: true,
    fallbackToFloodsub: false,
    emitSelf: false,
    // an author's message goes to every peer it is connected to; the mesh serves those it is not, and needs few edges for it
    D: 3,
    Dlo: 2,
    Dhi: 5,
    Dscore: 1,
    Dout: 1,
    Dlazy: 3,
    maxInboundStreams: 4,
    maxOutboundStreams: 4,
    maxInboundDataLength: 4 << 20,
    maxOutboundBufferSize: 16 << 20,
    // what need not be passed on is not: gossip says of each message which
    asyncValidation: true,
    // so there is little to ward off with a word to everyone on each message
    idontwantMinDataSize: 16 << 10,
    // members are trusted to speak gossipsub; many of them may share one address, and a restart is no misbehaviour
    scoreParams: { IPColocationFactorWeight: 0, behaviourPenaltyWeight: 0, decayInterval: fadeMs },
  });
  return (components: Parameters<typeof create>[0]): GossipSub => {
    const service = create(components);
    // by a timer of its own it would wake a machine that rests each second
    insideOf(service).runHeartbeat = () => {};
    return service;
  };
};

export interface GossipChannel {
  /** Best effort. */
  publish(message: Uint8Array): void;
  /** Whether gossip can flow to this peer: false until its identify has run, and after its stream broke. */
  reaches(peer: PeerId): boolean;
  /** Peers that get what is published here from here. */
  hearers(): PeerId[];
  /** Looks after the mesh no more. */
  stop(): void;
}

/** Subscribes to the swarm's topic. Call after the host has started. */
export function openGossip(options: {
  readonly service: GossipSub;
  readonly swarm: SwarmId;
  readonly admits: (peer: PeerId) => boolean;
  /** `by`: who handed it on. */
  readonly received: (message: Uint8Array, by: PeerId) => void;
  /** What calls for a look after the mesh. */
  readonly every: Every;
  readonly log: Log;
}): GossipChannel {
  const { service, log } = options;
  const topic = `/swarmd/1/gossip/${options.swarm}`;
  const misdeeds = new Misdeeds();
  service.addEventListener("gossipsub:message", ({ detail }) => {
    if (detail.msg.topic !== topic || detail.msg.data.length > gossipBytesMax) return;
    const onward = isDirect(detail.msg.data) ? TopicValidatorResult.Ignore : TopicValidatorResult.Accept;
    insideOf(service).reportMessageValidationResult(detail.msgId, detail.propagationSource, onward);
    // between a revocation and the end of its connection a peer's stream is still open
    const by = detail.propagationSource.toString() as PeerId;
    if (!options.admits(by)) return;
    try {
      options.received(detail.msg.data, by);
    } catch (error) {
      const fields = misdeeds.of(by);
      if (fields) log.warn({ peer: by, err: error, ...fields }, "a gossiped message was not understood");
    }
  });
  service.subscribe(topic);
  const stop = options.every(heartbeatMs, () => {
    insideOf(service)
      .heartbeat()
      .catch((error) => log.debug({ err: error }, "the mesh of gossip was not looked after"));
  });
  return {
    publish(message) {
      service.publish(topic, message).catch((error) => log.debug({ err: error }, "gossip was not published"));
    },
    reaches: (peer) => insideOf(service).streamsOutbound.has(peer),
    hearers: () => service.getSubscribers(topic).map((peer) => peer.toString() as PeerId),
    stop,
  };
}

/** What the class has and its interface does not name. */
const insideOf = (service: GossipSub) =>
  service as unknown as {
    /** gossipsub forgets a broken outbound stream without a word and opens none again. */
    readonly streamsOutbound: ReadonlyMap<string, unknown>;
    /** Passes a message on, or does not. */
    reportMessageValidationResult(id: string, source: unknown, result: TopicValidatorResult): void;
    /** Called a moment after the start; by itself it looks after the mesh, and calls itself again. */
    runHeartbeat: () => void;
    /** Looks after the mesh once: counts in ticks of a second. */
    heartbeat(): Promise<void>;
  };
