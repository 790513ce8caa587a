/** What a liar costs the honest: the share of their time that they work in, of all in which one of them could have. */
import { byText } from "../../protocol/kernel/ids.ts";
import type { Host } from "../host.ts";
import type { Swarm } from "../swarm.ts";
import type { Calm } from "./calm.ts";
import type { Accuse } from "./violation.ts";
import { waitingFor } from "./waits.ts";

/** Of the slots that could have worked so many must have. */
const shareMin = 0.8;
/** Judged once so many slots were seen that worked or could have: fewer say nothing. */
const seenMin = 150;

export class GoodputChecker {
  private readonly swarm: Swarm;
  private readonly calm: Calm;
  private readonly dishonest: ReadonlySet<string>;
  private readonly accuse: Accuse;
  private worked = 0;
  private idled = 0;
  private readonly idlers = new Set<string>();

  constructor(swarm: Swarm, calm: Calm, dishonest: ReadonlySet<string>, accuse: Accuse) {
    this.swarm = swarm;
    this.calm = calm;
    this.dishonest = dishonest;
    this.accuse = accuse;
  }

  /** Counts slots while there is a liar and nothing else is wrong. */
  sample(): void {
    const { hosts, network } = this.swarm;
    if (this.dishonest.size === 0 || this.calm.troubled || network.lopsided) return;
    const honest = hosts.filter((h) => h.active && !this.dishonest.has(h.peer));
    if (honest.some((a) => honest.some((b) => a !== b && !network.reaches(a.place, b.place)))) return;
    for (const host of honest) this.count(host);
  }

  /** To be asked at the end. */
  judge(): void {
    const seen = this.worked + this.idled;
    if (seen < seenMin || this.worked >= shareMin * seen) return;
    const share = Math.round((100 * this.worked) / seen);
    const who = [...this.idlers].sort(byText).join(", ");
    this.accuse(
      "honest goodput",
      `beside a liar only ${share} % of the slots that could worked: ${who} idled`,
    );
  }

  /** A host that does nothing although it could counts for all its slots that have something to do. */
  private count(host: Host): void {
    const { holder, desk } = host.core;
    const slots = desk.vitalsOf(host.peer)?.slots ?? 0;
    const busy = Math.min(holder.size, slots);
    this.worked += busy;
    if (busy > 0 || waitingFor(host) === undefined) return;
    this.idled += Math.min(slots, readyOf(host));
    this.idlers.add(host.name);
  }
}

/** How many actions a host knows to be ready. */
function readyOf({ core: { desk } }: Host): number {
  let count = 0;
  for (const { claims } of desk.liveBuilds()) for (const _ of claims?.actions.ready() ?? []) count++;
  return count;
}
