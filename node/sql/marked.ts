/** Which places of a chain were taken in, as runs: from, to, from, to …, both ends among them. */

/** Takes a place in; false where it was in before. Places mostly come in order. */
export function marked(runs: number[], seq: number): boolean {
  let low = 0;
  let high = runs.length >> 1;
  // the first run that ends at or after the place before
  while (low < high) {
    const middle = (low + high) >> 1;
    if (runs[2 * middle + 1]! < seq - 1) low = middle + 1;
    else high = middle;
  }
  const at = 2 * low;
  const [from, to] = [runs[at], runs[at + 1]];
  if (from === undefined || to === undefined || seq < from - 1) runs.splice(at, 0, seq, seq);
  else if (seq >= from && seq <= to) return false;
  else if (seq === from - 1) runs[at] = seq;
  else {
    if (runs[at + 2] === seq + 1) runs.splice(at + 1, 2);
    else if (runs[at + 2] === seq) return false;
    else runs[at + 1] = seq;
  }
  return true;
}

/** What is missing up to a place, as ranges; none below it where all is in. */
export function missing(runs: readonly number[], last: number): [from: number, to: number][] {
  const ranges: [number, number][] = [];
  let from = 0;
  for (let at = 0; at < runs.length; at += 2) {
    if (runs[at]! > from) ranges.push([from, Math.min(last, runs[at]! - 1)]);
    from = runs[at + 1]! + 1;
  }
  if (from <= last) ranges.push([from, last]);
  return ranges.filter(([a, b]) => a <= b);
}
