/** The time of a build: a slider, and beneath it how dense the events of each kind were. */
import { useMemo } from "preact/hooks";
import type { Family } from "../../../../protocol/explain/families.ts";
import { duration } from "../quantity.ts";
import type { Shown } from "../states.ts";
import type { Film } from "./film.ts";
import type { Player } from "./use-player.ts";

const buckets = 160;
const [width, height] = [1000, 40];
/** What is there is seen, be it one among thousands. */
const barMin = 2;

/** From the bottom up. */
const shownAs: readonly (readonly [family: Family, tone: Shown["tone"], word: string])[] = [
  ["pipeline", "ok", "made"],
  ["schedule_decision", "next", "decided"],
  ["debugger_preview", "held", "by people"],
  ["node", "idle", "nodes"],
  ["failure_propagation", "bad", "went wrong"],
];

export function Slider({ film, player }: { film: Film; player: Player }) {
  const { bars, said } = useMemo(() => barsOf(film), [film]);
  const { lengthMs, steps } = film;
  const share = lengthMs === 0 ? 1 : player.ms / lengthMs;
  return (
    <div class="time">
      <input
        type="range"
        class="slider"
        aria-label="Time"
        min={0}
        max={lengthMs}
        step={1}
        value={player.ms}
        aria-valuetext={`${duration(player.ms)} of ${duration(lengthMs)}, ${player.count} of ${steps.length} events`}
        onInput={(e) => player.toMs(Number(e.currentTarget.value))}
      />
      <div class="density">
        <svg
          viewBox={`0 0 ${width} ${height}`}
          preserveAspectRatio="none"
          role="img"
          aria-label={`Events over time: ${said}`}
        >
          {bars.map(({ tone, path }) => (
            <path key={tone} class={tone} d={path} />
          ))}
          <rect class="ahead" x={share * width} y={0} width={(1 - share) * width} height={height} />
          <line class="hand" x1={share * width} x2={share * width} y1={0} y2={height} />
        </svg>
        <span class="key">
          {shownAs
            .filter(([, tone]) => bars.some((bar) => bar.tone === tone))
            .map(([family, tone, word]) => (
              <span key={family}>
                <i class={tone} />
                {word}
              </span>
            ))}
        </span>
      </div>
    </div>
  );
}

/** One path for each family, piled up; heights by the root, so that quiet times are seen beside busy ones. */
function barsOf({ steps, from, lengthMs }: Film) {
  const counts = new Map(shownAs.map(([family]) => [family, new Uint32Array(buckets)]));
  for (const [ms, , kind] of steps) {
    const [, family] = from.kinds[kind]!;
    counts.get(family)![Math.min(buckets - 1, Math.floor((buckets * ms) / Math.max(1, lengthMs)))]!++;
  }
  const totals = new Uint32Array(buckets);
  for (const of of counts.values()) for (let i = 0; i < buckets; i++) totals[i]! += of[i]!;
  const highest = Math.sqrt(Math.max(1, ...totals));
  const tops = new Float64Array(buckets);
  const wide = width / buckets;
  const bars = shownAs.flatMap(([family, tone]) => {
    let path = "";
    const of = counts.get(family)!;
    for (let i = 0; i < buckets; i++) {
      if (of[i] === 0) continue;
      const whole = (height * Math.sqrt(totals[i]!)) / highest;
      const tall = Math.max(barMin, (whole * of[i]!) / totals[i]!);
      const y = Math.max(0, height - tops[i]! - tall);
      tops[i]! += tall;
      path += `M${(i * wide).toFixed(1)} ${y.toFixed(1)}h${(wide - 0.8).toFixed(1)}v${tall.toFixed(1)}h-${(wide - 0.8).toFixed(1)}z`;
    }
    return path === "" ? [] : [{ tone, path }];
  });
  const said = shownAs.flatMap(([family, , word]) => {
    const sum = counts.get(family)!.reduce((a, b) => a + b, 0);
    return sum === 0 ? [] : [`${sum} ${word}`];
  });
  return { bars, said: said.join(", ") };
}
