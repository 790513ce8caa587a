import { expect, test } from "vitest";
import { WireLog } from "../node/wire-log.ts";
import type { PeerId } from "../protocol/kernel/ids.ts";
import type { NetworkHandlers } from "../protocol/ports.ts";
import type { Gossip, Message } from "../protocol/swarm/message.ts";
import { plainWire } from "../protocol/wire.ts";
import { fakePeer, fakeSigner } from "../sim/signer.ts";
import { Author, build } from "./work/facts.ts";

const [ann, ben] = [fakePeer("ann"), fakePeer("ben")];
const secret = "the content of a message that nobody must see";
const names = (peer: PeerId) => (peer === ann ? "ann" : "ben");

/** A log under a node that reads what comes and says what it is told to. */
function logged() {
  let nowMs = 1_000_000;
  const log = new WireLog(() => nowMs);
  const wire = log.wire(plainWire());
  const sent: Uint8Array[] = [];
  const network = log.network({
    send: (to, bytes) => to === ben && sent.push(bytes) > 0,
    gossip: (bytes) => void sent.push(bytes),
  });
  const handlers = log.handlers({
    message: (_, bytes) => {
      try {
        wire.readMessage(bytes);
      } catch {
        // as a node does: what is no message is dropped
      }
    },
    gossip: (bytes) => void wire.readGossip(bytes, fakeSigner(ann)),
  } as Pick<NetworkHandlers, "message" | "gossip"> as NetworkHandlers);
  return {
    log,
    handlers,
    sent,
    pass: (ms: number) => {
      nowMs += ms;
    },
    say: (to: PeerId, message: Message) => network.send(to, wire.encodeMessage(message)),
    tell: (gossip: Gossip) => network.gossip(wire.encodeGossip(gossip, fakeSigner(ann))),
    lines: async (request = {}) =>
      Array.fromAsync(log.lines({ follow: false, ...request }, new AbortController().signal, names)),
  };
}

const entries = [0, 1, 2, 3].map(() => new Author("ann").say({ kind: "start", claim: "c" as never }));
const deny: Message = { kind: "deny", id: "1", build, reason: secret };

test("what is sent and what comes is noted by kind, peer, size and ids, and nothing that stood in it", async () => {
  const { log, say, tell, handlers, sent, lines } = logged();
  say(ben, deny);
  tell({ kind: "entries", entries });
  handlers.message(ben, sent[0]!);
  handlers.gossip(sent[1]!, ben);
  handlers.message(ben, Buffer.from(secret));
  const all = await lines();
  expect(all).toMatchObject([
    { number: 1, direction: "out", way: "message", kind: "deny", node: "ben", build, entryCount: 0 },
    { number: 2, direction: "out", way: "gossip", kind: "entries", entryCount: 4 },
    { number: 3, direction: "in", way: "message", kind: "deny", node: "ben", bytes: sent[0]!.length },
    { number: 4, direction: "in", way: "gossip", kind: "entries", node: "ben", entryCount: 4 },
    { number: 5, direction: "in", kind: "unreadable" },
  ]);
  expect(all[1]).not.toHaveProperty("node");
  expect(all[1]!.entries).toEqual(entries.slice(0, 3).map(({ id }) => id));
  expect(JSON.stringify([all, log.stats(names), log.density({})])).not.toContain(secret);
});

test("what nobody took was not sent", async () => {
  const { say, lines } = logged();
  expect(say(ann, deny)).toBe(false);
  expect(await lines()).toEqual([]);
});

test("it is read by peer, kind, time and number, and goes on with what comes", async () => {
  const { log, say, tell, pass, lines, handlers, sent } = logged();
  say(ben, deny);
  pass(5000);
  tell({ kind: "entries", entries });
  handlers.message(ann, sent[0]!);
  expect(await lines({ peer: ben })).toHaveLength(1);
  expect(await lines({ kind: "deny" })).toHaveLength(2);
  expect(await lines({ sinceMs: 1_000_001 })).toHaveLength(2);
  expect(await lines({ limit: 1 })).toMatchObject([{ number: 3 }]);
  const over = new AbortController();
  const reader = log
    .lines({ follow: true, kind: "deny", limit: 1 }, over.signal, names)
    [Symbol.asyncIterator]();
  expect((await reader.next()).value).toMatchObject({ number: 3 });
  const coming = reader.next();
  say(ben, deny);
  expect((await coming).value).toMatchObject({ number: 4 });
  const last = reader.next();
  over.abort();
  expect(await last).toEqual({ value: undefined, done: true });
});

test("a kind that no message has is refused with those there are", async () => {
  const { lines } = logged();
  await expect(lines({ kind: "snyc" })).rejects.toMatchObject({
    code: "usage",
    remedy: "did you mean sync?",
  });
  await expect(lines({ kind: "zz" })).rejects.toMatchObject({
    code: "usage",
    remedy: expect.stringMatching(/sync, .*ledger.*vitals.*unreadable/),
  });
  expect(await lines({ kind: "unreadable" })).toEqual([]);
});

test("it holds the last thousands and counts them all", async () => {
  const { log, say, lines } = logged();
  for (let i = 0; i < 10_000; i++) say(ben, deny);
  const held = await lines();
  expect([held.length, held[0]!.number, held.at(-1)!.number]).toEqual([8192, 1809, 10_000]);
  const stats = log.stats(names);
  expect(stats).toMatchObject({ held: 8192, heldMax: 8192, sent: { count: 10_000 }, received: { count: 0 } });
  expect(stats.byKind).toMatchObject([{ kind: "deny", way: "message", sent: { count: 10_000 } }]);
  expect(stats.byPeer).toMatchObject([{ node: "ben", peerId: ben, sent: { count: 10_000 } }]);
});

test("density says when, by the step, for an hour", () => {
  const { log, say, pass } = logged();
  say(ben, deny);
  pass(60_000);
  say(ben, deny);
  say(ben, deny);
  const { fromMs, stepMs, steps } = log.density({ sinceMs: 1_000_000, steps: 4 });
  expect([fromMs, stepMs, steps.map(({ sent }) => sent.count)]).toEqual([1_000_000, 16_000, [1, 0, 0, 2]]);
  expect(log.density({}).fromMs).toBe(1_000_000);
  expect(log.density({ sinceMs: 5000 }).fromMs).toBe(1_000_000);
  expect(log.stats(names).perSecond.sent.count).toBeCloseTo(2 / 60, 1);
  pass(2 * 3_600_000);
  const late = log.density({ sinceMs: 0, steps: 600 });
  expect(late.steps.every(({ sent }) => sent.count === 0)).toBe(true);
  expect(late.steps.length).toBeLessThanOrEqual(600);
  pass(-10_000);
  say(ben, deny);
  expect(log.density({ steps: 1 }).steps.at(-1)!.sent.count).toBe(1);
});
