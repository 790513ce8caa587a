/**
 * The network between hosts: who reaches whom, connections with admission on both sides as the real mesh does it, ordered
 * unicast, unreliable gossip, partitions, and bulk transfers. Addresses are known to everybody; discovery is not simulated.
 */
import { byText, type PeerId } from "../protocol/kernel/ids.ts";
import type { Random } from "../protocol/kernel/random.ts";
import type { Network, NetworkHandlers } from "../protocol/ports.ts";
import { gossipBytesMax, messageBytesMax } from "../protocol/swarm/message.ts";
import { type Conditions, Weather } from "./conditions.ts";
import { type CutId, Cuts } from "./cuts.ts";
import { Line, Link, type Station } from "./link.ts";
import { Mesh } from "./mesh.ts";
import { Pairs } from "./pairs.ts";
import type { Process } from "./process.ts";
import type { World } from "./world.ts";

/** Bytes on the way to one receiver; what is sent beyond is dropped. */
const queueBytesMax = 8 << 20;
/** A side that has not let the other in by then closes the connection. */
const admissionMs = 5_000;
/** Beyond a way's time, until the end of a process at the other end is known for sure. */
const closedMs = 5;
const redialMsMin = 250;
const redialMsMax = 15_000;

export interface NetworkOptions {
  readonly conditions?: Partial<Conditions>;
  /** A connection over which nothing comes through is given up after this long. */
  readonly silenceMs?: number;
}

/** How a transfer ended: all arrived, the connection broke, or a byte of it is wrong. */
export type Transfer = "whole" | "broken" | "corrupt";

/** A gossiped message on its way to one station. */
interface Whisper {
  readonly to: Station;
  readonly came: Uint8Array;
  readonly delayMs: number;
}

/** The port of one process, with what the daemon tells its mesh beside the core. */
export interface NetworkPort extends Network {
  membersChanged(): void;
}

export class VirtualNetwork {
  private readonly world: World;
  private readonly random: Random;
  private readonly silenceMs: number;
  private readonly weather: Weather;
  private readonly cuts = new Cuts();
  /** Who is up, by place. */
  private readonly stations = new Map<PeerId, Station>();
  /** Places under one identity, when there are several. */
  private readonly clones = new Map<PeerId, PeerId[]>();
  private readonly lines = new Map<PeerId, Line>();
  private readonly links = new Pairs<Link>();
  /** Per pair without a link: dials that failed, and the number of the one that is due (earlier plans are void). */
  private readonly dialling = new Pairs<{ failed: number; plan: number }>();
  private plans = 0;
  private readonly mesh: Mesh;
  private attached = 0;
  /** Messages and bytes that arrived or were meant to. */
  readonly counts = { unicasts: 0, unicastBytes: 0, gossips: 0, gossipBytes: 0, bulkBytes: 0, corrupted: 0 };

  constructor(world: World, options: NetworkOptions = {}) {
    this.world = world;
    this.random = world.randomFor("network");
    this.mesh = new Mesh(world.randomFor("mesh"));
    this.weather = new Weather(options.conditions);
    this.silenceMs = options.silenceMs ?? 10_000;
  }

  /** From here on messages travel like this wherever no link has conditions of its own. */
  setConditions(changes: Partial<Conditions>): void {
    this.weather.set(changes);
  }

  /** One direction's own conditions. */
  setLink(from: PeerId, to: PeerId, changes: Partial<Conditions>): void {
    this.weather.setLink(from, to, changes);
  }

  /** Holds on top of all other conditions, for links that touch these places (or all), until the answer is called. */
  worsen(changes: Partial<Conditions>, places?: readonly PeerId[]): () => void {
    return this.weather.worsen(changes, places);
  }

  /** A host's own line, which all its transfers share; without one only its links bound them. */
  setLine(place: PeerId, bytesPerSecond: number): void {
    this.lines.set(place, new Line(bytesPerSecond));
  }

  /** A daemon comes up: it dials its neighbours, and goes with its process. A clone stands at a place of its own. */
  attach(process: Process, peer: PeerId, handlers: NetworkHandlers, place: PeerId = peer): NetworkPort {
    const station: Station = { place, peer, process, handlers, order: this.attached++ };
    if (this.stations.has(place)) for (const other of this.stations.keys()) this.tear(place, other);
    this.stations.set(place, station);
    if (place !== peer) {
      const places = this.clones.get(peer) ?? [peer];
      if (!places.includes(place)) places.push(place);
      this.clones.set(peer, places);
    }
    this.mesh.changed();
    for (const other of this.mesh.join(place, this.othersThan(station))) this.redial(place, other, true);
    process.onEnd((ending) => this.detach(station, ending === "power"));
    return {
      send: (to, message) => this.send(station, to, message),
      gossip: (message) => this.gossip(station, message),
      membersChanged: () => this.reconsider(station),
    };
  }

  /** A machine falls asleep: what is sent to it is lost, and its peers give it up after a silence. */
  sleep(place: PeerId): void {
    this.mesh.changed();
    for (const other of this.stations.keys()) {
      const link = this.links.get(place, other);
      if (!link) continue;
      link.dead = true;
      this.world.after(this.silenceMs, () => {
        if (this.links.get(place, other) === link) this.tear(place, other);
      });
    }
  }

  /** A machine wakes: it finds its connections broken and dials anew. */
  wake(place: PeerId): void {
    for (const other of this.stations.keys()) {
      if (other === place) continue;
      if (this.links.get(place, other)?.dead) this.tear(place, other);
      if (!this.links.has(place, other) && this.mesh.keeps(place, other)) this.redial(place, other, true);
    }
  }

  /** Nothing comes through from these to those; with `oneWay`, the other direction still works. The answer heals it. */
  cut(from: readonly PeerId[], to: readonly PeerId[], oneWay = false): CutId {
    const cut = this.cuts.begin();
    this.mesh.changed();
    for (const a of from)
      for (const b of to) {
        if (a === b) continue;
        this.block(cut, a, b);
        if (!oneWay) this.block(cut, b, a);
      }
    this.world.fault("world", "cut", `${this.names(from)} ${oneWay ? "→" : "|"} ${this.names(to)}`);
    return cut;
  }

  /** Everything comes through again that this cut (or any, when none is named) held up. */
  heal(cut?: CutId): void {
    if (cut !== undefined && !this.cuts.lies(cut)) return;
    const freed = this.cuts.heal(cut);
    this.mesh.changed();
    this.world.fault("world", "heal");
    for (const [from, to] of freed) {
      const link = this.links.get(from, to);
      if (!link) continue;
      const { stalled } = link.laneTo(to);
      link.laneTo(to).stalled = [];
      for (const message of stalled) this.carry(link, from, message);
    }
  }

  /** How often the network was cut. */
  get divisions(): number {
    return this.cuts.count;
  }

  /** Whether something does not come through somewhere. */
  get divided(): boolean {
    return this.cuts.any;
  }

  /** Whether there is a cut through which messages come, but not go: then one hears of peers that never answer. */
  get lopsided(): boolean {
    return this.cuts.lopsided;
  }

  /** Whether nothing is lost, doubled, late or corrupted by the conditions themselves. */
  get flawless(): boolean {
    return this.weather.flawless;
  }

  /** Where `asker` finds a peer: of several places under one identity the one it is connected with. */
  placeOf(asker: PeerId, peer: PeerId): PeerId {
    const places = this.clones.get(peer);
    return places?.find((p) => p !== asker && this.links.get(asker, p)?.up === true) ?? peer;
  }

  /** Whether bytes go both ways between two daemons that have let each other in. */
  reaches(a: PeerId, b: PeerId): boolean {
    const link = this.links.get(a, b);
    const linked = link ? link.up : this.mayCall(a, b);
    return linked && this.passes(a, b) && this.passes(b, a) && this.alive(a) && this.alive(b);
  }

  /** Whom a daemon reaches, in the order of their places. */
  reachedBy(place: PeerId): PeerId[] {
    return [...this.stations.keys()].filter((p) => p !== place && this.reaches(place, p)).sort(byText);
  }

  /** Whether a stranger at `a` may come to the door of `b`, and hear an answer. */
  approaches(a: PeerId, b: PeerId): boolean {
    return this.passes(a, b) && this.passes(b, a) && this.alive(b);
  }

  /** Carries `bytes` of a blob and says how that ended. A transfer that breaks is noticed after a stall. */
  transfer(from: PeerId, to: PeerId, bytes: number, done: (ended: Transfer) => void): void {
    const link = this.links.get(from, to) ?? this.call(from, to);
    const receiver = this.stations.get(to);
    if (!receiver) return;
    if (!link || !this.reaches(from, to)) {
      receiver.process.after(this.weather.delayMs, () => done("broken"));
      return;
    }
    this.counts.bulkBytes += bytes;
    const { nowMs } = this.world;
    // The request travels there, the blob back.
    const back = this.weather.between(from, to);
    const linkMs = link.laneTo(to).bulkArrivalMs(nowMs, bytes, back);
    const sentMs = this.lines.get(from)?.sent(nowMs, bytes) ?? 0;
    const receivedMs = this.lines.get(to)?.received(nowMs, bytes) ?? 0;
    const atMs =
      this.weather.between(to, from).delayMs + Math.max(linkMs, Math.max(sentMs, receivedMs) + back.delayMs);
    const corrupt = this.strikes(back.corrupt);
    receiver.process.at(atMs, () => {
      if (!link.torn && this.reaches(from, to)) return done(corrupt ? "corrupt" : "whole");
      // A process that ended says so within a way's time; of one that is cut off nothing is heard.
      receiver.process.after(back.delayMs + closedMs, () => {
        if (link.torn) done("broken");
        else receiver.process.after(this.silenceMs, () => done("broken"));
      });
    });
  }

  private othersThan({ peer }: Station): PeerId[] {
    return [...this.stations.values()].flatMap((other) => (other.peer === peer ? [] : [other.place]));
  }

  /** Whether two that keep no connection would let each other in. */
  private mayCall(a: PeerId, b: PeerId): boolean {
    const [one, other] = [this.stations.get(a), this.stations.get(b)];
    if (!one || !other || one.peer === other.peer || this.mesh.keeps(a, b)) return false;
    return one.handlers.admits(other.peer) && other.handlers.admits(one.peer);
  }

  /** A connection between two that keep none, made because one has something to say; undefined where it cannot be made. */
  private call(from: PeerId, to: PeerId): Link | undefined {
    if (!this.mayCall(from, to) || !this.reaches(from, to)) return undefined;
    const link = new Link(this.stations.get(from)!, this.stations.get(to)!, true);
    const openMs = this.world.nowMs + 2 * this.weather.between(from, to).delayMs;
    for (const lane of link.lanes) lane.opensAt(openMs);
    this.links.set(from, to, link);
    return link;
  }

  private passes(from: PeerId, to: PeerId): boolean {
    return this.cuts.passes(from, to);
  }

  private alive(place: PeerId): boolean {
    const process = this.stations.get(place)?.process;
    return process?.alive === true && !process.paused;
  }

  /** Whether something hits that happens in this share of all cases; nothing is drawn where it never does. */
  private strikes(share: number): boolean {
    if (share === 0 || this.random.float() >= share) return false;
    this.counts.corrupted++;
    return true;
  }

  /** The message with one byte wrong. */
  private bent(message: Uint8Array): Uint8Array {
    const bent = message.slice();
    const at = this.random.below(bent.length);
    if (bent.length > 0) bent[at] = bent[at]! ^ (1 + this.random.below(255));
    return bent;
  }

  private names(peers: readonly PeerId[]): string {
    return peers.map((p) => this.world.name(p)).join(" ");
  }

  private block(cut: CutId, from: PeerId, to: PeerId): void {
    const blocking = this.cuts.block(cut, from, to);
    const link = this.links.get(from, to);
    if (blocking === undefined || !link) return;
    this.world.after(this.silenceMs, () => {
      if (!this.cuts.lasts(blocking, from, to)) return;
      if (this.links.get(from, to) === link) this.tear(from, to);
    });
  }

  private detach(station: Station, silent: boolean): void {
    const { place } = station;
    if (this.stations.get(place) !== station) return;
    this.stations.delete(place);
    this.mesh.changed();
    for (const other of this.stations.keys()) {
      const link = this.links.get(place, other);
      if (!link) continue;
      const afterMs = silent || link.dead ? this.silenceMs : this.weather.between(place, other).delayMs;
      this.world.after(afterMs, () => {
        if (this.links.get(place, other) === link) this.tear(place, other);
      });
    }
  }

  /** Plans the pair's next dial: soon when something is new, else later the more have failed. */
  private redial(from: PeerId, to: PeerId, fresh = false): void {
    const failed = fresh ? 0 : (this.dialling.get(from, to)?.failed ?? 0);
    const plan = ++this.plans;
    this.dialling.set(from, to, { failed: failed + 1, plan });
    const delayMs = fresh
      ? 3 * this.weather.between(from, to).delayMs
      : Math.min(redialMsMax, redialMsMin * 2 ** Math.min(failed, 10)) * (0.5 + this.random.float() / 2);
    this.world.after(delayMs, () => {
      if (this.dialling.get(from, to)?.plan === plan) this.dial(from, to);
    });
  }

  private dial(from: PeerId, to: PeerId): void {
    const dialler = this.stations.get(from);
    const listener = this.stations.get(to);
    if (!dialler || !listener) return;
    // Nobody dials one who is a member no more; that one may not know, and dials.
    if (!dialler.handlers.knows(listener.peer) && listener.handlers.knows(dialler.peer))
      return this.dial(to, from);
    const existing = this.links.get(from, to);
    if (existing) {
      const stale =
        existing.called || existing.station(from) !== dialler || existing.station(to) !== listener;
      if (!stale) return;
      this.tear(from, to);
    }
    const asleep = dialler.process.asleep || listener.process.asleep;
    if (asleep || !this.passes(from, to) || !this.passes(to, from)) {
      this.redial(from, to);
      return;
    }
    const link = new Link(dialler, listener);
    this.links.set(from, to, link);
    dialler.process.enter(() => this.present(link));
    this.world.after(admissionMs, () => {
      if (!link.torn && !link.up) this.tear(from, to);
    });
  }

  /** Both sides show their certificates, the dialler first; each lets the other in when its gate says so. */
  private present(link: Link): void {
    const { dialler, listener } = link;
    const request = dialler.handlers.presentation();
    const thereMs = this.weather.between(dialler.place, listener.place).delayMs;
    const backMs = this.weather.between(listener.place, dialler.place).delayMs;
    listener.process.after(thereMs, () => {
      if (link.torn) return;
      listener.handlers.admission(dialler.peer, request, (reply) => {
        if (link.torn) return;
        if (!reply) return this.tear(dialler.place, listener.place);
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
    const lane = link.laneTo(side.place);
    if (link.torn || lane.open || !side.handlers.admits(other.peer)) return;
    const known = this.sees(side, other.peer);
    lane.open = true;
    this.mesh.changed();
    if (link.up) this.dialling.delete(side.place, other.place);
    this.world.record(this.world.name(side.place), "connected", this.world.name(other.place));
    if (!known) side.handlers.connected(other.peer);
    const held = lane.held;
    lane.held = [];
    for (const message of held) side.process.enter(() => this.hand(link, side, other, message));
  }

  private tear(a: PeerId, b: PeerId): void {
    const link = this.links.get(a, b);
    if (!link) return;
    link.torn = true;
    this.links.delete(a, b);
    if (link.called) return;
    this.mesh.changed();
    for (const side of [link.dialler, link.listener]) {
      const other = link.other(side.place);
      if (!link.laneTo(side.place).open || !side.process.alive) continue;
      side.process.enter(() => {
        this.world.record(this.world.name(side.place), "lost", this.world.name(other.place));
        if (!this.sees(side, other.peer)) side.handlers.disconnected(other.peer);
      });
    }
    if (this.stations.has(a) && this.stations.has(b)) this.redial(a, b);
    for (const place of [a, b]) {
      const station = this.stations.get(place);
      if (!station) continue;
      for (const other of this.mesh.replace(place, this.othersThan(station))) this.redial(place, other, true);
    }
  }

  /** Whether one who stands at several places is connected from another of them. */
  private sees(side: Station, peer: PeerId): boolean {
    const places = this.clones.get(peer);
    return places?.some((p) => this.links.get(side.place, p)?.laneTo(side.place).open) === true;
  }

  private reconsider(station: Station): void {
    for (const other of [...this.stations.values()]) {
      if (other.peer === station.peer) continue;
      const link = this.links.get(station.place, other.place);
      if (!link) {
        if (this.mesh.keeps(station.place, other.place)) this.redial(station.place, other.place, true);
      } else if (link.laneTo(station.place).open && !station.handlers.admits(other.peer))
        this.tear(station.place, other.place);
      else if (!link.called) this.open(link, station, other);
    }
  }

  private send(from: Station, peer: PeerId, message: Uint8Array): boolean {
    const to = this.placeOf(from.place, peer);
    const link = this.links.get(from.place, to) ?? this.call(from.place, to);
    // One sends to those one has let in: the lane towards oneself is open.
    if (!link || link.station(from.place) !== from || !link.laneTo(from.place).open) return false;
    if (message.length > messageBytesMax) return true;
    if (link.laneTo(to).queuedBytes + message.length > queueBytesMax) return true;
    this.counts.unicasts++;
    this.counts.unicastBytes += message.length;
    if (this.random.float() < this.weather.between(from.place, to).reset) this.reset(link, from, to);
    else this.carry(link, from.place, message);
    return true;
  }

  private reset(link: Link, from: Station, to: PeerId): void {
    this.world.record(this.world.name(from.place), "reset", this.world.name(to));
    this.world.after(0, () => {
      if (this.links.get(from.place, to) === link) this.tear(from.place, to);
    });
  }

  private carry(link: Link, from: PeerId, message: Uint8Array): void {
    const receiver = link.other(from);
    const to = receiver.place;
    const lane = link.laneTo(to);
    const conditions = this.weather.between(from, to);
    lane.queuedBytes += message.length;
    const atMs = lane.arrivalMs(this.world.nowMs, message.length, conditions, this.random.float());
    const corrupt = this.strikes(conditions.corrupt);
    this.world.at(atMs, () => {
      lane.queuedBytes -= message.length;
      if (link.torn || link.dead) return;
      if (!this.passes(from, to)) lane.stalled.push(message);
      else if (!lane.open) lane.held.push(message);
      else {
        const came = corrupt ? this.bent(message) : message;
        receiver.process.enter(() => this.hand(link, receiver, link.station(from), came));
        if (corrupt) this.reset(link, receiver, from);
      }
    });
  }

  private hand(link: Link, receiver: Station, sender: Station, message: Uint8Array): void {
    if (link.torn) return;
    this.world.record(
      this.world.name(receiver.place),
      "message",
      `${this.world.name(sender.place)} ${message.length}`,
    );
    receiver.handlers.message(sender.peer, message);
  }

  /** Floods over all connections that are kept, nearest first, so that members who cannot dial each other hear through others. */
  private gossip(from: Station, message: Uint8Array): void {
    if (message.length > gossipBytesMax) return;
    const hops = this.mesh.route(from.place, this.stations, (near, far) => {
      const link = this.links.get(near, far);
      return link?.up === true && !link.called && this.passes(near, far);
    });
    const arrivalsMs = [0];
    const whispers: Whisper[] = [];
    for (const { near, nearIndex, far } of hops) {
      const conditions = this.weather.between(near, far.place);
      const arrivalMs =
        arrivalsMs[nearIndex]! + conditions.delayMs + this.random.float() * conditions.jitterMs;
      arrivalsMs.push(arrivalMs);
      this.whisper(whispers, far, message, conditions.gossipDelayMs ?? arrivalMs, conditions);
    }
    this.world.afterEach(
      whispers.map((w) => w.delayMs),
      (at) => this.arrive(whispers[at]!),
    );
  }

  private whisper(
    whispers: Whisper[],
    to: Station,
    message: Uint8Array,
    arrivalMs: number,
    conditions: Conditions,
  ): void {
    this.counts.gossips++;
    this.counts.gossipBytes += message.length;
    if (this.random.float() < conditions.gossipLoss) return;
    const copies = this.random.float() < conditions.gossipTwice ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      const late = copy === 1 || this.random.float() < conditions.gossipLate;
      const delayMs = arrivalMs + (late ? this.random.float() * conditions.lateMs : 0);
      const came = this.strikes(conditions.corrupt) ? this.bent(message) : message;
      whispers.push({ to, came, delayMs });
    }
  }

  private arrive({ to, came }: Whisper): void {
    const { process } = to;
    if (process.asleep) return;
    if (process.paused) process.enter(() => this.overhear(to, came));
    else if (process.alive) this.overhear(to, came);
  }

  private overhear(to: Station, came: Uint8Array): void {
    this.world.record(to.process.name, "gossip", `${came.length}`);
    to.handlers.gossip(came);
  }
}
