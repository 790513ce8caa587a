/** Things that belong to two places, whichever is named first. */
import type { PeerId } from "../protocol/kernel/ids.ts";

export class Pairs<T> {
  /** By the lower of the two names, then by the other. */
  private readonly rows = new Map<PeerId, Map<PeerId, T>>();

  get(a: PeerId, b: PeerId): T | undefined {
    return a < b ? this.rows.get(a)?.get(b) : this.rows.get(b)?.get(a);
  }

  has(a: PeerId, b: PeerId): boolean {
    return this.get(a, b) !== undefined;
  }

  set(a: PeerId, b: PeerId, thing: T): void {
    const [low, high] = a < b ? [a, b] : [b, a];
    const row = this.rows.get(low);
    if (row) row.set(high, thing);
    else this.rows.set(low, new Map([[high, thing]]));
  }

  delete(a: PeerId, b: PeerId): void {
    if (a < b) this.rows.get(a)?.delete(b);
    else this.rows.get(b)?.delete(a);
  }
}
