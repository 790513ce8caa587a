/** Catching up: on connect, when a gap shows, after a sleep, and when a peer's beat tells of other facts than ours. Lost gossip never matters. */
import type { Instant } from "../contract.ts";
import { type BuildId, incarnationCounter, type PeerId } from "../kernel/ids.ts";
import { headsMax, ledgersMax, type Message } from "../swarm/message.ts";
import type { Vitals } from "../swarm/vitals.ts";
import type { Head } from "../timeline/chain.ts";
import type { Borrower } from "./borrower.ts";
import type { Desk } from "./desk.ts";

/** One peer is asked no more often than this. */
const syncMsMin = 200;
/** In a swarm of more members than this a node that starts need not have heard all. */
const everybodyMax = 16;
/** It is enough that so many have answered; and of those that connect within a second so many are asked, the beats of the others tell if anything is missing. */
const fewMax = 6;
const fewMs = 1000;
const graphRetryMs = 1000;
/** Without its graph for so long, a node says that it does not see the build. */
const blindMs = 5000;
/** Of a lease: an awake node looks at its clocks at least so often, for others miss it after one. */
const lookLeases = 0.7;
/** A peer gets a whole ledger, to compare it with its own, no more often than this. */
const wholeMs = 10_000;
const wholesMax = 1024;

type Sync = Extract<Message, { kind: "sync" }>;

export class CatchUp {
  private readonly desk: Desk;
  private readonly borrower: Borrower;
  private readonly askedMonoMs = new Map<PeerId, number>();
  private readonly wanted = new Set<PeerId>();
  /** Peers whose last beat differed: gossip under way differs for a moment, only a lasting difference is asked about. */
  private readonly differed = new Set<PeerId>();
  private nextComparedMonoMs = Number.NEGATIVE_INFINITY;
  private readonly synced = new Set<PeerId>();
  private readonly graphs = new Map<BuildId, number>();
  private readonly missingMonoMs = new Map<BuildId, number>();
  private last: Instant | undefined;
  private fewSinceMonoMs = Number.NEGATIVE_INFINITY;
  private fewLeft = 0;
  /** When it came back from the last time it was away; undefined: it never was since its start. */
  private backMonoMs: number | undefined;
  /** When a peer was last sent a ledger as a whole. */
  private readonly wholeMonoMs = new Map<string, number>();

  constructor(desk: Desk, borrower: Borrower) {
    this.desk = desk;
    this.borrower = borrower;
  }

  /**
   * Every step begins here, before the living are counted. Whoever was away for a lease (its machine slept: wall time went on without monotonic time; or it was stopped:
   * no step for so long) has been given up by others meanwhile: it settles anew, as at its start. A wall clock set forward looks the same. A calm node need make no step until
   * `dueMonoMs`, for which it asked last: it was away from then on, at the least. Whether it slept.
   */
  begin(now: Instant, dueMonoMs: number): boolean {
    const { desk, last } = this;
    this.last = now;
    if (!last) return false;
    const passedMs = now.monoMs - last.monoMs;
    const sleptMs = now.wallMs - last.wallMs - passedMs;
    const leaseMs = desk.peers.leaseMs(desk.members.size);
    const rested = dueMonoMs - last.monoMs > lookLeases * leaseMs;
    const stoodMs = rested ? now.monoMs - dueMonoMs : passedMs;
    if (Math.max(stoodMs, sleptMs) <= leaseMs) return false;
    this.backMonoMs = now.monoMs;
    desk.settled = false;
    this.synced.clear();
    desk.peers.back(now.monoMs);
    for (const { peer } of desk.members.all()) if (desk.peers.isConnected(peer)) this.connected(peer);
    return sleptMs > leaseMs;
  }

  /** A peer is there: what is missing is exchanged, in a large swarm with the first few. */
  connected(peer: PeerId): void {
    const { now, members } = this.desk;
    if (now.monoMs >= this.fewSinceMonoMs + fewMs) {
      this.fewSinceMonoMs = now.monoMs;
      this.fewLeft = fewMax;
    }
    if (members.size > everybodyMax && this.fewLeft-- <= 0) return;
    this.with(peer);
  }

  /** Exchange what is missing with a peer, soon. */
  with(peer: PeerId): void {
    this.wanted.add(peer);
  }

  /** The graph of a build could not be had: ask again in a while. After some time others are told that it is not seen here. */
  graphMissing(build: BuildId): void {
    const { monoMs } = this.desk.now;
    this.graphs.set(build, monoMs + graphRetryMs);
    const sinceMonoMs = this.missingMonoMs.get(build) ?? monoMs;
    this.missingMonoMs.set(build, sinceMonoMs);
    if (monoMs >= sinceMonoMs + blindMs) this.desk.sees(build, false);
  }

  /** The graph of a build is here, or no longer wanted. */
  graphKnown(build: BuildId): void {
    this.graphs.delete(build);
    if (this.missingMonoMs.delete(build)) this.desk.sees(build, true);
  }

  /** A peer's beat tells digests of what it knows. */
  compare(vitals: Vitals): void {
    if (vitals.peer === this.desk.config.self) return;
    let differs = vitals.frontier !== this.desk.chains.digest();
    for (const id in vitals.ledgers) {
      if (this.desk.archive.has(id as BuildId)) continue;
      const mine = this.desk.builds.get(id as BuildId);
      if (mine?.ledger.digest() !== vitals.ledgers[id as BuildId]) differs = true;
    }
    const archive = this.desk.config.small ? undefined : vitals.archive;
    if (archive !== undefined && archive !== this.desk.archive.digest()) differs = true;
    if (!differs) return void this.differed.delete(vitals.peer);
    this.desk.wake();
    if (this.differed.has(vitals.peer)) {
      // While much is said all differ from all, always: one of them at a time is enough to learn what never came.
      if (this.desk.now.monoMs < this.nextComparedMonoMs) return;
      this.nextComparedMonoMs = this.desk.now.monoMs + this.desk.peers.beatMs(this.desk.members.size);
      this.with(vitals.peer);
    } else this.differed.add(vitals.peer);
  }

  /** A peer says what it has: it gets what it lacks. */
  answer(from: PeerId, sync: Sync): void {
    const { desk } = this;
    const theirs = new Map(sync.heads.map((h) => [`${h.author}.${h.inc}`, h]));
    for (const { author, inc, seq, sum } of desk.chains.heads()) {
      const their = theirs.get(`${author}.${inc}`);
      // Equal counters and unequal sums: told all of it, the other side meets the entry that contradicts its own.
      const forked = their?.seq === seq && their.sum !== sum && !desk.members.forks.has(author, inc);
      const fromSeq = forked ? 0 : (their?.seq ?? -1) + 1;
      if (fromSeq <= seq) desk.emit({ kind: "serve", to: from, author, inc, fromSeq, toSeq: seq });
    }
    if (!desk.config.small && sync.archive !== undefined && sync.archive !== desk.archive.digest())
      this.borrower.tell(from);
    // Whoever works on what has ended hears its end, and everything it missed.
    for (const { build } of sync.ledgers) if (desk.archive.has(build)) this.borrower.lend(from, build);
    const ledgers = new Map(sync.ledgers.map((l) => [l.build, l]));
    for (const { id, ledger } of desk.builds.values()) {
      const their = ledgers.get(id);
      const vector = their?.vector ?? new Uint8Array();
      let missing = ledger.missingFor(vector);
      if (their && missing.length === 0 && their.digest !== ledger.digest() && ledger.covers(vector))
        missing = this.everythingOf(id, from);
      for (const update of missing)
        desk.emit({ kind: "send", to: from, message: { kind: "ledger", build: id, update, entries: [] } });
    }
    if (sync.reply) this.send(from, false);
    else this.synced.add(from); // what it sent before this came first
  }

  /** A ledger as a whole, for one that knows as many entries of each author, and other ones; not often, for it is large. */
  private everythingOf(build: BuildId, peer: PeerId): Uint8Array[] {
    const { now, builds } = this.desk;
    const key = `${build} ${peer}`;
    if (now.monoMs < (this.wholeMonoMs.get(key) ?? Number.NEGATIVE_INFINITY) + wholeMs) return [];
    if (this.wholeMonoMs.size >= wholesMax) this.wholeMonoMs.clear();
    this.wholeMonoMs.set(key, now.monoMs);
    return builds.get(build)!.ledger.missingFor(new Uint8Array());
  }

  /**
   * A node that starts acts on what others know, not on what it remembers: it waits for all it reaches, in a large swarm for a few, at most
   * one lease. What it has missed then is a claim at worst, and two claims of one action are settled by the fold.
   */
  private settle(): void {
    const { desk } = this;
    if (desk.standing !== "alone") return;
    const enough = desk.members.size > everybodyMax && this.synced.size >= fewMax;
    const waiting =
      !enough && desk.builders().some(({ peer }) => peer !== desk.config.self && !this.synced.has(peer));
    if (!waiting || desk.now.monoMs >= this.settledByMonoMs()) desk.settled = true;
  }

  private settledByMonoMs(): number {
    const { peers, members } = this.desk;
    return this.backMonoMs === undefined
      ? peers.leaseEndMonoMs(members.size)
      : this.backMonoMs + peers.leaseMs(members.size);
  }

  tick(): void {
    const { now, builds } = this.desk;
    if (!this.desk.settled) this.settle();
    for (const peer of this.wanted) {
      if (this.desk.status(peer) === "dead") this.wanted.delete(peer);
      else if (now.monoMs >= (this.askedMonoMs.get(peer) ?? Number.NEGATIVE_INFINITY) + syncMsMin) {
        this.wanted.delete(peer);
        this.askedMonoMs.set(peer, now.monoMs);
        this.send(peer, true);
      }
    }
    for (const [id, atMonoMs] of this.graphs) {
      if (now.monoMs < atMonoMs) continue;
      this.graphs.delete(id);
      const build = builds.get(id);
      if (!build?.submission || build.claims) {
        this.graphKnown(id);
        continue;
      }
      const { graph, holders } = build.submission.event;
      this.desk.emit({ kind: "read-blob", want: { digest: graph, from: this.desk.preferred(holders) } });
    }
  }

  deadline(): number {
    const { desk } = this;
    const settles = !desk.settled && desk.standing === "alone";
    const { monoMs } = desk.now;
    const isCalm = desk.peers.wakefulness.leftMs(monoMs) === 0;
    const lookMonoMs = isCalm
      ? Number.POSITIVE_INFINITY
      : monoMs + lookLeases * desk.peers.leaseMs(desk.members.size);
    let at = settles ? Math.min(lookMonoMs, this.settledByMonoMs()) : lookMonoMs;
    for (const peer of this.wanted)
      at = Math.min(at, (this.askedMonoMs.get(peer) ?? Number.NEGATIVE_INFINITY) + syncMsMin);
    for (const retry of this.graphs.values()) at = Math.min(at, retry);
    return at;
  }

  private send(to: PeerId, reply: boolean): void {
    const { chains, builds } = this.desk;
    const ledgers = [...builds.values()]
      .slice(-ledgersMax)
      .map((b) => ({ build: b.id, vector: b.ledger.vector(), digest: b.ledger.digest() }));
    this.desk.emit({
      kind: "send",
      to,
      message: {
        kind: "sync",
        heads: latest(chains.heads()),
        ledgers,
        ...(this.desk.config.small ? {} : { archive: this.desk.archive.digest() }),
        reply,
      },
    });
  }
}

/** As many heads as one message names: those of the latest starts. */
const latest = (heads: Head[]): Head[] =>
  heads.length <= headsMax
    ? heads
    : heads.sort((a, b) => incarnationCounter(b.inc) - incarnationCounter(a.inc)).slice(0, headsMax);
