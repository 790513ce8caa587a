/**
 * A mirror: shows the newest certified epoch of each channel, whole or not at all. It brings all blobs to its disk first, lays the epoch out
 * where nobody sees it, and switches once. What was shown before stays served for a grace time.
 */
import type { PublishStep, Shelved } from "../contract.ts";
import type { ErrorCode } from "../kernel/errors.ts";
import type { PeerId } from "../kernel/ids.ts";
import type { Bench } from "./bench.ts";
import type { Certified, Epochs } from "./epochs.ts";
import { blobsOf, type Manifest } from "./manifest.ts";
import type { Papers } from "./papers.ts";
import type { Stock } from "./stock.ts";

/** Files in one step. */
const filesPerStep = 256;
/** What is no longer shown stays for so long, and for so many further epochs. */
const graceMs = 24 * 3600_000;
const graceEpochs = 2;
const retryMs = 10_000;

interface Shelf {
  current: number;
  readonly kept: Set<number>;
  /** What could not be shown is tried again then. */
  againMonoMs: number;
  /** What was said last of why it lags. */
  lags: string | undefined;
}

interface Job {
  readonly id: number;
  readonly channel: string;
  readonly certified: Certified | undefined;
  /** What is left to do, the step that runs first. */
  readonly steps: PublishStep[];
}

export class Publisher {
  private readonly bench: Bench;
  private readonly papers: Papers;
  private readonly stock: Stock;
  private readonly shelves = new Map<string, Shelf>();
  /** One at a time. */
  private job: Job | undefined;
  private count = 0;

  constructor(bench: Bench, papers: Papers, stock: Stock) {
    this.bench = bench;
    this.papers = papers;
    this.stock = stock;
  }

  restored(channels: readonly Shelved[]): void {
    for (const { channel, epochs, current } of channels) {
      const shelf = this.shelf(channel);
      shelf.current = current;
      for (const epoch of epochs) shelf.kept.add(epoch);
    }
  }

  /** The epoch that is shown; 0 = none. */
  shown(channel: string): number {
    return this.shelves.get(channel)?.current ?? 0;
  }

  /** Looks whether a channel has something newer to show, or something too old to keep. */
  pump(epochs: Epochs): void {
    if (this.job || this.bench.stopping) return;
    const { tip, channel } = epochs;
    const shelf = this.shelf(channel);
    if (!tip || epochs.conflicts.size > 0 || shelf.againMonoMs > this.bench.now.monoMs) return;
    if (shelf.current >= tip.epoch) {
      const old = this.overdue(shelf, epochs);
      if (old !== undefined) this.begin(channel, undefined, [{ step: "remove", channel, epoch: old }]);
      return;
    }
    const holders = tip.certificate.map((entry) => entry.entry.author);
    const manifest = this.papers.manifest(tip.proposal.manifest, holders);
    if (manifest === null) return this.lag(epochs.channel, tip.epoch, "no member in reach has its manifest");
    if (manifest === undefined) return;
    const stock = this.bring(tip, manifest, holders);
    if (typeof stock === "number")
      return this.lag(channel, tip.epoch, `${stock} of its files cannot be had from any member in reach`);
    if (stock === "here") this.begin(channel, tip, stepsOf(tip, manifest, shelf.kept.has(tip.epoch)));
  }

  /** A step ended. */
  published(id: number, error: { readonly code: ErrorCode; readonly message: string } | undefined): void {
    const { job } = this;
    if (job?.id !== id) return;
    const shelf = this.shelf(job.channel);
    const { certified } = job;
    if (error) {
      this.job = undefined;
      if (certified && (error.code === "blob-missing" || error.code === "blob-corrupt"))
        this.stock.doubt(certified.proposal.manifest);
      if (certified) this.lag(job.channel, certified.epoch, error.message);
      shelf.againMonoMs = this.bench.now.monoMs + retryMs;
      return;
    }
    const step = job.steps.shift()!;
    if (step.step === "keep") shelf.kept.add(step.epoch);
    else if (step.step === "remove") shelf.kept.delete(step.epoch);
    else if (step.step === "switch" && certified) {
      shelf.current = step.epoch;
      shelf.lags = undefined;
      const { manifest } = certified.proposal;
      this.bench.say(
        undefined,
        { kind: "release.shown", channel: job.channel, epoch: step.epoch, manifest },
        { urgent: true },
      );
    }
    this.job = undefined;
    if (job.steps.length > 0) this.begin(job.channel, certified, job.steps);
  }

  deadline(): number {
    let at = Number.POSITIVE_INFINITY;
    if (this.job) return at;
    for (const { againMonoMs } of this.shelves.values())
      if (againMonoMs > this.bench.now.monoMs) at = Math.min(at, againMonoMs);
    return at;
  }

  private begin(channel: string, certified: Certified | undefined, steps: PublishStep[]): void {
    const id = this.count++;
    this.job = { id, channel, certified, steps };
    this.bench.emit({ kind: "publish", id, step: steps[0]! });
  }

  private bring(tip: Certified, manifest: Manifest, holders: readonly PeerId[]) {
    const { manifest: list } = tip.proposal;
    return this.stock.bring(list, [...blobsOf(manifest.items), list], holders);
  }

  /** An epoch that nobody with an old index asks for any more. */
  private overdue(shelf: Shelf, epochs: Epochs): number | undefined {
    const { wallMs } = this.bench.now;
    return [...shelf.kept]
      .sort((a, b) => a - b)
      .find((epoch) => {
        if (epoch >= shelf.current - graceEpochs) return false;
        const next = epochs.certified[epoch];
        return next !== undefined && wallMs - next.proposal.atMs > graceMs;
      });
  }

  private lag(channel: string, epoch: number, reason: string): void {
    const shelf = this.shelf(channel);
    shelf.againMonoMs = this.bench.now.monoMs + retryMs;
    const text = `${epoch} ${reason}`;
    if (shelf.lags === text) return;
    shelf.lags = text;
    this.bench.say(undefined, { kind: "release.lags", channel, epoch, reason: reason.slice(0, 250) });
  }

  private shelf(channel: string): Shelf {
    let shelf = this.shelves.get(channel);
    if (!shelf) {
      shelf = { current: 0, kept: new Set(), againMonoMs: Number.NEGATIVE_INFINITY, lags: undefined };
      this.shelves.set(channel, shelf);
    }
    return shelf;
  }
}

/** What shows an epoch, in order; one that is whole already needs but the switch. */
function stepsOf({ epoch, proposal }: Certified, manifest: Manifest, kept: boolean): PublishStep[] {
  const { channel, items } = manifest;
  if (kept) return [{ step: "switch", channel, epoch }];
  const steps: PublishStep[] = [{ step: "begin", channel, epoch }];
  for (let at = 0; at < items.length; at += filesPerStep) {
    const files = items.slice(at, at + filesPerStep).map(({ path, digest, executable, link }) => ({
      path,
      digest,
      ...(executable ? { executable } : {}),
      ...(link === undefined ? {} : { link }),
    }));
    steps.push({ step: "fill", channel, epoch, files });
  }
  steps.push({ step: "index", channel, epoch, manifest: proposal.manifest });
  steps.push({ step: "keep", channel, epoch }, { step: "switch", channel, epoch });
  return steps;
}
