/** The log of messages: what was sent and got, from whom and how large, and never what stood in it. It holds the last few thousand, counts all, and costs a write into a ring for each. */
import { nearestOr } from "../protocol/build/nearest.ts";
import { SwarmError } from "../protocol/kernel/errors.ts";
import { byText, type PeerId } from "../protocol/kernel/ids.ts";
import type { Network, NetworkHandlers } from "../protocol/ports.ts";
import { type Gossip, type Message, messageKinds } from "../protocol/swarm/message.ts";
import type { Wire } from "../protocol/wire.ts";
import type {
  DensityRequest,
  Direction,
  WireCount,
  WireDensity,
  WireLine,
  WireRequest,
  WireStats,
} from "./control/data.ts";

const heldMax = 8192;
/** Ids of entries that are kept of each. */
const idsMax = 3;
/** Density is known for so long back, by the second. */
const secondsMax = 3600;
const rateSeconds = 60;
/** Members that are counted by themselves. */
const peersMax = 4096;
const stepsMax = 600;
/** A reader that falls further behind gets what is still held. */
const behindMax = heldMax;

/** Of what was no message. */
const unreadable = "unreadable";
const kinds = [...messageKinds, unreadable];

/** Throws `usage` for what no message can be. */
export function mustBeKind(word: string): void {
  if (kinds.includes(word)) return;
  throw new SwarmError("usage", `there is no kind of message ${word}`, {
    remedy: nearestOr(word, kinds, `the kinds: ${kinds.join(", ")}`),
  });
}

interface Held {
  readonly number: number;
  readonly atMs: number;
  readonly direction: Direction;
  readonly way: WireLine["way"];
  readonly kind: string;
  readonly peer: PeerId | undefined;
  readonly bytes: number;
  readonly build: string | undefined;
  readonly entryCount: number;
  readonly entries: readonly string[];
}

/** Bytes, and what they say as far as that is known. */
interface Meant {
  readonly bytes: Uint8Array;
  message: Message | Gossip | undefined;
}

type Tally = { count: number; bytes: number };
type Both = Record<Direction, Tally>;

const noIds: readonly string[] = [];
const both = (): Both => ({ in: { count: 0, bytes: 0 }, out: { count: 0, bytes: 0 } });

export class WireLog {
  private readonly nowMs: () => number;
  private readonly sinceMs: number;
  /** What was encoded last, and what is being read. */
  private written: Meant | undefined;
  private read: Meant | undefined;
  private readonly ring: Held[] = [];
  private number = 0;
  private readonly all = both();
  private readonly byKind = { message: new Map<string, Both>(), gossip: new Map<string, Both>() };
  private readonly byPeer = new Map<PeerId, Both>();
  /** Of each second: sent, its bytes, got, its bytes. */
  private readonly seconds = new Float64Array(4 * secondsMax);
  private second: number;
  private readonly wakers = new Set<() => void>();

  constructor(nowMs: () => number = Date.now) {
    this.nowMs = nowMs;
    this.sinceMs = nowMs();
    this.second = Math.floor(this.sinceMs / 1000);
  }

  /** A wire that tells what the bytes are that go through it. */
  wire(wire: Wire): Wire {
    // What is encoded is sent at once, what came is read at once: more need not be remembered.
    const written = <T extends Message | Gossip>(bytes: Uint8Array, message: T): Uint8Array => {
      this.written = { bytes, message };
      return bytes;
    };
    const read = <T extends Message | Gossip>(bytes: Uint8Array, message: T): T => {
      if (this.read?.bytes === bytes) this.read.message = message;
      return message;
    };
    return {
      ...wire,
      encodeMessage: (message) => written(wire.encodeMessage(message), message),
      encodeGossip: (message, signer) => written(wire.encodeGossip(message, signer), message),
      readMessage: (bytes) => read(bytes, wire.readMessage(bytes)),
      readGossip: (bytes, signer) => read(bytes, wire.readGossip(bytes, signer)),
    };
  }

  /** The network with a note of what is sent; what was not sent is none. */
  network(network: Network): Network {
    const { echo } = network;
    const meant = (bytes: Uint8Array) =>
      this.written?.bytes === bytes
        ? this.written.message
        : this.read?.bytes === bytes
          ? this.read.message
          : undefined;
    return {
      send: (to, bytes) => {
        const message = meant(bytes);
        const isSent = network.send(to, bytes);
        if (isSent) this.note("out", "message", to, bytes, message);
        return isSent;
      },
      gossip: (bytes) => {
        const message = meant(bytes);
        network.gossip(bytes);
        this.note("out", "gossip", undefined, bytes, message);
      },
      ...(echo ? { echo: (to, bytes) => echo(to, bytes) } : {}),
    };
  }

  /** The handlers with a note of what came; they have read it by then. */
  handlers(handlers: NetworkHandlers): NetworkHandlers {
    const heard = (way: WireLine["way"], from: PeerId | undefined, bytes: Uint8Array, handle: () => void) => {
      const before = this.read;
      const read: Meant = { bytes, message: undefined };
      this.read = read;
      try {
        handle();
      } finally {
        this.read = before;
        this.note("in", way, from, bytes, read.message);
      }
    };
    return {
      ...handlers,
      message: (from, bytes) => heard("message", from, bytes, () => handlers.message(from, bytes)),
      gossip: (bytes, by) => heard("gossip", by, bytes, () => handlers.gossip(bytes, by)),
    };
  }

  /** The last messages that fit, oldest first; with `follow` those that come, until the signal. Throws `usage` for a kind that is none. */
  async *lines(
    {
      peer,
      kind,
      sinceMs = 0,
      limit = heldMax,
      follow,
    }: Omit<WireRequest, "peer"> & { readonly peer?: PeerId },
    signal: AbortSignal,
    nameOf: (peer: PeerId) => string,
  ): AsyncIterable<WireLine> {
    if (kind !== undefined) mustBeKind(kind);
    const fits = (held: Held) =>
      held.atMs >= sinceMs &&
      (peer === undefined || held.peer === peer) &&
      (kind === undefined || held.kind === kind);
    const after = (number: number) => this.held(Math.max(number, this.number - behindMax)).filter(fits);
    let read = this.number;
    for (const held of this.held(0).filter(fits).slice(-limit)) yield lineOf(held, nameOf);
    while (follow && !signal.aborted) {
      const come = after(read);
      read = this.number;
      for (const held of come) yield lineOf(held, nameOf);
      if (read === this.number) await this.next(signal);
    }
  }

  stats(nameOf: (peer: PeerId) => string): WireStats {
    const atMs = this.nowMs();
    this.advance(atMs);
    const last = this.sum(this.second - rateSeconds + 1, this.second);
    const seconds = Math.max(1, Math.min(rateSeconds, (atMs - this.sinceMs) / 1000));
    const rate = ({ count, bytes }: WireCount): WireCount => ({
      count: Math.round((count / seconds) * 100) / 100,
      bytes: Math.round(bytes / seconds),
    });
    return {
      sinceMs: this.sinceMs,
      atMs,
      ...sides(this.all),
      perSecond: { sent: rate(last.sent), received: rate(last.received) },
      byKind: (["message", "gossip"] as const)
        .flatMap((way) => [...this.byKind[way]].map(([kind, counts]) => ({ kind, way, ...sides(counts) })))
        .sort((a, b) => byText(a.kind, b.kind) || byText(a.way, b.way)),
      byPeer: [...this.byPeer]
        .map(([peer, counts]) => ({ node: nameOf(peer), peerId: peer, ...sides(counts) }))
        .sort((a, b) => byText(a.node, b.node) || byText(a.peerId, b.peerId)),
      held: this.ring.length,
      heldMax,
    };
  }

  density({ sinceMs, steps = 60 }: DensityRequest): WireDensity {
    const atMs = this.nowMs();
    this.advance(atMs);
    const first = Math.max(
      this.second - secondsMax + 1,
      // Before it began nothing was counted, which is not the same as quiet.
      Math.min(this.second, Math.floor(this.sinceMs / 1000)),
      Math.min(this.second, Math.floor((sinceMs ?? atMs - 600_000) / 1000)),
    );
    const count = Math.max(1, Math.min(steps, stepsMax, this.second - first + 1));
    const length = Math.ceil((this.second - first + 1) / count);
    return {
      fromMs: first * 1000,
      stepMs: length * 1000,
      steps: Array.from({ length: Math.ceil((this.second - first + 1) / length) }, (_, step) =>
        this.sum(first + step * length, Math.min(this.second, first + (step + 1) * length - 1)),
      ),
    };
  }

  private note(
    direction: Direction,
    way: WireLine["way"],
    peer: PeerId | undefined,
    { length }: Uint8Array,
    message: Message | Gossip | undefined,
  ): void {
    const atMs = this.nowMs();
    const kind = message?.kind ?? unreadable;
    const entries = message && "entries" in message ? message.entries : undefined;
    const held: Held = {
      number: ++this.number,
      atMs,
      direction,
      way,
      kind,
      peer,
      bytes: length,
      build: message && "build" in message ? message.build : undefined,
      entryCount: entries?.length ?? 0,
      entries: entries && entries.length > 0 ? entries.slice(0, idsMax).map(({ id }) => id) : noIds,
    };
    this.ring[(held.number - 1) % heldMax] = held;
    this.advance(atMs);
    const at = 4 * (this.second % secondsMax) + (direction === "out" ? 0 : 2);
    this.seconds[at]! += 1;
    this.seconds[at + 1]! += length;
    add(this.all[direction], length);
    add(this.kindOf(kind, way)[direction], length);
    const other = peer && this.peerOf(peer);
    if (other) add(other[direction], length);
    for (const wake of this.wakers) wake();
  }

  private kindOf(kind: string, way: WireLine["way"]): Both {
    const kinds = this.byKind[way];
    let counts = kinds.get(kind);
    if (!counts) {
      counts = both();
      kinds.set(kind, counts);
    }
    return counts;
  }

  private peerOf(peer: PeerId): Both | undefined {
    let counts = this.byPeer.get(peer);
    if (!counts && this.byPeer.size < peersMax) {
      counts = both();
      this.byPeer.set(peer, counts);
    }
    return counts;
  }

  /** In order, those behind `number`. */
  private held(number: number): Held[] {
    const first = Math.max(number, this.number - this.ring.length);
    return Array.from({ length: this.number - first }, (_, i) => this.ring[(first + i) % heldMax]!);
  }

  private next(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.wakers.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      if (signal.aborted) return resolve();
      this.wakers.add(wake);
      signal.addEventListener("abort", wake);
    });
  }

  /** A clock that goes back counts into the second it was at. */
  private advance(atMs: number): void {
    const now = Math.floor(atMs / 1000);
    if (now - this.second >= secondsMax) {
      this.seconds.fill(0);
      this.second = now;
    }
    while (this.second < now) {
      this.second++;
      const at = 4 * (this.second % secondsMax);
      this.seconds.fill(0, at, at + 4);
    }
  }

  private sum(from: number, to: number): { sent: WireCount; received: WireCount } {
    const [sent, received] = [
      { count: 0, bytes: 0 },
      { count: 0, bytes: 0 },
    ];
    for (let second = Math.max(from, this.second - secondsMax + 1); second <= to; second++) {
      const at = 4 * (((second % secondsMax) + secondsMax) % secondsMax);
      sent.count += this.seconds[at]!;
      sent.bytes += this.seconds[at + 1]!;
      received.count += this.seconds[at + 2]!;
      received.bytes += this.seconds[at + 3]!;
    }
    return { sent, received };
  }
}

function add(tally: Tally, bytes: number): void {
  tally.count++;
  tally.bytes += bytes;
}

const sides = (counts: Both) => ({ sent: { ...counts.out }, received: { ...counts.in } });

function lineOf({ peer, build, ...held }: Held, nameOf: (peer: PeerId) => string): WireLine {
  return {
    ...held,
    ...(peer === undefined ? {} : { node: nameOf(peer), peerId: peer }),
    ...(build === undefined ? {} : { build }),
  };
}
