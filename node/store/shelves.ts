/** What lies in the event store, read and held against its sums: entries, packed or not. What is damaged is put aside, told, and passed over from then on. */
import type { BuildId, Incarnation, PeerId } from "../../protocol/kernel/ids.ts";
import type { SignedEntry } from "../../protocol/timeline/entry.ts";
import type { Damage, Place } from "../../protocol/timeline/places.ts";
import { readRecord } from "../../protocol/work/archive.ts";
import { checked } from "./checked.ts";
import type { Task } from "./packer.ts";
import { archivePlaces, entryAt, entryOf, entryPlace, historyPlace, timelinePlaces } from "./places.ts";
import type { Damaged, Quarantine } from "./quarantine.ts";
import { segmentAt, segmentPlacesOf, unpacked } from "./segments.ts";

const readAhead = 512;
/** Segments that stay unpacked in memory: who reads a chain reads on. */
const openSegmentsMax = 4;
/** Damaged values that are remembered, so that each is told once. */
const toldMax = 65_536;

type Row = [string, Uint8Array];

/** What reading needs of the database. */
export interface Tables {
  get(key: string): Promise<Uint8Array | undefined>;
  keys(range: object): { all(): Promise<string[]> };
  iterator(range: object): {
    all(): Promise<Row[]>;
    nextv(count: number): Promise<Row[]>;
    close(): Promise<void>;
  };
}

export class Shelves {
  readonly #tables: Tables;
  readonly #quarantine: Quarantine | undefined;
  /** Keys of damaged values that were told of. */
  readonly #told = new Set<string>();
  #damages: Damage[] = [];
  #hear: ((damages: readonly Damage[]) => void) | undefined;
  readonly #openSegments = new Map<string, readonly SignedEntry[]>();
  /** Where the next scrub begins. */
  #scrubbed = "";
  /** Something could not be read of which votes may be a part. */
  isDamaged = false;

  constructor(tables: Tables, quarantine: Quarantine | undefined) {
    this.#tables = tables;
    this.#quarantine = quarantine;
  }

  /** Hears of damage, that of before too. */
  watch(hear: (damages: readonly Damage[]) => void): void {
    this.#hear = hear;
    this.#tell();
  }

  /** The bytes of a value; undefined when they are not what was written. */
  opened(what: Damaged, key: string, value: Uint8Array): Uint8Array | undefined {
    const bytes = checked(value);
    if (!bytes) this.#setAside(what, key, value);
    return bytes;
  }

  entry(key: string, value: Uint8Array): SignedEntry | undefined {
    const entry = entryOf(value);
    if (!entry) this.#setAside("entry", key, value);
    return entry;
  }

  /** What lies unpacked between two keys, both among them. */
  async between(gte: string, lte: string): Promise<{ readonly key: string; readonly entry: SignedEntry }[]> {
    const found = await this.#tables.iterator({ gte, lte }).all();
    return found.flatMap(([key, value]) => {
      const entry = this.entry(key, value);
      return entry ? [{ key, entry }] : [];
    });
  }

  /** What is packed of a stretch of a chain. */
  async inSegments(author: PeerId, inc: Incarnation, fromSeq: number, toSeq: number): Promise<SignedEntry[]> {
    const [gte, lt] = segmentPlacesOf(author, inc, toSeq);
    const entries: SignedEntry[] = [];
    for (const key of await this.#tables.keys({ gte, lt }).all()) {
      if (segmentAt(key).toSeq < fromSeq) continue;
      for (const entry of (await this.segment(key)) ?? [])
        if (entry.entry.seq >= fromSeq && entry.entry.seq <= toSeq) entries.push(entry);
    }
    return entries;
  }

  async segment(key: string): Promise<readonly SignedEntry[] | undefined> {
    const open = this.#openSegments.get(key);
    if (open) return open;
    const value = await this.#tables.get(key);
    const entries = value && unpacked(value);
    if (value && !entries) this.#setAside("segment", key, value);
    if (!entries) return undefined;
    if (this.#openSegments.size >= openSegmentsMax)
      this.#openSegments.delete(this.#openSegments.keys().next().value!);
    this.#openSegments.set(key, entries);
    return entries;
  }

  /** What a segment holds that is about to be replaced: nothing, where it is damaged. */
  async replaceable(key: string): Promise<readonly SignedEntry[]> {
    const value = await this.#tables.get(key);
    return (value && unpacked(value)) ?? [];
  }

  /** Something else lies there from now on. */
  replaced(key: string): void {
    this.#openSegments.delete(key);
    this.#told.delete(key);
  }

  /** Keys of all that lies of a build at these places. */
  async keysOf(build: BuildId, places: readonly Place[]): Promise<string[]> {
    const keys: string[] = [];
    for (const { author, inc, runs } of places) {
      for (let at = 0; at < runs.length; at += 2)
        keys.push(...(await this.#keys(author, inc, runs[at]!, runs[at + 1]!)));
      const [gte, lt] = segmentPlacesOf(author, inc, runs.at(-1) ?? 0);
      for (const key of await this.#tables.keys({ gte, lt }).all())
        if (segmentAt(key).build === build) keys.push(key);
    }
    return keys;
  }

  /** Archived builds of which something lies unpacked: the packing broke off, entries came back, or an older version did not. */
  async unpackedBuilds(records: readonly Uint8Array[]): Promise<Task[]> {
    const tasks: Task[] = [];
    for (const record of records) {
      const { build, places } = readRecord(record) ?? {};
      const some: Place[] = [];
      for (const place of places?.values() ?? []) {
        const { author, inc, runs } = place;
        if ((await this.#keys(author, inc, runs[0]!, runs.at(-1)!, 1)).length > 0) some.push(place);
      }
      if (build !== undefined && some.length > 0) tasks.push({ build, places: some });
    }
    return tasks;
  }

  /** A part of the database is gone: what is missing of archived builds, by their records; of the timeline all is to be looked at. */
  async audit(): Promise<void> {
    const [gte, lt] = archivePlaces;
    for (const [key, value] of await this.#tables.iterator({ gte, lt }).all()) {
      const record = this.opened("record", key, value);
      const { build, places } = (record && readRecord(record)) ?? {};
      for (const place of places?.values() ?? []) await this.#auditPlace(build!, place);
    }
    const keys = await this.#tables.keys({ gte: timelinePlaces[0], lt: timelinePlaces[1] }).all();
    const chains = new Map(keys.map((key) => [key.slice(0, key.lastIndexOf("/")), entryAt(key)]));
    for (const { author, inc } of chains.values())
      this.#damages.push({ author, inc, fromSeq: 0, toSeq: Number.MAX_SAFE_INTEGER, shelf: "timeline" });
    this.#tell();
  }

  async #auditPlace(build: BuildId, { author, inc, runs }: Place): Promise<void> {
    const loose = await this.#keys(author, inc, runs[0]!, runs.at(-1)!);
    const there = new Set(loose.map((key) => entryAt(key).seq));
    for (const { entry } of await this.inSegments(author, inc, runs[0]!, runs.at(-1)!)) there.add(entry.seq);
    for (let at = 0; at < runs.length; at += 2)
      for (let seq = runs[at]!; seq <= runs[at + 1]!; seq++)
        if (!there.has(seq))
          this.#damages.push({ author, inc, fromSeq: seq, toSeq: seq, shelf: "builds", build });
  }

  /** Reads the next stretch of all that is kept, about so many bytes. True: the end was reached, the next call begins anew. */
  async scrub(bytes: number): Promise<boolean> {
    for (let left = bytes; left > 0; ) {
      const rows = await this.#tables.iterator({ gt: this.#scrubbed, limit: readAhead }).all();
      for (const [key, value] of rows) {
        left -= key.length + value.length;
        const what = whatLies(key);
        if (what) this.opened(what, key, value);
      }
      this.#scrubbed = rows.length < readAhead ? "" : rows.at(-1)![0];
      if (this.#scrubbed === "") return true;
    }
    return false;
  }

  /** Rows of a half-open range of keys, some at a time. */
  async *rows([gte, lt]: readonly [string, string]): AsyncIterable<Row> {
    const iterator = this.#tables.iterator({ gte, lt });
    try {
      for (;;) {
        const rows = await iterator.nextv(readAhead);
        if (rows.length === 0) return;
        yield* rows;
      }
    } finally {
      await iterator.close();
    }
  }

  #keys(author: PeerId, inc: Incarnation, fromSeq: number, toSeq: number, limit = -1): Promise<string[]> {
    const gte = entryPlace("builds", author, inc, fromSeq);
    const lte = entryPlace("builds", author, inc, toSeq);
    return this.#tables.keys({ gte, lte, limit }).all();
  }

  /** A value is not what was written. It stays in its place, where it is passed over, until what it held comes back. */
  #setAside(what: Damaged, key: string, value: Uint8Array): void {
    if (this.#told.has(key)) return;
    if (this.#told.size >= toldMax) this.#told.clear();
    this.#told.add(key);
    if (what === "entry") this.isDamaged = true;
    this.#quarantine?.put(what, key, value);
    if (what !== "entry" && what !== "segment") return;
    if (this.#damages.length === 0) queueMicrotask(() => this.#tell());
    if (what === "entry") {
      const { author, inc, seq, shelf } = entryAt(key);
      this.#damages.push({ author, inc, fromSeq: seq, toSeq: seq, shelf });
    } else {
      const { author, inc, fromSeq, toSeq, build } = segmentAt(key);
      this.#damages.push({ author, inc, fromSeq, toSeq, shelf: "builds", build });
    }
  }

  #tell(): void {
    if (!this.#hear || this.#damages.length === 0) return;
    const damages = this.#damages;
    this.#damages = [];
    this.#hear(damages);
  }
}

/** What lies at a key; undefined for what has no sum. */
const whatLies = (key: string): Damaged | undefined =>
  key === historyPlace ? "history" : kinds[key.slice(0, 2)];
const kinds: Readonly<Record<string, Damaged>> = {
  "a/": "record",
  "b/": "entry",
  "e/": "entry",
  "r/": "results",
  "s/": "segment",
  "u/": "update",
};
