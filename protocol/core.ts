/**
 * The brain: one synchronous machine, `step(input, now) → effects` and `deadline()`. No I/O, no clock, no randomness of its
 * own. The machines stand in a line (members, vitals, ledger, scheduler); a later one reads an earlier one, never the reverse.
 */
import { decodeGraph, type InputFile } from "./build/graph.ts";
import type { Command, CommandReply, CoreConfig, Effect, Input, Instant } from "./contract.ts";
import { Farewell } from "./farewell.ts";
import { takeFetched } from "./fetches.ts";
import { SwarmError } from "./kernel/errors.ts";
import { type BuildId, type Digest, incarnationCounter, type PeerId } from "./kernel/ids.ts";
import { load, save } from "./kernel/snapshot.ts";
import { parts } from "./parts.ts";
import { Releases } from "./release/releases.ts";
import { partings } from "./swarm/authority.ts";
import { Door } from "./swarm/door.ts";
import type { Gossip, LedgerUpdate, Message } from "./swarm/message.ts";
import type { SignedEntry } from "./timeline/entry.ts";
import { knownEvent } from "./timeline/events.ts";
import { Allowance } from "./work/allowance.ts";
import { Attention, isHearsay } from "./work/attention.ts";
import { Borrower } from "./work/borrower.ts";
import { Build } from "./work/build.ts";
import { CatchUp } from "./work/catch-up.ts";
import { type Claim, isOpen } from "./work/claim.ts";
import { Copies } from "./work/copies.ts";
import { Courier } from "./work/courier.ts";
import { debug } from "./work/debug.ts";
import { Desk } from "./work/desk.ts";
import { Disputer } from "./work/disputer.ts";
import { Expiry } from "./work/expiry.ts";
import { Gate } from "./work/gate.ts";
import { Granter } from "./work/granter.ts";
import { History } from "./work/history.ts";
import { Holder } from "./work/holder.ts";
import { ending, saysAny, steering } from "./work/holds.ts";
import { among, clientOf, Ledger } from "./work/ledger.ts";
import { Losses } from "./work/lost.ts";
import { operate } from "./work/operate.ts";
import { Outlook } from "./work/outlook.ts";
import { Preparer } from "./work/preparer.ts";
import { Pulse } from "./work/pulse.ts";
import { Retirement } from "./work/retirement.ts";
import { Scheduler } from "./work/scheduler.ts";
import { Sealer } from "./work/sealer.ts";
import { Stager } from "./work/stager.ts";
import { Submissions } from "./work/submit.ts";
import { survey } from "./work/survey.ts";
import { Twins } from "./work/twins.ts";
import { cannotWrite, Upkeep } from "./work/upkeep.ts";
import { Witness } from "./work/witness.ts";

/** The machines that share out work: the simulator holds others against them. */
export interface Hands {
  readonly Courier: typeof Courier;
  readonly Granter: typeof Granter;
  readonly Scheduler: typeof Scheduler;
}

export class Core {
  readonly desk: Desk;
  readonly losses: Losses;
  readonly preparer: Preparer;
  readonly granter: Granter;
  readonly expiry: Expiry;
  readonly sealer: Sealer;
  readonly holder: Holder;
  readonly gate: Gate;
  readonly outlook: Outlook;
  private readonly courier: Courier;
  private readonly twins: Twins;
  readonly copies: Copies;
  readonly scheduler: Scheduler;
  private readonly attention: Attention;
  private readonly submissions: Submissions;
  private readonly catchUp: CatchUp;
  private readonly allowance: Allowance;
  readonly borrower: Borrower;
  readonly upkeep: Upkeep;
  private readonly retirement: Retirement;
  private readonly pulse: Pulse;
  private readonly witness: Witness;
  private readonly history: History;
  readonly door: Door;
  readonly releases: Releases;
  private readonly stager: Stager;
  private readonly disputer: Disputer;
  private readonly farewell: Farewell;

  constructor(config: CoreConfig, now: Instant, hands: Hands = { Courier, Granter, Scheduler }) {
    this.desk = new Desk(config, now);
    this.losses = new Losses(this.desk);
    this.preparer = new Preparer(this.desk, this.losses);
    this.copies = new Copies(this.desk);
    this.holder = new Holder(this.desk, this.losses);
    this.gate = new Gate(this.desk, this.holder);
    this.courier = new hands.Courier(this.desk);
    this.outlook = new Outlook(this.desk);
    this.granter = new hands.Granter(this.desk, this.preparer, this.gate, this.outlook, this.courier);
    this.twins = new Twins(this.desk, this.gate, this.outlook, this.granter);
    this.expiry = new Expiry(this.desk);
    this.sealer = new Sealer(this.desk, this.losses);
    this.scheduler = new hands.Scheduler(this.desk, this.granter, this.holder, this.gate, this.outlook);
    this.attention = new Attention(this.desk, this.preparer, this.scheduler);
    this.submissions = new Submissions(this.desk);
    this.allowance = new Allowance(this.desk);
    this.pulse = new Pulse(this.desk);
    this.witness = new Witness(this.desk);
    this.borrower = new Borrower(this.desk);
    this.catchUp = new CatchUp(this.desk, this.borrower);
    this.history = new History(this.desk);
    this.door = new Door(this.desk);
    this.releases = new Releases(this.desk);
    this.retirement = new Retirement(this.desk, this.holder, this.witness, this.releases.staging);
    this.upkeep = new Upkeep(this.desk, this.borrower, this.releases.staging);
    this.stager = new Stager(this.desk, this.releases.staging, this.releases.papers);
    this.disputer = new Disputer(this.desk, this.releases.staging);
    this.farewell = new Farewell(this.desk, this.holder, this.history);
  }

  /** Takes one input at one moment; what must happen now comes back in order. */
  step(input: Input, now: Instant): Effect[] {
    const slept = this.catchUp.begin(now, this.attention.deadline());
    this.desk.begin(now);
    if (slept) this.holder.slept();
    if (input.kind !== "signed") this.begin();
    this.take(input);
    // What one step said in several builds is folded as a whole: decided between, it would be said twice, and out of order.
    if (this.desk.voice.awaitsSignatures) return this.desk.take();
    if (input.kind === "signed") this.begin();
    if (this.attention.needed) {
      this.decide();
      for (const effect of this.desk.voice.flush(now)) this.desk.emit(effect);
      this.attention.decided(this.nextDecisionMonoMs());
    }
    return this.desk.take();
  }

  private begin(): void {
    this.granter.begin();
    this.outlook.begin();
    this.expiry.begin();
    this.sealer.begin();
  }

  /** Everything this core is, so that a replay can start here. */
  save(): Uint8Array {
    return save(this, [Core, ...parts]);
  }

  /** The core that was saved; the same inputs give the same effects from here on. */
  static load(bytes: Uint8Array): Core {
    return load(bytes, [Core, ...parts]) as Core;
  }

  /** When to call `step` with a tick at the latest, monotonic milliseconds. It may be early; a needless tick does nothing. */
  deadline(): number {
    return this.attention.deadline();
  }

  private nextDecisionMonoMs(): number {
    const { pulse, expiry, holder, gate, preparer, granter, twins, scheduler } = this;
    const { sealer, submissions, copies, catchUp, upkeep, history, witness, releases } = this;
    const some = [pulse, expiry, holder, gate, preparer, granter, twins, scheduler];
    const others = [sealer, submissions, copies, catchUp, upkeep, history, witness, releases];
    return Math.min(...[...some, ...others].map((machine) => machine.deadline()));
  }

  private take(input: Input): void {
    const { desk } = this;
    if (!isHearsay(input)) this.attention.call();
    switch (input.kind) {
      case "tick":
        return;
      case "restored-entries":
        for (const entry of [...input.entries].sort((a, b) => a.entry.seq - b.entry.seq))
          this.takeTimeline(entry);
        return;
      case "restored-ledger": {
        const build = this.buildOf(input.build);
        this.takeFacts(build, among(input.entries, build.ledger.restore(input.updates)));
        return;
      }
      case "restored-archive":
        return desk.archive.restore(input.records);
      case "restored-history":
        return this.history.restore(input.history);
      case "started":
        return this.start();
      case "connected":
        desk.peers.connected(input.peer, desk.now.monoMs);
        // A newcomer is of no use to others before they know what it offers.
        this.pulse.awaken();
        this.door.warn(input.peer);
        this.catchUp.connected(input.peer);
        return;
      case "disconnected":
        desk.peers.disconnected(input.peer, desk.now.monoMs);
        // The other one may live: that both lost the way to each other is no reason to hold anyone dead.
        this.pulse.awaken();
        return;
      case "looked":
        this.releases.looked();
        return this.pulse.looked();
      case "message":
        if (desk.members.former(input.from)) return;
        desk.peers.heard(input.from, desk.now.monoMs);
        this.takeMessage(input.from, input.message);
        return;
      case "gossip":
        return this.takeGossip(input.from, input.message);
      case "signed":
        return this.takeOwn(input.entry);
      case "recalled":
        for (const entry of input.entries) this.witness.recalled(entry);
        this.witness.answered(input);
        return;
      case "sensed":
        desk.sense(input.vitals);
        return this.pulse.sometime();
      case "damaged":
        return this.upkeep.mender.damaged(input.damages);
      case "collected":
        for (const digest of input.digests) desk.forgetLocal(digest);
        return;
      case "writing":
        desk.mute = input.fails;
        return;
      case "stored":
        this.stager.stored(input.digest, input.ok);
        return this.releases.hears(input);
      case "restored-epochs":
      case "inspected":
      case "published":
        return this.releases.hears(input);
      case "blob-read":
        this.releases.read(input.digest, input.bytes);
        this.submissions.blobRead(input.digest, input.bytes);
        this.openBuilds(input.digest, input.bytes);
        return;
      case "tree-read":
        return this.takeTree(input.digest, input.files);
      case "looked-up":
        return this.preparer.lookedUp(input.keys, input.hits, input.asker);
      case "fetched":
        return takeFetched(this, input.id, input.missing, input.fetchedBytes);
      case "executed":
        return this.holder.executed(input.claim, input.outcome);
      case "command":
        return this.command(input.id, input.command);
      case "clock":
        return desk.peers.clockTold(input.peer, input.wallMs - desk.now.wallMs);
      case "presented":
      case "redeemed":
      case "asked":
      case "admitted":
        return this.door.take(input);
    }
  }

  /** Everything that is decided, decided in one place, after every input. */
  private decide(): void {
    if (this.door.membersChanged()) this.membersChanged();
    const verdict = this.witness.verdict();
    if (verdict && !this.farewell.begun) this.farewell.begin(verdict.reason, verdict.ending);
    this.door.tick();
    const parting = this.desk.members.former(this.desk.config.self)?.parting.why;
    if (parting && !this.farewell.begun) this.farewell.begin(partings[parting], parting);
    if (this.gate.look()) this.pulse.soon();
    this.pulse.tick();
    this.submissions.tick();
    this.catchUp.tick();
    this.upkeep.tick();
    this.preparer.prepare();
    this.expiry.expire();
    this.holder.pump();
    this.granter.pump();
    this.twins.pump();
    this.scheduler.pump();
    this.sealer.seal();
    this.copies.pump();
    this.history.pump();
    this.stager.pump();
    this.disputer.pump();
    this.releases.pump();
    this.forget(this.retirement.pump());
    this.farewell.pump();
  }

  private start(): void {
    const { config, chains, voice } = this.desk;
    const [last] = chains
      .heads()
      .filter((h) => h.author === config.self)
      .sort((a, b) => incarnationCounter(b.inc) - incarnationCounter(a.inc));
    const lastId = last && chains.lastId(last.author, last.inc);
    if (lastId !== undefined) voice.follow(lastId);
    this.desk.say(
      undefined,
      { kind: "node.up", name: config.name, version: config.version, folds: [1], slots: config.slots },
      { urgent: true },
    );
    this.pulse.now();
  }

  private takeMessage(from: PeerId, message: Message): void {
    if (!this.allowance.hears(from, message.kind)) return;
    switch (message.kind) {
      case "sync":
        return this.catchUp.answer(from, message);
      case "entries":
        return this.takeEntries(from, message.entries);
      case "outline":
        return this.borrower.outlined(message) ? undefined : this.takeEntries(from, message.entries);
      case "archive":
      case "want":
      case "lack":
        return this.upkeep.hears(from, message);
      case "ledger":
        return this.takeUpdate(from, message);
      case "grant":
        this.takeUpdate(from, message);
        this.scheduler.granted(message.id);
        return;
      case "deny":
        return this.scheduler.denied(message.id);
      case "ask":
        return this.granter.take(from, message);
      case "hold":
        return this.submissions.hold(from, message);
      case "held":
        return this.submissions.held(from, message.id, message.missing);
      case "seek":
        return this.preparer.sought(from, message);
      case "found":
        return this.preparer.found(from, message);
      case "survey":
        return this.desk.emit({ kind: "survey", tools: message.tools });
      case "beat":
      case "forward":
      case "astray":
        return; // the runtime hands on what is in them
    }
  }

  private takeGossip(from: PeerId, message: Gossip): void {
    if (message.kind === "vitals") {
      const { vitals } = message;
      if (!this.desk.members.has(vitals.peer)) return;
      if (vitals.peer === this.desk.config.self) {
        this.attention.call();
        return this.desk.rivals.beat(vitals.inc, vitals.beat, this.desk.now.monoMs);
      }
      const { peers, members, now } = this.desk;
      peers.beat(vitals, now.monoMs, now.wallMs);
      if (peers.wakefulness.told(vitals.awakeMs, now.monoMs, peers.beatMs(members.size)))
        this.attention.call();
      this.catchUp.compare(vitals);
      this.attention.by(this.catchUp.deadline());
      return;
    }
    if (this.desk.members.former(from)) return;
    if (message.kind === "request") {
      this.attention.call();
      return this.door.told(message.request);
    }
    // Authors gossip their own words as they say them: whoever is gossiped of lives, also where only others reach it.
    this.desk.peers.heard(from, this.desk.now.monoMs);
    if (message.kind === "ledger") this.takeUpdate(from, message);
    else this.takeEntries(from, message.entries);
  }

  /** Entries of the timeline, or of builds that ended. */
  private takeEntries(from: PeerId, came: readonly SignedEntry[]): void {
    const mended = this.upkeep.mender.takes(came);
    const entries = mended.length === 0 ? came : came.filter((entry) => !mended.includes(entry));
    for (const [id, facts] of Map.groupBy(entries, (e) => e.entry.build)) {
      if (id === undefined) for (const entry of facts) this.takeOthers(entry, from);
      const build = id === undefined || this.borrower.takes(id, facts) ? undefined : this.desk.builds.get(id);
      if (!build) continue;
      this.desk.emit({ kind: "keep", entries: facts });
      build.ranged = true;
      this.takeFacts(build, facts);
    }
  }

  private takeUpdate(from: PeerId, update: LedgerUpdate): void {
    if (this.desk.archive.has(update.build)) return void this.borrower.takes(update.build, update.entries);
    if (!this.allowance.admitsUpdate(update)) return;
    const build = this.buildOf(update.build);
    const { taken, gap, odds } = build.ledger.apply(update.update);
    if (odds)
      for (const { known, other } of build.ledger.clashes(update.update)) this.witness.heard(known, other);
    if (gap || odds) {
      this.catchUp.with(from);
      this.attention.call();
    }
    if (taken.length === 0) return;
    this.desk.wake();
    this.courier.heard(update);
    const entries = among(update.entries, taken);
    for (const entry of entries) this.allowance.took(entry);
    this.desk.emit({ kind: "keep-update", build: build.id, update: update.update, entries });
    this.takeFacts(build, entries, "ledger");
  }

  /** An own entry, signed: written, told, folded; then what waited for it. */
  private takeOwn(entry: SignedEntry): void {
    const { desk } = this;
    const { after, durable } = desk.voice.release(entry.id);
    desk.wake();
    const { build: buildId } = entry.entry;
    if (buildId === undefined) {
      desk.emit({ kind: "append", entry, durable });
      this.takeTimeline(entry);
      desk.emit({ kind: "gossip", message: { kind: "entries", entries: [entry] } });
    } else {
      const build = this.buildOf(buildId);
      const update = build.ledger.add(entry);
      desk.emit({ kind: "append", entry, update, durable });
      const carried: LedgerUpdate = { build: buildId, update, entries: [entry] };
      desk.emit({ kind: "gossip", message: { kind: "ledger", ...carried } });
      this.takeFacts(build, [entry], "ledger");
      this.courier.said(build, entry, update);
    }
    for (const effect of after) desk.emit(effect);
  }

  private takeOthers(entry: SignedEntry, from: PeerId): void {
    if (entry.entry.swarm !== this.desk.config.swarm || entry.entry.build !== undefined) return;
    if (!this.allowance.admits(entry.entry)) return;
    const { fresh, gap } = this.takeTimeline(entry);
    if (fresh) this.desk.wake();
    if (fresh) this.attention.call();
    if (fresh) this.allowance.took(entry);
    if (fresh) this.desk.emit({ kind: "keep", entries: [entry] });
    if (gap) this.catchUp.with(from);
  }

  private takeTimeline(entry: SignedEntry): { fresh: boolean; gap: boolean } {
    const { desk } = this;
    const { whole, gap, held = false, clash } = desk.chains.take(entry);
    if (clash !== undefined) this.witness.clashes(entry, clash);
    if (desk.members.consider(entry)) this.door.changed();
    for (const one of whole) {
      const e = one.entry;
      this.witness.hears(one);
      if (desk.orders.take(one).includes(desk.config.self)) this.ordered();
      const counts = desk.members.counts(one);
      for (const [index, raw] of e.events.entries()) {
        const event = knownEvent(raw);
        // A vote that was cast stands, whatever becomes of the voter: it may have made a release.
        if (event) this.releases.take(one, index, event);
        // A proof proves itself, whoever tells of it.
        if (event?.kind === "fork" && this.witness.proved(event)) this.door.changed();
        if (!counts) continue;
        if (event?.kind === "node.up") desk.peers.up(e.author, e.inc, event.slots, event.folds);
        if (event?.kind === "node.down") desk.peers.down(e.author, e.inc);
        if (event?.kind === "node.grounded") this.gate.heard(one, event);
        if (event) this.door.hears(one, event);
      }
    }
    return { fresh: whole.length > 0 || gap || held, gap };
  }

  /** A person spoke of this node: what it holds is looked at again, and others hear at once what it takes now. */
  private ordered(): void {
    this.pulse.now();
    for (const build of this.desk.builds.values()) if (build.claims) this.holder.reviewAll(build);
  }

  private takeFacts(build: Build, entries: readonly SignedEntry[], by: "ledger" | "any" = "any"): void {
    const { desk } = this;
    for (const entry of entries) this.witness.hears(entry);
    const before = build.submission;
    const touched = build.take(entries, desk.members, by);
    if (build.submission && !before) this.askGraph(build);
    this.review(build, touched, entries);
  }

  private review(build: Build, touched: readonly Claim[], entries: readonly SignedEntry[]): void {
    for (const claim of touched) {
      this.gate.noted(claim, this.expiry.saysIll(claim));
      this.expiry.touched(build, claim);
      this.history.learn(build, claim);
      if (claim.done) this.preparer.learn(build, claim);
    }
    this.copies.review(build);
    this.attention.by(this.copies.deadline());
    this.outlook.review(build, touched);
    this.twins.review(build, touched);
    this.attention.facts(build, touched, entries);
    this.holder.review(build, touched);
    const steered = saysAny(entries, steering);
    if (steered) this.scheduler.stirred();
    const broke = build.claims?.paused && touched.some((claim) => claim.fail);
    if (broke || steered) this.holder.reviewAll(build);
    if (saysAny(entries, ending)) {
      this.holder.reviewAll(build);
      this.expiry.forget();
      if (build.claims?.sealed) this.history.ended();
      this.forget(this.retirement.retire());
    }
  }

  private askGraph(build: Build): void {
    const { event } = build.submission!;
    if (event.fold !== 1) return;
    this.desk.emit({
      kind: "read-blob",
      want: { digest: event.graph, from: this.desk.preferred(event.holders) },
    });
  }

  private openBuilds(digest: Digest, bytes: Uint8Array | null): void {
    for (const build of this.desk.builds.values()) {
      if (build.claims || build.submission?.event.graph !== digest) continue;
      if (!bytes) {
        this.catchUp.graphMissing(build.id);
        continue;
      }
      try {
        const touched = build.open(decodeGraph(bytes), this.desk.estimates, this.desk.members);
        this.catchUp.graphKnown(build.id);
        this.history.opened(build, touched);
        this.review(build, touched, build.facts());
      } catch (error) {
        if (!(error instanceof SwarmError)) throw error; // a graph that is none: the build is stored, nobody works on it
      }
    }
  }

  private takeTree(digest: Digest, files: readonly InputFile[] | null): void {
    this.desk.noteTree(digest, files);
    this.preparer.treeRead(digest, files !== null);
    this.holder.treeRead(digest, files !== null);
  }

  private command(id: number, command: Command): void {
    const { desk } = this;
    this.pulse.awaken();
    const reply = (r: CommandReply) => desk.emit({ kind: "reply", id, reply: r });
    if (desk.mute && command.kind !== "stop") return reply(cannotWrite);
    switch (command.kind) {
      case "submit":
        return this.submissions.begin(id, command);
      case "debug":
        return debug(this, id, command);
      case "control":
      case "operate":
        return operate(desk, this.holder, id, command);
      case "invite":
      case "member":
        return this.door.command(id, command);
      case "survey":
        return survey(desk, id, command.tools);
      case "compact":
        return reply({ ok: true, moved: this.upkeep.retention.compact() });
      case "stop":
        this.farewell.begin(command.reason);
        return reply({ ok: true });
      default: // What is left is of releases: a kind that nobody answers does not compile.
        return this.releases.command(id, command);
    }
  }

  private membersChanged(): void {
    this.desk.begin(this.desk.now);
    this.desk.orders.refold();
    for (const build of this.desk.builds.values()) {
      const before = build.submission;
      const touched = build.refold(this.desk.members, this.desk.estimates);
      this.holder.rebind(build);
      this.expiry.forget();
      this.forget([build]);
      if (build.submission && !before) this.askGraph(build);
      this.review(build, touched.filter(isOpen), []);
      this.holder.reviewAll(build);
    }
    this.desk.emit({ kind: "members-changed" });
  }

  private buildOf(id: BuildId): Build {
    let build = this.desk.builds.get(id);
    if (!build) {
      const { self, inc } = this.desk.config;
      build = new Build(id, new Ledger(id, clientOf(self, inc)), this.desk.now.monoMs);
      for (const fork of this.desk.members.forks.all()) build.ledger.fork(fork.author, fork.inc, fork.seq);
      this.desk.builds.set(id, build);
    }
    return build;
  }

  private forget(builds: readonly Build[]): void {
    const { preparer, scheduler, attention, gate, outlook, twins, copies, disputer } = this;
    for (const machine of [preparer, scheduler, attention, gate, outlook, twins, copies, disputer])
      for (const { id } of builds) machine.forget(id);
  }
}
