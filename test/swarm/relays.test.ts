import { beforeEach, expect, test } from "vitest";
import type { Incarnation, PeerId, SwarmId } from "../../protocol/kernel/ids.ts";
import { encodeMessage, forwardBytesMax, messageBytesMax } from "../../protocol/swarm/message.ts";
import { Relays } from "../../protocol/swarm/relays.ts";
import { fakePeer, fakeSigner } from "../../sim/signer.ts";

const [ann, bob, cat, dan] = ["ann", "bob", "cat", "dan"].map(fakePeer) as [PeerId, PeerId, PeerId, PeerId];
const swarm = "5".repeat(64) as SwarmId;
const word = Uint8Array.of(1, 2, 3);
const relaysOf = (self: PeerId, inc = "3-00000000", of = swarm) =>
  new Relays({ swarm: of, self, inc: inc as Incarnation, signer: fakeSigner(self) });

let here: Relays;
let there: Relays;
beforeEach(() => {
  here = relaysOf(ann);
  there = relaysOf(cat);
});

test("nobody carries while nobody is connected, nor the receiver itself", () => {
  expect(here.wrap(cat, word, 0)).toBeUndefined();
  here.connected(cat);
  expect(here.wrap(cat, word, 0)).toBeUndefined();
  here.connected(bob);
  expect(here.wrap(cat, word, 0)).toMatchObject({ via: bob, forward: { from: ann, to: cat } });
  here.disconnected(bob);
  expect(here.wrap(cat, word, 0)).toBeUndefined();
});

test("who says that it does not reach the receiver is passed over for a while, or until it is connected anew", () => {
  for (const peer of [bob, dan]) here.connected(peer);
  here.astray(bob, cat, 0);
  expect(here.wrap(cat, word, 1)?.via).toBe(dan);
  here.astray(dan, cat, 1);
  expect(here.wrap(cat, word, 2)).toBeUndefined();
  expect(here.wrap(cat, word, 5_000)?.via).toBe(bob);
  here.astray(bob, cat, 5_001);
  here.connected(bob);
  expect(here.wrap(cat, word, 5_002)?.via).toBe(bob);
});

test("answers go back the way the question came", () => {
  for (const peer of [dan, bob]) here.connected(peer);
  here.open(bob, relaysWith(cat, bob).wrap(ann, word, 0)!.forward);
  expect(here.wrap(cat, word, 0)?.via).toBe(bob);
});

test("it is opened once, unchanged, and by an author's later start again", () => {
  here.connected(bob);
  const { forward } = here.wrap(cat, word, 0)!;
  expect(there.open(bob, forward)).toEqual(word);
  expect(() => there.open(bob, forward)).toThrow("said before");
  expect(there.open(bob, here.wrap(cat, word, 0)!.forward)).toEqual(word);
  const later = relaysWith(ann, bob, "4-00000000");
  expect(there.open(bob, later.wrap(cat, word, 0)!.forward)).toEqual(word);
  expect(() => there.open(bob, here.wrap(cat, word, 0)!.forward)).toThrow("said before");
});

test("what its author did not say, to this receiver, in this swarm, is refused", () => {
  here.connected(bob);
  const { forward } = here.wrap(cat, word, 0)!;
  const refused = (changes: Partial<typeof forward>) =>
    expect(() => there.open(bob, { ...forward, ...changes })).toThrow("did not say");
  refused({ message: Uint8Array.of(1, 2, 4) });
  refused({ from: bob });
  refused({ to: dan });
  refused({ stamp: [3, 99] });
  const elsewhere = relaysOf(cat, "1-00000000", "6".repeat(64) as SwarmId);
  expect(() => elsewhere.open(bob, forward)).toThrow("did not say");
  expect(there.open(bob, forward)).toEqual(word);
});

test("the longest message that is carried still fits a message", () => {
  here.connected(bob);
  const { forward } = here.wrap(cat, new Uint8Array(forwardBytesMax), 0)!;
  expect(encodeMessage(forward).length).toBeLessThanOrEqual(messageBytesMax);
  expect(here.wrap(cat, new Uint8Array(forwardBytesMax + 1), 0)).toBeUndefined();
});

test("for one other a node carries a bounded amount, and more as time goes on", () => {
  expect(here.carries(bob, 16 << 20, 0)).toBe(true);
  expect(here.carries(bob, 1, 0)).toBe(false);
  expect(here.carries(dan, 1, 0)).toBe(true);
  expect(here.carries(bob, 1 << 20, 1_000)).toBe(true);
});

function relaysWith(self: PeerId, link: PeerId, inc?: string): Relays {
  const relays = relaysOf(self, inc);
  relays.connected(link);
  return relays;
}
