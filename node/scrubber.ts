/** Reads in time all that lies on the disk and that nobody asks for, and holds it against its sums: rot is found while others still have what it took. */
import { readFile } from "node:fs/promises";
import type { Log } from "./log.ts";
import { isSound, recordedIn } from "./recordings.ts";
import type { DiskEvents } from "./store/events.ts";
import type { Quarantine } from "./store/quarantine.ts";

/** How often a part is read: of a timeline of 5 GB all of it once a day. */
const lookMs = 60_000;
const lookBytes = 4 << 20;
/** A recording that was written to just now may be written to still. */
const restMs = 120_000;

export interface ScrubberOptions {
  readonly events: Pick<DiskEvents, "scrub">;
  /** Where the recordings lie. */
  readonly recordings: string;
  readonly quarantine: Quarantine;
  readonly every: (everyMs: number, run: () => void) => unknown;
  readonly nowMs: () => number;
  readonly log: Pick<Log, "warn">;
}

export class Scrubber {
  private readonly options: ScrubberOptions;
  /** Recordings that were found sound, in this turn through all of them. */
  private readonly seen = new Set<string>();
  private busy = false;

  constructor(options: ScrubberOptions) {
    this.options = options;
    options.every(lookMs, () => void this.look());
  }

  /** Looks at the next part. Ends when it has; never throws. */
  async look(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    try {
      await this.options.events.scrub(lookBytes);
      await this.lookAtRecording();
    } catch (error) {
      this.options.log.warn({ err: error }, "what lies on the disk could not be looked through");
    } finally {
      this.busy = false;
    }
  }

  private async lookAtRecording(): Promise<void> {
    const { recordings, quarantine, nowMs } = this.options;
    const closed = (await recordedIn(recordings)).filter(({ toMs }) => toMs < nowMs() - restMs);
    const next = closed.find(({ file }) => !this.seen.has(file));
    if (!next) return this.seen.clear();
    this.seen.add(next.file);
    const bytes = await readFile(next.file).catch(() => undefined);
    if (bytes && !(await isSound(bytes))) await quarantine.move("recording", next.file);
  }
}
