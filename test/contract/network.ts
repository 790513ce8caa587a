/** What every `Network` must keep to, real or simulated. Time is the fixture's: a suite only waits through `settle`. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type PeerId, peerIdOf } from "../../protocol/kernel/ids.ts";
import type { Network } from "../../protocol/ports.ts";
import { gossipBytesMax, messageBytesMax } from "../../protocol/swarm/message.ts";

export interface NetworkEnd {
  readonly network: Network;
  readonly peer: PeerId;
  /** What its handlers heard, in order. */
  readonly received: readonly { readonly from: PeerId; readonly message: Uint8Array }[];
  readonly gossiped: readonly Uint8Array[];
  /** `connected` and `disconnected` as they were called, in order. */
  readonly links: readonly { readonly kind: "connected" | "disconnected"; readonly peer: PeerId }[];
}

/** Two members, connected, that gossip reaches; nothing said yet. */
export interface NetworkPair {
  readonly a: NetworkEnd;
  readonly b: NetworkEnd;
  /** Lets time pass until the condition holds; rejects when it does not within a bound of the fixture's. */
  settle(condition: () => boolean): Promise<void>;
  /** Breaks the connection and keeps it broken; it need not be noticed yet when this returns. */
  cut(): void;
  /** Lets the two find each other again. */
  heal(): void;
  stop(): Promise<void>;
}

const text = (message: Uint8Array) => Buffer.from(message).toString();
const bytes = (message: string) => new Uint8Array(Buffer.from(message));

export function networkContract(name: string, makePair: () => Promise<NetworkPair>): void {
  describe(`${name} as a Network`, () => {
    let pair: NetworkPair;
    beforeEach(async () => {
      pair = await makePair();
    });
    afterEach(async () => await pair.stop());

    const heardBy = (end: NetworkEnd) => end.received.map(({ message }) => text(message));

    it("says once that the other is connected", () => {
      expect(pair.a.links).toEqual([{ kind: "connected", peer: pair.b.peer }]);
      expect(pair.b.links).toEqual([{ kind: "connected", peer: pair.a.peer }]);
    });

    it("delivers messages in the order they were sent, in both directions at once", async () => {
      const { a, b } = pair;
      const sentByA = Array.from({ length: 300 }, (_, i) => `a${i}${"x".repeat((i * 97) % 3_000)}`);
      const sentByB = Array.from({ length: 300 }, (_, i) => `b${i}${"y".repeat((i * 89) % 5_000)}`);
      for (let i = 0; i < 300; i++) {
        a.network.send(b.peer, bytes(sentByA[i]!));
        b.network.send(a.peer, bytes(sentByB[i]!));
      }
      await pair.settle(() => a.received.length >= 300 && b.received.length >= 300);
      expect(heardBy(b)).toEqual(sentByA);
      expect(heardBy(a)).toEqual(sentByB);
    });

    it("names the sender of a message", async () => {
      pair.a.network.send(pair.b.peer, bytes("it is me"));
      await pair.settle(() => pair.b.received.length > 0);
      expect(pair.b.received.map(({ from }) => from)).toEqual([pair.a.peer]);
    });

    it("carries a message of the largest size unchanged", async () => {
      const message = new Uint8Array(messageBytesMax).map((_, i) => (i * 31) % 251);
      pair.a.network.send(pair.b.peer, message);
      await pair.settle(() => pair.b.received.length > 0);
      expect(Buffer.compare(pair.b.received[0]!.message, message)).toBe(0);
    });

    it("drops a message to a peer that is not connected, and goes on", async () => {
      pair.a.network.send(peerIdOf(new Uint8Array(32).fill(7)), bytes("nobody"));
      pair.a.network.send(pair.b.peer, bytes("somebody"));
      await pair.settle(() => pair.b.received.length > 0);
      expect(heardBy(pair.b)).toEqual(["somebody"]);
    });

    it("never calls back from within a call", () => {
      pair.a.network.send(pair.b.peer, bytes("later"));
      pair.a.network.gossip(bytes("later, too"));
      expect([pair.b.received.length, pair.b.gossiped.length, pair.a.gossiped.length]).toEqual([0, 0, 0]);
    });

    it("brings gossip to the other, up to the largest size, and not back to its author", async () => {
      const large = new Uint8Array(gossipBytesMax).fill(65);
      pair.a.network.gossip(bytes("small"));
      pair.a.network.gossip(large);
      pair.b.network.gossip(bytes("other way"));
      const heard = (end: NetworkEnd, message: string) => end.gossiped.some((m) => text(m) === message);
      await pair.settle(
        () => heard(pair.b, "small") && heard(pair.b, text(large)) && heard(pair.a, "other way"),
      );
      expect(heard(pair.a, "small")).toBe(false);
    });

    it("says when the other is gone, loses what is sent meanwhile, and carries on when it is back", async () => {
      const { a, b } = pair;
      const last = (end: NetworkEnd) => end.links.at(-1)?.kind;
      pair.cut();
      await pair.settle(() => last(a) === "disconnected" && last(b) === "disconnected");
      a.network.send(b.peer, bytes("lost"));
      pair.heal();
      await pair.settle(() => last(a) === "connected" && last(b) === "connected");
      a.network.send(b.peer, bytes("kept"));
      await pair.settle(() => b.received.length > 0);
      expect(heardBy(b)).toEqual(["kept"]);
      for (const { links } of [a, b])
        expect(links.map(({ kind }) => kind)).toEqual(
          links.map((_, at) => (at % 2 === 0 ? "connected" : "disconnected")),
        );
    });
  });
}
