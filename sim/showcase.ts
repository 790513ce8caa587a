/** What a simulated mirror has laid out: drafts that nobody sees, whole epochs, and the one that is shown. It outlives the processes that change it. */
import type { PublishStep, Shelved, ShownFile } from "../protocol/contract.ts";
import { byText, type PeerId } from "../protocol/kernel/ids.ts";
import type { Showcase } from "../protocol/ports.ts";
import type { Blobs } from "./artifacts.ts";
import type { Process } from "./process.ts";

/** What a step takes, milliseconds. */
const stepMs = 3;

interface Shelf {
  readonly drafts: Map<number, ShownFile[]>;
  readonly kept: Map<number, readonly ShownFile[]>;
  current: number;
}

export class HostShowcase {
  private readonly blobs: Blobs;
  private readonly place: PeerId;
  private readonly shelves = new Map<string, Shelf>();

  constructor(blobs: Blobs, place: PeerId) {
    this.blobs = blobs;
    this.place = place;
  }

  /** What clients see of a channel; undefined before the first epoch. */
  shown(channel: string): { readonly epoch: number; readonly files: readonly ShownFile[] } | undefined {
    const shelf = this.shelves.get(channel);
    return shelf && shelf.current > 0
      ? { epoch: shelf.current, files: shelf.kept.get(shelf.current) ?? [] }
      : undefined;
  }

  channels(): string[] {
    return [...this.shelves.keys()].sort(byText);
  }

  port(process: Process): Showcase {
    return {
      restored: () => {
        for (const shelf of this.shelves.values()) shelf.drafts.clear();
        return this.channels().map((channel): Shelved => {
          const { kept, current } = this.shelves.get(channel)!;
          return { channel, epochs: [...kept.keys()].sort((a, b) => a - b), current };
        });
      },
      run: (step, done) =>
        process.after(stepMs, () => {
          const error = this.take(step);
          process.after(0, () => done(error));
        }),
    };
  }

  private take(step: PublishStep): { code: "blob-missing" | "disk-full"; message: string } | undefined {
    const { channel, epoch } = step;
    const shelf = this.shelf(channel);
    if (step.step === "begin") shelf.drafts.set(epoch, []);
    else if (step.step === "fill") {
      if (this.blobs.isFull(this.place)) return { code: "disk-full", message: "no room" };
      const lost = step.files.find((f) => f.link === undefined && !this.blobs.intact(this.place, f.digest));
      if (lost) return { code: "blob-missing", message: `${lost.path} is not on this disk` };
      shelf.drafts.get(epoch)?.push(...step.files);
    } else if (step.step === "keep") {
      shelf.kept.set(epoch, shelf.drafts.get(epoch) ?? []);
      shelf.drafts.delete(epoch);
    } else if (step.step === "switch") shelf.current = epoch;
    else if (step.step === "remove") shelf.kept.delete(epoch);
    return undefined;
  }

  private shelf(channel: string): Shelf {
    let shelf = this.shelves.get(channel);
    if (!shelf) {
      shelf = { drafts: new Map(), kept: new Map(), current: 0 };
      this.shelves.set(channel, shelf);
    }
    return shelf;
  }
}
