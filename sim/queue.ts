/** The world's event queue: a binary heap, ordered by time and, within one moment, by insertion. */

interface Slot {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

const before = (a: Slot, b: Slot): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);

export class Queue {
  private readonly heap: Slot[] = [];
  private inserted = 0;

  get size(): number {
    return this.heap.length;
  }

  /** When the next event is due, in milliseconds; Infinity when there is none. */
  nextMs(): number {
    return this.heap[0]?.atMs ?? Number.POSITIVE_INFINITY;
  }

  push(atMs: number, run: () => void): void {
    const slot = { atMs, order: this.inserted++, run };
    let at = this.heap.length;
    this.heap.push(slot);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(slot, this.heap[parent]!)) break;
      this.heap[at] = this.heap[parent]!;
      at = parent;
    }
    this.heap[at] = slot;
  }

  /** Takes the next event out; undefined when there is none. */
  pop(): { readonly atMs: number; readonly run: () => void } | undefined {
    const first = this.heap[0];
    const last = this.heap.pop();
    if (!first || !last || this.heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.heap.length) break;
      if (child + 1 < this.heap.length && before(this.heap[child + 1]!, this.heap[child]!)) child++;
      if (!before(this.heap[child]!, last)) break;
      this.heap[at] = this.heap[child]!;
      at = child;
    }
    this.heap[at] = last;
    return first;
  }
}
