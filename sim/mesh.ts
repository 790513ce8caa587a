/** Who keeps a connection with whom: everybody with everybody in a small swarm, with a few in a larger one; and the ways gossip takes over them. */
import type { PeerId } from "../protocol/kernel/ids.ts";
import type { Random } from "../protocol/kernel/random.ts";
import type { Station } from "./link.ts";

/** Up to so many stations all keep connections with all. */
const everybodyMax = 16;
/** In a larger swarm each dials so many of the others, and more once fewer than half of them are left. */
const dialledMax = 6;

/** One step of a message: from the station with this number in the order of arrival to another. */
export interface Hop {
  readonly near: PeerId;
  readonly nearIndex: number;
  readonly far: Station;
}

export class Mesh {
  private readonly random: Random;
  private readonly neighbours = new Map<PeerId, Set<PeerId>>();
  /** By sender, while no connection changes. */
  private readonly routes = new Map<PeerId, readonly Hop[]>();

  constructor(random: Random) {
    this.random = random;
  }

  /** Whether these two keep a connection; others call each other when they have something to say. */
  keeps(a: PeerId, b: PeerId): boolean {
    return this.neighbours.get(a)?.has(b) === true;
  }

  /** Of the others that are up, those to be dialled by one who comes up. */
  join(place: PeerId, others: readonly PeerId[]): PeerId[] {
    if (others.length < everybodyMax) {
      for (const other of others) this.connect(place, other);
      return [...others];
    }
    this.fill(place, others, dialledMax);
    return others.filter((other) => this.keeps(place, other));
  }

  /** Those to be dialled too by one who lost a connection; of `others`, who are up. */
  replace(place: PeerId, others: readonly PeerId[]): PeerId[] {
    if (others.length < everybodyMax) return [];
    return this.fill(place, others, dialledMax / 2);
  }

  /** The steps on which a message spreads from `from` over connections that are open, nearest first. */
  route(
    from: PeerId,
    stations: ReadonlyMap<PeerId, Station>,
    open: (near: PeerId, far: PeerId) => boolean,
  ): readonly Hop[] {
    let hops = this.routes.get(from);
    if (!hops) {
      hops = this.spread(from, stations, open);
      this.routes.set(from, hops);
    }
    return hops;
  }

  /** Somewhere a connection opened or closed, or something no longer comes through. */
  changed(): void {
    if (this.routes.size > 0) this.routes.clear();
  }

  private spread(
    from: PeerId,
    stations: ReadonlyMap<PeerId, Station>,
    open: (near: PeerId, far: PeerId) => boolean,
  ): Hop[] {
    const hops: Hop[] = [];
    const reached = new Set([from]);
    let nearIndex = 0;
    for (const near of reached) {
      const next = [...(this.neighbours.get(near) ?? [])].flatMap((place) => {
        const far = reached.has(place) ? undefined : stations.get(place);
        return far && open(near, place) ? [far] : [];
      });
      for (const far of next.sort((a, b) => a.order - b.order)) {
        reached.add(far.place);
        hops.push({ near, nearIndex, far });
      }
      nearIndex++;
    }
    return hops;
  }

  private fill(place: PeerId, others: readonly PeerId[], count: number): PeerId[] {
    const open = others.filter((other) => !this.keeps(place, other));
    const added: PeerId[] = [];
    for (let kept = others.length - open.length; kept < count && open.length > 0; kept++) {
      const [other] = open.splice(this.random.below(open.length), 1);
      this.connect(place, other!);
      added.push(other!);
    }
    return added;
  }

  private connect(a: PeerId, b: PeerId): void {
    for (const [one, other] of [
      [a, b],
      [b, a],
    ] as const) {
      const known = this.neighbours.get(one);
      if (known) known.add(other);
      else this.neighbours.set(one, new Set([other]));
    }
  }
}
