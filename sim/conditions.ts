/** How well messages travel between hosts: everywhere, on single links, and while a fault lasts. */
import type { PeerId } from "../protocol/kernel/ids.ts";

/** How well messages travel from one host to another. */
export interface Conditions {
  readonly delayMs: number;
  /** Added to each message, uniform in 0..jitterMs. */
  readonly jitterMs: number;
  readonly bytesPerSecond: number;
  /** Share of gossiped messages that one receiver never sees. */
  readonly gossipLoss: number;
  /** Share of gossiped messages that one receiver sees twice. */
  readonly gossipTwice: number;
  /** Share of gossiped messages that come up to `lateMs` late, after others that were sent later. */
  readonly gossipLate: number;
  readonly lateMs: number;
  /** How old what one gossips is when others hear of it, over however many hops; absent: as long as its links take. */
  readonly gossipDelayMs?: number;
  /** Share of unicast messages that are lost with the whole connection. */
  readonly reset: number;
  /** Share of messages, gossip and blobs that arrive with a wrong byte; a unicast's connection ends with it. */
  readonly corrupt: number;
}

const lan: Conditions = {
  delayMs: 0.5,
  jitterMs: 0.2,
  bytesPerSecond: 125_000_000,
  gossipLoss: 0,
  gossipTwice: 0,
  gossipLate: 0,
  lateMs: 200,
  reset: 0,
  corrupt: 0,
};

/** What holds on top of all else until it is lifted, for links that touch these places (or all). */
interface Layer {
  readonly changes: Partial<Conditions>;
  readonly places: ReadonlySet<PeerId> | undefined;
}

/** The conditions of a world's links. */
export class Weather {
  private base: Conditions;
  private readonly special = new Map<string, Conditions>();
  private readonly layers: Layer[] = [];
  /** What came out per direction since the last change, while there are layers. */
  private readonly known = new Map<string, Conditions>();

  constructor(conditions: Partial<Conditions> = {}) {
    this.base = { ...lan, ...conditions };
  }

  /** From here on everything is like this wherever no link has conditions of its own. */
  set(changes: Partial<Conditions>): void {
    this.base = { ...this.base, ...changes };
    this.known.clear();
  }

  /** One direction's own conditions. */
  setLink(from: PeerId, to: PeerId, changes: Partial<Conditions>): void {
    this.special.set(`${from} ${to}`, { ...(this.special.get(`${from} ${to}`) ?? this.base), ...changes });
    this.known.clear();
  }

  /** Holds on top of all else, for links that touch these places (or all), until the answer is called. */
  worsen(changes: Partial<Conditions>, places?: readonly PeerId[]): () => void {
    const layer: Layer = { changes, places: places && new Set(places) };
    this.layers.push(layer);
    this.known.clear();
    return () => {
      const at = this.layers.indexOf(layer);
      if (at >= 0) this.layers.splice(at, 1);
      this.known.clear();
    };
  }

  between(from: PeerId, to: PeerId): Conditions {
    if (this.layers.length === 0)
      return this.special.size === 0 ? this.base : (this.special.get(`${from} ${to}`) ?? this.base);
    const direction = `${from} ${to}`;
    let conditions = this.known.get(direction);
    if (!conditions) {
      conditions = this.special.get(direction) ?? this.base;
      for (const { changes, places } of this.layers)
        if (!places || places.has(from) || places.has(to)) conditions = { ...conditions, ...changes };
      this.known.set(direction, conditions);
    }
    return conditions;
  }

  /** What a link without conditions of its own takes, milliseconds. */
  get delayMs(): number {
    return this.base.delayMs;
  }

  /** Whether nothing is lost, doubled, late or corrupted by the conditions themselves. */
  get flawless(): boolean {
    return [this.base, ...this.special.values(), ...this.layers.map((l) => l.changes)].every(
      (c) =>
        (c.gossipLoss ?? 0) +
          (c.gossipTwice ?? 0) +
          (c.gossipLate ?? 0) +
          (c.reset ?? 0) +
          (c.corrupt ?? 0) ===
        0,
    );
  }
}
