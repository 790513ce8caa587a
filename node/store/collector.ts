/** Makes room among the blobs before the disk is full: measures, asks what is needed, and removes what the collection says goes. */
import { decodeDirectory } from "../../protocol/build/reapi.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { Digest } from "../../protocol/kernel/ids.ts";
import { decodeManifest, decodeSet } from "../../protocol/release/manifest.ts";
import { type Collection, collect, excessOf, type Fill, recentMs } from "../../protocol/work/collection.ts";
import type { Need, Root } from "../../protocol/work/reachable.ts";
import type { Log } from "../log.ts";
import { type Every, everyByTimer } from "../rounds.ts";
import type { DiskBlobs } from "./blobs.ts";
import type { KeptLogs } from "./kept-logs.ts";

/** How often it is looked whether room is short. */
const lookMs = 10_000;
/** Where nothing can go, it is measured again after so long. */
const againMs = 600_000;
/** How often it is looked whether logs are overdue. */
const logsMs = 3_600_000;
/** What is removed between two turns of everybody else. */
const batchMax = 64;
const gib = 2 ** 30;
/** Without a setting: of a large disk so much is left free, of a small one a tenth. */
const freeBytesUsual = 5 * gib;
const share = 0.1;

export interface CollectorOptions {
  readonly blobs: Pick<DiskBlobs, "list" | "drop" | "read" | "writtenBytes" | "bytesHere">;
  /** Everything needed, as it is at the moment. */
  readonly roots: () => Iterable<Root>;
  /** Logs of what ran here: they stay for a time, and go after it. */
  readonly logs?: Pick<KeptLogs, "at" | "forget">;
  readonly disk: () => { readonly diskTotalBytes: number; readonly diskFreeBytes: number };
  readonly bytesMax?: number | undefined;
  readonly freeBytesMin?: number | undefined;
  /** They are no longer here. */
  readonly gone: (digests: readonly Digest[]) => void;
  readonly log: Pick<Log, "info" | "warn">;
  /** What calls for the next look; absent: a timer. */
  readonly every?: Every;
  /** By the wall clock. */
  readonly nowMs: () => number;
}

export interface CollectOptions {
  /** Nothing is removed. */
  readonly dryRun?: boolean;
  /** All that nothing needs and nobody used for so long goes, whether room is short or not; absent: what makes room. */
  readonly unusedMs?: number | undefined;
}

/** What went, or would, and how full the disk was. */
export interface Collected extends Collection {
  readonly fill: Fill;
}

export class Collector {
  readonly #options: CollectorOptions;
  /** Of the last measure. */
  #usedBytes: number | undefined;
  #writtenBytes = 0;
  #measuredMs = Number.NEGATIVE_INFINITY;
  #helpless = false;
  #logsSeenMs = Number.NEGATIVE_INFINITY;
  #busy: Promise<unknown> = Promise.resolve();
  #stop: (() => void) | undefined;

  constructor(options: CollectorOptions) {
    this.#options = options;
  }

  /** Looks every few seconds, until it is stopped. */
  start(): void {
    this.#stop = (this.#options.every ?? everyByTimer)(lookMs, () => {
      this.look().catch((error) =>
        this.#options.log.warn({ err: error }, "artifacts that nothing needs cannot be removed"),
      );
    });
  }

  stop(): void {
    this.#stop?.();
  }

  /** Makes room where it is short, going by what was stored since the last measure. */
  async look(): Promise<void> {
    const { blobs, nowMs, log } = this.#options;
    const used = this.#usedBytes;
    if (used !== undefined && !this.#areLogsOverdue()) {
      const fill = this.#fillOf(used + blobs.writtenBytes - this.#writtenBytes);
      if (excessOf(fill) === 0) {
        this.#helpless = false;
        return;
      }
      if (this.#helpless && Math.abs(nowMs() - this.#measuredMs) < againMs) return;
    }
    const { fill, goes, goesBytes, kept } = await this.collect();
    const short = excessOf(fill) - goesBytes;
    if (goes.length > 0)
      log.info({ blobs: goes.length, bytes: goesBytes }, "artifacts that nothing needs made room");
    if (short > 0 && !this.#helpless)
      log.warn(
        { short, kept, remedy: "free some space, or let artifacts take more of it: artifactBytesMax" },
        "the disk has less room than it should, and all artifacts on it are needed, or were used just now",
      );
    this.#helpless = short > 0;
  }

  /** One at a time. */
  collect(options: CollectOptions = {}): Promise<Collected> {
    const turn = this.#busy.then(() => this.#collect(options));
    this.#busy = turn.catch(() => {});
    return turn;
  }

  async #collect({ dryRun = false, unusedMs }: CollectOptions): Promise<Collected> {
    const { blobs, nowMs } = this.#options;
    const { writtenBytes } = blobs;
    const held = await blobs.list();
    const usedBytes = held.reduce((sum, { bytes }) => sum + bytes, 0);
    const needs = await this.#needed(new Set(held.map(({ digest }) => digest)));
    const logs = this.#options.logs?.at(nowMs());
    const needOf = (digest: Digest) => needs.get(digest) ?? (logs?.kept.has(digest) ? "logs" : undefined);
    const fill = this.#fillOf(usedBytes);
    const collection = collect(
      held,
      needOf,
      {
        nowMs: nowMs(),
        recentMs: unusedMs ?? recentMs,
        excessBytes: unusedMs === undefined ? excessOf(fill) : Number.POSITIVE_INFINITY,
      },
      (digest) => logs?.overdue.has(digest) ?? false,
    );
    this.#measuredMs = nowMs();
    this.#writtenBytes = writtenBytes;
    this.#usedBytes = usedBytes;
    if (dryRun) return { ...collection, fill };
    const collected = { ...(await this.#remove(collection)), fill };
    this.#options.logs?.forget(nowMs());
    return collected;
  }

  #areLogsOverdue(): boolean {
    const { blobs, logs, nowMs } = this.#options;
    if (!logs || Math.abs(nowMs() - this.#logsSeenMs) < logsMs) return false;
    this.#logsSeenMs = nowMs();
    return logs
      .at(nowMs())
      .overdue.values()
      .some((digest) => blobs.bytesHere(digest) !== undefined);
  }

  /** What was used after all since it was listed stays. */
  async #remove(collection: Collection): Promise<Collection> {
    const { blobs, gone } = this.#options;
    const went: Collection["goes"][number][] = [];
    for (let at = 0; at < collection.goes.length; at += batchMax) {
      const batch = collection.goes.slice(at, at + batchMax).filter((one) => blobs.drop(one));
      went.push(...batch);
      if (batch.length > 0) gone(batch.map(({ digest }) => digest));
      await new Promise((resolve) => setImmediate(resolve));
    }
    const bytes = went.reduce((sum, one) => sum + one.bytes, 0);
    this.#usedBytes = (this.#usedBytes ?? 0) - bytes;
    const used = collection.goes.length - went.length;
    const { recent } = collection.kept;
    return {
      goes: went,
      goesBytes: bytes,
      kept: {
        ...collection.kept,
        recent: { count: recent.count + used, bytes: recent.bytes + collection.goesBytes - bytes },
      },
    };
  }

  #fillOf(usedBytes: number): Fill {
    const { disk, bytesMax, freeBytesMin } = this.#options;
    const { diskTotalBytes: total, diskFreeBytes } = disk();
    return {
      usedBytes,
      usedBytesMax: bytesMax ?? (total > 0 ? Math.floor(total * share) : Number.MAX_SAFE_INTEGER),
      freeBytes: total > 0 ? diskFreeBytes : Number.MAX_SAFE_INTEGER,
      freeBytesMin: freeBytesMin ?? Math.min(freeBytesUsual, Math.floor(total * share)),
    };
  }

  /** Everything needed that is here, with all that folders and lists name. */
  async #needed(here: ReadonlySet<Digest>): Promise<Map<Digest, Need>> {
    const needs = new Map<Digest, Need>();
    const roots = [...this.#options.roots()];
    const read = new Set<Digest>();
    // it grows while it is gone through
    for (const { digest, kind, need } of roots) {
      if (!here.has(digest)) continue;
      if (!needs.has(digest)) needs.set(digest, need);
      if (kind === "blob" || read.has(digest)) continue;
      read.add(digest);
      const below = await this.#below(digest, kind);
      for (const one of below) roots.push({ ...one, need });
    }
    return needs;
  }

  /** What is none has nothing below it. Throws what the disk says: while a list cannot be read nobody knows what is needed. */
  async #below(digest: Digest, kind: "folder" | "set" | "manifest"): Promise<Omit<Root, "need">[]> {
    const bytes = await this.#options.blobs.read(digest).catch((cause) => {
      if (cause instanceof SwarmError && (cause.code === "blob-missing" || cause.code === "blob-corrupt"))
        return undefined;
      throw cause;
    });
    if (!bytes) return [];
    try {
      if (kind === "folder") {
        const { files, directories } = decodeDirectory(bytes);
        return [
          ...files.map((file) => ({ digest: file.digest, kind: "blob" as const })),
          ...directories.map((folder) => ({ digest: folder.digest, kind: "folder" as const })),
        ];
      }
      const { items } = kind === "set" ? decodeSet(bytes) : decodeManifest(bytes);
      return items.flatMap((item) =>
        item.link === undefined ? [{ digest: item.digest, kind: "blob" as const }] : [],
      );
    } catch (cause) {
      if (cause instanceof SwarmError) return [];
      throw cause;
    }
  }
}
