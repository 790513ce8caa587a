/**
 * Which blobs of this disk are logs of what ran here, and since when: a file for each day, a digest on each line. They are kept for a time and
 * up to a size, and go after it, also where there is room.
 */
import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { isDigest, sizeOf } from "../../protocol/kernel/digest.ts";
import { byText, type Digest } from "../../protocol/kernel/ids.ts";

const dayMs = 86_400_000;
/** Of one day: some hundred thousand logs. More are ordinary blobs. */
const dayBytesMax = 32 << 20;
const dayName = /^\d{4}-\d{2}-\d{2}$/;

export interface KeptLogsOptions {
  readonly dir: string;
  readonly keptMs: number;
  /** The newest stay, as many as have room in this. */
  readonly bytesMax: number;
}

export class KeptLogs {
  readonly #options: KeptLogsOptions;
  #day = "";
  #dayBytes = 0;

  constructor(options: KeptLogsOptions) {
    this.#options = options;
    mkdirSync(options.dir, { recursive: true, mode: 0o700 });
  }

  /** It was just written. Throws nothing: on a full disk it is a blob as any other. */
  add(digest: Digest, nowMs: number): void {
    const day = dayOf(nowMs);
    if (day !== this.#day) [this.#day, this.#dayBytes] = [day, this.#read(day).length];
    if (this.#dayBytes >= dayBytesMax) return;
    try {
      appendFileSync(path.join(this.#options.dir, day), `${digest}\n`, { mode: 0o600 });
      this.#dayBytes += digest.length + 1;
    } catch {
      this.#day = "";
    }
  }

  /** What stays, and what is overdue; nothing is both. */
  at(nowMs: number): { readonly kept: ReadonlySet<Digest>; readonly overdue: ReadonlySet<Digest> } {
    const kept = new Set<Digest>();
    const overdue = new Set<Digest>();
    let bytes = 0;
    for (const day of this.#days())
      for (const digest of this.#digests(day)) {
        if (kept.has(digest)) continue;
        if (this.#isOver(day, nowMs)) overdue.add(digest);
        else {
          bytes += sizeOf(digest);
          (bytes <= this.#options.bytesMax ? kept : overdue).add(digest);
        }
      }
    for (const digest of kept) overdue.delete(digest);
    return { kept, overdue };
  }

  /** What was overdue has gone, or is needed for something else. */
  forget(nowMs: number): void {
    for (const day of this.#days())
      if (this.#isOver(day, nowMs)) rmSync(path.join(this.#options.dir, day), { force: true });
  }

  #isOver(day: string, nowMs: number): boolean {
    return Date.parse(`${day}T00:00:00Z`) + dayMs + this.#options.keptMs < nowMs;
  }

  /** The newest first. */
  #days(): string[] {
    return readdirSync(this.#options.dir)
      .filter((name) => dayName.test(name))
      .sort(byText)
      .reverse();
  }

  /** The newest first; a line that was torn names nothing. */
  #digests(day: string): Digest[] {
    return this.#read(day)
      .split("\n")
      .reverse()
      .filter((line): line is Digest => isDigest(line));
  }

  #read(day: string): string {
    try {
      return readFileSync(path.join(this.#options.dir, day), "latin1");
    } catch {
      return "";
    }
  }
}

const dayOf = (nowMs: number): string => new Date(nowMs).toISOString().slice(0, 10);
