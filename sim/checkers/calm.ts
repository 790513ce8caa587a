/** How long a swarm has been left in peace: many invariants hold only once faults are over and hosts have found each other. */
import type { Host } from "../host.ts";
import type { Swarm } from "../swarm.ts";

export class Calm {
  private readonly swarm: Swarm;
  private troubledMs = Number.NEGATIVE_INFINITY;
  private looked: readonly Host[];
  private trouble: () => boolean = () => false;

  constructor(swarm: Swarm) {
    this.swarm = swarm;
    this.looked = swarm.hosts;
  }

  /** From here on only these count: the others are broken for ever. */
  only(hosts: readonly Host[]): void {
    this.looked = hosts;
  }

  /** There is no calm while this holds. */
  unless(trouble: () => boolean): void {
    this.trouble = trouble;
  }

  /** Whether a host is one of those that count. */
  covers(host: Host): boolean {
    return this.looked.includes(host);
  }

  /** Looks whether every host that is up works and reaches every other; to be called a few times a second. */
  sample(): void {
    const { network, world } = this.swarm;
    const up = this.looked.filter((h) => h.up);
    const whole =
      !this.troubled &&
      up.every((a) => a.active && up.every((b) => a === b || network.reaches(a.place, b.place)));
    if (!whole) this.troubledMs = world.nowMs;
  }

  /** Whether something lasts that slows or silences hosts. */
  get troubled(): boolean {
    return !this.swarm.network.flawless || this.trouble();
  }

  /** Milliseconds for which all hosts that are up could talk to each other, whatever else befell them. */
  get wholeForMs(): number {
    return this.swarm.world.nowMs - this.troubledMs;
  }

  /** Milliseconds since the last fault, or since hosts that are up could not all talk to each other. */
  get forMs(): number {
    const { nowMs, faultMs } = this.swarm.world;
    return nowMs - Math.max(faultMs, this.troubledMs);
  }
}
