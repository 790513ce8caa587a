/** What this node takes the others to be doing: who holds what since when, and so when whose slots come free. */
import type { BuildId, ClaimId, PeerId } from "../kernel/ids.ts";
import type { Vitals } from "../swarm/vitals.ts";
import type { Build } from "./build.ts";
import { type Claim, isOpen } from "./claim.ts";
import type { Desk } from "./desk.ts";
import { speedOfClass } from "./estimates.ts";

/** A run that lasts longer than expected is taken to last this share of what was expected from any moment on. */
export const overdueShare = 0.25;

/** Shorter gaps between planned runs are left alone, and so many are kept of one node. */
const gapMsMin = 5;
const gapsMax = 64;
/** So many new claims are counted; who asks about them asks for few. */
const claimedMax = 1024;

interface Run {
  readonly build: BuildId;
  readonly action: number;
  readonly sinceMonoMs: number;
  /** At speed 1. */
  readonly workMs: number;
}

/** A node to plan with. Its slots are looked at when first asked for: in a large swarm a plan asks about few. */
export class Seat {
  readonly peer: PeerId;
  readonly vitals: Vitals;
  readonly speed: number;
  /** Times between what is planned for it, in which a slot is free. */
  readonly gaps: { readonly fromMs: number; readonly toMs: number }[] = [];
  /** How long nothing was seen of it that changes what it holds. */
  readonly quietMs: number;
  private readonly look: () => number[];
  private slots: number[] | undefined;

  constructor(peer: PeerId, vitals: Vitals, speed: number, quietMs: number, look: () => number[]) {
    this.peer = peer;
    this.vitals = vitals;
    this.speed = speed;
    this.quietMs = quietMs;
    this.look = look;
  }

  /** When its slots come free, milliseconds from now, soonest first; planning changes it. */
  get freeMs(): number[] {
    this.slots ??= this.look();
    return this.slots;
  }
}

/** What is known of the slots of one node, kept until news change it: plans look at all nodes, and at few of them twice. */
export interface Post {
  readonly peer: PeerId;
  /** Counts the posts of one outlook. */
  readonly at: number;
  /** What it has in hands, in the order in which it was claimed. */
  readonly runs: Map<ClaimId, Run>;
  changedMonoMs: number;
  speed: number;
  /** What was learned of speeds when this one was looked at. */
  speedRevision: number;
  /** When the first of its runs should end, all of them taken to have begun; NaN: not reckoned. */
  soonestMonoMs: number;
}

/** Builders that count as equally fast. */
export interface SpeedClass {
  readonly speed: number;
  readonly posts: readonly Post[];
  /** Their numbers. */
  readonly places: Int32Array;
}

export class Outlook {
  private readonly desk: Desk;
  private found: readonly SpeedClass[] = [];
  private classesOf: readonly PeerId[] | undefined;
  private classRevision = -1;
  private living: ReadonlySet<PeerId> = new Set();
  private readonly posts = new Map<PeerId, Post>();
  /** By the number of its post: slots of a node that nothing is known to be in, as slots were at that revision. */
  private open = new Int32Array(0);
  private openRevision = -1;
  private openCount = 0;
  /** The longest of what is to be done next at speed 1, per build, and what it was found by. */
  private readonly longest = new Map<
    BuildId,
    { readonly journal: number; readonly revision: number; readonly ms: number }
  >();
  /** Claims of others in the order in which they were seen; the old ones are dropped when this is asked about. */
  private readonly claimed: {
    readonly holder: PeerId;
    readonly claim: ClaimId;
    readonly sinceMonoMs: number;
  }[] = [];
  /** Promised in this step, or asked for: not yet claimed. */
  private readonly promises = new Map<PeerId, number[]>();

  constructor(desk: Desk) {
    this.desk = desk;
  }

  /** A step begins: what was promised in the last one is folded. */
  begin(): void {
    if (this.promises.size > 0) this.promises.clear();
  }

  /** Claims that are new, or about which something new is known. */
  review(build: Build, touched: readonly Claim[]): void {
    const { now, estimates } = this.desk;
    for (const claim of touched) {
      const { holder, id, action } = claim;
      if (!isOpen(claim) || !build.live) {
        const post = this.posts.get(holder);
        if (post?.runs.delete(id)) {
          this.open[post.at]!++;
          changed(post, now.monoMs);
        }
        continue;
      }
      const post = this.postOf(holder);
      if (post.runs.has(id)) continue;
      const workMs = estimates.of(build.graph!.name, build.claims!.action(action));
      if (holder !== this.desk.config.self) {
        if (this.claimed.length >= claimedMax) this.claimed.shift();
        this.claimed.push({ holder, claim: id, sinceMonoMs: now.monoMs });
      }
      post.runs.set(id, { build: build.id, action, sinceMonoMs: now.monoMs, workMs });
      this.open[post.at]!--;
      changed(post, now.monoMs);
    }
  }

  /** The build has ended, was folded anew, or dropped. */
  forget(build: BuildId): void {
    this.longest.delete(build);
    for (const post of this.posts.values())
      for (const [id, run] of post.runs)
        if (run.build === build) {
          post.runs.delete(id);
          this.open[post.at]!++;
          post.soonestMonoMs = Number.NaN;
        }
  }

  promise(peer: PeerId, workMs: number): void {
    const promised = this.promises.get(peer);
    if (promised) promised.push(workMs);
    else this.promises.set(peer, [workMs]);
  }

  /** Since when a claim is open, as far as this node saw, monotonic milliseconds. */
  sinceMonoMs(holder: PeerId, claim: ClaimId): number | undefined {
    return this.posts.get(holder)?.runs.get(claim)?.sinceMonoMs;
  }

  /** Whether a claim is among those a node should be running: the first of them, as many as it has slots. */
  runs(holder: PeerId, claim: ClaimId): boolean {
    let left = this.desk.vitalsOf(holder)?.slots ?? 0;
    for (const id of this.posts.get(holder)?.runs.keys() ?? []) {
      if (left-- <= 0) return false;
      if (id === claim) return true;
    }
    return false;
  }

  /** When an action that is in hands should end, milliseconds from now; Infinity when nobody can say. */
  endMs(build: Build, action: number): number {
    const { now, estimates } = this.desk;
    let endMs = Number.POSITIVE_INFINITY;
    for (const claim of build.claims!.claimsOf(action)) {
      const run = this.posts.get(claim.holder)?.runs.get(claim.id);
      if (!run) continue;
      const speed = estimates.speedOf(claim.holder);
      const leftMs = run.sinceMonoMs + run.workMs / speed - now.monoMs;
      const graceMs = (overdueShare * run.workMs) / speed;
      // Of what is long overdue nobody knows when it ends: nothing is kept free for what comes after it.
      if (leftMs > -graceMs) endMs = Math.min(endMs, leftMs > 0 ? leftMs : graceMs);
    }
    return endMs;
  }

  /** How many claims of others were first seen within the last `ms`: about as many are under way. */
  claimedWithin(ms: number): number {
    const fromMonoMs = this.desk.now.monoMs - ms;
    let old = 0;
    while (old < this.claimed.length && this.claimed[old]!.sinceMonoMs <= fromMonoMs) old++;
    if (old > 0) this.claimed.splice(0, old);
    let count = 0;
    for (const { holder, claim } of this.claimed) if (this.posts.get(holder)?.runs.has(claim)) count++;
    return count;
  }

  /** Living builders, the fastest first, those of about one speed together; in one order on all nodes: among equals the place in it decides. */
  classes(): readonly SpeedClass[] {
    const { desk } = this;
    const { estimates } = desk;
    const alive = desk.alive();
    if (this.classesOf !== alive || this.classRevision !== estimates.classRevision) {
      if (this.classesOf !== alive) this.living = new Set(alive);
      this.classesOf = alive;
      this.classRevision = estimates.classRevision;
      const found = new Map<number, Post[]>();
      for (const peer of alive) {
        const at = estimates.speedClassOf(peer);
        const posts = found.get(at);
        if (posts) posts.push(this.postOf(peer));
        else found.set(at, [this.postOf(peer)]);
      }
      this.found = [...found]
        .sort(([x], [y]) => y - x)
        .map(([at, posts]) => ({
          speed: speedOfClass(at),
          posts,
          places: Int32Array.from(posts, (post) => post.at),
        }));
    }
    return this.found;
  }

  /** Living builders that seem to have a slot free, in the order of `classes`: others surely have none. This node is not among them. */
  idle(): Post[] {
    const classes = this.classes();
    this.countOpen();
    const idle: Post[] = [];
    for (const { posts, places } of classes)
      for (let i = 0; i < places.length; i++)
        if (this.open[places[i]!]! > 0 && posts[i]!.peer !== this.desk.config.self) idle.push(posts[i]!);
    return idle;
  }

  private countOpen(): void {
    const { desk, posts } = this;
    const revision = desk.peers.slotsRevision + desk.orders.revision; // each only counts up
    if (revision === this.openRevision && posts.size === this.openCount) return;
    this.openRevision = revision;
    this.openCount = posts.size;
    if (posts.size > this.open.length) this.open = new Int32Array(2 * posts.size);
    for (const { peer, at, runs } of posts.values()) this.open[at] = desk.slotsOf(peer) - runs.size;
  }

  /** Whether a node is among the living builders. */
  builds(peer: PeerId): boolean {
    this.classes();
    return this.living.has(peer);
  }

  /** Living builders with their slots; each call makes new ones, to plan with. */
  seats(): Seat[] {
    const seats: Seat[] = [];
    for (const peer of this.desk.alive()) {
      const seat = this.seat(peer);
      if (seat) seats.push(seat);
    }
    return seats;
  }

  /** A node to plan with; undefined when it takes nothing now, or nothing is known of it. */
  seat(peer: PeerId): Seat | undefined {
    const vitals = this.desk.vitalsOf(peer);
    if (!vitals || vitals.slots === 0) return undefined;
    const post = this.postOf(peer);
    const speed = this.speedOf(post);
    return new Seat(peer, vitals, speed, this.quietMs(post), () => this.slotsOf(post, vitals.slots, speed));
  }

  /** How long nothing was seen of a node that changes what it holds. */
  quietMs(post: Post): number {
    return this.desk.now.monoMs - post.changedMonoMs;
  }

  speedOf(post: Post): number {
    const { estimates } = this.desk;
    if (post.speedRevision !== estimates.revision) {
      post.speedRevision = estimates.revision;
      const speed = estimates.speedOf(post.peer);
      if (speed !== post.speed) post.soonestMonoMs = Number.NaN;
      post.speed = speed;
    }
    return post.speed;
  }

  /** When the first of so many slots of a node comes free, milliseconds from now: what `freeMs` of its seat would begin with. */
  soonestMs(post: Post, slots: number): number {
    const { runs, peer } = post;
    const free = runs.size < slots;
    if (this.promises.size > 0 && this.promises.has(peer))
      return this.slotsOf(post, slots, this.speedOf(post))[0]!;
    if (free) return 0;
    const speed = this.speedOf(post);
    if (runs.size > slots) return this.slotsOf(post, slots, speed)[0]!;
    if (Number.isNaN(post.soonestMonoMs)) {
      post.soonestMonoMs = Number.POSITIVE_INFINITY;
      for (const run of runs.values())
        post.soonestMonoMs = Math.min(post.soonestMonoMs, run.sinceMonoMs + run.workMs / speed);
    }
    const leftMs = post.soonestMonoMs - this.desk.now.monoMs;
    return leftMs > 0 ? leftMs : this.slotsOf(post, slots, speed)[0]!;
  }

  /** The longest of the next so many actions that are to be done, at speed 1. */
  longestMs(build: Build, count: number): number {
    const { estimates } = this.desk;
    const claims = build.claims!;
    const journal = claims.actions.journal.length;
    const known = this.longest.get(build.id);
    if (known?.journal === journal && known.revision === estimates.revision) return known.ms;
    let ms = 0;
    let left = count;
    for (const index of claims.actions.ahead()) {
      if (left-- === 0) break;
      ms = Math.max(ms, estimates.of(build.graph!.name, claims.action(index)));
    }
    this.longest.set(build.id, { journal, revision: estimates.revision, ms });
    return ms;
  }

  /** How many posts there are. */
  get count(): number {
    return this.posts.size;
  }

  /** What is known of a node; nothing as yet, perhaps. */
  postOf(peer: PeerId): Post {
    let post = this.posts.get(peer);
    if (!post) {
      post = {
        peer,
        at: this.posts.size,
        runs: new Map(),
        changedMonoMs: Number.NEGATIVE_INFINITY,
        speed: 1,
        speedRevision: -1,
        soonestMonoMs: Number.NaN,
      };
      this.posts.set(peer, post);
    }
    return post;
  }

  /** When a node's slots come free, milliseconds from now, soonest first. */
  private slotsOf({ peer, runs }: Post, slots: number, speed: number): number[] {
    const nowMonoMs = this.desk.now.monoMs;
    const freeMs: number[] = [];
    const behind: number[] = [];
    for (const run of runs.values()) {
      const expectedMs = run.workMs / speed;
      // Claims come in the order in which they are begun: those beyond the slots wait for the first to end.
      if (freeMs.length >= slots) behind.push(expectedMs);
      else {
        const leftMs = run.sinceMonoMs + expectedMs - nowMonoMs;
        freeMs.push(leftMs > 0 ? leftMs : overdueShare * expectedMs);
      }
    }
    while (freeMs.length < slots) freeMs.push(0);
    freeMs.sort(ascending);
    for (const ms of behind) occupy(freeMs, ms);
    for (const workMs of this.promises.get(peer) ?? none) occupy(freeMs, workMs / speed);
    return freeMs;
  }
}

/** What a node holds is another from that moment on. */
function changed(post: Post, monoMs: number): void {
  post.changedMonoMs = monoMs;
  post.soonestMonoMs = Number.NaN;
}

const none: readonly never[] = [];
const ascending = (a: number, b: number): number => a - b;

/** The nodes of one plan, each made when something may be placed there. */
export class Seats {
  private readonly outlook: Outlook;
  private readonly desk: Desk;
  /** By the number of their post; null: takes nothing now. A plan looks at most nodes again and again. */
  private readonly made: (Seat | null | undefined)[];
  /** By the number of their post; NaN: not reckoned. */
  private readonly soonest: Float64Array;
  private readonly quietMs: number;

  /** `quietMs`: a slot of a node is taken to be free no sooner than so long after its last news. */
  constructor(outlook: Outlook, desk: Desk, quietMs = 0) {
    this.outlook = outlook;
    this.desk = desk;
    this.quietMs = quietMs;
    this.made = new Array(outlook.count);
    this.soonest = new Float64Array(outlook.count).fill(Number.NaN);
  }

  /** The seat of one who lives and builds; undefined for others. */
  of(peer: PeerId): Seat | undefined {
    const post = this.outlook.postOf(peer);
    return this.made[post.at] ?? (this.outlook.builds(peer) ? this.from(post) : undefined);
  }

  /** The seat of a living builder; undefined when it takes nothing now. */
  from({ peer, at }: Post): Seat | undefined {
    const known = this.made[at];
    if (known !== undefined) return known ?? undefined;
    const seat = this.outlook.seat(peer);
    if (seat) this.doubt(seat);
    this.made[at] = seat ?? null;
    return seat;
  }

  /** In place of what would be found. */
  put(seat: Seat): void {
    this.made[this.outlook.postOf(seat.peer).at] = seat;
  }

  /** The seat of a post where one was made, or put, for this plan. */
  at(post: Post): Seat | undefined {
    return this.made[post.at] ?? undefined;
  }

  /** When the first slot of a living builder without a seat comes free, milliseconds from now; Infinity when it takes nothing now. */
  soonestMs(post: Post): number {
    const known = this.soonest[post.at];
    if (known !== undefined && !Number.isNaN(known)) return known;
    const soonestMs = this.findSoonestMs(post);
    this.soonest[post.at] = soonestMs;
    return soonestMs;
  }

  /** Whether a living builder without a seat has a slot free now. */
  isFree(post: Post): boolean {
    return post.runs.size < this.desk.slotsOf(post.peer) && this.soonestMs(post) <= 0;
  }

  private findSoonestMs(post: Post): number {
    const slots = this.desk.slotsOf(post.peer);
    if (slots === 0) return Number.POSITIVE_INFINITY;
    const soonestMs = this.outlook.soonestMs(post, slots);
    return this.quietMs === 0 ? soonestMs : Math.max(soonestMs, this.quietMs - this.outlook.quietMs(post));
  }

  /** Who has just ended something has perhaps asked for more: that is not known yet. */
  private doubt({ quietMs, freeMs }: Seat): void {
    const leftMs = this.quietMs - quietMs;
    if (leftMs > 0) for (let i = 0; i < freeMs.length; i++) freeMs[i] = Math.max(freeMs[i]!, leftMs);
  }
}

/** The slot that is free first takes something that lasts `ms`. */
export function occupy(freeMs: number[], ms: number): void {
  insert(freeMs, (freeMs.shift() ?? 0) + ms);
}

/** When a seat could begin something that lasts so long, no sooner than `readyMs`. */
export function earliest(seat: Seat, readyMs: number, lastsMs: number): number {
  let best = Math.max(readyMs, seat.freeMs[0]!);
  if (best === readyMs) return best;
  for (const { fromMs, toMs } of seat.gaps) {
    const startMs = Math.max(fromMs, readyMs);
    if (startMs < best && startMs + lastsMs <= toMs) best = startMs;
  }
  return best;
}

/** Whether nothing that is placed later could begin on the seat within `ms`. */
export const isTaken = (seat: Seat, ms: number): boolean =>
  seat.freeMs[0]! > ms && !seat.gaps.some((gap) => gap.fromMs <= ms);

/** A slot of the seat is taken from `startMs` to `endMs`, as `earliest` said. */
export function take(seat: Seat, startMs: number, endMs: number): void {
  const { freeMs, gaps } = seat;
  // The slot that has been free the shortest: the others stay open for what could begin sooner.
  let slot = freeMs.length - 1;
  while (slot >= 0 && freeMs[slot]! > startMs) slot--;
  if (slot >= 0) {
    const fromMs = freeMs[slot]!;
    freeMs.splice(slot, 1);
    insert(freeMs, endMs);
    if (startMs - fromMs > gapMsMin && gaps.length < gapsMax) gaps.push({ fromMs, toMs: startMs });
    return;
  }
  const at = gaps.findIndex((g) => g.fromMs <= startMs && g.toMs >= endMs);
  const gap = gaps[at]!;
  gaps.splice(at, 1);
  if (startMs - gap.fromMs > gapMsMin) gaps.push({ fromMs: gap.fromMs, toMs: startMs });
  if (gap.toMs - endMs > gapMsMin) gaps.push({ fromMs: endMs, toMs: gap.toMs });
}

function insert(sorted: number[], value: number): void {
  let at = sorted.length;
  while (at > 0 && sorted[at - 1]! > value) at--;
  sorted.splice(at, 0, value);
}
