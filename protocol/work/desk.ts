/** What the machines of the work floor share: who is there, which builds are live, what was learned, and the way out for events and effects. */

import type { InputFile } from "../build/graph.ts";
import type { CoreConfig, Effect, Instant, Want } from "../contract.ts";
import { type BuildId, byText, type ClaimId, type Digest, type PeerId } from "../kernel/ids.ts";
import { Random } from "../kernel/random.ts";
import type { ReleaseItem } from "../release/manifest.ts";
import { LastWords } from "../swarm/last-words.ts";
import { type Liveness, Peers } from "../swarm/liveness.ts";
import { type Member, Members } from "../swarm/members.ts";
import { Orders } from "../swarm/orders.ts";
import { Rivals, type Standing } from "../swarm/rivals.ts";
import { blindMax, type LocalVitals, type Vitals } from "../swarm/vitals.ts";
import { Chains } from "../timeline/chain.ts";
import type { Event } from "../timeline/events.ts";
import { type SayOptions, Voice } from "../voice.ts";
import { Archive } from "./archive.ts";
import type { Build } from "./build.ts";
import { Estimates } from "./estimates.ts";
import { Heat } from "./heat.ts";
import { Records } from "./records.ts";
import { Room } from "./room.ts";
import { awaited, stands } from "./standing.ts";
import { firstOf, type Weighted } from "./steward.ts";

/** Digests known to lie on the own disk: a memory, bounded; forgetting one costs a look. */
const localDigestsMax = 200_000;
/** Files of all folders together: an action takes as many folders as it likes, and needs all of them at once. */
const treeFilesMax = 300_000;

const nobody: readonly PeerId[] = [];
const nothing: readonly BuildId[] = [];

/** A blob, and who is said to hold it. */
export interface Needed {
  readonly digest: Digest;
  readonly holders: readonly PeerId[];
}

/** What nobody in reach had may be had again by then. */
const treeAgainMs = 2_000;

export class Desk {
  readonly config: CoreConfig;
  readonly random: Random;
  readonly members: Members;
  /** What people told nodes to do. */
  readonly orders: Orders;
  readonly chains = new Chains();
  /** Where a revocation would cut. */
  readonly lastWords = new LastWords();
  readonly peers: Peers;
  readonly rivals: Rivals;
  readonly estimates = new Estimates();
  /** How actions of each kind went on each node. */
  readonly records = new Records();
  readonly voice: Voice;
  /** How much this node takes now, and what it foresees of its own heat; judged by the gate. */
  readonly room: Room;
  readonly heat = new Heat();
  readonly builds = new Map<BuildId, Build>();
  /** Ended builds that are no longer kept in memory. */
  readonly archive = new Archive();
  readonly trees = new Map<Digest, readonly InputFile[]>();
  now: Instant;
  /** Actions this node has in hand; kept by the holder. */
  running = 0;
  /** Memory that they asked for; kept by the holder too. */
  reservedBytes = 0;
  stopping = false;
  /** Nothing this node says can be written now, so nothing of it is told. */
  mute = false;
  /** Whether it has heard, since its start, what the living know; before that it neither grants nor asks. */
  settled = false;
  sensed: LocalVitals | undefined;
  /** Counts up when the set of living builders changes. */
  aliveRevision = 0;
  /** Counts up when a member is found dead, or alive again. */
  livenessRevision = 0;
  private builderList: Weighted[] = [];
  /** Whoever was given the list may keep it: the next change makes another. */
  private listTaken = false;
  /** Stewards by the fold they must know, and by who is left out. */
  private readonly stewardLists = new Map<string | number, readonly Weighted[]>();
  /** Builds whose graphs this node cannot get, and what others say of themselves. */
  private readonly blind = new Set<BuildId>();
  private readonly blindSeen = new Map<PeerId, readonly BuildId[]>();
  private blindChanged = false;
  private readonly foldsSeen = new Map<PeerId, readonly number[] | undefined>();
  private readonly dead = new Set<PeerId>();
  private live: readonly Build[] = [];
  private membersRevision = -1;
  private stoppingSeen = false;
  private muteSeen = false;
  /** When the next of the living may be dead, if nothing is heard of it. */
  private lapseMonoMs = Number.NEGATIVE_INFINITY;
  /** Since when silence was judged quickly, when the living were last counted. */
  private alertSeen: number | undefined;
  private aliveList: readonly PeerId[] = [];
  private aliveSince = -1;
  private heardSince = -1;
  private seenList: Vitals[] | undefined;
  private readonly local = new Set<Digest>();
  private readonly treesAsked = new Set<Digest>();
  /** Those that nobody in reach had, and when whoever only waits for one asks again. */
  private readonly treesMissed = new Map<Digest, number>();
  private treeFiles = 0;
  private effects: Effect[] = [];
  private ownVitals: Vitals | undefined;
  private beat = 0;
  private claimCount = 0;

  constructor(config: CoreConfig, now: Instant) {
    this.config = config;
    this.now = now;
    this.random = new Random(config.seed);
    this.members = new Members(config.swarm);
    this.orders = new Orders(this.members);
    this.peers = new Peers(now.monoMs);
    this.rivals = new Rivals(config.inc);
    this.voice = new Voice(config.swarm, config.self, config.inc);
    this.room = new Room(config.slots);
  }

  /** Every step begins here: the one place where time enters and the living are counted. */
  begin(now: Instant): void {
    this.now = now;
    this.ownVitals = undefined;
    this.seenList = undefined;
    const { members, peers } = this;
    const alert = peers.wakefulness.alertSinceMonoMs(now.monoMs);
    const all =
      alert !== this.alertSeen ||
      members.revision !== this.membersRevision ||
      this.stopping !== this.stoppingSeen ||
      this.mute !== this.muteSeen ||
      this.blindChanged ||
      now.monoMs >= this.lapseMonoMs;
    let changed = false;
    if (all) {
      this.alertSeen = alert;
      this.membersRevision = members.revision;
      this.stoppingSeen = this.stopping;
      this.muteSeen = this.mute;
      this.blindChanged = false;
      this.lapseMonoMs = Number.POSITIVE_INFINITY;
      for (const member of members.all()) changed = this.count(member) || changed;
      changed = this.dismiss() || changed;
    } else
      for (const peer of peers.changed) {
        const member = members.get(peer);
        if (member) changed = this.count(member) || changed;
      }
    if (peers.changed.size > 0) peers.changed.clear();
    if (!changed) return;
    this.aliveRevision++;
    this.stewardLists.clear();
  }

  /** Something goes on: this node beats quickly for a while, and misses soon who does not. */
  wake(): void {
    const { monoMs } = this.now;
    this.peers.wakefulness.wake(monoMs, this.peers.beatMs(this.members.size));
  }

  /** A reading of this node's sensors. */
  sense(vitals: LocalVitals): void {
    this.sensed = vitals;
    this.ownVitals = undefined;
    this.seenList = undefined;
    if (vitals.temperatureCelsius !== "unknown") this.heat.reads(vitals.temperatureCelsius, this.now.monoMs);
  }

  /** How much this node takes was judged anew: what it says of itself follows. */
  judged(): void {
    this.ownVitals = undefined;
    this.seenList = undefined;
  }

  emit(effect: Effect): void {
    this.effects.push(effect);
  }

  /** What is kept of an ended build goes to the disk, where its entries lie already. */
  file(build: BuildId, record: Uint8Array): void {
    const places = [...(this.archive.get(build)?.places.values() ?? [])];
    this.emit({ kind: "archive", build, record, places });
  }

  take(): Effect[] {
    const effects = this.effects;
    this.effects = [];
    return effects;
  }

  say(build: BuildId | undefined, event: Event, options?: SayOptions): void {
    this.voice.say(build, event, this.now.monoMs, options);
  }

  /** Whether this node is the one that speaks for its identity. */
  get standing(): Standing {
    // Somebody told two stories under this very start: two copies of one running machine, or worse. Nothing it says counts.
    if (this.members.forks.has(this.config.self, this.config.inc)) return "twins";
    return this.rivals.standing(this.now.monoMs, this.peers.leaseMs(this.members.size));
  }

  /** Undefined where its build is no longer in memory, or not all heard of what it made, and as long as nothing at all is tainted. */
  stands(item: ReleaseItem): boolean | undefined {
    const build = this.members.taints.any ? this.builds.get(item.build) : undefined;
    if (!build?.claims) return undefined;
    return stands(build.claims, item) || (awaited(build, this.members) > 0 ? undefined : false);
  }

  status(peer: PeerId): Liveness {
    if (this.members.former(peer)) return "dead";
    if (peer === this.config.self) return this.stopping ? "dead" : "alive";
    return this.peers.status(peer, this.members.size, this.now.monoMs);
  }

  /** Members with slots that are not held dead. */
  builders(): readonly Weighted[] {
    this.listTaken = true;
    return this.builderList;
  }

  /** Whether a member was found dead when the living were last counted. */
  isDead(peer: PeerId): boolean {
    return this.dead.has(peer);
  }

  /** Builders heard of lately, this node among them; the same list until that changes. */
  alive(): readonly PeerId[] {
    if (this.aliveSince !== this.aliveRevision || this.heardSince !== this.peers.heardRevision) {
      this.aliveSince = this.aliveRevision;
      this.heardSince = this.peers.heardRevision;
      this.aliveList = this.builderList.map((b) => b.peer).filter((p) => this.status(p) !== "unseen");
    }
    return this.aliveList;
  }

  /** What is known of those who are alive, this node among them; of one step. */
  seen(): readonly Vitals[] {
    this.seenList ??= this.alive().flatMap((peer) => this.vitalsOf(peer) ?? []);
    return this.seenList;
  }

  /** The live member that hands out the claims of `what` (an action, or "" for the build itself). */
  stewardOf(build: BuildId, what: string): PeerId | undefined {
    return firstOf(build, what, this.stewards(build, undefined));
  }

  /** Whether this node can see what a build is made of: as long as it cannot, others hand out its work. */
  sees(build: BuildId, sees: boolean): void {
    if (this.blind.has(build) !== sees) return;
    if (sees) this.blind.delete(build);
    else this.blind.add(build);
    this.blindChanged = true;
    this.ownVitals = undefined;
    this.seenList = undefined;
  }

  /** Who takes a holder's claim back: the steward; where that is the holder himself the next in order, for nobody judges himself. */
  watcherOf(build: BuildId, what: string, holder: PeerId): PeerId | undefined {
    const steward = this.stewardOf(build, what);
    return steward === holder ? (firstOf(build, what, this.stewards(build, holder)) ?? steward) : steward;
  }

  /** Whether a member knows the fold of a build. Before it has said which it knows it is no steward anyway. */
  knowsFold(peer: PeerId, fold: number): boolean {
    return this.peers.foldsOf(peer)?.includes(fold) ?? true;
  }

  /** Builds that can be worked on, in the order this node heard of them. */
  liveBuilds(): readonly Build[] {
    let count = 0;
    let same = true;
    for (const build of this.builds.values()) if (build.live) same = this.live[count++] === build && same;
    if (!same || count !== this.live.length) this.live = [...this.builds.values()].filter((b) => b.live);
    return this.live;
  }

  newClaimId(): ClaimId {
    return `${this.config.self}.${this.config.inc}.${this.claimCount++}` as ClaimId;
  }

  /** Brings blobs here, by whatever way there is; returns what is asked of whom first. → `fetched` */
  fetch(id: string, needs: readonly Needed[]): readonly Want[] {
    const wants = needs.map(({ digest, holders }) => ({ digest, from: this.preferred(holders) }));
    this.emit({ kind: "fetch", id, wants });
    return wants;
  }

  isLocal(digest: Digest): boolean {
    return this.local.has(digest);
  }

  noteLocal(digest: Digest): void {
    if (this.local.size >= localDigestsMax) this.local.clear();
    this.local.add(digest);
  }

  forgetLocal(digest: Digest): void {
    this.local.delete(digest);
  }

  /** Asks the shell for a folder's files, once at a time. */
  askTree(digest: Digest, from: readonly PeerId[]): void {
    if (this.treesAsked.has(digest)) return;
    this.treesAsked.add(digest);
    this.emit({ kind: "read-tree", want: { digest, from: this.preferred(from) } });
  }

  /** As `askTree`, for whoever can do nothing else meanwhile, and asks at every step. */
  awaitTree(digest: Digest, from: readonly PeerId[]): void {
    if (this.now.monoMs >= (this.treesMissed.get(digest) ?? 0)) this.askTree(digest, from);
  }

  /** When the next of the missed may be asked for again. */
  treesDeadline(): number {
    let at = Number.POSITIVE_INFINITY;
    for (const again of this.treesMissed.values()) if (again > this.now.monoMs) at = Math.min(at, again);
    return at;
  }

  /** A tree that was asked for came, or there is no way to it; it may be asked for again. */
  noteTree(digest: Digest, files: readonly InputFile[] | null): void {
    const { monoMs } = this.now;
    this.treesAsked.delete(digest);
    for (const [missed, again] of this.treesMissed)
      if (missed === digest || again <= monoMs) this.treesMissed.delete(missed);
    if (!files) {
      this.treesMissed.set(digest, monoMs + treeAgainMs);
      return;
    }
    this.treeFiles += files.length + 1 - this.forgetTree(digest);
    this.trees.set(digest, files);
    for (const oldest of this.trees.keys()) {
      if (this.treeFiles <= treeFilesMax || oldest === digest) break;
      this.treeFiles -= this.forgetTree(oldest);
    }
  }

  /** What it counted for. */
  private forgetTree(digest: Digest): number {
    const files = this.trees.get(digest);
    return this.trees.delete(digest) ? files!.length + 1 : 0;
  }

  /** Those likely to hold a blob, the living first, then every other living member: somebody may have fetched it. */
  preferred(holders: readonly PeerId[]): PeerId[] {
    const living = new Set(this.alive());
    // Whoever builds nothing may hold it too, perhaps alone: its submitter may have left.
    for (const { peer } of this.members.all())
      if (!living.has(peer) && (this.status(peer) === "alive" || this.status(peer) === "suspect"))
        living.add(peer);
    const first = holders.filter((p) => living.has(p));
    for (const p of first) living.delete(p);
    return [...first, ...living].filter((p) => p !== this.config.self);
  }

  /** What is to be said of this node; undefined before the first reading of its sensors. What it knows is left out. */
  vitals(): Vitals | undefined {
    if (!this.sensed) return undefined;
    const { slots, limitedBy } = this.room;
    const { warmingCelsius } = this.heat;
    return {
      ...this.sensed,
      peer: this.config.self,
      inc: this.config.inc,
      name: this.members.nameOf(this.config.self) ?? this.config.name,
      version: this.config.version,
      beat: this.beat,
      slots,
      slotsMax: this.config.slots,
      ...(limitedBy === undefined ? {} : { limitedBy }),
      ...(warmingCelsius === undefined ? {} : { warmingCelsius }),
      running: this.running,
      labels: this.config.scheduling.labels,
      fenced: this.config.scheduling.fenced,
      policy: this.config.scheduling.policy,
      reservedBytes: this.reservedBytes,
      foreign: this.sensed.sandbox !== "none" || this.config.unsafeNoSandbox,
      ...(this.blind.size === 0 ? {} : { blind: [...this.blind].sort(byText).slice(0, blindMax) }),
      frontier: "",
      ledgers: {},
    };
  }

  /** The record this node gossips of itself, with digests of what it knows; undefined before the first reading of its sensors. */
  nextBeat(): Vitals | undefined {
    this.beat++;
    const vitals = this.vitals();
    if (!vitals) return undefined;
    const ledgers: Record<BuildId, string> = {};
    for (const build of [...this.builds.values()].sort((a, b) => byText(a.id, b.id)))
      ledgers[build.id] = build.ledger.digest();
    const wallMs = Math.max(0, Math.round(this.now.wallMs));
    const frontier = this.chains.digest();
    const told = { wallMs, awakeMs: Math.round(this.peers.wakefulness.leftMs(this.now.monoMs)) };
    // A small board lets go of what has ended before others do, and does not want it back.
    if (this.config.small) return { ...vitals, frontier, ledgers, ...told };
    return { ...vitals, frontier, ledgers, archive: this.archive.digest(), ...told };
  }

  /** The vitals a decision may use: one's own as they are, another's as last heard, but for orders it may not have heard of yet. */
  vitalsOf(peer: PeerId): Vitals | undefined {
    if (peer !== this.config.self) {
      const vitals = this.peers.vitals(peer);
      const order = this.orders.of(peer);
      return vitals && order && vitals.slots > 0 ? { ...vitals, slots: 0, limitedBy: order } : vitals;
    }
    this.ownVitals ??= this.vitals();
    return this.ownVitals && { ...this.ownVitals, running: this.running, reservedBytes: this.reservedBytes };
  }

  /** Slots of a node as a decision sees them; 0 where nothing is known of it. */
  slotsOf(peer: PeerId): number {
    if (peer === this.config.self) return this.vitalsOf(peer)?.slots ?? 0;
    const slots = this.peers.vitals(peer)?.slots ?? 0;
    return slots > 0 && this.orders.of(peer) !== undefined ? 0 : slots;
  }

  /** Builders that know a build's fold, but for one of them. The same list, until builders change: answers about a list are kept with it. */
  private stewards(build: BuildId, besides: PeerId | undefined): readonly Weighted[] {
    const fold = this.builds.get(build)?.submission?.event.fold;
    const blind = this.blindSeen.size === 0 ? nobody : this.blindIn(build);
    const plain = besides === undefined ? (fold ?? 0) : `${fold} ${besides}`;
    const key = blind.length === 0 ? plain : `${plain} ${build}`;
    let list = this.stewardLists.get(key);
    if (!list) {
      const all = this.builders();
      const may = all.filter(
        ({ peer }) =>
          peer !== besides && !blind.includes(peer) && (fold === undefined || this.knowsFold(peer, fold)),
      );
      list = may.length === all.length ? all : may;
      this.stewardLists.set(key, list);
    }
    return list;
  }

  private blindIn(build: BuildId): readonly PeerId[] {
    return [...this.blindSeen].flatMap(([peer, builds]) => (builds.includes(build) ? [peer] : []));
  }

  /** Takes those out that are members no more. Returns whether a builder was among them. */
  private dismiss(): boolean {
    const gone = [...this.foldsSeen.keys()].filter((peer) => !this.members.has(peer));
    if (gone.length === 0) return false;
    this.livenessRevision++;
    for (const peer of gone) {
      this.foldsSeen.delete(peer);
      this.blindSeen.delete(peer);
      this.dead.add(peer);
    }
    const left = this.builderList.filter(({ peer }) => this.members.has(peer));
    if (left.length === this.builderList.length) return false;
    this.builderList = left;
    return true;
  }

  /** Judges one member anew. Returns whether the list of builders, or what they may hand out, changed. */
  private count(member: Member): boolean {
    const { peer } = member;
    const folds = this.peers.foldsOf(peer);
    const learned = folds !== this.foldsSeen.get(peer);
    this.foldsSeen.set(peer, folds);
    const dead = this.status(peer) === "dead";
    const blind = peer === this.config.self ? [...this.blind] : (this.peers.vitals(peer)?.blind ?? nothing);
    const seen = this.blindSeen.get(peer) ?? nothing;
    const turned = (blind.length > 0 || seen.length > 0) && blind.join() !== seen.join();
    if (blind.length > 0) this.blindSeen.set(peer, blind);
    else this.blindSeen.delete(peer);
    const lapseMonoMs = this.peers.count(peer, dead, this.members.size, this.now.monoMs);
    if (peer !== this.config.self) this.lapseMonoMs = Math.min(this.lapseMonoMs, lapseMonoMs);
    if (dead !== this.dead.has(peer)) {
      this.livenessRevision++;
      if (dead) this.dead.add(peer);
      else this.dead.delete(peer);
    }
    const builds = !dead && member.roles.includes("builder");
    const own = peer === this.config.self;
    const mute = own ? this.mute : this.peers.muteSinceMonoMs(peer) !== undefined;
    const inc = own ? this.config.inc : this.peers.incarnationOf(peer);
    const forked = inc !== undefined && this.members.forks.has(peer, inc);
    const hands = builds && !mute && !forked && !this.peers.isTwice(peer, this.members.size, this.now.monoMs);
    const weight = !hands ? 0 : own ? this.config.slots : this.peers.slotsOf(peer);
    const place = placeOf(this.builderList, peer);
    const listed = this.builderList[place]?.peer === peer ? this.builderList[place] : undefined;
    if ((listed?.weight ?? 0) === weight) return learned || turned;
    if (this.listTaken) this.builderList = [...this.builderList];
    this.listTaken = false;
    this.builderList.splice(place, listed ? 1 : 0, ...(weight > 0 ? [{ peer, weight }] : []));
    return true;
  }
}

/** Where a peer stands, or would stand, in a list ordered by peer id. */
function placeOf(list: readonly Weighted[], peer: PeerId): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (list[middle]!.peer < peer) low = middle + 1;
    else high = middle;
  }
  return low;
}
