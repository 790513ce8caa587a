/** When one slot of a plan is free: its idle gaps, so that a later decision may still use an earlier gap. */

export interface Agenda {
  /** The first moment, not before `fromMs`, from which the slot is free for so long. */
  earliest(fromMs: number, forMs: number): number;
  /** The slot is taken; it was free. */
  take(startMs: number, endMs: number): void;
}

/** A slot that is free for ever. */
export function agendaOf(): Agenda {
  // Idle gaps by time; after the last one ends nothing is planned.
  const begins: number[] = [0];
  const ends: number[] = [Number.POSITIVE_INFINITY];
  /** The first gap that ends after a moment. */
  const gapAfter = (ms: number): number => {
    let low = 0;
    let high = ends.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (ends[middle]! > ms) high = middle;
      else low = middle + 1;
    }
    return low;
  };
  return {
    earliest(fromMs, forMs) {
      for (let gap = gapAfter(fromMs); ; gap++) {
        const startMs = Math.max(fromMs, begins[gap]!);
        if (startMs + forMs <= ends[gap]!) return startMs;
      }
    },
    take(startMs, endMs) {
      if (endMs <= startMs) return;
      const gap = gapAfter(startMs);
      const beginMs = begins[gap]!;
      const untilMs = ends[gap]!;
      const pieces = [
        [beginMs, startMs],
        [endMs, untilMs],
      ].filter(([from, to]) => to! > from!);
      begins.splice(gap, 1, ...pieces.map(([from]) => from!));
      ends.splice(gap, 1, ...pieces.map(([, to]) => to!));
    },
  };
}
