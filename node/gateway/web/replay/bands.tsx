/** Who ran what, up to a moment: a band for each node, painted, so that ten thousand runs follow the slider. */
import { useEffect, useRef } from "preact/hooks";
import { coloursOf, onColours } from "../colours.ts";
import { duration } from "../quantity.ts";
import type { Run } from "../runs.ts";
import type { Film } from "./film.ts";

const [laneMax, bandMax, gap] = [14, 160, 2];

const tones: Readonly<Record<Run["outcome"], string>> = {
  running: "busy",
  done: "ok",
  failed: "bad",
  "given up": "held",
};

export function Bands({ film, ms, toMs }: { film: Film; ms: number; toMs: (ms: number) => void }) {
  return (
    <section class="bands" aria-label="Runs by node up to this moment">
      {[...film.runs].map(([node, runs]) => (
        <Band key={node} node={node} runs={runs} ms={ms} lengthMs={film.lengthMs} toMs={toMs} />
      ))}
    </section>
  );
}

interface Props {
  readonly node: string;
  readonly runs: readonly Run[];
  readonly ms: number;
  readonly lengthMs: number;
  readonly toMs: (ms: number) => void;
}

function Band({ node, runs, ms, lengthMs, toMs }: Props) {
  const at = useRef<HTMLCanvasElement>(null);
  const latest = useRef({ runs, ms, lengthMs });
  latest.current = { runs, ms, lengthMs };
  const lanes = 1 + Math.max(...runs.map(({ lane }) => lane));
  const tall = Math.max(2, Math.min(laneMax, Math.floor(bandMax / lanes) - gap)) + gap;
  const redraw = useRef(() => {});
  useEffect(() => {
    const canvas = at.current!;
    const over = new AbortController();
    let colours = coloursOf(canvas);
    let isSeen = false;
    const draw = () => {
      if (isSeen) paint(canvas, colours, tall, latest.current);
    };
    onColours(over.signal, () => {
      colours = coloursOf(canvas);
      draw();
    });
    const sized = new ResizeObserver(draw);
    sized.observe(canvas);
    const seen = new IntersectionObserver((entries) => {
      isSeen = entries.at(-1)!.isIntersecting;
      draw();
    });
    seen.observe(canvas);
    redraw.current = draw;
    return () => {
      over.abort();
      sized.disconnect();
      seen.disconnect();
    };
  }, [tall]);
  useEffect(() => redraw.current(), [runs, ms]);
  const begun = runs.filter(({ fromMs }) => fromMs <= ms).length;
  return (
    <div class="band">
      <h3>
        {node}{" "}
        <span class="quiet">
          {begun}/{runs.length} runs
        </span>
      </h3>
      <canvas
        ref={at}
        style={{ height: `${lanes * tall}px` }}
        role="img"
        aria-label={`${node}: ${begun} of ${runs.length} runs begun after ${duration(ms)}, ${lanes} at once at most`}
        onClick={(e) => toMs((lengthMs * e.offsetX) / e.currentTarget.clientWidth)}
      />
    </div>
  );
}

function paint(
  canvas: HTMLCanvasElement,
  colours: Readonly<Record<string, string>>,
  tall: number,
  { runs, ms, lengthMs }: Pick<Props, "runs" | "ms" | "lengthMs">,
): void {
  const ratio = devicePixelRatio;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (width === 0) return;
  if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
  if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
  const pen = canvas.getContext("2d", { alpha: false })!;
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.fillStyle = colours.raised!;
  pen.fillRect(0, 0, width, height);
  const scale = width / Math.max(1, lengthMs);
  // Pieces of one colour are painted in one go.
  const byTone = new Map<string, number[]>();
  const piece = (lane: number, tone: string, fromMs: number, toMs: number) => {
    const end = Math.min(toMs, ms);
    if (end <= fromMs && toMs > fromMs) return;
    let same = byTone.get(tone);
    if (!same) {
      same = [];
      byTone.set(tone, same);
    }
    same.push(fromMs * scale, lane * tall, Math.max(1, (end - fromMs) * scale));
  };
  for (const { lane, fromMs, fetchMs, runMs, toMs = Number.POSITIVE_INFINITY, outcome } of runs) {
    if (fromMs > ms) break;
    piece(lane, "idle", fromMs, fetchMs);
    piece(lane, "next", fetchMs, runMs);
    piece(lane, toMs <= ms ? tones[outcome] : "busy", runMs, toMs);
  }
  for (const [tone, places] of byTone) {
    pen.beginPath();
    for (let at = 0; at < places.length; at += 3)
      pen.rect(places[at]!, places[at + 1]!, places[at + 2]!, tall - gap);
    pen.fillStyle = colours[tone]!;
    pen.fill();
  }
  pen.fillStyle = colours.text!;
  pen.fillRect(Math.min(width - 1, ms * scale), 0, 1, height);
}
