/** Who is connected with whom: the members in a circle, their beats, and the ways between them as each says of itself. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { NodeView, ReachView } from "../../control/api.ts";
import { nodeStates } from "./states.ts";

/** Of the picture, in its own units: as many as pixels, so that names keep their size where the page is narrow. */
const [wideWidth, narrowWidth] = [720, 360];
const narrow = matchMedia("(max-width: 760px)");
/** More names than this would lie over each other. */
const namedMax = 32;
/** More ways are a grey plane: those of this node alone are drawn then. */
const waysMax = 600;

interface Point {
  readonly x: number;
  readonly y: number;
}

export function Topology({ nodes, reach }: { nodes: readonly NodeView[]; reach: ReachView | undefined }) {
  const width = useWidth();
  const shown = nodes.filter(({ state }) => state !== "unseen");
  const height = shown.length < 3 ? 110 : 300;
  const at = new Map<string, Point>();
  for (const [i, { peerId }] of shown.entries()) {
    const angle = (2 * Math.PI * i) / Math.max(1, shown.length) + (shown.length === 2 ? 0 : -Math.PI / 2);
    at.set(peerId, {
      x:
        width / 2 +
        (shown.length === 1 ? 0 : Math.cos(angle) * (width / 2 - (width === wideWidth ? 130 : 60))),
      y: height / 2 + (shown.length === 1 ? 0 : Math.sin(angle) * (height / 2 - 44)),
    });
  }
  const ways = waysOf(reach, at);
  const self = shown.find(({ state }) => state === "self")?.peerId;
  const drawn = ways.length > waysMax ? ways.filter(({ from, to }) => from === self || to === self) : ways;
  const alive = shown.filter(({ state }) => state === "self" || state === "alive").length;
  return (
    <figure class="topology">
      <svg
        viewBox={`0 0 ${width} ${height}`}
        role="img"
        aria-label={`${alive} of ${shown.length} members are alive`}
      >
        {drawn.map(({ from, to, latencyMs }) => {
          const [a, b] = [at.get(from)!, at.get(to)!];
          return (
            <line key={`${from} ${to}`} class="way" x1={a.x} y1={a.y} x2={b.x} y2={b.y}>
              <title>{latencyMs === undefined ? "no answer" : `${latencyMs.toFixed(1)} ms`}</title>
            </line>
          );
        })}
        {shown.map((node) => (
          <Member key={node.peerId} node={node} at={at.get(node.peerId)!} named={shown.length <= namedMax} />
        ))}
      </svg>
      <figcaption class="quiet">
        {alive} of {shown.length} alive
        {ways.length > 0 ? ` · ${ways.length} ${ways.length === 1 ? "connection" : "connections"}` : ""}
        {nodes.length > shown.length ? ` · ${nodes.length - shown.length} never heard of` : ""}
      </figcaption>
    </figure>
  );
}

function Member({ node, at: { x, y }, named }: { node: NodeView; at: Point; named: boolean }) {
  const { vitals: v, state, name } = node;
  const { tone, sign, word } = nodeStates[state];
  const beat = useBeat(v ? `${v.inc} ${v.beat}` : undefined);
  const slots = v ? Math.max(1, v.slotsMax ?? v.slots) : 1;
  const share = v ? Math.min(1, v.running / slots) : 0;
  const radius = 14;
  const round = 2 * Math.PI * (radius + 4);
  return (
    <g class={`member ${tone}`} transform={`translate(${x.toFixed(1)} ${y.toFixed(1)})`}>
      <title>{`${name}: ${word}${v ? `, ${v.running} of ${slots} slots taken` : ""}`}</title>
      {beat > 0 && <circle key={beat} class="beat" r={radius} />}
      <circle class="body" r={radius} />
      <circle
        class="work"
        r={radius + 4}
        stroke-dasharray={`${(share * round).toFixed(1)} ${round.toFixed(1)}`}
        transform="rotate(-90)"
      />
      <text class="sign" dy="0.35em">
        {sign}
      </text>
      {named && (
        <text class="name" y={radius + 18}>
          {name.length > 18 ? `${name.slice(0, 17)}…` : name}
        </text>
      )}
    </g>
  );
}

function useWidth(): number {
  const [isNarrow, setNarrow] = useState(narrow.matches);
  useEffect(() => {
    const changed = () => setNarrow(narrow.matches);
    narrow.addEventListener("change", changed);
    return () => narrow.removeEventListener("change", changed);
  }, []);
  return isNarrow ? narrowWidth : wideWidth;
}

/** Counts beats that were heard since the first. */
function useBeat(beat: string | undefined): number {
  const last = useRef<string | undefined>(undefined);
  const [heard, setHeard] = useState(0);
  useEffect(() => {
    if (last.current !== undefined && beat !== undefined && last.current !== beat) setHeard((n) => n + 1);
    last.current = beat;
  }, [beat]);
  return heard;
}

function waysOf(reach: ReachView | undefined, at: ReadonlyMap<string, Point>) {
  const ways = new Map<string, { from: string; to: string; latencyMs?: number }>();
  for (const row of reach?.rows ?? [])
    for (const way of row.ways ?? []) {
      if (!at.has(row.peerId) || !at.has(way.peerId)) continue;
      const [from, to] = row.peerId < way.peerId ? [row.peerId, way.peerId] : [way.peerId, row.peerId];
      ways.set(`${from} ${to}`, { from, to, latencyMs: way.latencyMs });
    }
  return [...ways.values()];
}
