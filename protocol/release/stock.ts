/** Brings the blobs of a list to the own disk: what a mirror is to show, and a voter to have before it votes. */
import type { Digest, PeerId } from "../kernel/ids.ts";
import type { Bench } from "./bench.ts";

/** What could not be had is asked for again after this long. */
const againMs = 5000;

type Lot =
  | { readonly state: "coming" }
  | { readonly state: "here" }
  | { readonly state: "missing"; readonly count: number; readonly againMonoMs: number };

const prefix = "release:";

export class Stock {
  private readonly bench: Bench;
  /** By the name of the list: its digest, where it has one. */
  private readonly lots = new Map<string, Lot>();

  constructor(bench: Bench) {
    this.bench = bench;
  }

  /** Asks for the blobs of a list, once; a number says how many of them cannot be had now. */
  bring(list: string, blobs: readonly Digest[], holders: readonly PeerId[]): "here" | "coming" | number {
    const lot = this.lots.get(list);
    if (lot && lot.state !== "missing") return lot.state;
    if (lot && lot.againMonoMs > this.bench.now.monoMs) return lot.count;
    const from = this.bench.preferred(holders);
    this.lots.set(list, { state: "coming" });
    const wants = blobs.map((digest) => ({ digest, from }));
    this.bench.emit({ kind: "fetch", id: `${prefix}${list}`, wants });
    return lot?.state === "missing" ? lot.count : "coming";
  }

  /** Whether a fetch was one of these. */
  fetched(id: string, missing: readonly Digest[]): boolean {
    if (!id.startsWith(prefix)) return false;
    const list = id.slice(prefix.length);
    this.lots.set(
      list,
      missing.length === 0
        ? { state: "here" }
        : { state: "missing", count: missing.length, againMonoMs: this.bench.now.monoMs + againMs },
    );
    return true;
  }

  /** The disk turned out to lack some of it after all. */
  doubt(list: string): void {
    this.lots.delete(list);
  }

  /** What is due by now and was not asked for again interests nobody any more. */
  deadline(): number {
    let at = Number.POSITIVE_INFINITY;
    for (const lot of this.lots.values())
      if (lot.state === "missing" && lot.againMonoMs > this.bench.now.monoMs)
        at = Math.min(at, lot.againMonoMs);
    return at;
  }
}
