/** A small line over time, with its last value beside it; a table of nodes holds hundreds of them. */

export interface Series {
  /** What was read, the oldest first; undefined where nothing was. */
  readonly values: readonly (number | undefined)[];
  /** Of the whole height, at least; a higher value makes it higher. */
  readonly top: number;
}

const [width, height] = [120, 24];

export function Line({ series, label, tone }: { series: Series; label: string; tone: string }) {
  const { values } = series;
  const top = values.reduce<number>((max, value) => Math.max(max, value ?? 0), series.top);
  const step = width / Math.max(1, values.length - 1);
  let path = "";
  let pen = "M";
  for (const [at, value] of values.entries())
    if (value === undefined) pen = "M";
    else {
      path += `${pen}${(at * step).toFixed(1)} ${(height - 1 - (value / top) * (height - 2)).toFixed(1)}`;
      pen = "L";
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
