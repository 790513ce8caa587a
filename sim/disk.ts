/**
 * A host's disk: the EventStore whose writes take time, whose unsynced tail a power cut may take, and that may be full. It
 * outlives the processes that open it.
 */
import { type BuildId, byText, chainOf, type Digest, type PeerId } from "../protocol/kernel/ids.ts";
import type { Random } from "../protocol/kernel/random.ts";
import type { EventBatch, EventStore, Restored } from "../protocol/ports.ts";
import type { SignedEntry } from "../protocol/timeline/entry.ts";
import type { ActionResult } from "../protocol/timeline/events.ts";
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

type Remembered = { readonly key: Digest; readonly result: ActionResult; readonly holder: PeerId };
/** What lands as one: a batch of events, or a result for the cache. */
type Write = { readonly batch: EventBatch } | { readonly remembered: Remembered };

const bytesOf = (write: Write): number =>
  "remembered" in write
    ? 0
    : write.batch.entries.reduce((sum, e) => sum + e.bytes.length, 0) +
      write.batch.updates.reduce((sum, u) => sum + u.update.length, 0);

/** What the writes so far amount to. */
class Contents {
  readonly chains = new Map<string, Map<number, SignedEntry>>();
  readonly updates = new Map<BuildId, Uint8Array[]>();
  readonly results = new Map<Digest, { result: ActionResult; holders: PeerId[] }[]>();
  bytes = 0;

  apply(write: Write): void {
    this.bytes += bytesOf(write);
    if ("remembered" in write) {
      this.learn(write.remembered);
      return;
    }
    for (const signed of write.batch.entries) {
      const chain = chainOf(signed.entry.author, signed.entry.inc);
      const entries = this.chains.get(chain) ?? new Map<number, SignedEntry>();
      this.chains.set(chain, entries);
      if (!entries.has(signed.entry.seq)) entries.set(signed.entry.seq, signed);
    }
    for (const { build, update } of write.batch.updates) {
      const updates = this.updates.get(build);
      if (updates) updates.push(update);
      else this.updates.set(build, [update]);
    }
    for (const build of write.batch.dropped) {
      for (const update of this.updates.get(build) ?? []) this.bytes -= update.length;
      this.updates.delete(build);
    }
  }

  private learn({ key, result, holder }: Remembered): void {
    const known = this.results.get(key) ?? [];
    this.results.set(key, known);
    const same = known.find((k) => sameOutputs(k.result, result));
    if (!same) known.push({ result, holders: [holder] });
    else if (!same.holders.includes(holder)) same.holders.push(holder);
  }
}

const sameOutputs = (a: ActionResult, b: ActionResult): boolean => {
  const text = (r: ActionResult): string =>
    r.outputs
      .map((o) => `${o.path} ${o.digest} ${o.executable === true}`)
      .sort(byText)
      .join("\n");
  return text(a) === text(b);
};

export class Disk {
  private readonly world: World;
  private readonly random: Random;
  private readonly options: Required<DiskOptions>;
  /** Writes in the order they landed; those before `synced` survive a power cut. */
  private landed: Write[] = [];
  private synced = 0;
  /** Handed over, not landed. */
  private pending: Write[] = [];
  private contents = new Contents();
  private lastLandMs = 0;
  private maxBytes: number;

  constructor(world: World, name: string, options: DiskOptions = {}) {
    this.world = world;
    this.random = world.randomFor(`disk of ${name}`);
    this.options = { writeMs: 0.2, syncMs: 2, readMs: 0.5, maxBytes: Number.POSITIVE_INFINITY, ...options };
    this.maxBytes = this.options.maxBytes;
  }

  get usedBytes(): number {
    return this.contents.bytes;
  }

  /** Shrinks or grows the room there is. */
  resize(maxBytes: number): void {
    this.maxBytes = maxBytes;
  }

  /** Writes without a process: what an operator put there before the first start. */
  prepare(entries: readonly SignedEntry[]): void {
    const write = { batch: { entries, updates: [], dropped: [], durable: true } };
    this.landed.push(write);
    this.contents.apply(write);
    this.synced = this.landed.length;
  }

  /** The port of one process, which takes the disk's tail with it when it dies. */
  port(process: Process): EventStore & { restore(): Restored } {
    process.onEnd((ending) => this.crash(ending));
    return {
      write: (batch, done) => this.write(process, batch, done),
      range: (author, inc, fromSeq, toSeq, done) =>
        process.after(this.options.readMs, () => {
          const chain = this.contents.chains.get(chainOf(author, inc));
          const seqs = [...(chain?.keys() ?? [])].filter((seq) => seq >= fromSeq && seq <= toSeq);
          done(seqs.sort((a, b) => a - b).map((seq) => chain!.get(seq)!));
        }),
      result: (key, done) =>
        process.after(this.options.readMs, () => {
          const newest = this.contents.results.get(key)?.at(-1);
          done(newest ? { result: newest.result, holders: [...newest.holders] } : null);
        }),
      remember: (key, result, holder) => this.queue(process, { remembered: { key, result, holder } }, false),
      restore: () => this.restore(),
    };
  }

  private write(process: Process, batch: EventBatch, done: Parameters<EventStore["write"]>[1]): void {
    const write: Write = { batch };
    const waitingBytes = this.pending.reduce((sum, w) => sum + bytesOf(w), 0);
    if (this.contents.bytes + waitingBytes + bytesOf(write) > this.maxBytes) {
      process.after(this.options.writeMs, () => done({ code: "disk-full", message: "the disk is full" }));
      return;
    }
    this.queue(process, write, batch.durable, () => done());
  }

  private queue(process: Process, write: Write, durable: boolean, landed?: () => void): void {
    this.pending.push(write);
    const takesMs = this.options.writeMs + (durable ? this.options.syncMs : 0);
    this.lastLandMs = Math.max(this.lastLandMs, this.world.nowMs + takesMs);
    this.world.at(this.lastLandMs, () => {
      // A crash has taken it, or decided that it landed.
      if (this.pending[0] !== write) return;
      this.pending.shift();
      this.land(write);
      if (durable) this.synced = this.landed.length;
      if (landed) process.enter(landed);
    });
  }

  private land(write: Write): void {
    this.landed.push(write);
    this.contents.apply(write);
  }

  private crash(ending: Ending): void {
    // The operating system may have taken some of what was on its way.
    const taken = ending === "stop" ? this.pending.length : this.random.below(this.pending.length + 1);
    for (const write of this.pending.slice(0, taken)) this.land(write);
    this.pending = [];
    if (ending !== "power") return;
    const kept = this.synced + this.random.below(this.landed.length - this.synced + 1);
    this.landed = this.landed.slice(0, kept);
    this.synced = kept;
    this.contents = new Contents();
    for (const write of this.landed) this.contents.apply(write);
  }

  private restore(): Restored {
    const { chains, updates } = this.contents;
    const all = [...chains.values()].flatMap((chain) => [...chain.values()]);
    return {
      entries: all.filter(({ entry }) => entry.build === undefined),
      ledgers: [...updates].map(([build, list]) => ({ build, updates: [...list] })),
    };
  }
}
