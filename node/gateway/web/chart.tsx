/** A small line over time; a table of nodes holds hundreds of them. */

export interface Point {
  readonly atMs: number;
  /** Undefined where nothing was read: the line has a gap. */
  readonly value: number | undefined;
}

const [width, height] = [120, 24];

interface Props {
  /** The oldest first. */
  readonly points: readonly Point[];
  readonly spanMs: number;
  /** Value at the upper edge, at least; a higher one makes it higher. */
  readonly top: number;
  readonly label: string;
  readonly tone: string;
}

export function Line({ points, spanMs, top, label, tone }: Props) {
  const highest = points.reduce((max, { value }) => Math.max(max, value ?? 0), top);
  const end = points.at(-1)?.atMs ?? 0;
  let path = "";
  let pen = "M";
  for (const { atMs, value } of points) {
    const x = width * (1 - (end - atMs) / spanMs);
    if (value === undefined || x < 0) pen = "M";
    else {
      path += `${pen}${x.toFixed(1)} ${(height - 1 - (value / highest) * (height - 2)).toFixed(1)}`;
      pen = "L";
    }
  }
  return (
    <svg
      class={`line ${tone}`}
      viewBox={`0 0 ${width} ${height}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={label}
    >
      <title>{label}</title>
      <path d={path} />
    </svg>
  );
}
