/** Who is alive, as this node alone judges it by its own monotonic clock, with the last vitals of each. Nothing here is a fact. */
import { type Incarnation, incarnationCounter, type PeerId } from "../kernel/ids.ts";
import type { Vitals } from "./vitals.ts";
import { calmBeats, Wakefulness } from "./wakefulness.ts";

/** A node that is awake beats this often in a small swarm; the interval grows so that the cost per node stays bounded. */
const beatMsMin = 1000;
const beatMsPerMember = 25;
/** In beats. */
const suspectBeats = 2.5;
const deadBeats = 3.5;
/** Over a line that loses much, words come late and then many at once: whoever was silent for longer than usual lately, and lived, is given that much more. */
const usualBeats = 2;
const slackBeatsMax = 3.5;
/** A silence that was counts less as time goes by: by this share of it. */
const slackLost = 0.05;
/** A closed connection is a hint: without a word for so long after it, the peer is dead. */
const deadAfterDisconnectMs = 1000;

/** A wall clock that differs by more is wrong, once so many beats in a row say so: one beat may have been long on its way. */
const clockOffMsMin = 30_000;
const clockOffBeats = 3;

/** After a restart the last beat of the start before may come late, once. */
const turnsOfTwins = 2;

export type Liveness = "alive" | "suspect" | "dead" | "unseen";

interface Peer {
  vitals: Vitals | undefined;
  heardMonoMs: number;
  connected: boolean;
  disconnectedMonoMs: number;
  /** The longest silence of late that it lived through, while all were awake, and when that ended. */
  silentMs: number;
  silentMonoMs: number;
  /** The newest incarnation known of, by its beats or its `node.up`. */
  inc: Incarnation | undefined;
  /** Slots it declared in `node.up`: its weight among stewards. */
  slots: number;
  /** Folds it declared there: of builds under others it hands out nothing. */
  folds: readonly number[] | undefined;
  down: boolean;
  /** How often its beats changed to another start of an equal counter, and when a beat of that other was last heard. */
  turns: number;
  otherMonoMs: number;
  beatMonoMs: number;
  /** Since when its beats say that it cannot write. */
  muteSinceMonoMs: number | undefined;
  /** How far its wall clock is ahead of this node's, by its last beat, and how many beats in a row said so. */
  aheadMs: number;
  offBeats: number;
  /** As last counted: what is said of a peer that is held alive already changes nothing. */
  counted: "living" | "dead" | undefined;
  /** When it had last been heard as it was found dead: it stays so until it is heard again, however calm it grows. */
  missedMonoMs: number | undefined;
}

export class Peers {
  /** Peers that may have come or gone, or changed their weight, since whoever counts the living last looked and cleared this. */
  readonly changed = new Set<PeerId>();
  /** Counts up when some peer is found in another incarnation. */
  incarnationRevision = 0;
  /** Counts up when somebody is heard of for the first time since this node's start. */
  heardRevision = 0;
  /** Counts up when some peer says that it takes more or less than before. */
  slotsRevision = 0;
  readonly wakefulness: Wakefulness;
  private beatSeenMs = beatMsMin;
  private readonly table = new Map<PeerId, Peer>();
  private readonly bootMonoMs: number;

  constructor(bootMonoMs: number) {
    this.bootMonoMs = bootMonoMs;
    this.wakefulness = new Wakefulness(bootMonoMs, beatMsMin);
  }

  /** Of those that are awake. */
  beatMs(members: number): number {
    return Math.max(beatMsMin, members * beatMsPerMember);
  }

  /** Between two beats of this node as it is. */
  paceMs(members: number, monoMs: number): number {
    return this.beatMs(members) * (this.wakefulness.leftMs(monoMs) > 0 ? 1 : calmBeats);
  }

  /** Whoever said nothing for so long while the swarm was awake counts as dead. */
  leaseMs(members: number): number {
    return deadBeats * this.beatMs(members);
  }

  /** When those not heard since this node's start count as dead. */
  leaseEndMonoMs(members: number): number {
    return this.bootMonoMs + this.leaseMs(members);
  }

  /** This node was away: that it heard nobody meanwhile says nothing of those it held alive. */
  back(monoMs: number): void {
    for (const p of this.table.values()) if (p.counted === "living") p.heardMonoMs = monoMs;
  }

  /** Any word of a peer shows that it lives. */
  heard(peer: PeerId, monoMs: number): void {
    const p = this.at(peer);
    if (p.heardMonoMs < 0) this.heardRevision++;
    this.noteSilence(p, monoMs);
    p.heardMonoMs = monoMs;
    if (p.counted !== "living") this.changed.add(peer);
  }

  connected(peer: PeerId, monoMs: number): void {
    this.at(peer).connected = true;
    this.heard(peer, monoMs);
  }

  disconnected(peer: PeerId, monoMs: number): void {
    const p = this.at(peer);
    p.connected = false;
    p.disconnectedMonoMs = monoMs;
    this.changed.add(peer);
  }

  beat(vitals: Vitals, monoMs: number, wallMs?: number): void {
    const p = this.at(vitals.peer);
    if (p.vitals?.inc === vitals.inc && p.vitals.beat >= vitals.beat) return;
    const another = p.inc !== vitals.inc;
    if (another && p.inc !== undefined && incarnationCounter(vitals.inc) < incarnationCounter(p.inc)) return;
    if (p.vitals && another && p.vitals.inc === p.inc) {
      const repeated = incarnationCounter(vitals.inc) === incarnationCounter(p.inc!);
      p.turns = repeated ? p.turns + 1 : 0;
      p.otherMonoMs = p.beatMonoMs;
    }
    p.beatMonoMs = monoMs;
    const mute = vitals.limitedBy === "disk";
    if (mute !== (p.muteSinceMonoMs !== undefined)) this.changed.add(vitals.peer);
    if (p.vitals?.blind?.join() !== vitals.blind?.join()) this.changed.add(vitals.peer);
    p.muteSinceMonoMs = mute ? (p.muteSinceMonoMs ?? monoMs) : undefined;
    p.aheadMs = vitals.wallMs === undefined || wallMs === undefined ? 0 : vitals.wallMs - wallMs;
    p.offBeats = Math.abs(p.aheadMs) > clockOffMsMin ? p.offBeats + 1 : 0;
    this.incarnation(vitals.peer, vitals.inc);
    if (p.vitals?.slots !== vitals.slots) this.slotsRevision++;
    p.vitals = vitals;
    this.heard(vitals.peer, monoMs);
  }

  /** It said at the door what its clock reads, so far ahead of this one: one word is enough, for it was not long on its way. */
  clockTold(peer: PeerId, aheadMs: number): void {
    const p = this.at(peer);
    p.aheadMs = aheadMs;
    p.offBeats = Math.abs(aheadMs) > clockOffMsMin ? clockOffBeats : 0;
  }

  up(peer: PeerId, inc: Incarnation, slots: number, folds: readonly number[]): void {
    const p = this.at(peer);
    if (p.inc !== undefined && incarnationCounter(inc) < incarnationCounter(p.inc)) return;
    this.incarnation(peer, inc);
    p.slots = slots;
    p.folds = folds;
    this.changed.add(peer);
  }

  down(peer: PeerId, inc: Incarnation): void {
    const p = this.at(peer);
    if (p.inc !== undefined && p.inc !== inc) return;
    if (p.inc !== inc) this.incarnationRevision++;
    p.inc = inc;
    p.down = true;
    this.changed.add(peer);
  }

  private incarnation(peer: PeerId, inc: Incarnation): void {
    const p = this.at(peer);
    if (p.inc === inc) return;
    p.inc = inc;
    p.down = false;
    p.missedMonoMs = undefined;
    this.incarnationRevision++;
    this.changed.add(peer);
  }

  /** `unseen`: not heard since this node started, and it started a moment ago. */
  status(peer: PeerId, members: number, monoMs: number): Liveness {
    const p = this.table.get(peer);
    if (p?.down) return "dead";
    if (!p || p.heardMonoMs < 0) return monoMs < this.leaseEndMonoMs(members) ? "unseen" : "dead";
    const { sinceMonoMs, beatMs } = this.silence(p, members, monoMs);
    const silentMs = monoMs - sinceMonoMs;
    const slackMs = this.slackMs(p, beatMs, monoMs);
    if (silentMs > deadBeats * beatMs + slackMs || p.missedMonoMs === p.heardMonoMs) return "dead";
    if (
      !p.connected &&
      p.disconnectedMonoMs >= p.heardMonoMs &&
      monoMs - p.disconnectedMonoMs > deadAfterDisconnectMs
    )
      return "dead";
    return silentMs > suspectBeats * beatMs + slackMs ? "suspect" : "alive";
  }

  /** Takes note of what a peer counts as. Returns when it may be dead, or no longer twice, if nothing more is heard of it, monotonic milliseconds. */
  count(peer: PeerId, dead: boolean, members: number, monoMs: number): number {
    const p = this.table.get(peer);
    if (p) p.counted = dead ? "dead" : "living";
    if (p) p.missedMonoMs = dead ? p.heardMonoMs : undefined;
    if (dead) return Number.POSITIVE_INFINITY;
    if (!p || p.heardMonoMs < 0) return this.leaseEndMonoMs(members);
    const { sinceMonoMs, beatMs } = this.silence(p, members, monoMs);
    const silentMonoMs = sinceMonoMs + deadBeats * beatMs + this.slackMs(p, beatMs, monoMs);
    const closed = !p.connected && p.disconnectedMonoMs >= p.heardMonoMs;
    const lapseMonoMs = this.isTwice(peer, members, monoMs)
      ? Math.min(silentMonoMs, p.otherMonoMs + this.leaseMs(members))
      : silentMonoMs;
    return closed ? Math.min(lapseMonoMs, p.disconnectedMonoMs + deadAfterDisconnectMs) : lapseMonoMs;
  }

  /** Whether beats of two starts with one counter come in turns: two machines speak in one name, and neither is the newer. */
  isTwice(peer: PeerId, members: number, monoMs: number): boolean {
    const p = this.table.get(peer);
    return p !== undefined && p.turns >= turnsOfTwins && monoMs < p.otherMonoMs + this.leaseMs(members);
  }

  /** Since when it says that it cannot write, so that nothing it would say reaches anybody; undefined when it can. */
  muteSinceMonoMs(peer: PeerId): number | undefined {
    return this.table.get(peer)?.muteSinceMonoMs;
  }

  /** How far a peer's wall clock is ahead of this node's (behind, below 0), where one of the two must be wrong; undefined where they agree. */
  clockAheadMs(peer: PeerId): number | undefined {
    const p = this.table.get(peer);
    return p && p.offBeats >= clockOffBeats ? p.aheadMs : undefined;
  }

  /** The same by its last beat alone, the time that was on its way included; undefined when no beat told. */
  clockReadMs(peer: PeerId): number | undefined {
    const p = this.table.get(peer);
    return p?.vitals?.wallMs === undefined ? undefined : p.aheadMs;
  }

  /** When a peer was last heard; before all time when it never was. */
  heardMonoMs(peer: PeerId): number {
    return this.table.get(peer)?.heardMonoMs ?? -1;
  }

  vitals(peer: PeerId): Vitals | undefined {
    return this.table.get(peer)?.vitals;
  }

  incarnationOf(peer: PeerId): Incarnation | undefined {
    return this.table.get(peer)?.inc;
  }

  slotsOf(peer: PeerId): number {
    return this.table.get(peer)?.slots ?? 0;
  }

  /** As it declared them in `node.up`; undefined before that was heard. */
  foldsOf(peer: PeerId): readonly number[] | undefined {
    return this.table.get(peer)?.folds;
  }

  isConnected(peer: PeerId): boolean {
    return this.table.get(peer)?.connected ?? false;
  }

  /** From when its silence counts, and which beats it missed since: it may have slept until this node was woken. */
  private silence({ heardMonoMs }: Peer, members: number, monoMs: number) {
    const alertMonoMs = this.wakefulness.alertSinceMonoMs(monoMs);
    const beatMs = this.beatMs(members);
    this.beatSeenMs = beatMs;
    return alertMonoMs === undefined
      ? { sinceMonoMs: heardMonoMs, beatMs: calmBeats * beatMs }
      : { sinceMonoMs: Math.max(heardMonoMs, alertMonoMs), beatMs };
  }

  /** It is heard again: what it was silent for counts where it could have spoken, and was not away. */
  private noteSilence(p: Peer, monoMs: number): void {
    const alertMonoMs = this.wakefulness.alertSinceMonoMs(monoMs);
    if (alertMonoMs === undefined || p.heardMonoMs < alertMonoMs) return;
    const silentMs = monoMs - p.heardMonoMs;
    const longest = (deadBeats + slackBeatsMax) * this.beatSeenMs;
    if (silentMs <= usualBeats * this.beatSeenMs || silentMs > longest) return;
    if (silentMs < p.silentMs - slackLost * (monoMs - p.silentMonoMs)) return;
    p.silentMs = silentMs;
    p.silentMonoMs = monoMs;
  }

  /** How much longer than others a peer may be silent. */
  private slackMs(p: Peer, beatMs: number, monoMs: number): number {
    if (p.silentMs === 0) return 0;
    const silentMs = p.silentMs - slackLost * (monoMs - p.silentMonoMs);
    return Math.min(slackBeatsMax * beatMs, Math.max(0, silentMs - usualBeats * beatMs));
  }

  private at(peer: PeerId): Peer {
    let p = this.table.get(peer);
    if (!p) {
      p = {
        vitals: undefined,
        heardMonoMs: -1,
        connected: false,
        disconnectedMonoMs: -1,
        silentMs: 0,
        silentMonoMs: -1,
        inc: undefined,
        slots: 0,
        folds: undefined,
        down: false,
        turns: 0,
        otherMonoMs: Number.NEGATIVE_INFINITY,
        beatMonoMs: Number.NEGATIVE_INFINITY,
        muteSinceMonoMs: undefined,
        aheadMs: 0,
        offBeats: 0,
        counted: undefined,
        missedMonoMs: undefined,
      };
      this.table.set(peer, p);
    }
    return p;
  }
}
