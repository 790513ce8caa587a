/** How long a swarm has been left in peace: many invariants hold only once faults are over and hosts have found each other. */
import type { Swarm } from "../swarm.ts";

export class Calm {
  private readonly swarm: Swarm;
  private troubledMs = Number.NEGATIVE_INFINITY;

  constructor(swarm: Swarm) {
    this.swarm = swarm;
  }

  /** Looks whether every host that is up works and reaches every other; to be called a few times a second. */
  sample(): void {
    const { hosts, network, world } = this.swarm;
    const up = hosts.filter((h) => h.up);
    const whole =
      network.flawless &&
      up.every((a) => a.active && up.every((b) => a === b || network.reaches(a.peer, b.peer)));
    if (!whole) this.troubledMs = world.nowMs;
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
