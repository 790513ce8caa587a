/** The world's event queue: a binary heap, ordered by time and, within one moment, by insertion. */

/** Events that were put in together, in the order in which they are due: all of them take one place in the heap. */
interface Wave {
  readonly events: readonly WaveEvent[];
  readonly run: (event: number) => void;
  next: number;
}

interface WaveEvent {
  readonly atMs: number;
  readonly order: number;
  /** Its place in the list that was given. */
  readonly event: number;
}

interface Slot {
  atMs: number;
  order: number;
  readonly run: (() => void) | undefined;
  readonly wave: Wave | undefined;
}

type Due = Pick<Slot, "atMs" | "order">;

const before = (a: Due, b: Due): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
const inOrder = (a: Due, b: Due): number => a.atMs - b.atMs || a.order - b.order;

export class Queue {
  private readonly heap: Slot[] = [];
  private inserted = 0;
  private waiting = 0;

  get size(): number {
    return this.waiting;
  }

  /** When the next event is due, in milliseconds; Infinity when there is none. */
  nextMs(): number {
    return this.heap[0]?.atMs ?? Number.POSITIVE_INFINITY;
  }

  push(atMs: number, run: () => void): void {
    this.waiting++;
    this.rise({ atMs, order: this.inserted++, run, wave: undefined });
  }

  /** As if each moment had been pushed, one after the other; `run` is told which of them it is. */
  pushAll(momentsMs: readonly number[], run: (event: number) => void): void {
    if (momentsMs.length === 0) return;
    const events = momentsMs.map((atMs, event) => ({ atMs, order: this.inserted++, event })).sort(inOrder);
    this.waiting += events.length;
    const { atMs, order } = events[0]!;
    this.rise({ atMs, order, run: undefined, wave: { events, run, next: 0 } });
  }

  /** Takes the next event out; undefined when there is none. */
  pop(): { readonly atMs: number; readonly run: () => void } | undefined {
    const first = this.heap[0];
    if (!first) return undefined;
    this.waiting--;
    const { atMs, wave } = first;
    if (!wave) {
      this.sink(this.heap.pop()!);
      return { atMs, run: first.run! };
    }
    const { event } = wave.events[wave.next++]!;
    const next = wave.events[wave.next];
    if (next) {
      first.atMs = next.atMs;
      first.order = next.order;
      this.sink(first);
    } else this.sink(this.heap.pop()!);
    return { atMs, run: () => wave.run(event) };
  }

  private rise(slot: Slot): void {
    const { heap } = this;
    let at = heap.length;
    heap.push(slot);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(slot, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = slot;
  }

  /** Puts a slot in the first place, and those that are due before it above it. */
  private sink(slot: Slot): void {
    const { heap } = this;
    const { length } = heap;
    if (length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= length) break;
      if (child + 1 < length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, slot)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = slot;
  }
}
