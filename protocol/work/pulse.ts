/** When this node beats: at the pace of its swarm, and sooner when others should know at once what it takes. */
import type { Desk } from "./desk.ts";

/** Connections in a row bring one beat, not one each. */
const beatMsMin = 100;

export class Pulse {
  private readonly desk: Desk;
  private nextMonoMs = Number.POSITIVE_INFINITY;
  private lastMonoMs = Number.NEGATIVE_INFINITY;

  constructor(desk: Desk) {
    this.desk = desk;
  }

  /** Beats in this very step. */
  now(): void {
    this.nextMonoMs = Math.min(this.nextMonoMs, this.desk.now.monoMs);
  }

  /** Others should know at once what this node takes. */
  soon(): void {
    const { monoMs } = this.desk.now;
    this.nextMonoMs = Math.min(this.nextMonoMs, Math.max(monoMs, this.lastMonoMs + beatMsMin));
  }

  tick(): void {
    const { desk } = this;
    const { monoMs } = desk.now;
    if (monoMs < this.nextMonoMs) return;
    this.lastMonoMs = monoMs;
    this.nextMonoMs = monoMs + desk.peers.beatMs(desk.members.size);
    const vitals = desk.nextBeat();
    if (!vitals) return;
    const message = { kind: "vitals", vitals } as const;
    if (!desk.rivals.inCompany(monoMs, desk.peers.leaseMs(desk.members.size)))
      return desk.emit({ kind: "gossip", message });
    // Of two machines under one identity gossip may hear one alone.
    const to = desk.members.all().flatMap(({ peer }) => (desk.peers.isConnected(peer) ? [peer] : []));
    desk.emit({ kind: "gossip", message, to });
  }

  deadline(): number {
    return this.nextMonoMs;
  }
}
