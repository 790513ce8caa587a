/** Directions in which nothing comes through: each cut lies over those before it, and heals by itself. */
import type { PeerId } from "../protocol/kernel/ids.ts";

/** Names one cut, to heal it. */
export type CutId = number;

interface Block {
  /** The number of this blocking of the direction: it changes when it was open in between. */
  readonly blocking: number;
  readonly cuts: Set<CutId>;
}

export class Cuts {
  private readonly blocked = new Map<string, Block>();
  private readonly open = new Set<CutId>();
  private blockings = 0;
  /** How many cuts were ever made. */
  count = 0;

  begin(): CutId {
    const cut = ++this.count;
    this.open.add(cut);
    return cut;
  }

  /** Blocks a direction for one cut; says the number of the blocking when it was open before. */
  block(cut: CutId, from: PeerId, to: PeerId): number | undefined {
    const direction = `${from} ${to}`;
    const block = this.blocked.get(direction);
    block?.cuts.add(cut);
    if (block) return undefined;
    const blocking = ++this.blockings;
    this.blocked.set(direction, { blocking, cuts: new Set([cut]) });
    return blocking;
  }

  /** Whether this very blocking still lasts. */
  lasts(blocking: number, from: PeerId, to: PeerId): boolean {
    return this.blocked.get(`${from} ${to}`)?.blocking === blocking;
  }

  /** Heals one cut, or all; the directions in which everything comes through again. */
  heal(cut?: CutId): (readonly [from: PeerId, to: PeerId])[] {
    const freed: (readonly [PeerId, PeerId])[] = [];
    for (const [direction, { cuts }] of [...this.blocked]) {
      if (cut !== undefined) cuts.delete(cut);
      if (cut !== undefined && cuts.size > 0) continue;
      this.blocked.delete(direction);
      freed.push(direction.split(" ") as [PeerId, PeerId]);
    }
    if (cut === undefined) this.open.clear();
    else this.open.delete(cut);
    return freed;
  }

  lies(cut: CutId): boolean {
    return this.open.has(cut);
  }

  passes(from: PeerId, to: PeerId): boolean {
    return this.blocked.size === 0 || !this.blocked.has(`${from} ${to}`);
  }

  /** Whether anything is blocked at all. */
  get any(): boolean {
    return this.blocked.size > 0;
  }

  /** Whether messages come through somewhere, but do not go: then one hears of peers that never answer. */
  get lopsided(): boolean {
    return [...this.blocked.keys()].some((direction) => {
      const [from, to] = direction.split(" ") as [PeerId, PeerId];
      return this.passes(to, from);
    });
  }
}
