/** Every durable step of a host, counted; and a crash right before or right after the n-th of them. */
import type { Ports } from "../protocol/ports.ts";
import type { Host } from "./host.ts";
import type { Process } from "./process.ts";

/** Before: the step does not happen. After: it has happened, and nobody was told of it. */
export type Moment = "before" | "after";

export interface CrashPoint {
  /** Counted from 0, among the steps since `from`. */
  readonly nth: number;
  readonly moment: Moment;
  /** A power cut: what was not yet synced may be gone too. */
  readonly power: boolean;
}

export class CrashPoints {
  /** What the steps were, in order. */
  readonly steps: string[] = [];
  crashed = false;
  private readonly host: Host;
  private readonly fromMs: number;
  private readonly point: CrashPoint | undefined;

  /** To be made before the host starts; steps count from `fromMs` on. Without a point it only counts. */
  constructor(host: Host, fromMs: number, point?: CrashPoint) {
    this.host = host;
    this.fromMs = fromMs;
    this.point = point;
    host.bend({ honest: true, ports: (_, ports, process) => this.ports(ports, process) });
  }

  private ports(ports: Ports, process: Process): Ports {
    const { events, artifacts, showcase } = ports;
    return {
      ...ports,
      events: {
        ...events,
        write: (batch, done) => {
          if (!batch.durable) return events.write(batch, done);
          const what = batch.entries.flatMap(({ entry }) => entry.events.map(({ kind }) => kind)).join(" ");
          this.step(process, `write ${what}`, (after) => events.write(batch, after(done)));
        },
      },
      artifacts: {
        ...artifacts,
        put: (bytes, done) => this.step(process, "put", (after) => artifacts.put(bytes, after(done))),
      },
      showcase: {
        ...showcase,
        run: (step, done) =>
          this.step(process, `${step.step} ${step.epoch}`, (after) => showcase.run(step, after(done))),
      },
    };
  }

  /** Takes a step, or falls beside it. */
  private step(
    process: Process,
    what: string,
    take: (after: <A extends unknown[]>(done: (...args: A) => void) => (...args: A) => void) => void,
  ): void {
    const { point } = this;
    if (this.crashed || process.world.nowMs < this.fromMs) return take((done) => done);
    const nth = this.steps.push(what) - 1;
    if (nth !== point?.nth) return take((done) => done);
    this.crashed = true;
    if (point.moment === "before") return process.world.after(0, () => this.fall(point));
    take(() => () => this.fall(point));
  }

  private fall({ power }: CrashPoint): void {
    if (!this.host.up) return;
    if (power) this.host.unplug();
    else this.host.kill();
  }
}
