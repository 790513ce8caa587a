/**
 * The event store: entries, ledger updates, the action cache and the history of one node, in one LevelDB, so that a write is
 * all or nothing. The only door to `level`. Keys and values are specified in specs/store.md.
 */
import { randomBytes } from "node:crypto";
import { Level } from "level";
import { decode, encode } from "../../protocol/kernel/codec.ts";
import { type ErrorCode, SwarmError } from "../../protocol/kernel/errors.ts";
import type { BuildId, Digest, Incarnation, PeerId } from "../../protocol/kernel/ids.ts";
import type { EventBatch, EventStore, Remembered, Restored } from "../../protocol/ports.ts";
import type { SignedEntry } from "../../protocol/timeline/entry.ts";
import type { ActionResult, Made } from "../../protocol/timeline/events.ts";
import { codeOf } from "../files.ts";
import { type Migrated, type Migration, migrations, openBroughtUp } from "./migrations.ts";
import { byName, lengthened, namedIn, shortened } from "./named-updates.ts";
import {
  archivePlace,
  archivePlaces,
  entryOf,
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

/** Different results kept for one action key, and makers kept for each; beyond that the oldest go. */
const resultsMax = 8;
const madeMax = 32;
const resultBytesMax = 64 << 20;
const readAhead = 512;

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

/** How a store spares its disk. */
export interface Sparing {
  /** What nobody waits for is gathered for so long; it goes down with whatever somebody does wait for. Default 0. */
  readonly gatherMs?: number;
  /** Of builds only this author's entries are kept, besides the ledgers of live ones; default: everybody's. */
  readonly keepsOnly?: PeerId;
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
  /** Something of it could not be read. */
  #damaged = false;

  constructor(database: Database, sparing: Sparing, migrated: Migrated | undefined) {
    this.#database = database;
    this.#sparing = sparing;
    this.migrated = migrated;
  }

  write(batch: EventBatch, done: (error?: Failure) => void): void {
    const { keepsOnly } = this.#sparing;
    const operations: Operation[] = batch.entries
      .filter(
        ({ entry }) => keepsOnly === undefined || entry.build === undefined || entry.author === keepsOnly,
      )
      .map((entry) => ({ type: "put", key: placeOf(entry), value: entry.bytes }));
    // Where others' entries are not kept, an update is all there is of them.
    const named = byName(keepsOnly === undefined && batch.updates.length > 0 ? batch.entries : []);
    for (const { build, update } of batch.updates) {
      const n = this.#nextUpdate.get(build) ?? 0;
      this.#nextUpdate.set(build, n + 1);
      operations.push({ type: "put", key: updatePlace(build, n), value: shortened(update, named) });
    }
    for (const build of batch.dropped) {
      const count = this.#nextUpdate.get(build) ?? 0;
      for (let n = 0; n < count; n++) operations.push({ type: "del", key: updatePlace(build, n) });
      this.#nextUpdate.delete(build);
    }
    for (const { build, record } of batch.archived ?? [])
      operations.push({ type: "put", key: archivePlace(build), value: record });
    if (batch.history) operations.push({ type: "put", key: historyPlace, value: batch.history });
    this.#enqueue({ operations, durable: batch.durable, done }, batch.quiet === true && !batch.durable);
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
    const valuesOn = (shelf: Shelf) => (database: Database) => {
      const gte = entryPlace(shelf, author, inc, Math.max(0, fromSeq));
      const lte = entryPlace(shelf, author, inc, toSeq);
      return database.values({ gte, lte }).all();
    };
    Promise.all([this.#read(valuesOn("timeline")), this.#read(valuesOn("builds"))]).then(
      (values) =>
        done(
          values
            .flat()
            .flatMap((value) => entryOf(value) ?? [])
            .sort(bySeq),
        ),
      () => done([]),
    );
  }

  results(key: Digest, done: (found: readonly Remembered[]) => void): void {
    this.#read(async () => this.#known(resultPlace(key))).then(done, () => done([]));
  }

  remember(key: Digest, result: ActionResult, made: Made): void {
    if (this.#closed || this.#doubtful) return;
    const place = resultPlace(key);
    const known = this.#known(place);
    const same = known.find((k) => sameOutputs(k.result, result));
    const nth = same?.made.findIndex((m) => m.by === made.by) ?? -1;
    // Where it was said was not always kept.
    if (nth >= 0 && (same!.made[nth]!.at || !made.at)) return;
    if (nth >= 0) same!.made[nth] = made;
    else if (same) same.made.push(made);
    else known.push({ result, made: [made] });
    for (const k of known) k.made.splice(0, k.made.length - madeMax);
    const value = encode(known.slice(-resultsMax));
    this.#unwritten.set(place, value);
    const done = () => {
      if (this.#unwritten.get(place) === value) this.#unwritten.delete(place);
    };
    this.#enqueue({ operations: [{ type: "put", key: place, value }], durable: false, done }, true);
  }

  async restore() {
    this.#flushNow();
    await this.#flushing;
    const entries: SignedEntry[] = [];
    let unreadable = 0;
    for await (const values of chunksOf(this.#database, timelinePlaces)) {
      for (const value of values) {
        const entry = entryOf(value);
        if (entry) entries.push(entry);
        else unreadable++;
      }
    }
    const ledgers = [];
    for (const build of this.#nextUpdate.keys()) {
      const [gte, lt] = updatePlacesOf(build);
      const kept = await this.#database.values({ gte, lt }).all();
      const updates: Uint8Array[] = [];
      for (const one of kept) {
        const { whole, lacking } = await this.#lengthened(one);
        updates.push(...whole);
        unreadable += lacking;
      }
      if (updates.length > 0) ledgers.push({ build, updates });
    }
    if (unreadable > 0) this.#damaged = true;
    const [gte, lt] = archivePlaces;
    const records = await this.#database.values({ gte, lt }).all();
    const archived = records.map((record) => new Uint8Array(record));
    const history = await this.#database.get(historyPlace);
    return {
      entries,
      ledgers,
      archived,
      unreadable,
      ...(history ? { history: new Uint8Array(history) } : {}),
    };
  }

  /** The updates that one was kept for, and how many of its entries are not there any more. */
  async #lengthened(kept: Uint8Array): Promise<{ whole: Uint8Array[]; lacking: number }> {
    const chains = namedIn(kept);
    // Bare Uint8Arrays: the database hands out Buffers, which Yjs does not take.
    if (!chains) return { whole: [new Uint8Array(kept)], lacking: 0 };
    const whole: Uint8Array[] = [];
    let lacking = 0;
    for (const chain of chains) {
      const places = chain.entries.map(([seq]) => entryPlace("builds", chain.author, chain.inc, seq));
      const found = await this.#database.getMany(places);
      for (const [at, named] of chain.entries.entries()) {
        const bytes = found[at];
        if (!bytes) lacking++;
        const update = bytes && lengthened(chain, named, new Uint8Array(bytes));
        if (update) whole.push(update);
      }
    }
    return { whole, lacking };
  }

  async voteLog(first?: string): Promise<string> {
    const folder = await folderMark(this.#database.location);
    const { log, madeIn } = votesIn(await this.#database.get(votesPlace));
    if (log !== undefined && madeIn === folder && !this.#damaged) return log;
    const drawn = log === undefined && !this.#damaged && first ? first : randomBytes(8).toString("hex");
    await this.#database.put(votesPlace, votesRecord(drawn, folder), { sync: true });
    this.#damaged = false;
    return drawn;
  }

  async close() {
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
      const { code, message } = refusalOf(cause, this.#database.location);
      return { code, message };
    }
  }

  async #reopen(): Promise<void> {
    await this.#database.close();
    await this.#database.open();
    this.#doubtful = false;
  }

  /** Reads wait for writes under way, so that they never meet a database that is being opened anew. */
  async #read<T>(read: (database: Database) => Promise<T>): Promise<T> {
    const isGathered = this.#gathering !== undefined;
    this.#flushNow();
    if (this.#doubtful || isGathered) await this.#flushing;
    return read(this.#database);
  }

  #known(place: string): Known[] {
    const value = this.#unwritten.get(place) ?? this.#database.getSync(place);
    const known =
      value === undefined ? [] : (decode(value, resultBytesMax, Number.POSITIVE_INFINITY) as Known[]);
    // Who made it was not always kept: without that it proves nothing.
    return known.filter((k) => Array.isArray(k.made));
  }
}

const bySeq = (a: SignedEntry, b: SignedEntry) => a.entry.seq - b.entry.seq;

async function* chunksOf(database: Database, [gte, lt]: readonly [string, string]) {
  const iterator = database.values({ gte, lt });
  try {
    for (;;) {
      const values = await iterator.nextv(readAhead);
      if (values.length === 0) return;
      yield values;
    }
  } finally {
    await iterator.close();
  }
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
