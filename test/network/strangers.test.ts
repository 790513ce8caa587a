/** The gate: what a peer that is no member can reach, and what it cannot. */
import { gossipsub } from "@chainsafe/libp2p-gossipsub";
import { generateKeyPairFromSeed } from "@libp2p/crypto/keys";
import { identify } from "@libp2p/identify";
import type { Connection, Libp2p, Stream } from "@libp2p/interface";
import { tcp } from "@libp2p/tcp";
import { tls } from "@libp2p/tls";
import { yamux } from "@libp2p/yamux";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { frame, readFrame } from "../../node/network/frames.ts";
import { redeem } from "../../node/network/redeem.ts";
import { version } from "../../node/version.ts";
import { encode } from "../../protocol/kernel/codec.ts";
import { Random } from "../../protocol/kernel/random.ts";
import { admissionBytesMax } from "../../protocol/swarm/admission.ts";
import { key, type Member, swarm as swarmId, TestSwarm, until } from "./swarm.ts";

const topic = `/swarmd/1/gossip/${swarmId}`;
const kad = `/swarmd/1/kad/${swarmId.slice(0, 16)}`;

/** A libp2p node of somebody else's making, which speaks everything and keeps to nothing. */
async function stranger(name: string) {
  const { seed, peer } = await key(name);
  const host = await createLibp2p({
    privateKey: await generateKeyPairFromSeed("Ed25519", seed),
    nodeInfo: { userAgent: "swarmd/9.0.0" },
    addresses: { listen: [] },
    transports: [tcp()],
    connectionEncrypters: [tls()],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
    services: {
      identify: identify({ maxOutboundStreams: 8 }),
      gossip: gossipsub({
        globalSignaturePolicy: "StrictNoSign",
        allowPublishToZeroTopicPeers: true,
        scoreParams: { IPColocationFactorWeight: 0 },
      }),
    },
  });
  return { host, peer };
}

const dial = (host: Libp2p, member: Member): Promise<Connection> =>
  host.dial(multiaddr(member.mesh.addresses()[0]!));

describe("a stranger", () => {
  let swarm: TestSwarm;
  let a: Member;
  let b: Member;
  let outside: Awaited<ReturnType<typeof stranger>>;
  beforeEach(async () => {
    swarm = new TestSwarm();
    [a, b] = await swarm.pair();
    outside = await stranger("stranger");
  });
  afterEach(async () => {
    await outside.host.stop();
    await swarm.stop();
  });

  const ended = (stream: Stream) =>
    new Promise<string>((resolve) => {
      if (stream.status === "open")
        stream.addEventListener("close", () => resolve(stream.status), { once: true });
      else resolve(stream.status);
    });

  it("is sent away in five seconds, with nothing it said heard and nothing answered but at admission", async () => {
    const blob = a.store(Buffer.from("a secret"));
    const connection = await dial(outside.host, a);
    const closed = new Promise<void>((resolve) => connection.addEventListener("close", () => resolve()));
    outside.host.services.gossip.subscribe(topic);
    const heard: unknown[] = [];
    outside.host.services.gossip.addEventListener("gossipsub:message", (event) =>
      heard.push(event.detail.msg),
    );
    const identified: unknown[] = [];
    outside.host.addEventListener("peer:identify", (event) => identified.push(event.detail));
    const answered: string[] = [];
    const speak = async (protocol: string, bytes: ReturnType<typeof frame>) => {
      const stream = await connection.newStream(protocol);
      stream.addEventListener("message", () => answered.push(protocol));
      stream.send(bytes);
      return await ended(stream);
    };
    const told = Promise.all([
      speak("/swarmd/1/messages", frame(Buffer.from("trust me"))),
      speak("/swarmd/1/blobs", frame(encode({ kind: "get", digest: blob, offset: 0 }))),
      speak("/swarmd/1/tail", frame(encode({ follow: true }))),
      speak("/ipfs/id/1.0.0", new Uint8Array()),
      speak("/ipfs/ping/1.0.0", new Uint8Array(32)),
      speak(kad, frame(Buffer.from("find me somebody"))),
      // a gossipsub RPC with one message in our topic: publish = { data: "spam", topic }
      speak("/meshsub/1.1.0", rpc(topic, "spam")),
    ]);
    a.mesh.gossip(Buffer.from("among us"));
    await closed;
    await told;
    expect(answered).toEqual([]);
    expect(identified).toEqual([]);
    expect(heard).toEqual([]);
    expect(a.received).toEqual([]);
    expect(a.gossiped).toEqual([]);
    expect(b.gossiped.map((g) => Buffer.from(g).toString())).not.toContain("spam");
    expect(a.connected()).toEqual([b.peer]);
    expect(a.log).toContainEqual(
      expect.objectContaining({
        peer: outside.peer,
        address: expect.stringMatching("/ip4/127.0.0.1/tcp/"),
        why: "not admitted in time",
      }),
    );
  });

  it("that is a member of another version, without a protocol of this one, is sent away with both versions named", async () => {
    a.members.add(outside.peer);
    const connection = await dial(outside.host, a);
    await new Promise<void>((resolve) => connection.addEventListener("close", () => resolve()));
    expect(a.log).toContainEqual(
      expect.objectContaining({
        msg: "a connection was refused",
        peer: outside.peer,
        why: `it speaks no protocol of this version, which is ${version}: bring both to one version`,
        theirVersion: "9.0.0",
        ownVersion: version,
      }),
    );
    expect(a.mesh.versionOf(outside.peer)).toBe("9.0.0");
  });

  it("is heard, with what it sent too early, once it is admitted", async () => {
    const blob = a.store(Buffer.from("no secret any more"));
    const connection = await dial(outside.host, a);
    const stream = await connection.newStream("/swarmd/1/blobs");
    stream.send(frame(encode({ kind: "get", digest: blob, offset: 3 })));
    const answer = readFrame(stream, 1_000, 100_000);
    const door = await connection.newStream("/swarmd/1/admission");
    door.send(frame(Buffer.from("password open sesame")));
    expect(Buffer.from(await readFrame(door, 1_000, 100_000)).toString()).toBe("password open sesame");
    expect(Buffer.from((await answer).subarray(1)).toString()).toBe("secret any more");
  });

  it("is sent away at once for what does not convince, or is no request at all", async () => {
    for (const bytes of [
      frame(Buffer.from("password 1234")),
      frame(new Uint8Array()),
      new Uint8Array([255, 255, 255, 255, 0]),
      frame(new Uint8Array(admissionBytesMax + 1)),
    ]) {
      const connection = await dial(outside.host, a);
      const closed = new Promise<void>((resolve) => connection.addEventListener("close", () => resolve()));
      const door = await connection.newStream("/swarmd/1/admission");
      door.send(bytes);
      await Promise.race([closed, ended(door)]);
      expect(a.connected()).toEqual([b.peer]);
      await connection.close();
    }
  });

  it("cannot ask for admission without end: so often at once, then as time goes by", async () => {
    let nowMs = 1_000;
    const door = await swarm.start("door", { now: () => nowMs });
    const refusals = () => door.log.filter(({ why }) => why === "too many requests for admission").length;
    const askTimes = async (times: number) => {
      for (let i = 0; i < times; i++) {
        const connection = await dial(outside.host, door);
        const stream = await connection.newStream("/swarmd/1/admission").catch(() => undefined);
        stream?.send(frame(Buffer.from("password 1234")));
        if (stream) await ended(stream);
        await connection.close();
      }
    };
    await askTimes(64);
    expect(refusals()).toBe(0);
    await askTimes(1);
    await until(() => refusals() === 1);
    nowMs += 125;
    await askTimes(1);
    expect(refusals()).toBe(1);
    await askTimes(1);
    await until(() => refusals() === 2);
    expect(door.connected()).toEqual([]);
  });
});

describe("a member with the wrong tongue", () => {
  it("cannot crash or confuse us with random bytes on any protocol", async () => {
    const swarm = new TestSwarm();
    const [a, b] = await swarm.pair();
    const outside = await stranger("madman");
    try {
      a.members.add(outside.peer);
      const random = Random.fromNumber(1);
      const noise = (bytes: number) => Uint8Array.from({ length: bytes }, () => random.below(256));
      const spoken = [];
      for (const protocol of [
        "/swarmd/1/admission",
        "/swarmd/1/messages",
        "/swarmd/1/blobs",
        "/swarmd/1/tail",
        "/swarmd/1/tail-through",
        "/ipfs/id/1.0.0",
        "/ipfs/ping/1.0.0",
        "/meshsub/1.1.0",
        kad,
      ])
        for (const bytes of [
          noise(7),
          noise(4_000),
          frame(noise(100)),
          frame(noise(3_000)),
          frame(encode({ kind: "stat", digests: "all" })),
        ])
          spoken.push(
            (async () => {
              const connection = await dial(outside.host, a);
              const stream = await connection.newStream(protocol);
              stream.send(bytes);
              await stream.close();
              await connection.close();
            })().catch(() => {}),
          );
      await Promise.all(spoken);
      a.mesh.send(b.peer, Buffer.from("still here"));
      await until(() => b.received.length > 0);
      expect(a.received.every(({ from }) => from === outside.peer)).toBe(true);
      expect(a.connected()).toContain(b.peer);
    } finally {
      await outside.host.stop();
      await swarm.stop();
    }
  });
});

describe("redeem", () => {
  let swarm: TestSwarm;
  beforeEach(() => {
    swarm = new TestSwarm();
  });
  afterEach(async () => await swarm.stop());

  it("brings back the answer of the first address that can be reached, and who gave it", async () => {
    const joiner = await key("joiner");
    const asked: string[] = [];
    const a = await swarm.start("a", {
      admission: (peer, request, answer) => {
        asked.push(`${peer} ${Buffer.from(request)}`);
        a.members.add(peer);
        answer(Buffer.from("welcome"));
      },
    });
    const { peer, reply } = await redeem({
      privateKey: joiner.seed,
      addresses: ["/ip4/127.0.0.1/tcp/1", "not an address", ...a.mesh.addresses()],
      request: Buffer.from("a ticket"),
    });
    expect([peer, Buffer.from(reply).toString()]).toEqual([a.peer, "welcome"]);
    expect(asked).toEqual([`${joiner.peer} a ticket`]);
    // it was no daemon yet
    expect(a.links).toEqual([]);
  });

  it("says who cannot be reached, and what to do", async () => {
    const joiner = await key("joiner");
    await expect(
      redeem({
        privateKey: joiner.seed,
        addresses: ["/ip4/127.0.0.1/tcp/1"],
        request: Buffer.from("a ticket"),
      }),
    ).rejects.toMatchObject({ code: "peer-unreachable", remedy: expect.stringContaining("swarmd status") });
  });

  it("is told when it is refused", async () => {
    const joiner = await key("joiner");
    const a = await swarm.start("a");
    await expect(
      redeem({ privateKey: joiner.seed, addresses: a.mesh.addresses(), request: Buffer.from("password?") }),
    ).rejects.toMatchObject({ code: "refused" });
  });
});

/** The protobuf of a gossipsub RPC that publishes one unsigned message. */
function rpc(topic: string, text: string): Uint8Array {
  const field = (tag: number, bytes: Uint8Array) => {
    if (bytes.length > 127) throw new Error("one byte of length is all there is");
    return Buffer.concat([Uint8Array.of((tag << 3) | 2, bytes.length), bytes]);
  };
  const message = Buffer.concat([field(2, Buffer.from(text)), field(4, Buffer.from(topic))]);
  const body = field(2, message);
  return Buffer.concat([Uint8Array.of(body.length), body]);
}
