/** When what ran where: one band per node, waits and transfers apart from the runs. */
import { useMemo, useState } from "preact/hooks";
import type { TimelineLine } from "../../../control/account.ts";
import { Empty, Shows } from "../parts.tsx";
import { Axis } from "../plot.tsx";
import { counted, duration } from "../quantity.ts";
import { amend } from "../route.ts";
import { type Run, runsOf } from "../runs.ts";
import { useRead } from "../use-read.ts";
import { Zoom } from "../zoom.tsx";

const linesMax = 5000;
const [laneHeight, laneGap] = [14, 3];
const clockTrustMs = 3_600_000;
/** Of the picture's own width at zoom 1. */
const width = 1000;

const tones: Readonly<Record<Run["outcome"], string>> = {
  running: "busy",
  done: "ok",
  failed: "bad",
  "given up": "held",
};

const key = [
  ["wait", "in hand"],
  ["fetch", "fetching"],
  ["ok", "done"],
  ["busy", "running"],
  ["bad", "failed"],
  ["held", "given up"],
] as const;

export function Gantt({ build }: { build: string }) {
  const query = new URLSearchParams({
    build,
    kinds: "claim,done,fail,abandon,expire",
    limit: String(linesMax),
  });
  const reading = useRead<{ items: TimelineLine[] }>(`/events?${query}`, {
    everyMs: 0,
    on: (line) => line.build === build,
    apartMs: 1500,
  });
  return <Shows reading={reading}>{({ items }) => <Bands build={build} lines={items} />}</Shows>;
}

function Bands({ build, lines }: { build: string; lines: readonly TimelineLine[] }) {
  const [zoom, setZoom] = useState(1);
  const byNode = useMemo(() => runsOf(lines), [lines]);
  const all = [...byNode.values()].flat();
  if (all.length === 0) return <Empty>Nothing has run yet: what was cached needs no time.</Empty>;
  const from = Math.min(...all.map(({ fromMs }) => fromMs));
  const last = Math.max(from + 1, ...all.map(({ fromMs, toMs }) => toMs ?? fromMs), lines.at(-1)!.atMs);
  // What runs reaches to now, unless the clocks are too far apart to say when that is.
  const nowMs = Date.now();
  const isRunning = all.some(({ outcome }) => outcome === "running");
  const to = isRunning && nowMs > last && nowMs - last < clockTrustMs ? nowMs : last;
  return (
    <section aria-label="Runs by node over time">
      <div class="tools">
        <span class="key">
          {key.map(([tone, word]) => (
            <span key={tone}>
              <i class={tone} />
              {word}
            </span>
          ))}
        </span>
        <Zoom times={zoom} onTimes={setZoom} />
        <span class="quiet">
          {duration(to - from)}, by the nodes' own clocks{lines.length === linesMax ? "; the last of it" : ""}
        </span>
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard */}
      <section class="scroll bands" tabIndex={0} aria-label="Bands">
        <div style={{ width: `${100 * zoom}%` }}>
          <Axis endMs={to - from} times={zoom} />
          {[...byNode].map(([node, runs]) => (
            <Band
              key={node}
              node={node}
              runs={runs}
              from={from}
              to={to}
              open={(action) => amend(["builds", build], { action })}
            />
          ))}
        </div>
      </section>
    </section>
  );
}

interface BandProps {
  readonly node: string;
  readonly runs: readonly Run[];
  readonly from: number;
  readonly to: number;
  readonly open: (action: string) => void;
}

function Band({ node, runs, from, to, open }: BandProps) {
  const lanes = 1 + Math.max(...runs.map(({ lane }) => lane));
  const height = lanes * (laneHeight + laneGap);
  const x = (ms: number) => (width * (ms - from)) / (to - from);
  const ranMs = runs.reduce((sum, { runMs, toMs }) => sum + ((toMs ?? to) - runMs), 0);
  const label = `${node}: ${counted(runs.length, "run")}, ${duration(ranMs)} in all, ${lanes} at once at most`;
  const piece = (run: Run, kind: string, a: number, b: number) =>
    b > a ? (
      <rect
        class={kind}
        x={x(a).toFixed(2)}
        y={run.lane * (laneHeight + laneGap)}
        width={Math.max(0.6, x(b) - x(a)).toFixed(2)}
        height={laneHeight}
      />
    ) : null;
  return (
    <div class="band">
      <h3>
        {node}{" "}
        <span class="quiet">
          {counted(runs.length, "run")} · {duration(ranMs)}
        </span>
      </h3>
      <svg
        viewBox={`0 0 ${width} ${height}`}
        height={height}
        preserveAspectRatio="none"
        role="img"
        aria-label={label}
      >
        {runs.map((run) => (
          // biome-ignore lint/a11y/noStaticElementInteractions: the graph's search leads to the same by keyboard
          <g key={`${run.action} ${run.fromMs}`} onClick={() => open(run.action)}>
            <title>{`${run.action}: ${run.outcome}, waited ${duration(run.fetchMs - run.fromMs)}, fetched ${duration(run.runMs - run.fetchMs)}, ran ${duration((run.toMs ?? to) - run.runMs)}`}</title>
            {piece(run, "wait", run.fromMs, run.fetchMs)}
            {piece(run, "fetch", run.fetchMs, run.runMs)}
            {piece(run, tones[run.outcome]!, run.runMs, run.toMs ?? to)}
          </g>
        ))}
      </svg>
    </div>
  );
}
