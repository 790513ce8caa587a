/**
 * A host's disk: the EventStore whose writes take time, whose unsynced tail a power cut may take or tear, that may be full, fail, or
 * rot. It outlives the processes that open it.
 */
import { sha256Hex } from "../protocol/kernel/digest.ts";
import { type BuildId, byText, chainOf, type Digest } from "../protocol/kernel/ids.ts";
import type { Random } from "../protocol/kernel/random.ts";
import type { EventBatch, EventStore, Restored } from "../protocol/ports.ts";
import type { SignedEntry } from "../protocol/timeline/entry.ts";
import type { ActionResult, Made } from "../protocol/timeline/events.ts";
import type { Damage } from "../protocol/timeline/places.ts";
import type { Ending, Process } from "./process.ts";
import type { World } from "./world.ts";

export interface DiskOptions {
  /** Until a write is with the operating system. */
  readonly writeMs?: number;
  /** What an fsync takes on top. */
  readonly syncMs?: number;
  readonly readMs?: number;
  /** Entries and updates beyond this are refused as `disk-full`. */
  readonly maxBytes?: number;
}

type Learnt = { readonly key: Digest; readonly result: ActionResult; readonly made: Made };
/** What lands as one: a batch of events, or a result for the cache. */
type Write = { readonly batch: EventBatch } | { readonly remembered: Learnt };

/** By their writes, which many disks share. */
const sizes = new WeakMap<Write, number>();

function bytesOf(write: Write): number {
  if ("remembered" in write) return 0;
  let bytes = sizes.get(write);
  if (bytes === undefined) {
    bytes = sizeOf(write.batch);
    sizes.set(write, bytes);
  }
  return bytes;
}

const sizeOf = (batch: EventBatch): number =>
  batch.entries.reduce((sum, e) => sum + e.bytes.length, 0) +
  batch.updates.reduce((sum, u) => sum + u.update.length, 0) +
  (batch.archived ?? []).reduce((sum, a) => sum + a.record.length, 0) +
  (batch.history?.length ?? 0);

/** Records a write consists of on the medium; only all of them together count. */
const recordsOf = (write: Write): number =>
  "remembered" in write
    ? 1
    : Math.max(
        1,
        write.batch.entries.length +
          write.batch.updates.length +
          write.batch.dropped.length +
          (write.batch.archived?.length ?? 0) +
          (write.batch.history ? 1 : 0),
      );

/** A disk as it was at one moment. */
export interface DiskImage {
  readonly writes: readonly Write[];
}

/** What the events among the writes amount to; made when somebody reads it: most disks are only written. */
class Contents {
  readonly chains = new Map<string, Map<number, SignedEntry>>();
  readonly updates = new Map<BuildId, Uint8Array[]>();
  readonly archived = new Map<BuildId, Uint8Array>();
  history: Uint8Array | undefined;
  /** So many writes are in here. */
  folded = 0;

  /** `rotten`: records of the write that are not what was written, and count for nothing. */
  apply(write: Write, rotten?: ReadonlySet<unknown>): void {
    this.folded++;
    if ("remembered" in write) return;
    for (const signed of write.batch.entries) {
      if (rotten?.has(signed)) continue;
      const chain = chainOf(signed.entry.author, signed.entry.inc);
      const entries = this.chains.get(chain) ?? new Map<number, SignedEntry>();
      this.chains.set(chain, entries);
      if (!entries.has(signed.entry.seq)) entries.set(signed.entry.seq, signed);
    }
    for (const { build, update } of write.batch.updates) {
      if (rotten?.has(update)) continue;
      const updates = this.updates.get(build);
      if (updates) updates.push(update);
      else this.updates.set(build, [update]);
    }
    for (const build of write.batch.dropped) this.updates.delete(build);
    for (const { build, record } of write.batch.archived ?? [])
      if (rotten?.has(record)) this.archived.delete(build);
      else this.archived.set(build, record);
    for (const { build, places, record } of write.batch.forgotten ?? []) {
      if (record) this.archived.set(build, record);
      else this.archived.delete(build);
      for (const { author, inc, runs } of places) {
        const chain = this.chains.get(chainOf(author, inc));
        for (let at = 0; chain && at < runs.length; at += 2)
          for (let seq = runs[at]!; seq <= runs[at + 1]!; seq++)
            if (chain.get(seq)?.entry.build === build) chain.delete(seq);
      }
    }
    const { history } = write.batch;
    if (history) this.history = rotten?.has(history) ? undefined : history;
  }
}

/** How much room the writes take, and the results among them: both are asked for all the time. */
class Index {
  readonly results = new Map<Digest, Results>();
  bytes = 0;
  private historyBytes = 0;
  private readonly updateBytes = new Map<BuildId, number>();
  private readonly recordBytes = new Map<BuildId, number>();

  add(write: Write): void {
    this.bytes += bytesOf(write);
    if ("remembered" in write) {
      this.learn(write.remembered);
      return;
    }
    const { updates, dropped, archived = [], history } = write.batch;
    for (const { build, record } of archived) {
      this.bytes -= this.recordBytes.get(build) ?? 0;
      this.recordBytes.set(build, record.length);
    }
    for (const { build, update } of updates)
      this.updateBytes.set(build, (this.updateBytes.get(build) ?? 0) + update.length);
    for (const build of dropped) {
      this.bytes -= this.updateBytes.get(build) ?? 0;
      this.updateBytes.delete(build);
    }
    if (history) {
      this.bytes -= this.historyBytes;
      this.historyBytes = history.length;
    }
  }

  private learn(learnt: Learnt): void {
    const { key, result, made } = learnt;
    const known = this.results.get(key);
    if (!known) return void this.results.set(key, firstOf(learnt));
    const same = known.find((k) => sameOutputs(k.result, result));
    const nth = same?.made.findIndex((m) => m.by === made.by) ?? -1;
    if (!same) this.results.set(key, [...known, { result, made: [made] }]);
    else if (nth < 0 || !same.made[nth]!.at) {
      const makers = nth < 0 ? [...same.made, made] : same.made.with(nth, made);
      this.results.set(
        key,
        known.map((k) => (k === same ? { result: k.result, made: makers } : k)),
      );
    }
  }
}

const damageOf = ({ entry: { author, inc, seq, build } }: SignedEntry): Damage => ({
  author,
  inc,
  fromSeq: seq,
  toSeq: seq,
  shelf: build === undefined ? "timeline" : "builds",
  ...(build === undefined ? {} : { build }),
});

/** Results of one key; they never change, others take their place. */
type Results = readonly { readonly result: ActionResult; readonly made: readonly Made[] }[];

/** By who made a result: all hosts learn the same of it, and each disk holds what all hold. */
const learnts = new WeakMap<Made, Learnt>();
const firsts = new WeakMap<Learnt, Results>();

function learntOf(key: Digest, result: ActionResult, made: Made): Learnt {
  const known = learnts.get(made);
  if (known?.key === key && known.result === result) return known;
  const learnt = { key, result, made };
  learnts.set(made, learnt);
  return learnt;
}

function firstOf(learnt: Learnt): Results {
  let first = firsts.get(learnt);
  if (!first) {
    first = [{ result: learnt.result, made: [learnt.made] }];
    firsts.set(learnt, first);
  }
  return first;
}

/** A write of a result for the cache; all disks share those of one. */
const rememberings = new WeakMap<Learnt, Write>();

function rememberingOf(learnt: Learnt): Write {
  let write = rememberings.get(learnt);
  if (!write) {
    write = { remembered: learnt };
    rememberings.set(learnt, write);
  }
  return write;
}

const sameOutputs = (a: ActionResult, b: ActionResult): boolean => {
  if (a === b) return true;
  const text = (r: ActionResult): string =>
    r.outputs
      .map((o) => `${o.path} ${o.digest} ${o.executable === true}`)
      .sort(byText)
      .join("\n");
  return text(a) === text(b);
};

/** A write on its way. */
interface Pending {
  readonly write: Write;
  readonly bytes: number;
  readonly landMs: number;
  readonly durable: boolean;
}

/** Writes of what others said, by the update they bring: most hosts keep the same. A disk holds each once. */
const kept = new WeakMap<Uint8Array, Write>();

/** A write of a batch; of one that only keeps what somebody said, the one all disks share. */
function writeOf(batch: EventBatch): Write {
  const { update } = batch.updates[0] ?? {};
  if (!batch.quiet || update === undefined || batch.updates.length > 1) return { batch };
  const known = kept.get(update);
  if (known && "batch" in known && known.batch.entries === batch.entries) return known;
  const write = { batch };
  kept.set(update, write);
  return write;
}

export class Disk {
  private readonly world: World;
  private readonly name: string;
  private readonly random: Random;
  private readonly options: Required<DiskOptions>;
  /** Writes in the order they landed; those before `synced` survive a power cut. */
  private landed: Write[] = [];
  private synced = 0;
  /** Hears of events that are on this disk, whatever becomes of who wrote them; those before `told` were told. */
  onLanded: ((entries: readonly SignedEntry[]) => void) | undefined;
  private told = 0;
  /** Handed over, in the order they land; those that nobody waits for land once somebody looks. */
  private pending: Pending[] = [];
  /** Entries and updates that are no longer what was written, by the write that brought them. */
  private readonly rotten = new Map<Write, Set<unknown>>();
  /** Those among the rotten entries that nobody was told of. */
  private untold: SignedEntry[] = [];
  /** Hears of them, while it lives. */
  private watcher: ((damages: readonly Damage[]) => void) | undefined;
  /** Rotten records that nobody has read yet. */
  private unnoticed = 0;
  /** Of all that is pending. */
  private pendingBytes = 0;
  private folded = new Contents();
  private index = new Index();
  private lastLandMs = 0;
  private maxBytes: number;
  private readonly failing = new Set<"write" | "read">();
  /** The name of the log of votes; another one once some of it may be forgotten. */
  voteLog: string;
  private logs = 0;
  /** Rotten records that were noticed and left out, and batches of which a power cut left only a part. */
  refused = 0;
  torn = 0;

  constructor(world: World, name: string, options: DiskOptions = {}) {
    this.world = world;
    this.random = world.randomFor(`disk of ${name}`);
    this.name = name;
    this.voteLog = this.drawLog();
    this.options = { writeMs: 0.2, syncMs: 2, readMs: 0.5, maxBytes: Number.POSITIVE_INFINITY, ...options };
    this.maxBytes = this.options.maxBytes;
  }

  get usedBytes(): number {
    this.settle();
    return this.index.bytes;
  }

  /** Shrinks or grows the room there is. */
  resize(maxBytes: number): void {
    this.maxBytes = maxBytes;
  }

  /** Something else takes all the room that is left, or leaves it again. */
  fill(full: boolean): void {
    this.settle();
    this.maxBytes = full ? this.index.bytes : this.options.maxBytes;
  }

  /** Whether writes, or reads, end in an I/O error. */
  fail(what: "write" | "read", failing: boolean): void {
    if (failing) this.failing.add(what);
    else this.failing.delete(what);
  }

  /** A share of what is stored is no longer what was written; says how many records. */
  rot(share: number): number {
    this.settle();
    const before = this.unnoticed;
    for (const write of this.landed) {
      if ("remembered" in write) continue;
      const bad = this.rotten.get(write) ?? new Set();
      const { entries, updates, archived = [], history } = write.batch;
      for (const record of [
        ...entries,
        ...updates.map((u) => u.update),
        ...archived.map((a) => a.record),
        ...(history ? [history] : []),
      ]) {
        if (bad.has(record) || this.random.float() >= share) continue;
        this.rotten.set(write, bad.add(record));
        this.unnoticed++;
        if (typeof record === "object" && "entry" in record) this.untold.push(record);
      }
    }
    return this.unnoticed - before;
  }

  /** Everything that landed so far, as a backup takes it. */
  image(): DiskImage {
    this.settle();
    return { writes: [...this.landed] };
  }

  /** The disk is what it was, and nothing else; only while no process has it open. */
  setBack(image: DiskImage): void {
    this.voteLog = this.drawLog();
    this.landed = [...image.writes];
    this.synced = this.landed.length;
    this.told = this.landed.length;
    this.pending = [];
    this.pendingBytes = 0;
    this.rotten.clear();
    this.untold = [];
    this.unnoticed = 0;
    this.refold();
  }

  /** Writes without a process: what an operator put there before the first start. */
  prepare(entries: readonly SignedEntry[], history?: Uint8Array): void {
    const write = { batch: { entries, updates: [], dropped: [], history, durable: true } };
    this.landed.push(write);
    this.index.add(write);
    this.synced = this.landed.length;
  }

  /** The port of one process, which takes the disk's tail with it when it dies. */
  port(process: Process): EventStore & { restore(): Restored } {
    process.onEnd((ending) => {
      this.watcher = undefined;
      this.crash(ending);
    });
    return {
      watch: (hear) => {
        this.watcher = (damages) => process.after(0, () => hear(damages));
        this.tellDamage();
      },
      write: (batch, done) => this.write(process, batch, done),
      range: (author, inc, fromSeq, toSeq, done) =>
        process.after(this.options.readMs, () => {
          if (this.failing.has("read")) return done([]);
          this.settle();
          this.verify();
          const chain = this.contents.chains.get(chainOf(author, inc));
          const seqs = [...(chain?.keys() ?? [])].filter((seq) => seq >= fromSeq && seq <= toSeq);
          done(seqs.sort((a, b) => a - b).map((seq) => chain!.get(seq)!));
        }),
      results: (key, done) =>
        process.after(this.options.readMs, () => {
          if (this.failing.has("read")) return done([]);
          this.settle();
          const known = this.index.results.get(key) ?? [];
          done(known.map(({ result, made }) => ({ result, made: [...made] })));
        }),
      remember: (key, result, made) => this.queue(process, rememberingOf(learntOf(key, result, made)), false),
      restore: () => this.restore(),
    };
  }

  private write(process: Process, batch: EventBatch, done: Parameters<EventStore["write"]>[1]): void {
    const write = writeOf(batch);
    if (this.failing.has("write")) {
      process.after(this.options.writeMs, () => done({ code: "home-invalid", message: "EIO: i/o error" }));
      return;
    }
    this.settle();
    if (this.index.bytes + this.pendingBytes + bytesOf(write) > this.maxBytes) {
      process.after(this.options.writeMs, () => done({ code: "disk-full", message: "the disk is full" }));
      return;
    }
    this.queue(process, write, batch.durable, batch.quiet ? undefined : () => done());
  }

  private queue(process: Process, write: Write, durable: boolean, landed?: () => void): void {
    const takesMs = this.options.writeMs + (durable ? this.options.syncMs : 0);
    this.lastLandMs = Math.max(this.lastLandMs, this.world.nowMs + takesMs);
    const pending: Pending = { write, bytes: bytesOf(write), landMs: this.lastLandMs, durable };
    this.pending.push(pending);
    this.pendingBytes += pending.bytes;
    if (!landed) return;
    this.world.at(pending.landMs, () => {
      // No longer there: it has landed already, or a crash took it, and with it whoever waits.
      this.landFirst(this.pending.indexOf(pending) + 1);
      process.enter(landed);
    });
  }

  /** What is due by now lands. */
  private settle(): void {
    let due = 0;
    while (due < this.pending.length && this.pending[due]!.landMs <= this.world.nowMs) due++;
    this.landFirst(due);
  }

  private landFirst(count: number): void {
    if (count === 0) return;
    for (const { write, bytes, durable } of this.pending.splice(0, count)) {
      this.land(write);
      this.pendingBytes -= bytes;
      if (durable) this.synced = this.landed.length;
    }
    this.tell();
  }

  private tell(): void {
    const fresh = this.landed.slice(this.told);
    this.told = this.landed.length;
    for (const write of fresh) if ("batch" in write) this.onLanded?.(write.batch.entries);
  }

  private land(write: Write): void {
    this.landed.push(write);
    this.index.add(write);
  }

  private crash(ending: Ending): void {
    this.settle();
    // The operating system may have taken some of what was on its way.
    const taken = ending === "stop" ? this.pending.length : this.random.below(this.pending.length + 1);
    for (const { write } of this.pending.slice(0, taken)) this.land(write);
    this.pending = [];
    this.pendingBytes = 0;
    if (ending === "power") this.cutTail();
    this.tell();
  }

  /** The medium holds the records up to some moment after the last sync; a batch of which it holds a part is none. */
  private cutTail(): void {
    const tail = this.landed.slice(this.synced);
    let left = this.random.below(tail.reduce((sum, w) => sum + recordsOf(w), 0) + 1);
    let kept = this.synced;
    for (const write of tail) {
      if (left < recordsOf(write)) break;
      left -= recordsOf(write);
      kept++;
    }
    if (left > 0) this.torn++;
    this.landed = this.landed.slice(0, kept);
    this.synced = kept;
    this.told = Math.min(this.told, kept);
    this.refold();
  }

  /** Every read holds what it finds against its checksum: what is rotten is left out from then on. */
  private verify(): void {
    if (this.unnoticed === 0) return;
    this.voteLog = this.drawLog();
    this.refused += this.unnoticed;
    this.unnoticed = 0;
    this.refold();
    this.tellDamage();
  }

  private tellDamage(): void {
    if (this.untold.length === 0 || this.unnoticed > 0) return;
    this.watcher?.(this.untold.map(damageOf));
    if (this.watcher) this.untold = [];
  }

  private drawLog(): string {
    return sha256Hex(`votes ${this.logs++} of ${this.name}`).slice(0, 16);
  }

  private refold(): void {
    this.folded = new Contents();
    this.index = new Index();
    for (const write of this.landed) this.index.add(write);
  }

  private get contents(): Contents {
    const { folded } = this;
    for (const write of this.landed.slice(folded.folded)) folded.apply(write, this.rotten.get(write));
    return folded;
  }

  private restore(): Restored {
    this.verify();
    const { chains, updates, archived, history } = this.contents;
    const all = [...chains.values()].flatMap((chain) => [...chain.values()]);
    return {
      entries: all.filter(({ entry }) => entry.build === undefined),
      ledgers: [...updates].map(([build, list]) => ({ build, updates: [...list] })),
      archived: [...archived.values()],
      ...(history ? { history } : {}),
    };
  }
}
