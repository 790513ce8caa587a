/** When this node beats: quickly while anything goes on, seldom while all is calm, and sooner when others should know at once what it takes. */
import type { Desk } from "./desk.ts";

/** Connections in a row bring one beat, not one each. */
const beatMsMin = 100;

export class Pulse {
  private readonly desk: Desk;
  private nextMonoMs = Number.POSITIVE_INFINITY;
  private lastMonoMs = Number.NEGATIVE_INFINITY;
  private wasAwake = true;

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

  /** Something begins here: this node is awake, and others should know at once. */
  awaken(): void {
    this.desk.wake();
    this.soon();
  }

  /** Somebody looks: who sleeps wakes, and tells so; who is awake beats no faster for it, however often one looks. */
  looked(): void {
    const { peers, now } = this.desk;
    if (peers.wakefulness.leftMs(now.monoMs) > 0) this.desk.wake();
    else this.awaken();
  }

  /** Something worth telling, which a calm node would keep to itself for long; an awake one tells it soon anyway. */
  sometime(): void {
    const beatMs = this.desk.peers.beatMs(this.desk.members.size);
    this.nextMonoMs = Math.min(this.nextMonoMs, Math.max(this.desk.now.monoMs, this.lastMonoMs + beatMs));
  }

  tick(): void {
    const { desk } = this;
    const { monoMs } = desk.now;
    const beatMs = desk.peers.beatMs(desk.members.size);
    if (this.isBusy()) desk.wake();
    const isAwake = desk.peers.wakefulness.leftMs(monoMs) > 0;
    // All wake at one word: their first beats are spread, or a large swarm would say everything at once.
    if (isAwake && !this.wasAwake)
      this.nextMonoMs = Math.min(this.nextMonoMs, monoMs + desk.random.float() * beatMs);
    this.wasAwake = isAwake;
    if (monoMs < this.nextMonoMs) return;
    this.lastMonoMs = monoMs;
    this.nextMonoMs = monoMs + desk.peers.paceMs(desk.members.size, monoMs);
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

  /** Whether somebody may wait for this node, or it for others. */
  private isBusy(): boolean {
    const { desk } = this;
    if (desk.running > 0 || !desk.settled || desk.stopping || desk.liveBuilds().length > 0) return true;
    return desk.rivals.inCompany(desk.now.monoMs, desk.peers.leaseMs(desk.members.size));
  }
}
