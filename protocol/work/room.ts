/** How many slots this node gives to work now, and what takes the rest: a full disk, its owner, heat, pressure, people's orders, its own failures. */
import type { Order } from "../swarm/orders.ts";
import type { Scheduling } from "../swarm/policy.ts";
import type { LocalVitals } from "../swarm/vitals.ts";
import { diskFreeBytesMin } from "./eligible.ts";

/** Heat counts as gone so far below the limit, pressure below this share of it, each for this share of the time that made it count. */
const heatHysteresisCelsius = 5;
const pressureHysteresis = 0.75;
const recoveryShare = 0.5;
/** Where the owner comes first, pressure counts after so long at the latest. */
const ownerPressedMs = 2000;
/** A disk that was out of room has some again at this multiple of the least. */
const diskHysteresis = 1.25;

export type Limit =
  /** What it says cannot be written: it hands out nothing either. */
  | "disk"
  /** Too little room for what actions write. */
  | "space"
  | "clone"
  | "hot"
  | "pressure"
  | "owner"
  | "standby"
  | "paused"
  | "drained"
  | "grounded"
  | "stopping";

/** What bears on a node's slots at one moment. */
export interface Circumstances {
  readonly nowMonoMs: number;
  /** Slots when nothing limits it. */
  readonly declared: number;
  readonly scheduling: Scheduling;
  readonly sensed: LocalVitals | undefined;
  readonly stopping: boolean;
  /** Two machines speak in its name. */
  readonly twins?: boolean;
  /** What it says cannot be written. */
  readonly mute?: boolean;
  readonly order: Order | undefined;
  readonly standsBy: boolean;
  readonly grounded: boolean;
  /** Slots that can work without the node getting too hot, as far as it can foresee. */
  readonly foreseenSlots: number;
}

/** Something that must last before it counts, and must be gone for a while before it no longer does. */
interface Strain {
  /** Since when it is over its mark, or has not come down far enough. */
  overSinceMonoMs: number | undefined;
  /** Since when it is well below. */
  calmSinceMonoMs: number | undefined;
  counts: boolean;
}

const calm = (): Strain => ({ overSinceMonoMs: undefined, calmSinceMonoMs: undefined, counts: false });

export class Room {
  /** Slots it takes work for. */
  slots: number;
  /** Slots it begins work in: what it took before it was paused it still does. */
  startable: number;
  limitedBy: Limit | undefined;
  private spaceShort = false;
  private readonly heat = calm();
  private readonly pressure = calm();
  private nextMonoMs = Number.POSITIVE_INFINITY;

  constructor(declared: number) {
    this.slots = declared;
    this.startable = declared;
  }

  /** Judges the moment; whether another limit holds than before. */
  look(c: Circumstances): boolean {
    const before = this.limitedBy;
    this.nextMonoMs = Number.POSITIVE_INFINITY;
    const { sustainedMs } = c.scheduling;
    const celsius = c.sensed?.temperatureCelsius ?? "unknown";
    const { temperatureCelsiusMax } = c.scheduling;
    const hot = celsius !== "unknown" && celsius >= temperatureCelsiusMax;
    const cool = celsius === "unknown" || celsius < temperatureCelsiusMax - heatHysteresisCelsius;
    this.strain(this.heat, hot, cool, sustainedMs, sustainedMs, c.nowMonoMs);
    const share = strainOf(c.sensed, c.scheduling);
    const pressedMs = isOwned(c.sensed) ? Math.min(sustainedMs, ownerPressedMs) : sustainedMs;
    this.strain(this.pressure, share >= 1, share < pressureHysteresis, pressedMs, sustainedMs, c.nowMonoMs);
    // Pressed for as long again, with half of its slots: it is not this work alone that presses it.
    const { overSinceMonoMs } = this.pressure;
    const stops =
      this.pressure.counts &&
      overSinceMonoMs !== undefined &&
      !pressedByCpuAlone(c.sensed, c.scheduling) &&
      c.nowMonoMs >= overSinceMonoMs + 2 * sustainedMs;

    if (c.sensed)
      this.spaceShort = c.sensed.diskFreeBytes < diskFreeBytesMin * (this.spaceShort ? diskHysteresis : 1);

    const { declared } = c;
    const half = Math.ceil(declared / 2);
    const limits: [Limit, number][] = [
      ["disk", c.mute ? 0 : declared],
      ["space", this.spaceShort ? 0 : declared],
      ["clone", c.twins ? 0 : declared],
      ["stopping", c.stopping ? 0 : declared],
      ["drained", c.order === "drained" ? 0 : declared],
      ["paused", c.order === "paused" ? 0 : declared],
      ["standby", c.standsBy ? 0 : declared],
      ["owner", slotsBesideOwner(c)],
      ["hot", hot ? 0 : Math.min(this.heat.counts ? half : declared, c.foreseenSlots)],
      ["pressure", stops ? 0 : this.pressure.counts ? half : declared],
      ["grounded", c.grounded ? 1 : declared],
    ];
    this.slots = declared;
    this.startable = declared;
    this.limitedBy = undefined;
    for (const [limit, slots] of limits) {
      if (limit !== "paused") this.startable = Math.min(this.startable, slots);
      if (slots >= this.slots) continue;
      this.slots = slots;
      this.limitedBy = limit;
    }
    return this.limitedBy !== before;
  }

  /** When a strain begins or ceases to count, if nothing else changes. */
  deadline(): number {
    return this.nextMonoMs;
  }

  /** `countsMs`: how long it must last to count; `sustainedMs`: by which it ends the rest, and ceases. */
  private strain(
    s: Strain,
    over: boolean,
    below: boolean,
    countsMs: number,
    sustainedMs: number,
    nowMonoMs: number,
  ): void {
    if (over) s.overSinceMonoMs ??= nowMonoMs;
    if (below) s.calmSinceMonoMs ??= nowMonoMs;
    else s.calmSinceMonoMs = undefined;
    if (below && !s.counts) s.overSinceMonoMs = undefined;
    if (s.overSinceMonoMs === undefined) return;
    if (nowMonoMs >= s.overSinceMonoMs + countsMs) s.counts = true;
    this.wake(s.overSinceMonoMs + (s.counts ? 2 * sustainedMs : countsMs), nowMonoMs);
    if (!s.counts || s.calmSinceMonoMs === undefined) return;
    const calmAtMonoMs = s.calmSinceMonoMs + sustainedMs * recoveryShare;
    if (nowMonoMs < calmAtMonoMs) return this.wake(calmAtMonoMs, nowMonoMs);
    s.counts = false;
    s.overSinceMonoMs = undefined;
  }

  private wake(atMonoMs: number, nowMonoMs: number): void {
    if (atMonoMs > nowMonoMs) this.nextMonoMs = Math.min(this.nextMonoMs, atMonoMs);
  }
}

/** A machine at work always has somebody waiting for a core: of CPU pressure only what lies half-way to all of the time counts. */
const cpuLimit = (limit: number) => (limit + 100) / 2;

/** The highest pressure as a share of its limit; unknown counts as none. */
function strainOf(sensed: LocalVitals | undefined, { pressurePercentMax: limit }: Scheduling): number {
  const pressure = sensed?.pressurePercent ?? "unknown";
  if (pressure === "unknown") return 0;
  return Math.max(pressure.memory / limit, pressure.io / limit, pressure.cpu / cpuLimit(limit));
}

function pressedByCpuAlone(
  sensed: LocalVitals | undefined,
  { pressurePercentMax: limit }: Scheduling,
): boolean {
  const pressure = sensed?.pressurePercent ?? "unknown";
  return pressure === "unknown" || Math.max(pressure.memory, pressure.io) < limit * pressureHysteresis;
}

/** Whether the node looks after its owner at all. */
const isOwned = (sensed: LocalVitals | undefined): boolean => sensed?.ownerActive !== undefined;

/** What is left beside the owner: little while the owner is there or the machine may go any moment; else the cores that nobody else uses. */
function slotsBesideOwner({ declared, sensed, scheduling }: Circumstances): number {
  if (!sensed || !isOwned(sensed)) return declared;
  const least = Math.min(declared, scheduling.ownerSlots);
  if (sensed.ownerActive || sensed.leaving !== undefined) return least;
  const { cores, othersCores = 0 } = sensed;
  const slotsPerCore = Math.max(1, declared / cores);
  return Math.min(declared, Math.max(least, Math.round((cores - othersCores) * slotsPerCore)));
}
