/** How nodes were at moments gone by, as far as this node's recordings have their beats. */

import { type Reading, readingsAt, readingsIn } from "../protocol/explain/readings.ts";
import { SwarmError } from "../protocol/kernel/errors.ts";
import type { PeerId } from "../protocol/kernel/ids.ts";
import { type RecordedFile, readStretch, recordedIn } from "./recordings.ts";

/** What a node said of itself is told for so long: a swarm at rest beats seldom. */
export const readingMsMax = 600_000;
/** Stretches whose beats stay at hand; the one asked for longest ago goes first. */
const keptMax = 8;
/** Stretches that are read for one moment. */
const readMax = 3;

interface Kept {
  readonly bytes: number;
  readonly toMs: number;
  readonly readings: readonly Reading[];
}

export class RecordedReadings {
  private readonly dir: string;
  private readonly kept = new Map<string, Promise<Kept>>();

  /** `dir`: where the stretches lie. */
  constructor(dir: string) {
    this.dir = dir;
  }

  /** The last of each node by `atMs`, wall milliseconds; empty where nothing of that time is recorded. */
  async at(atMs: number): Promise<ReadonlyMap<PeerId, Reading>> {
    const files = (await this.files(atMs - readingMsMax, atMs)).slice(-readMax);
    const readings = await Promise.all(files.map((file) => this.of(file, atMs)));
    return readingsAt(readings.flat(), atMs, readingMsMax);
  }

  /** All from `fromMs` to `toMs`, in the order of time. */
  async *between(fromMs: number, toMs: number): AsyncIterable<Reading> {
    for (const file of await this.files(fromMs, toMs))
      for (const reading of await this.of(file, toMs))
        if (reading.atMs >= fromMs && reading.atMs <= toMs) yield reading;
  }

  /** Stretches that may have to do with a time, the oldest first: each begins about when the one before it ends. */
  private async files(fromMs: number, toMs: number): Promise<RecordedFile[]> {
    const all = await recordedIn(this.dir);
    return all.filter((file, at) => file.toMs >= fromMs && (all[at - 1]?.toMs ?? 0) <= toMs);
  }

  private async of(file: RecordedFile, untilMs: number): Promise<readonly Reading[]> {
    const known = await this.kept.get(file.file);
    // One that is still being written is read again only for what came since.
    if (known && (known.bytes === file.bytes || known.toMs > untilMs)) return known.readings;
    const reading = read(file);
    this.kept.delete(file.file);
    this.kept.set(file.file, reading);
    if (this.kept.size > keptMax) this.kept.delete(this.kept.keys().next().value!);
    return (await reading).readings;
  }
}

/** A stretch that is damaged says what it can. */
async function read({ file, bytes }: RecordedFile): Promise<Kept> {
  const readings: Reading[] = [];
  let toMs = 0;
  try {
    const { head, steps } = await readStretch(file);
    for (const reading of readingsIn(steps, head.peer)) {
      readings.push(reading);
      toMs = reading.atMs;
    }
  } catch (error) {
    // It may have been removed meanwhile to make room.
    if (!(error instanceof SwarmError) && (error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  return { bytes, toMs, readings };
}
