/**
 * The event store: entries, ledger updates, the action cache and the history of one node, in one LevelDB, so that a write is
 * all or nothing. The only door to `level`. Keys and values are specified in specs/store.md.
 */
import { randomBytes } from "node:crypto";
import { readdir } from "node:fs/promises";
import path from "node:path";
import { Level } from "level";
import { decode, encode } from "../../protocol/kernel/codec.ts";
import { type ErrorCode, SwarmError } from "../../protocol/kernel/errors.ts";
import type { BuildId, Digest, Incarnation, PeerId } from "../../protocol/kernel/ids.ts";
import type { EventBatch, EventStore, Remembered, Restored } from "../../protocol/ports.ts";
import type { SignedEntry } from "../../protocol/timeline/entry.ts";
import type { ActionResult, Made } from "../../protocol/timeline/events.ts";
import type { Damage } from "../../protocol/timeline/places.ts";
import { codeOf } from "../files.ts";
import { summed } from "./checked.ts";
import { type Migrated, type Migration, migrations, openBroughtUp } from "./migrations.ts";
import { byName, lengthened, namedIn, shortened } from "./named-updates.ts";
import { Packer } from "./packer.ts";
import {
  archivePlace,
  archivePlaces,
  entryPlace,
  folderMark,
  historyPlace,
  placeOf,
  resultPlace,
  type Shelf,
  timelinePlaces,
  updateAt,
  updatePlace,
  updatePlaces,
  updatePlacesOf,
  votesIn,
  votesPlace,
  votesRecord,
} from "./places.ts";
import type { Quarantine } from "./quarantine.ts";
import { Shelves } from "./shelves.ts";

/** Different results kept for one action key, and makers kept for each; beyond that the oldest go. */
const resultsMax = 8;
const madeMax = 32;
const resultBytesMax = 64 << 20;

export interface DiskEvents extends EventStore {
  /** The store had an older format and was brought up just now; as it was it lies in `backup`. */
  readonly migrated: Migrated | undefined;
  /** What an earlier run left here; `unreadable` counts entries that no longer decode, which are left out. */
  restore(): Promise<Restored & { readonly unreadable: number }>;
  /**
   * The name of the log of votes that this store keeps: `first`, or one that is drawn, when it has none. A store that was damaged, or put back
   * from a copy, gets another: whoever may have forgotten a vote votes no more under the old name.
   */
  voteLog(first?: string): Promise<string>;
  watch(hear: (damages: readonly Damage[]) => void): void;
  /** Reads the next stretch of all that is kept, about so many bytes, and holds it against its sums. True: the end was reached, the next call begins anew. */
  scrub(bytes: number): Promise<boolean>;
  /** Resolves when nothing is left to be packed. */
  packed(): Promise<void>;
  /** Ends after all writes called before it have been answered. */
  close(): Promise<void>;
}

type Database = Level<string, Uint8Array>;
type Operation =
  | { readonly type: "put"; readonly key: string; readonly value: Uint8Array }
  | { readonly type: "del"; readonly key: string };
type Failure = { code: ErrorCode; message: string };
interface Waiting {
  readonly operations: readonly Operation[];
  readonly durable: boolean;
  readonly done: (error?: Failure) => void;
}
interface Known {
  readonly result: ActionResult;
  readonly made: Made[];
}

/** What the types of `level` leave out: the tables of a closed database are written anew, without what cannot be read. */
interface Repairs {
  repair(location: string): Promise<void>;
}

/** How a store spares its disk. */
export interface Sparing {
  /** What nobody waits for is gathered for so long; it goes down with whatever somebody does wait for. Default 0. */
  readonly gatherMs?: number;
  /** Of builds only this author's entries are kept, besides the ledgers of live ones; default: everybody's. */
  readonly keepsOnly?: PeerId;
  /** Where damaged values are put aside; without one they are only left out. */
  readonly quarantine?: Quarantine;
}

/**
 * Opens (or makes) the store in `folder`. Throws `home-locked` while another process has it open, `store-newer` for a
 * newer format, `home-invalid` for a folder that holds no readable store, `disk-full`. A store of an older format is brought up by `steps` first;
 * when that fails it stays as it was.
 */
export async function openEventStore(
  folder: string,
  sparing: Sparing = {},
  steps: readonly Migration[] = migrations,
): Promise<DiskEvents> {
  const { database, migrated } = await openBroughtUp(folder, databaseIn, steps).catch((cause) => {
    throw refusalOf(cause, folder);
  });
  const store = new LevelEvents(database, sparing, migrated);
  await store.countUpdates();
  return store;
}

const databaseIn = (folder: string): Database =>
  new Level(folder, { keyEncoding: "utf8", valueEncoding: "view" });

class LevelEvents implements DiskEvents {
  readonly migrated: Migrated | undefined;
  readonly #database: Database;
  readonly #sparing: Sparing;
  /** Runs while something is gathered that nobody waits for. */
  #gathering: NodeJS.Timeout | undefined;
  /** Live ledgers, each with the number of its next update. */
  readonly #nextUpdate = new Map<BuildId, number>();
  /** Results on their way to the disk, so that the next `remember` of the key sees them. */
  readonly #unwritten = new Map<string, Uint8Array>();
  #queue: Waiting[] = [];
  #flushing: Promise<void> | undefined;
  /** A failed write leaves LevelDB's log in doubt: it is opened anew, which drops the torn part, before anything else. */
  #doubtful = false;
  #closed = false;
  /** LevelDB itself found damage: what can be read is taken over into new tables before anything else. */
  #broken = false;
  readonly #shelves: Shelves;
  readonly #packer: Packer;

  constructor(database: Database, sparing: Sparing, migrated: Migrated | undefined) {
    this.#database = database;
    this.#sparing = sparing;
    this.migrated = migrated;
    this.#shelves = new Shelves(database, sparing.quarantine);
    this.#packer = new Packer({
      unpacked: (gte, lte) => this.#read(() => this.#shelves.between(gte, lte)),
      inSegment: (key) => this.#read(() => this.#shelves.replaceable(key)),
      exchange: ({ key, value }, del) => {
        this.#shelves.replaced(key);
        const operations: Operation[] = [{ type: "put", key, value }];
        for (const gone of del) operations.push({ type: "del", key: gone });
        return new Promise((resolve, reject) => {
          const done = (error?: Failure) => (error ? reject(new Error(error.message)) : resolve());
          this.#enqueue({ operations, durable: false, done }, true);
        });
      },
    });
  }

  watch(hear: (damages: readonly Damage[]) => void): void {
    this.#shelves.watch(hear);
  }

  scrub(bytes: number): Promise<boolean> {
    return this.#read(() => this.#shelves.scrub(bytes));
  }

  packed(): Promise<void> {
    return this.#packer.idle();
  }

  write(batch: EventBatch, done: (error?: Failure) => void): void {
    const { keepsOnly } = this.#sparing;
    const operations: Operation[] = batch.entries
      .filter(
        ({ entry }) => keepsOnly === undefined || entry.build === undefined || entry.author === keepsOnly,
      )
      .map((entry) => ({ type: "put", key: placeOf(entry), value: summed(entry.bytes) }));
    // Where others' entries are not kept, an update is all there is of them.
    const named = byName(keepsOnly === undefined && batch.updates.length > 0 ? batch.entries : []);
    for (const { build, update } of batch.updates) {
      const n = this.#nextUpdate.get(build) ?? 0;
      this.#nextUpdate.set(build, n + 1);
      operations.push({ type: "put", key: updatePlace(build, n), value: summed(shortened(update, named)) });
    }
    for (const build of batch.dropped) {
      const count = this.#nextUpdate.get(build) ?? 0;
      for (let n = 0; n < count; n++) operations.push({ type: "del", key: updatePlace(build, n) });
      this.#nextUpdate.delete(build);
    }
    const { archived = [], forgotten = [], history, durable } = batch;
    for (const { build, record } of archived)
      operations.push({ type: "put", key: archivePlace(build), value: summed(record) });
    if (history) operations.push({ type: "put", key: historyPlace, value: summed(history) });
    const end = (error?: Failure) => {
      if (!error) for (const task of archived) this.#packer.add(task);
      done(error);
    };
    const isPatient = batch.quiet === true && !durable;
    if (forgotten.length === 0) return this.#enqueue({ operations, durable, done: end }, isPatient);
    this.#forgetting(forgotten).then(
      (gone) => this.#enqueue({ operations: [...operations, ...gone], durable, done: end }, isPatient),
      (cause) => done(failureOf(cause, this.#database.location)),
    );
  }

  /** What takes the entries of builds, packed or not, from the disk. */
  async #forgetting(builds: NonNullable<EventBatch["forgotten"]>): Promise<Operation[]> {
    const operations: Operation[] = [];
    for (const { build, places, record } of builds) {
      const key = archivePlace(build);
      operations.push(record ? { type: "put", key, value: summed(record) } : { type: "del", key });
      const gone = await this.#read(() => this.#shelves.keysOf(build, places));
      for (const entry of gone) operations.push({ type: "del", key: entry });
    }
    return operations;
  }

  range(
    author: PeerId,
    inc: Incarnation,
    fromSeq: number,
    toSeq: number,
    done: (entries: SignedEntry[]) => void,
  ): void {
    if (!(fromSeq <= toSeq) || toSeq < 0) {
      queueMicrotask(() => done([]));
      return;
    }
    const shelves = this.#shelves;
    const on = (shelf: Shelf) => {
      const gte = entryPlace(shelf, author, inc, Math.max(0, fromSeq));
      return shelves.between(gte, entryPlace(shelf, author, inc, toSeq));
    };
    const inSegments = () => shelves.inSegments(author, inc, fromSeq, toSeq);
    this.#read(() => Promise.all([on("timeline"), on("builds"), inSegments()])).then(
      ([timeline, builds, segments]) => {
        const entries = [...timeline, ...builds].map(({ entry }) => entry);
        const ids = new Set(segments.length === 0 ? [] : entries.map(({ id }) => id));
        for (const entry of segments) if (!ids.has(entry.id)) entries.push(entry);
        done(entries.sort(bySeq));
      },
      () => done([]),
    );
  }

  results(key: Digest, done: (found: readonly Remembered[]) => void): void {
    this.#read(async () => this.#known(resultPlace(key))).then(done, () => done([]));
  }

  remember(key: Digest, result: ActionResult, made: Made): void {
    if (this.#closed || this.#doubtful) return;
    const place = resultPlace(key);
    let known: Known[];
    try {
      known = this.#known(place);
    } catch (cause) {
      // What is remembered is a help: it is learned anew once the tables are whole.
      if (isBroken(cause)) this.#repaired().catch(() => {});
      return;
    }
    const same = known.find((k) => sameOutputs(k.result, result));
    const nth = same?.made.findIndex((m) => m.by === made.by) ?? -1;
    // Where it was said was not always kept.
    if (nth >= 0 && (same!.made[nth]!.at || !made.at)) return;
    if (nth >= 0) same!.made[nth] = made;
    else if (same) same.made.push(made);
    else known.push({ result, made: [made] });
    for (const k of known) k.made.splice(0, k.made.length - madeMax);
    const value = summed(encode(known.slice(-resultsMax)));
    this.#unwritten.set(place, value);
    const done = () => {
      if (this.#unwritten.get(place) === value) this.#unwritten.delete(place);
    };
    this.#enqueue({ operations: [{ type: "put", key: place, value }], durable: false, done }, true);
  }

  restore() {
    this.#flushNow();
    return this.#read(() => this.#restored());
  }

  async #restored() {
    await this.#flushing;
    const entries: SignedEntry[] = [];
    let unreadable = 0;
    for await (const [key, value] of this.#shelves.rows(timelinePlaces)) {
      const entry = this.#shelves.entry(key, value);
      if (entry) entries.push(entry);
      else unreadable++;
    }
    const ledgers = [];
    for (const build of this.#nextUpdate.keys()) {
      const [gte, lt] = updatePlacesOf(build);
      const kept = await this.#database.iterator({ gte, lt }).all();
      const updates: Uint8Array[] = [];
      for (const [key, value] of kept) {
        const one = this.#shelves.opened("update", key, value);
        if (!one) {
          unreadable++;
          continue;
        }
        const { whole, lacking } = await this.#lengthened(one);
        updates.push(...whole);
        unreadable += lacking;
      }
      if (updates.length > 0) ledgers.push({ build, updates });
    }
    if (unreadable > 0) this.#shelves.isDamaged = true;
    const [gte, lt] = archivePlaces;
    const archived: Uint8Array[] = [];
    for (const [key, value] of await this.#database.iterator({ gte, lt }).all()) {
      const record = this.#shelves.opened("record", key, value);
      if (record) archived.push(record);
    }
    const kept = await this.#database.get(historyPlace);
    const history = kept && this.#shelves.opened("history", historyPlace, kept);
    for (const task of await this.#shelves.unpackedBuilds(archived)) this.#packer.add(task);
    return { entries, ledgers, archived, unreadable, ...(history ? { history } : {}) };
  }

  /** The updates that one was kept for, and how many of its entries are not there any more. */
  async #lengthened(kept: Uint8Array): Promise<{ whole: Uint8Array[]; lacking: number }> {
    const chains = namedIn(kept);
    if (!chains) return { whole: [kept], lacking: 0 };
    const whole: Uint8Array[] = [];
    let lacking = 0;
    for (const chain of chains) {
      const places = chain.entries.map(([seq]) => entryPlace("builds", chain.author, chain.inc, seq));
      const found = await this.#database.getMany(places);
      for (const [at, named] of chain.entries.entries()) {
        const value = found[at];
        const bytes = value && this.#shelves.opened("entry", places[at]!, value);
        if (!bytes) lacking++;
        const update = bytes && lengthened(chain, named, bytes);
        if (update) whole.push(update);
      }
    }
    return { whole, lacking };
  }

  async voteLog(first?: string): Promise<string> {
    const folder = await folderMark(this.#database.location);
    const { log, madeIn } = votesIn(await this.#database.get(votesPlace));
    if (log !== undefined && madeIn === folder && !this.#shelves.isDamaged) return log;
    const drawn =
      log === undefined && !this.#shelves.isDamaged && first ? first : randomBytes(8).toString("hex");
    await this.#database.put(votesPlace, votesRecord(drawn, folder), { sync: true });
    this.#shelves.isDamaged = false;
    return drawn;
  }

  async close() {
    await this.#packer.stop();
    this.#closed = true;
    this.#flushNow();
    while (this.#flushing) await this.#flushing;
    await this.#database.close();
  }

  /** Finds the live ledgers and their last updates without reading the updates. */
  async countUpdates(): Promise<void> {
    const lt = updatePlaces[1];
    let gte: string = updatePlaces[0];
    for (;;) {
      const [first] = await this.#database.keys({ gte, lt, limit: 1 }).all();
      if (first === undefined) return;
      const { build } = updateAt(first);
      const [from, to] = updatePlacesOf(build);
      const [last] = await this.#database.keys({ gte: from, lt: to, reverse: true, limit: 1 }).all();
      this.#nextUpdate.set(build, updateAt(last!).n + 1);
      gte = to;
    }
  }

  /** `isPatient`: nobody waits for it. */
  #enqueue(waiting: Waiting, isPatient: boolean): void {
    if (this.#closed) {
      queueMicrotask(() => waiting.done({ code: "refused", message: "the event store is closed" }));
      return;
    }
    this.#queue.push(waiting);
    const { gatherMs = 0 } = this.#sparing;
    if (isPatient && gatherMs > 0) this.#gathering ??= setTimeout(() => this.#flushNow(), gatherMs);
    else this.#flushNow();
  }

  #flushNow(): void {
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
    if (this.#queue.length > 0) this.#flushing ??= this.#flush();
  }

  /** Group commit: whatever was queued while the disk was busy goes down as one batch. */
  async #flush(): Promise<void> {
    await null; // lets the caller queue more of the same turn
    while (this.#queue.length > 0) {
      const group = this.#queue;
      this.#queue = [];
      const failure = await this.#commit(group);
      for (const { done } of group) done(failure);
    }
    this.#flushing = undefined;
  }

  async #commit(group: readonly Waiting[]): Promise<Failure | undefined> {
    try {
      if (this.#doubtful) await this.#reopen();
      await this.#database.batch(
        group.flatMap((waiting) => waiting.operations),
        { sync: group.some((waiting) => waiting.durable) },
      );
      return undefined;
    } catch (cause) {
      this.#doubtful = true;
      if (isBroken(cause)) this.#broken = true;
      return failureOf(cause, this.#database.location);
    }
  }

  async #reopen(): Promise<void> {
    const { location } = this.#database;
    await this.#database.close();
    if (this.#broken) {
      this.#shelves.isDamaged = true;
      await (Level as unknown as Repairs).repair(location);
      const lost = path.join(location, "lost");
      for (const table of await readdir(lost).catch(() => [] as string[]))
        await this.#sparing.quarantine?.move("table", path.join(lost, table));
    }
    await this.#database.open();
    this.#doubtful = false;
    this.#broken = false;
  }

  /** Reads wait for writes under way, so that they never meet a database that is being opened anew. */
  async #read<T>(read: (database: Database) => Promise<T>): Promise<T> {
    const isGathered = this.#gathering !== undefined;
    this.#flushNow();
    if (this.#doubtful || isGathered) await this.#flushing;
    try {
      return await read(this.#database);
    } catch (cause) {
      if (!isBroken(cause)) throw cause;
      await this.#repaired();
      return read(this.#database);
    }
  }

  /** Ends once the tables are whole again; what was lost with a part of one is found by what it left. */
  async #repaired(): Promise<void> {
    this.#broken = true;
    this.#doubtful = true;
    this.#enqueue({ operations: [], durable: false, done: () => {} }, false);
    await this.#flushing;
    await this.#shelves.audit();
  }

  #known(place: string): Known[] {
    const value = this.#unwritten.get(place) ?? this.#database.getSync(place);
    const bytes = value && this.#shelves.opened("results", place, value);
    const known = bytes ? (decode(bytes, resultBytesMax, Number.POSITIVE_INFINITY) as Known[]) : [];
    // Who made it was not always kept: without that it proves nothing.
    return known.filter((k) => Array.isArray(k.made));
  }
}

const bySeq = (a: SignedEntry, b: SignedEntry) => a.entry.seq - b.entry.seq;

/** LevelDB found that one of its tables is not what it wrote. */
const isBroken = (thrown: unknown): boolean =>
  thrown instanceof Error &&
  (codeOf(thrown) === "LEVEL_CORRUPTION" || /^Corruption:/.test(thrown.message) || isBroken(thrown.cause));

function failureOf(thrown: unknown, folder: string): Failure {
  const { code, message } = refusalOf(thrown, folder);
  return { code, message };
}

/** Equal results have equal outputs; what was printed does not count. */
function sameOutputs(a: ActionResult, b: ActionResult): boolean {
  return Buffer.compare(encode(a.outputs), encode(b.outputs)) === 0;
}

function refusalOf(thrown: unknown, folder: string): SwarmError {
  if (thrown instanceof SwarmError) return thrown;
  const cause = thrown instanceof Error && thrown.cause instanceof Error ? thrown.cause : thrown;
  const why = cause instanceof Error ? cause.message : String(cause);
  if (/No space left on device|Disk quota exceeded/i.test(why))
    return new SwarmError("disk-full", `no room to write to ${folder}`, {
      remedy: "free some disk space; the daemon goes on by itself",
      cause,
    });
  if (codeOf(cause) === "LEVEL_LOCKED")
    return new SwarmError("home-locked", `another process has ${folder} open`, {
      remedy: "stop the daemon of this home first: swarmd stop",
      cause,
    });
  return new SwarmError("home-invalid", `the event store in ${folder} cannot be used: ${why}`, {
    remedy: "move that folder away; what it held comes back from the other members",
    cause,
  });
}
