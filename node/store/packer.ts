/** Packs what lies of archived builds into segments, one build after the other, a chunk at a time, while nobody waits for it. */
import type { BuildId } from "../../protocol/kernel/ids.ts";
import type { SignedEntry } from "../../protocol/timeline/entry.ts";
import type { Place } from "../../protocol/timeline/places.ts";
import { entryPlace } from "./places.ts";
import { packed, segmentBytesMax, segmentEntriesMax, segmentPlace } from "./segments.ts";

/** What packing needs of the store. */
export interface Shelves {
  /** Entries that lie unpacked, with their keys, of a half-open range of keys; what is damaged is told and left out. */
  unpacked(gte: string, lte: string): Promise<{ readonly key: string; readonly entry: SignedEntry }[]>;
  /** Of a segment that is there already. */
  inSegment(key: string): Promise<readonly SignedEntry[]>;
  /** All or nothing. */
  exchange(put: { readonly key: string; readonly value: Uint8Array }, del: readonly string[]): Promise<void>;
}

export interface Task {
  readonly build: BuildId;
  readonly places: readonly Place[];
}

export class Packer {
  readonly #shelves: Shelves;
  readonly #tasks: Task[] = [];
  #working: Promise<void> | undefined;
  #stopped = false;

  constructor(shelves: Shelves) {
    this.#shelves = shelves;
  }

  add(task: Task): void {
    if (this.#stopped) return;
    this.#tasks.push(task);
    this.#working ??= this.#work();
  }

  /** Resolves when all that was added is packed. */
  async idle(): Promise<void> {
    while (this.#working) await this.#working;
  }

  /** Ends after the chunk in hand; what is left is packed another time. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#working;
  }

  async #work(): Promise<void> {
    await null;
    for (let task = this.#tasks.shift(); task && !this.#stopped; task = this.#tasks.shift())
      // What cannot be packed stays as it is.
      await this.#pack(task).catch(() => {});
    this.#working = undefined;
  }

  async #pack({ build, places }: Task): Promise<void> {
    for (const { author, inc, runs } of places) {
      let chunk: { key: string; entry: SignedEntry }[] = [];
      let bytes = 0;
      const end = async () => {
        if (chunk.length > 0) await this.#put(build, chunk);
        chunk = [];
        bytes = 0;
      };
      for (let at = 0; at < runs.length && !this.#stopped; at += 2)
        for (let from = runs[at]!; from <= runs[at + 1]! && !this.#stopped; from += 512) {
          const to = Math.min(runs[at + 1]!, from + 511);
          const found = await this.#shelves.unpacked(
            entryPlace("builds", author, inc, from),
            entryPlace("builds", author, inc, to),
          );
          for (const one of found) {
            if (one.entry.entry.build !== build) continue;
            chunk.push(one);
            bytes += one.entry.bytes.length;
            if (chunk.length >= segmentEntriesMax || bytes >= segmentBytesMax) await end();
          }
        }
      await end();
    }
  }

  async #put(
    build: BuildId,
    chunk: readonly { readonly key: string; readonly entry: SignedEntry }[],
  ): Promise<void> {
    const { author, inc, seq: fromSeq } = chunk[0]!.entry.entry;
    const { seq: toSeq } = chunk.at(-1)!.entry.entry;
    const key = segmentPlace(author, inc, { fromSeq, toSeq, build });
    const all = new Map((await this.#shelves.inSegment(key)).map((entry) => [entry.entry.seq, entry]));
    for (const { entry } of chunk) all.set(entry.entry.seq, entry);
    const entries = [...all.values()].sort((a, b) => a.entry.seq - b.entry.seq);
    const value = await packed(entries);
    await this.#shelves.exchange(
      { key, value },
      chunk.map((one) => one.key),
    );
  }
}
