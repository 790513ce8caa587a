/** The picture of a simulated run: a band per node with a lane per slot, its temperature as a line, and what lies under the pointer in words. */
import { useMemo, useState } from "preact/hooks";
import { Empty } from "../parts.tsx";
import { Axis } from "../plot.tsx";
import { counted, duration } from "../quantity.ts";
import { Zoom } from "../zoom.tsx";
import { type Band, bandsOf } from "./lanes.ts";
import { endOf } from "./over-time.ts";
import type { Picture, Stretch } from "./report-text.ts";

const width = 1000;
const [laneMax, laneMin] = [13, 2];
/** All bands together are made to fit into about so much. */
const heightWanted = 900;
const bandsMax = 128;
/** Range of the line of heat within a band. */
const [celsiusMin, celsiusMax] = [20, 110];

const outcomes: readonly (readonly [ended: Stretch["ended"], tone: string, word: string])[] = [
  ["done", "ok", "done"],
  ["again", "wait", "done again, for nothing"],
  ["stopped", "held", "stopped"],
  ["failed", "bad", "failed"],
  ["died", "bad", "died with its node"],
  ["running", "busy", "not ended"],
];
const toneOf = new Map(outcomes.map(([ended, tone]) => [ended, tone]));
const wordOf = new Map(outcomes.map(([ended, , word]) => [ended, word]));

export function Bands({ picture }: { picture: Picture }) {
  const [zoom, setZoom] = useState(1);
  const [under, setUnder] = useState<Stretch | undefined>(undefined);
  const bands = useMemo(() => bandsOf(picture), [picture]);
  const endMs = useMemo(() => endOf(picture), [picture]);
  const seen = useMemo(() => new Set(picture.stretches.map(({ ended }) => ended)), [picture]);
  const shown = bands.slice(0, bandsMax);
  const lanes = shown.reduce((sum, band) => sum + band.lanes, 0);
  const lane = Math.max(laneMin, Math.min(laneMax, Math.floor(heightWanted / Math.max(1, lanes))));
  const warmth = new Map(picture.warmth.map((one) => [one.node, one]));
  if (picture.stretches.length === 0) return <Empty>Nothing ran.</Empty>;
  return (
    <section aria-label="Runs by node over virtual time">
      <div class="tools">
        <span class="key">
          {outcomes
            .filter(([ended]) => seen.has(ended))
            .map(([ended, tone, word]) => (
              <span key={ended}>
                <i class={tone} />
                {word}
              </span>
            ))}
          {warmth.size > 0 && (
            <span>
              <i class="heat" />
              heat, {celsiusMin} to {celsiusMax} °C
            </span>
          )}
        </span>
        <Zoom times={zoom} onTimes={setZoom} />
      </div>
      <p class="under quiet" aria-live="off">
        {under ? wordsOf(under) : "Point at a stretch to read what it was."}
      </p>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard */}
      <section class="scroll bands" tabIndex={0} aria-label="Bands">
        <div style={{ width: `${100 * zoom}%` }}>
          <Axis endMs={endMs} />
          {shown.map((band) => (
            <One
              key={band.node}
              band={band}
              lane={lane}
              endMs={endMs}
              warmth={warmth.get(band.node)}
              point={setUnder}
            />
          ))}
        </div>
      </section>
      {bands.length > bandsMax && <p class="quiet">and {bands.length - bandsMax} more nodes</p>}
    </section>
  );
}

function wordsOf({ action, node, beganMs, endedMs, ended, twin, slots }: Stretch): string {
  const width = slots > 1 ? `, ${slots} slots` : "";
  return `${action} on ${node}: ${duration(beganMs)} to ${duration(endedMs)}, ${wordOf.get(ended)}${twin ? ", a twin" : ""}${width}`;
}

interface OneProps {
  readonly band: Band;
  readonly lane: number;
  readonly endMs: number;
  readonly warmth: Picture["warmth"][number] | undefined;
  readonly point: (stretch: Stretch | undefined) => void;
}

function One({ band, lane, endMs, warmth, point }: OneProps) {
  const { node, lanes, placed } = band;
  const height = lanes * lane;
  const paths = useMemo(() => pathsOf(band, lane, endMs), [band, lane, endMs]);
  const workedMs = placed.reduce((sum, { stretch }) => sum + stretch.endedMs - stretch.beganMs, 0);
  const hottest = warmth?.samples.reduce(
    (max, { celsius }) => Math.max(max, celsius),
    Number.NEGATIVE_INFINITY,
  );
  const heat =
    warmth && hottest !== undefined && Number.isFinite(hottest) ? ` · ${hottest.toFixed(0)} °C at most` : "";
  const y = (celsius: number) =>
    height *
    (1 - (Math.min(celsiusMax, Math.max(celsiusMin, celsius)) - celsiusMin) / (celsiusMax - celsiusMin));
  const line = warmth?.samples
    .map(
      ({ atMs, celsius }, i) =>
        `${i === 0 ? "M" : "L"}${((width * atMs) / endMs).toFixed(1)} ${y(celsius).toFixed(1)}`,
    )
    .join("");
  const look = (e: PointerEvent) => {
    const box = (e.currentTarget as Element).getBoundingClientRect();
    const ms = (endMs * (e.clientX - box.left)) / box.width;
    const at = Math.floor(((e.clientY - box.top) / box.height) * lanes);
    point(
      placed.find(
        ({ stretch, at: own }) => stretch.beganMs <= ms && stretch.endedMs >= ms && own.includes(at),
      )?.stretch,
    );
  };
  return (
    <div class="band">
      <h3>
        {node}{" "}
        <span class="quiet">
          {counted(placed.length, "run")} · {duration(workedMs)}
          {heat}
        </span>
      </h3>
      <svg
        viewBox={`0 0 ${width} ${height}`}
        height={height}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${node}: ${counted(placed.length, "run")}, ${duration(workedMs)} in all${heat}`}
        onPointerMove={look}
        onPointerLeave={() => point(undefined)}
      >
        {[...paths].map(([tone, path]) => (
          <path key={tone} class={tone} d={path} />
        ))}
        {warmth && (
          <>
            <path class="limit" d={`M0 ${y(warmth.limitCelsius).toFixed(1)}H${width}`} />
            <path class="halo" d={line} />
            <path class="heat" d={line} />
          </>
        )}
      </svg>
    </div>
  );
}

/** One path per tone: thousands of stretches are a handful of elements. */
function pathsOf({ placed }: Band, lane: number, endMs: number): Map<string, string> {
  const tall = Math.max(1, lane - (lane > 4 ? 2 : 0));
  const paths = new Map<string, string>();
  const add = (tone: string, path: string) => paths.set(tone, (paths.get(tone) ?? "") + path);
  for (const { stretch, at } of placed) {
    const { beganMs, endedMs, ended, twin } = stretch;
    const x = (width * Math.max(0, beganMs)) / endMs;
    const wide = Math.max(0.5, (width * Math.max(0, endedMs)) / endMs - x - 0.4);
    for (const row of at) {
      const box = `M${x.toFixed(2)} ${row * lane}h${wide.toFixed(2)}v${tall}h${(-wide).toFixed(2)}z`;
      add(toneOf.get(ended)!, box);
      if (twin) add("twin", box);
    }
  }
  return paths;
}
