/**
 * Places for the actions of a build: columns by the longest way from the beginning, wide ones wrapped, rows by the mean of what they stand
 * on. Linear but for the sorts, so that ten thousand actions take a moment. Pure: it runs in a worker, and in tests.
 */

export interface Graph {
  readonly count: number;
  /** Pairs: what is needed, who needs it. */
  readonly edges: Uint32Array;
}

export interface Layout {
  /** Left upper corners. */
  readonly x: Float32Array;
  readonly y: Float32Array;
  readonly width: number;
  readonly height: number;
}

export const [boxWidth, boxHeight] = [168, 24];
const [gapX, gapY] = [10, 8];
/** Between columns that stand on each other. */
const aisle = 72;
const sweeps = 2;

export function layoutOf({ count, edges }: Graph): Layout {
  const before = neighbours(count, edges, 1, 0);
  const after = neighbours(count, edges, 0, 1);
  const columns = columnsOf(count, before, after);
  const place = new Float64Array(count);
  for (const column of columns) for (const [row, node] of column.entries()) place[node] = row / column.length;
  for (let sweep = 0; sweep < sweeps; sweep++) {
    for (const column of columns) order(column, before, place);
    for (const column of columns.toReversed()) order(column, after, place);
  }
  const rowsMax = Math.max(24, Math.ceil(Math.sqrt(count * 3)));
  const x = new Float32Array(count);
  const y = new Float32Array(count);
  let left = 0;
  let height = 0;
  const heights = columns.map((column) => Math.min(rowsMax, column.length) * (boxHeight + gapY) - gapY);
  for (const one of heights) height = Math.max(height, one);
  for (const [i, column] of columns.entries()) {
    const lanes = Math.ceil(column.length / rowsMax);
    const rows = Math.ceil(column.length / Math.max(1, lanes));
    const top = (height - (rows * (boxHeight + gapY) - gapY)) / 2;
    for (const [at, node] of column.entries()) {
      // Row by row: neighbours in order stay beside each other in a wrapped column.
      x[node] = left + (at % lanes) * (boxWidth + gapX);
      y[node] = top + Math.floor(at / lanes) * (boxHeight + gapY);
    }
    left += lanes * (boxWidth + gapX) - gapX + aisle;
    if (i === columns.length - 1) left -= aisle;
  }
  return { x, y, width: Math.max(left, boxWidth), height: Math.max(height, boxHeight) };
}

/** Of each node, in one array: those of node i stand from `starts[i]` to `starts[i + 1]`. */
export interface Neighbours {
  readonly starts: Uint32Array;
  readonly of: Uint32Array;
}

export function neighbours(count: number, edges: Uint32Array, mine: 0 | 1, theirs: 0 | 1): Neighbours {
  const starts = new Uint32Array(count + 1);
  for (let e = 0; e < edges.length; e += 2) starts[edges[e + mine]! + 1]!++;
  for (let i = 0; i < count; i++) starts[i + 1]! += starts[i]!;
  const at = starts.slice();
  const of = new Uint32Array(edges.length / 2);
  for (let e = 0; e < edges.length; e += 2) of[at[edges[e + mine]!]!++] = edges[e + theirs]!;
  return { starts, of };
}

/** Nodes by the longest way to them. What stands in a circle, which no valid graph has, comes first. */
function columnsOf(count: number, before: Neighbours, after: Neighbours): number[][] {
  const missing = new Uint32Array(count);
  const depth = new Uint32Array(count);
  const queue: number[] = [];
  for (let i = 0; i < count; i++) {
    missing[i] = before.starts[i + 1]! - before.starts[i]!;
    if (missing[i] === 0) queue.push(i);
  }
  for (let head = 0; head < queue.length; head++) {
    const node = queue[head]!;
    for (let e = after.starts[node]!; e < after.starts[node + 1]!; e++) {
      const next = after.of[e]!;
      depth[next] = Math.max(depth[next]!, depth[node]! + 1);
      if (--missing[next]! === 0) queue.push(next);
    }
  }
  const columns: number[][] = [];
  for (let i = 0; i < count; i++) {
    columns[depth[i]!] ??= [];
    columns[depth[i]!]!.push(i);
  }
  return columns.filter(Boolean);
}

/** By the mean place of neighbours; who has none keeps its own. */
function order(column: number[], { starts, of }: Neighbours, place: Float64Array): void {
  const wish = new Map<number, number>();
  for (const node of column) {
    const from = starts[node]!;
    const to = starts[node + 1]!;
    let sum = 0;
    for (let e = from; e < to; e++) sum += place[of[e]!]!;
    wish.set(node, to > from ? sum / (to - from) : place[node]!);
  }
  column.sort((a, b) => wish.get(a)! - wish.get(b)! || a - b);
  for (const [row, node] of column.entries()) place[node] = row / column.length;
}
