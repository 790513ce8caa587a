/** Gossip on real streams between real hosts: a member of its own making sends what no gossipsub would. */
import { generateKeyPairFromSeed } from "@libp2p/crypto/keys";
import type { Connection, Libp2p, Stream } from "@libp2p/interface";
import { tcp } from "@libp2p/tcp";
import { tls } from "@libp2p/tls";
import { yamux } from "@libp2p/yamux";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";
import { afterAll, afterEach, beforeEach, expect, test } from "vitest";
import { frame, readFrame } from "../../node/network/frames.ts";
import { gossipBytesMax } from "../../protocol/swarm/message.ts";
import { key, type Member, swarm as swarmId, TestSwarm, until } from "../network/swarm.ts";
import { hostileBytes } from "./bytes.ts";
import type { Dice } from "./dice.ts";
import { fuzzSlow } from "./fuzz.ts";
import { gossipSamples } from "./swarm.ts";

const topic = Buffer.from(`/swarmd/1/gossip/${swarmId}`);

/** A field of protobuf that has a length. */
const field = (number: number, bytes: Uint8Array): Uint8Array =>
  Buffer.concat([Buffer.of((number << 3) | 2), varint(bytes.length), bytes]);

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  for (let left = value; ; left = Math.floor(left / 128)) {
    if (left < 128) return Buffer.from([...bytes, left]);
    bytes.push((left % 128) | 128);
  }
}

/** A gossipsub RPC: a subscription, a message in the swarm's topic, and words of control (ihave, iwant, graft, prune). */
const published = (bytes: Uint8Array): Uint8Array =>
  field(2, Buffer.concat([field(2, bytes), field(4, topic)]));
const id = Buffer.alloc(20, 7);
const rpcs = [
  field(1, Buffer.concat([Buffer.of(0x08, 0x01), field(2, topic)])),
  ...gossipSamples.map(published),
  Buffer.concat(gossipSamples.map(published)),
  field(3, field(1, Buffer.concat([field(1, topic), field(2, id), field(2, id)]))),
  field(3, field(2, Buffer.concat([field(1, id), field(1, id)]))),
  field(3, Buffer.concat([field(3, field(1, topic)), field(4, field(1, topic))])),
];

const said = (dice: Dice): Uint8Array => {
  const rpc = dice.once(4) ? dice.pick(rpcs) : hostileBytes(dice, rpcs, 100_000);
  const whole = Buffer.concat([varint(rpc.length), rpc]);
  return dice.once(4) ? hostileBytes(dice, [whole], 100_000) : whole;
};

/** What is said on one stream. */
const wordsEach = 25;

let swarm: TestSwarm;
let ann: Member;
let bob: Member;
let eve: Libp2p;
const unhandled: unknown[] = [];
const note = (reason: unknown) => void unhandled.push(reason);
process.on("unhandledRejection", note);
beforeEach(async () => {
  swarm = new TestSwarm();
  [ann, bob] = await swarm.pair();
  const { seed } = await key("eve");
  eve = await createLibp2p({
    privateKey: await generateKeyPairFromSeed("Ed25519", seed),
    addresses: { listen: [] },
    transports: [tcp()],
    connectionEncrypters: [tls()],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
  });
});
afterEach(async () => {
  await eve.stop();
  await swarm.stop();
});
afterAll(() => {
  process.off("unhandledRejection", note);
});

/** A connection of a member: whoever shows the password is one. */
async function admitted(): Promise<Connection> {
  const connection = await eve.dial(multiaddr(ann.mesh.addresses()[0]!));
  const door = await connection.newStream("/swarmd/1/admission");
  door.send(frame(Buffer.from("password open sesame")));
  await readFrame(door, 1000, 25_000);
  return connection;
}

const over = (stream: Stream): Promise<void> =>
  new Promise((resolve) => {
    if (stream.status !== "open") resolve();
    else stream.addEventListener("close", () => resolve(), { once: true });
  });

test("a member that sends hostile gossip is heard within bounds or cut off, and the others go on", async () => {
  let connection = await admitted();
  await fuzzSlow({
    // One stream, and what is said on it: whole words, until one of them ends it.
    make: (dice) => Buffer.concat(Array.from({ length: wordsEach }, () => said(dice))),
    run: async (bytes) => {
      if (connection.status !== "open") connection = await admitted();
      try {
        const stream = await connection.newStream("/meshsub/1.1.0");
        stream.send(bytes);
        await stream.close();
        stream.abort(new Error("said all"));
        await over(stream);
        return undefined;
      } catch {
        return "cut off";
      }
    },
    // A case is many inputs, and where it ends the connection, two hosts shake hands anew.
    moreMs: () => 50 * wordsEach,
    cases: 60,
    casesMax: 2000,
  });
  // What it said last, and well, is heard: so all before it was read.
  const last = Buffer.from("the last word");
  connection = connection.status === "open" ? connection : await admitted();
  const stream = await connection.newStream("/meshsub/1.1.0");
  const rpc = published(last);
  stream.send(Buffer.concat([varint(rpc.length), rpc]));
  await until(() => ann.gossiped.some((bytes) => last.equals(bytes)));
  for (const bytes of [...ann.gossiped, ...bob.gossiped])
    expect(bytes.length).toBeLessThanOrEqual(gossipBytesMax);
  expect(ann.gossiped.length).toBeGreaterThan(10);
  ann.mesh.gossip(Buffer.from("among us"));
  await until(() => bob.gossiped.some((bytes) => Buffer.from(bytes).toString() === "among us"));
  expect(ann.connected()).toContain(bob.peer);
  expect(unhandled).toEqual([]);
});
