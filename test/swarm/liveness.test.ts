import { expect, test } from "vitest";
import type { Incarnation } from "../../protocol/kernel/ids.ts";
import { Peers } from "../../protocol/swarm/liveness.ts";
import type { Vitals } from "../../protocol/swarm/vitals.ts";
import { peerNamed } from "../contract/chain.ts";

const bob = peerNamed("bob");
const [first, second] = ["1-00000001", "2-00000002"] as Incarnation[];
const beat = (n: number, inc = first) => ({ peer: bob, inc, beat: n }) as Vitals;
const three = 3;
const born = 10_000;
const status = (peers: Peers, ms: number, members = three) => peers.status(bob, members, born + ms);

test("a member not yet heard of is unseen for three beats and a half, then dead", () => {
  const peers = new Peers(born);
  expect(status(peers, 3500)).toBe("dead");
  peers.up(bob, first!, 2, [1]);
  expect(status(peers, 0)).toBe("unseen");
  expect(status(peers, 3499)).toBe("unseen");
  expect(status(peers, 3500)).toBe("dead");
});

test("who beats is alive, silent for 2.5 beats suspect, for 3.5 dead, and alive again with any word", () => {
  const peers = new Peers(born);
  peers.beat(beat(1), born);
  expect(status(peers, 2500)).toBe("alive");
  expect(status(peers, 2501)).toBe("suspect");
  expect(status(peers, 3500)).toBe("suspect");
  expect(status(peers, 3501)).toBe("dead");
  peers.heard(bob, born + 5000);
  expect(status(peers, 5001)).toBe("alive");
});

test("a wall clock that differs is named once three beats in a row say so, with its offset, until one does not", () => {
  const peers = new Peers(born);
  const hourMs = 3_600_000;
  const says = (n: number, aheadMs: number) =>
    peers.beat({ ...beat(n), wallMs: born + n + aheadMs }, born + n, born + n);
  says(1, hourMs);
  says(2, hourMs);
  expect(peers.clockAheadMs(bob)).toBeUndefined();
  says(3, hourMs);
  expect(peers.clockAheadMs(bob)).toBe(hourMs);
  says(4, -hourMs);
  expect(peers.clockAheadMs(bob)).toBe(-hourMs);
  says(5, 29_000);
  expect(peers.clockAheadMs(bob)).toBeUndefined();
  peers.beat(beat(6), born + 6, born + 6);
  expect(peers.clockAheadMs(bob)).toBeUndefined();
});

test("what a peer says of its clock at the door is believed at once, either way", () => {
  const peers = new Peers(born);
  peers.clockTold(bob, -3_600_000);
  expect(peers.clockAheadMs(bob)).toBe(-3_600_000);
  peers.clockTold(bob, 900);
  expect(peers.clockAheadMs(bob)).toBeUndefined();
  expect(peers.status(bob, 3, born)).toBe("unseen");
});

test("a large swarm beats slower, and its members are given the time", () => {
  const peers = new Peers(born);
  expect([1, 40, 41, 200].map((members) => peers.beatMs(members))).toEqual([1000, 1000, 1025, 5000]);
  peers.wakefulness.wake(born, peers.beatMs(200));
  peers.beat(beat(1), born);
  expect(status(peers, 12_000, 200)).toBe("alive");
  expect(status(peers, 17_501, 200)).toBe("dead");
});

test("a closed connection shortens the wait to a second, unless a word came since or it is open again", () => {
  const peers = new Peers(born);
  peers.connected(bob, born);
  peers.disconnected(bob, born + 100);
  expect(status(peers, 1100)).toBe("alive");
  expect(status(peers, 1101)).toBe("dead");
  peers.beat(beat(1), born + 1200);
  expect(status(peers, 2300)).toBe("alive");
  peers.disconnected(bob, born + 2300);
  peers.connected(bob, born + 2400);
  expect(status(peers, 3500)).toBe("alive");
  expect(peers.isConnected(bob)).toBe(true);
});

test("who said that it goes down is dead at once, whatever of it is still on its way, until it starts anew", () => {
  const peers = new Peers(born);
  peers.up(bob, first!, 2, [1]);
  peers.beat(beat(1), born);
  peers.down(bob, first!);
  expect(status(peers, 1)).toBe("dead");
  peers.beat(beat(2), born + 2);
  expect(status(peers, 3)).toBe("dead");
  peers.beat(beat(1, second), born + 4);
  expect(status(peers, 5)).toBe("alive");
  expect(peers.incarnationOf(bob)).toBe(second);
});

test("what an earlier start left behind does not undo the later one", () => {
  const peers = new Peers(born);
  peers.up(bob, second!, 4, [1]);
  peers.beat(beat(1, second), born);
  peers.up(bob, first!, 9, [1]);
  peers.down(bob, first!);
  peers.beat(beat(99, first), born + 3000);
  expect(status(peers, 1)).toBe("alive");
  expect(status(peers, 3600)).toBe("dead");
  expect(peers.slotsOf(bob)).toBe(4);
  expect(peers.incarnationOf(bob)).toBe(second);
});

test("an old beat, or the same again, is no sign of life", () => {
  const peers = new Peers(born);
  peers.beat(beat(5), born);
  peers.beat(beat(5), born + 3000);
  peers.beat(beat(4), born + 3000);
  expect(status(peers, 3501)).toBe("dead");
  expect(peers.vitals(bob)!.beat).toBe(5);
});

test("while all is calm silence is forgiven for 35 beats; once something goes on for 3.5", () => {
  const peers = new Peers(born);
  peers.beat(beat(1), born + 9000);
  expect(status(peers, 9000 + 25_000)).toBe("alive");
  expect(status(peers, 9000 + 25_001)).toBe("suspect");
  expect(status(peers, 9000 + 35_000)).toBe("suspect");
  peers.wakefulness.wake(born + 30_000, 1000);
  expect(status(peers, 30_000 + 2500)).toBe("alive");
  expect(status(peers, 30_000 + 3500)).toBe("suspect");
  expect(status(peers, 30_000 + 3501)).toBe("dead");
});

test("who was missed stays dead when all grows calm, until it is heard again", () => {
  const peers = new Peers(born);
  peers.beat(beat(1), born);
  expect(status(peers, 5000)).toBe("dead");
  peers.count(bob, true, three, born + 5000);
  expect(status(peers, 20_000)).toBe("dead");
  peers.heard(bob, born + 20_001);
  expect(status(peers, 30_000)).toBe("alive");
});

test("who lived through a long silence is given as much more for a while, and one that was away is not", () => {
  const peers = new Peers(born);
  const wakeAt = (ms: number) => peers.wakefulness.wake(born + ms, 1000);
  for (const ms of [0, 1000, 2000, 3000]) wakeAt(ms);
  peers.beat(beat(1), born + 20);
  expect(status(peers, 20)).toBe("alive");
  peers.beat(beat(2), born + 3320);
  wakeAt(3320);
  // 1.3 beats more than usual; of what it was silent for a twentieth of the time since is forgotten.
  expect(status(peers, 3320 + 3501)).toBe("alive");
  expect(status(peers, 3320 + 4500)).toBe("suspect");
  expect(status(peers, 3320 + 4700)).toBe("dead");
  const steady = new Peers(born);
  for (let ms = 0; ms <= 4000; ms += 1000) {
    steady.wakefulness.wake(born + ms, 1000);
    steady.beat(beat(ms), born + ms);
  }
  expect(status(steady, 4000 + 3501)).toBe("dead");
  steady.wakefulness.wake(born + 60_000, 1000);
  steady.beat(beat(60_000), born + 60_000);
  expect(status(steady, 63_501)).toBe("dead");
});
