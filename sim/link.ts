/** One connection between two hosts: ordered and reliable while it lasts, in both directions, with delay and bandwidth. */
import type { PeerId } from "../protocol/kernel/ids.ts";
import type { NetworkHandlers } from "../protocol/ports.ts";
import type { Process } from "./process.ts";

/** How well messages travel from one host to another. */
export interface Conditions {
  readonly delayMs: number;
  /** Added to each message, uniform in 0..jitterMs. */
  readonly jitterMs: number;
  readonly bytesPerSecond: number;
  /** Share of gossiped messages that one receiver never sees. */
  readonly gossipLoss: number;
  /** Share of gossiped messages that one receiver sees twice. */
  readonly gossipTwice: number;
  /** Share of gossiped messages that come up to `lateMs` late, after others that were sent later. */
  readonly gossipLate: number;
  readonly lateMs: number;
  /** Share of unicast messages that are lost with the whole connection. */
  readonly reset: number;
}

/** A daemon on the network, for one life. */
export interface Station {
  readonly peer: PeerId;
  readonly process: Process;
  readonly handlers: NetworkHandlers;
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

export class Link {
  readonly dialler: Station;
  readonly listener: Station;
  /** From dialler to listener, and back. */
  readonly lanes: readonly [Lane, Lane] = [new Lane(), new Lane()];
  torn = false;

  constructor(dialler: Station, listener: Station) {
    this.dialler = dialler;
    this.listener = listener;
  }

  laneTo(peer: PeerId): Lane {
    return this.lanes[peer === this.listener.peer ? 0 : 1];
  }

  other(peer: PeerId): Station {
    return peer === this.dialler.peer ? this.listener : this.dialler;
  }

  station(peer: PeerId): Station {
    return peer === this.dialler.peer ? this.dialler : this.listener;
  }

  /** Both sides have let each other in. */
  get up(): boolean {
    return !this.torn && this.lanes[0].open && this.lanes[1].open;
  }
}
