/** Vitals over time, kept only while somebody looks: a daemon that nobody asks samples nothing. */
import type { NodeView } from "../control/api.ts";
import type { Views } from "./views.ts";

const everyMs = 5_000;
/** An hour. */
const samplesMax = 720;
const nodesMax = 512;
/** Nobody has asked for so long: sampling ends, and what there was goes. */
const forgottenMs = 15 * 60_000;

export interface Sample {
  /** By this node's clock. */
  readonly atMs: number;
  readonly load: number | null;
  readonly temperatureCelsius: number | null;
  readonly slots: number;
  readonly running: number;
  readonly memoryFreeBytes: number;
  readonly diskFreeBytes: number;
}

export class Series {
  private readonly views: Pick<Views, "nodes">;
  private readonly nowMs: () => number;
  private readonly samples = new Map<string, Sample[]>();
  private askedMs = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(views: Pick<Views, "nodes">, nowMs: () => number = Date.now) {
    this.views = views;
    this.nowMs = nowMs;
  }

  /** Node name → its samples, the oldest first; the first is taken now. */
  async all(): Promise<Readonly<Record<string, readonly Sample[]>>> {
    this.askedMs = this.nowMs();
    if (this.timer === undefined) {
      this.timer = setInterval(() => void this.look(), everyMs).unref();
      await this.look();
    }
    return Object.fromEntries(this.samples);
  }

  close(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    this.samples.clear();
  }

  /** Takes a sample of each node that is heard. */
  async look(): Promise<void> {
    const atMs = this.nowMs();
    if (atMs - this.askedMs > forgottenMs) return this.close();
    const nodes = await this.views.nodes().catch((): NodeView[] => []);
    for (const { name, state, vitals } of nodes.slice(0, nodesMax)) {
      if (!vitals || (state !== "self" && state !== "alive")) continue;
      const { load, temperatureCelsius, slots, running, memoryFreeBytes, diskFreeBytes } = vitals;
      const kept = this.samples.get(name) ?? [];
      kept.push({
        atMs,
        load: load === "unknown" ? null : load,
        temperatureCelsius: temperatureCelsius === "unknown" ? null : temperatureCelsius,
        slots,
        running,
        memoryFreeBytes,
        diskFreeBytes,
      });
      if (kept.length > samplesMax) kept.shift();
      this.samples.set(name, kept);
    }
  }
}
