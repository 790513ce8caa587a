/** Lines over one span of time, beside each other: told apart by colour and by dash, named below, with an axis on each side. */
import type { Point } from "./chart.tsx";
import { duration } from "./quantity.ts";

export interface Series {
  readonly name: string;
  readonly points: readonly Point[];
}

interface Props {
  readonly label: string;
  readonly series: readonly Series[];
  readonly endMs: number;
  /** Values at the lower and upper edge, and how one is written. */
  readonly from: number;
  readonly to: number;
  readonly text: (value: number) => string;
  /** A value that is not to be passed. */
  readonly limit?: number;
  /** How a time from the beginning is written; absent: as a duration. */
  readonly at?: (ms: number) => string;
}

const [width, height] = [1000, 140];
const ticks = 6;
/** More would not be told apart. */
const seriesMax = 6;

export function Plot({ label, series, endMs, from, to, text, limit, at }: Props) {
  const y = (value: number) =>
    height - 2 - (height - 4) * Math.min(1, Math.max(0, (value - from) / (to - from)));
  const x = (ms: number) => (width * ms) / endMs;
  return (
    <figure class="plot">
      <figcaption>{label}</figcaption>
      <div class="field">
        <div class="scale" aria-hidden="true">
          <span>{text(to)}</span>
          <span>{text((from + to) / 2)}</span>
          <span>{text(from)}</span>
        </div>
        <svg viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" role="img" aria-label={label}>
          {[0.25, 0.5, 0.75].map((share) => (
            <line key={share} class="grid" x1="0" x2={width} y1={height * share} y2={height * share} />
          ))}
          {limit !== undefined && <line class="limit" x1="0" x2={width} y1={y(limit)} y2={y(limit)} />}
          {series.slice(0, seriesMax).map(({ name, points }, i) => (
            <path key={name} class={`series s${i}`} d={pathOf(points, x, y)} />
          ))}
        </svg>
      </div>
      <Axis endMs={endMs} at={at} />
    </figure>
  );
}

/** Times below or above a picture whose width they share, at round moments; `times`: how often wider than its place it is. */
export function Axis({
  endMs,
  at,
  times = 1,
}: {
  endMs: number;
  at?: (ms: number) => string;
  times?: number;
}) {
  const step = stepOf(endMs / (ticks * times));
  return (
    <div class="axis timed" aria-hidden="true">
      {Array.from({ length: Math.ceil(endMs / step) }, (_, i) => (
        <span
          key={`${i}`}
          style={{
            left: `${(100 * i * step) / endMs}%`,
            // A time that does not fit before the next one, or before the end, is left out by the style.
            width: `${(100 * Math.min(step, endMs - i * step)) / endMs}%`,
          }}
        >
          {(at ? at(i * step) : i === 0 ? "0" : duration(i * step)).replaceAll(" ", "\u00a0")}
        </span>
      ))}
    </div>
  );
}

/** The round time that is at least so long. */
function stepOf(ms: number): number {
  const unit = 10 ** Math.floor(Math.log10(Math.max(1, ms)));
  const rounds = ms > 60_000 ? minutes : [1, 2, 5, 10].map((factor) => factor * unit);
  return rounds.find((round) => round >= ms) ?? Math.ceil(ms / dayMs) * dayMs;
}

const dayMs = 86_400_000;
const minutes = [2, 5, 10, 20, 30, 60, 120, 240, 480, 720, 1440].map((each) => each * 60_000);

/** What the lines of all plots of a page mean. */
export function SeriesKey({ names }: { names: readonly string[] }) {
  return (
    <p class="key">
      {names.slice(0, seriesMax).map((name, i) => (
        <span key={name}>
          <svg class="swatch" viewBox="0 0 28 8" aria-hidden="true">
            <path class={`series s${i}`} d="M0 4H28" />
          </svg>
          {name}
        </span>
      ))}
      {names.length > seriesMax && (
        <span class="quiet">and {names.length - seriesMax} more without a line</span>
      )}
    </p>
  );
}

function pathOf(points: readonly Point[], x: (ms: number) => number, y: (value: number) => number): string {
  let path = "";
  let pen = "M";
  for (const { atMs, value } of points)
    if (value === undefined) pen = "M";
    else {
      path += `${pen}${x(atMs).toFixed(1)} ${y(value).toFixed(1)}`;
      pen = "L";
    }
  return path;
}
