/**
 * The network between hosts: who reaches whom, connections with admission on both sides as the real mesh does it, ordered
 * unicast, unreliable gossip, partitions, and bulk transfers. Addresses are known to everybody; discovery is not simulated.
 */
import type { PeerId } from "../protocol/kernel/ids.ts";
import type { Random } from "../protocol/kernel/random.ts";
import type { Network, NetworkHandlers } from "../protocol/ports.ts";
import { gossipBytesMax, messageBytesMax } from "../protocol/swarm/message.ts";
import { type Conditions, Link, type Station } from "./link.ts";
import type { Process } from "./process.ts";
import type { World } from "./world.ts";

/** Bytes on the way to one receiver; what is sent beyond is dropped. */
const queueBytesMax = 8 << 20;
/** A side that has not let the other in by then closes the connection. */
const admissionMs = 5_000;
const redialMsMin = 250;
const redialMsMax = 15_000;

export interface NetworkOptions {
  readonly conditions?: Partial<Conditions>;
  /** A connection over which nothing comes through is given up after this long. */
  readonly silenceMs?: number;
}

const lan: Conditions = {
  delayMs: 0.5,
  jitterMs: 0.2,
  bytesPerSecond: 125_000_000,
  gossipLoss: 0,
  gossipTwice: 0,
  gossipLate: 0,
  lateMs: 200,
  reset: 0,
};

/** The port of one process, with what the daemon tells its mesh beside the core. */
export interface NetworkPort extends Network {
  membersChanged(): void;
}

const pair = (a: PeerId, b: PeerId): string => (a < b ? `${a} ${b}` : `${b} ${a}`);

export class VirtualNetwork {
  private readonly world: World;
  private readonly random: Random;
  private readonly silenceMs: number;
  private base: Conditions;
  private readonly special = new Map<string, Conditions>();
  private readonly stations = new Map<PeerId, Station>();
  private readonly links = new Map<string, Link>();
  /** Per pair without a link: dials that failed, and the number of the one that is due (earlier plans are void). */
  private readonly dialling = new Map<string, { failed: number; plan: number }>();
  private plans = 0;
  /** Directions in which nothing comes through, `from to`, each with the number of its blocking. */
  private readonly blocked = new Map<string, number>();
  private blockings = 0;
  /** How often the network was cut in two. */
  divisions = 0;
  /** Messages and bytes that arrived or were meant to. */
  readonly counts = { unicasts: 0, unicastBytes: 0, gossips: 0, gossipBytes: 0, bulkBytes: 0 };

  constructor(world: World, options: NetworkOptions = {}) {
    this.world = world;
    this.random = world.randomFor("network");
    this.base = { ...lan, ...options.conditions };
    this.silenceMs = options.silenceMs ?? 10_000;
  }

  /** From here on messages travel like this wherever no link has conditions of its own. */
  setConditions(changes: Partial<Conditions>): void {
    this.base = { ...this.base, ...changes };
  }

  /** One direction's own conditions. */
  setLink(from: PeerId, to: PeerId, changes: Partial<Conditions>): void {
    this.special.set(`${from} ${to}`, { ...this.conditions(from, to), ...changes });
  }

  /** A daemon comes up: it dials everybody, and goes with its process. */
  attach(process: Process, peer: PeerId, handlers: NetworkHandlers): NetworkPort {
    const station: Station = { peer, process, handlers };
    const former = this.stations.get(peer);
    if (former) for (const other of this.stations.keys()) this.tear(former.peer, other);
    this.stations.set(peer, station);
    for (const other of this.stations.keys()) if (other !== peer) this.redial(peer, other, true);
    process.onEnd((ending) => this.detach(station, ending === "power"));
    return {
      send: (to, message) => this.send(station, to, message),
      gossip: (message) => this.gossip(station, message),
      membersChanged: () => this.reconsider(station),
    };
  }

  /** Nothing comes through from these to those; with `oneWay`, the other direction still works. */
  cut(from: readonly PeerId[], to: readonly PeerId[], oneWay = false): void {
    for (const a of from)
      for (const b of to) {
        if (a === b) continue;
        this.block(a, b);
        if (!oneWay) this.block(b, a);
      }
    this.divisions++;
    this.world.fault("world", "cut", `${this.names(from)} ${oneWay ? "→" : "|"} ${this.names(to)}`);
  }

  /** Everything comes through again. */
  heal(): void {
    const directions = [...this.blocked.keys()];
    this.blocked.clear();
    this.world.fault("world", "heal");
    for (const direction of directions) {
      const [from, to] = direction.split(" ") as [PeerId, PeerId];
      const link = this.links.get(pair(from, to));
      if (!link) continue;
      const stalled = link.laneTo(to).stalled;
      link.laneTo(to).stalled = [];
      for (const message of stalled) this.carry(link, from, message);
    }
  }

  /** Whether there is a cut through which messages come, but not go: then one hears of peers that never answer. */
  get lopsided(): boolean {
    return [...this.blocked.keys()].some((direction) => {
      const [from, to] = direction.split(" ") as [PeerId, PeerId];
      return this.passes(to, from);
    });
  }

  /** Whether nothing is lost, doubled or late by the conditions themselves. */
  get flawless(): boolean {
    return [this.base, ...this.special.values()].every(
      (c) => c.gossipLoss + c.gossipTwice + c.gossipLate + c.reset === 0,
    );
  }

  /** Whether bytes go both ways between two daemons that have let each other in. */
  reaches(a: PeerId, b: PeerId): boolean {
    const link = this.links.get(pair(a, b));
    return link?.up === true && this.passes(a, b) && this.passes(b, a) && this.alive(a) && this.alive(b);
  }

  /** Carries `bytes` of a blob; says whether all arrived. A transfer that breaks is noticed after a stall. */
  transfer(from: PeerId, to: PeerId, bytes: number, done: (arrived: boolean) => void): void {
    const link = this.links.get(pair(from, to));
    const receiver = this.stations.get(to);
    if (!receiver) return;
    if (!link || !this.reaches(from, to)) {
      receiver.process.after(this.base.delayMs, () => done(false));
      return;
    }
    this.counts.bulkBytes += bytes;
    // The request travels there, the blob back.
    const there = this.conditions(to, from).delayMs;
    const back = this.conditions(from, to);
    const atMs = there + link.laneTo(to).bulkArrivalMs(this.world.nowMs, bytes, back);
    receiver.process.at(atMs, () => {
      if (!link.torn && this.reaches(from, to)) done(true);
      else if (link.torn) done(false);
      else receiver.process.after(this.silenceMs, () => done(false));
    });
  }

  private conditions(from: PeerId, to: PeerId): Conditions {
    return this.special.get(`${from} ${to}`) ?? this.base;
  }

  private passes(from: PeerId, to: PeerId): boolean {
    return !this.blocked.has(`${from} ${to}`);
  }

  private alive(peer: PeerId): boolean {
    const process = this.stations.get(peer)?.process;
    return process?.alive === true && !process.paused;
  }

  private names(peers: readonly PeerId[]): string {
    return peers.map((p) => this.world.name(p)).join(" ");
  }

  private block(from: PeerId, to: PeerId): void {
    if (!this.passes(from, to)) return;
    const blocking = ++this.blockings;
    this.blocked.set(`${from} ${to}`, blocking);
    const link = this.links.get(pair(from, to));
    if (!link) return;
    this.world.after(this.silenceMs, () => {
      if (this.blocked.get(`${from} ${to}`) !== blocking) return;
      if (this.links.get(pair(from, to)) === link) this.tear(from, to);
    });
  }

  private detach(station: Station, silent: boolean): void {
    if (this.stations.get(station.peer) !== station) return;
    this.stations.delete(station.peer);
    for (const other of this.stations.values()) {
      const link = this.links.get(pair(station.peer, other.peer));
      if (!link) continue;
      const afterMs = silent ? this.silenceMs : this.conditions(station.peer, other.peer).delayMs;
      this.world.after(afterMs, () => {
        if (this.links.get(pair(station.peer, other.peer)) === link) this.tear(station.peer, other.peer);
      });
    }
  }

  /** Plans the pair's next dial: soon when something is new, else later the more have failed. */
  private redial(from: PeerId, to: PeerId, fresh = false): void {
    const failed = fresh ? 0 : (this.dialling.get(pair(from, to))?.failed ?? 0);
    const plan = ++this.plans;
    this.dialling.set(pair(from, to), { failed: failed + 1, plan });
    const delayMs = fresh
      ? 3 * this.conditions(from, to).delayMs
      : Math.min(redialMsMax, redialMsMin * 2 ** Math.min(failed, 10)) * (0.5 + this.random.float() / 2);
    this.world.after(delayMs, () => {
      if (this.dialling.get(pair(from, to))?.plan === plan) this.dial(from, to);
    });
  }

  private dial(from: PeerId, to: PeerId): void {
    const dialler = this.stations.get(from);
    const listener = this.stations.get(to);
    const key = pair(from, to);
    if (!dialler || !listener) return;
    const existing = this.links.get(key);
    if (existing) {
      const stale = existing.station(from) !== dialler || existing.station(to) !== listener;
      if (!stale) return;
      this.tear(from, to);
    }
    if (!this.passes(from, to) || !this.passes(to, from)) {
      this.redial(from, to);
      return;
    }
    const link = new Link(dialler, listener);
    this.links.set(key, link);
    dialler.process.enter(() => this.present(link));
    this.world.after(admissionMs, () => {
      if (!link.torn && !link.up) this.tear(from, to);
    });
  }

  /** Both sides show their certificates, the dialler first; each lets the other in when its gate says so. */
  private present(link: Link): void {
    const { dialler, listener } = link;
    const request = dialler.handlers.presentation();
    const thereMs = this.conditions(dialler.peer, listener.peer).delayMs;
    const backMs = this.conditions(listener.peer, dialler.peer).delayMs;
    listener.process.after(thereMs, () => {
      if (link.torn) return;
      listener.handlers.admission(dialler.peer, request, (reply) => {
        if (link.torn) return;
        if (!reply) return this.tear(dialler.peer, listener.peer);
        this.open(link, listener, dialler);
        dialler.process.after(backMs, () => {
          if (link.torn) return;
          dialler.handlers.admission(listener.peer, reply, () => this.open(link, dialler, listener));
          this.open(link, dialler, listener);
        });
      });
    });
  }

  private open(link: Link, side: Station, other: Station): void {
    const lane = link.laneTo(side.peer);
    if (link.torn || lane.open || !side.handlers.admits(other.peer)) return;
    lane.open = true;
    if (link.up) this.dialling.delete(pair(side.peer, other.peer));
    this.world.record(this.world.name(side.peer), "connected", this.world.name(other.peer));
    side.handlers.connected(other.peer);
    const held = lane.held;
    lane.held = [];
    for (const message of held) side.process.enter(() => this.hand(link, side, other, message));
  }

  private tear(a: PeerId, b: PeerId): void {
    const link = this.links.get(pair(a, b));
    if (!link) return;
    link.torn = true;
    this.links.delete(pair(a, b));
    for (const side of [link.dialler, link.listener]) {
      const other = link.other(side.peer);
      if (!link.laneTo(side.peer).open || !side.process.alive) continue;
      side.process.enter(() => {
        this.world.record(this.world.name(side.peer), "lost", this.world.name(other.peer));
        side.handlers.disconnected(other.peer);
      });
    }
    if (this.stations.has(a) && this.stations.has(b)) this.redial(a, b);
  }

  private reconsider(station: Station): void {
    for (const other of [...this.stations.values()]) {
      if (other === station) continue;
      const link = this.links.get(pair(station.peer, other.peer));
      if (!link) this.redial(station.peer, other.peer, true);
      else if (link.laneTo(station.peer).open && !station.handlers.admits(other.peer))
        this.tear(station.peer, other.peer);
      else this.open(link, station, other);
    }
  }

  private send(from: Station, to: PeerId, message: Uint8Array): void {
    const link = this.links.get(pair(from.peer, to));
    // One sends to those one has let in: the lane towards oneself is open.
    if (!link || link.station(from.peer) !== from || !link.laneTo(from.peer).open) return;
    if (message.length > messageBytesMax) return;
    if (link.laneTo(to).queuedBytes + message.length > queueBytesMax) return;
    this.counts.unicasts++;
    this.counts.unicastBytes += message.length;
    if (this.random.float() < this.conditions(from.peer, to).reset) {
      this.world.record(this.world.name(from.peer), "reset", this.world.name(to));
      this.world.after(0, () => {
        if (this.links.get(pair(from.peer, to)) === link) this.tear(from.peer, to);
      });
      return;
    }
    this.carry(link, from.peer, message);
  }

  private carry(link: Link, from: PeerId, message: Uint8Array): void {
    const receiver = link.other(from);
    const lane = link.laneTo(receiver.peer);
    const conditions = this.conditions(from, receiver.peer);
    lane.queuedBytes += message.length;
    const atMs = lane.arrivalMs(this.world.nowMs, message.length, conditions, this.random.float());
    this.world.at(atMs, () => {
      lane.queuedBytes -= message.length;
      if (link.torn) return;
      if (!this.passes(from, receiver.peer)) lane.stalled.push(message);
      else if (lane.open)
        receiver.process.enter(() => this.hand(link, receiver, link.station(from), message));
      else lane.held.push(message);
    });
  }

  private hand(link: Link, receiver: Station, sender: Station, message: Uint8Array): void {
    if (link.torn) return;
    this.world.record(
      this.world.name(receiver.peer),
      "message",
      `${this.world.name(sender.peer)} ${message.length}`,
    );
    receiver.handlers.message(sender.peer, message);
  }

  /** Floods over all links that are up, nearest first, so that members who cannot dial each other hear through others. */
  private gossip(from: Station, message: Uint8Array): void {
    if (message.length > gossipBytesMax) return;
    const reached = new Map<PeerId, number>([[from.peer, 0]]);
    for (const [near, delayMs] of reached) {
      if (reached.size === this.stations.size) break;
      for (const far of this.stations.values()) {
        if (reached.has(far.peer)) continue;
        const link = this.links.get(pair(near, far.peer));
        if (link?.up !== true || !this.passes(near, far.peer)) continue;
        const conditions = this.conditions(near, far.peer);
        const arrivalMs = delayMs + conditions.delayMs + this.random.float() * conditions.jitterMs;
        reached.set(far.peer, arrivalMs);
        this.whisper(far, message, arrivalMs, conditions);
      }
    }
  }

  private whisper(to: Station, message: Uint8Array, arrivalMs: number, conditions: Conditions): void {
    this.counts.gossips++;
    this.counts.gossipBytes += message.length;
    if (this.random.float() < conditions.gossipLoss) return;
    const copies = this.random.float() < conditions.gossipTwice ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      const late = copy === 1 || this.random.float() < conditions.gossipLate;
      const delayMs = arrivalMs + (late ? this.random.float() * conditions.lateMs : 0);
      to.process.after(delayMs, () => {
        this.world.record(this.world.name(to.peer), "gossip", `${message.length}`);
        to.handlers.gossip(message);
      });
    }
  }
}
