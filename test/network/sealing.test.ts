import { generateKeyPair } from "@libp2p/crypto/keys";
import type { Libp2p } from "@libp2p/interface";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { createLibp2p } from "libp2p";
import { afterEach, expect, test } from "vitest";
import { sealing } from "../../node/network/sealing.ts";

const hosts: Libp2p[] = [];
afterEach(async () => {
  for (const host of hosts.splice(0)) await host.stop();
});

const told: string[] = [];
/** A host whose clock is so many milliseconds ahead when it says the time. */
async function host(name: string, aheadMs: number) {
  const one = await createLibp2p({
    privateKey: await generateKeyPair("Ed25519"),
    addresses: { listen: ["/ip4/127.0.0.1/tcp/0"] },
    transports: [tcp()],
    connectionEncrypters: [
      sealing({
        wallMs: () => Date.now() + aheadMs,
        clocksApart: (ms) => told.push(`${name} ${Math.round(ms / 3_600_000)}`),
      }),
    ],
    streamMuxers: [yamux()],
  });
  hosts.push(one);
  return one;
}

test.each([
  ["the same", 0, []],
  ["ten minutes apart", 600_000, []],
  ["half a century behind", -56 * 365 * 86_400_000, ["a 490560", "b -490560"]],
  ["years ahead", 4e11, ["a -111111", "b 111111"]],
])("with clocks %s two hosts find out who the other is, and talk", async (_, aheadMs, said) => {
  told.length = 0;
  const [a, b] = [await host("a", aheadMs), await host("b", 0)];
  await b.handle("/echo", (stream) => stream.addEventListener("message", ({ data }) => stream.send(data)));
  const connection = await a.dial(b.getMultiaddrs());
  expect(connection.remotePeer.equals(b.peerId)).toBe(true);
  const stream = await connection.newStream("/echo");
  const heard = new Promise((resolve) =>
    stream.addEventListener("message", ({ data }) => resolve(Buffer.from(data.subarray()).toString())),
  );
  stream.send(Buffer.from("hello"));
  expect(await heard).toBe("hello");
  expect(b.getConnections()[0]!.remotePeer.equals(a.peerId)).toBe(true);
  expect(told.toSorted((x, y) => (x < y ? -1 : 1))).toEqual(said);
});
