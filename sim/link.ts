/** One connection between two hosts: ordered and reliable while it lasts, in both directions, with delay and bandwidth. */
import type { PeerId } from "../protocol/kernel/ids.ts";
import type { NetworkHandlers } from "../protocol/ports.ts";
import type { Conditions } from "./conditions.ts";
import type { Process } from "./process.ts";

/** A daemon on the network, for one life. */
export interface Station {
  /** Where it stands: its peer id, but for a clone, which stands elsewhere under another's. */
  readonly place: PeerId;
  readonly peer: PeerId;
  readonly process: Process;
  readonly handlers: NetworkHandlers;
  /** Counts stations in the order in which they came up. */
  readonly order: number;
}

/** One direction of a link. */
export class Lane {
  /** When the last byte handed over so far has left the sender. */
  private messagesFreeMs = 0;
  private bulkFreeMs = 0;
  private lastArrivalMs = 0;
  /** Handed over and not arrived. */
  queuedBytes = 0;
  /** Arrived at a side that has not let the sender in yet. */
  held: Uint8Array[] = [];
  /** On the way while nothing comes through. */
  stalled: Uint8Array[] = [];
  /** Whether the receiving side has let the sender in and was told `connected`. */
  open = false;

  /** Nothing leaves before that moment: the connection is being made. */
  opensAt(atMs: number): void {
    this.messagesFreeMs = atMs;
    this.bulkFreeMs = atMs;
    this.open = true;
  }

  /** When a message of this size arrives: after all before it. */
  arrivalMs(nowMs: number, bytes: number, conditions: Conditions, jitter: number): number {
    this.messagesFreeMs = Math.max(nowMs, this.messagesFreeMs) + (bytes / conditions.bytesPerSecond) * 1000;
    const arrivalMs = this.messagesFreeMs + conditions.delayMs + jitter * conditions.jitterMs;
    this.lastArrivalMs = Math.max(this.lastArrivalMs, arrivalMs);
    return this.lastArrivalMs;
  }

  /** When a blob of this size has arrived: blobs share the bandwidth one after the other and do not hold messages up. */
  bulkArrivalMs(nowMs: number, bytes: number, conditions: Conditions): number {
    this.bulkFreeMs = Math.max(nowMs, this.bulkFreeMs) + (bytes / conditions.bytesPerSecond) * 1000;
    return this.bulkFreeMs + conditions.delayMs;
  }
}

/** What one host's own line carries: its transfers share it, each direction by itself. */
export class Line {
  readonly bytesPerSecond: number;
  private upFreeMs = 0;
  private downFreeMs = 0;

  constructor(bytesPerSecond: number) {
    this.bytesPerSecond = bytesPerSecond;
  }

  /** When this many bytes have gone out, after all that were handed over before. */
  sent(nowMs: number, bytes: number): number {
    this.upFreeMs = Math.max(nowMs, this.upFreeMs) + (bytes / this.bytesPerSecond) * 1000;
    return this.upFreeMs;
  }

  /** When this many bytes have come in. */
  received(nowMs: number, bytes: number): number {
    this.downFreeMs = Math.max(nowMs, this.downFreeMs) + (bytes / this.bytesPerSecond) * 1000;
    return this.downFreeMs;
  }
}

export class Link {
  readonly dialler: Station;
  readonly listener: Station;
  /** From dialler to listener, and back. */
  readonly lanes: readonly [Lane, Lane] = [new Lane(), new Lane()];
  torn = false;
  /** One end sleeps: what is sent is lost, and it stays so. */
  dead = false;
  /** Made because one had something to say to the other: nobody is told of it, and gossip does not use it. */
  readonly called: boolean;

  constructor(dialler: Station, listener: Station, called = false) {
    this.dialler = dialler;
    this.listener = listener;
    this.called = called;
  }

  laneTo(place: PeerId): Lane {
    return this.lanes[place === this.listener.place ? 0 : 1];
  }

  other(place: PeerId): Station {
    return place === this.dialler.place ? this.listener : this.dialler;
  }

  station(place: PeerId): Station {
    return place === this.dialler.place ? this.dialler : this.listener;
  }

  /** Both sides have let each other in. */
  get up(): boolean {
    return !this.torn && !this.dead && this.lanes[0].open && this.lanes[1].open;
  }
}
