/** A picture of a run: nodes and their slots as lanes over time, what ran in colours by group, heat as a line. One SVG that stands alone. */
import type { Stretch, Tally, Warmth } from "./tally.ts";

const width = 1200;
const left = 90;
const right = 20;
const top = 46;
const laneMax = 14;
const laneMin = 1;
/** All lanes together are made to fit into about so much. */
const heightWanted = 1400;
const gap = 3;
const legendGroupsMax = 24;
const labelPixels = 9;
/** Range of the heat line within a node's lanes. */
const celsiusMin = 20;
const celsiusMax = 110;

/** The picture. Text from elsewhere (names) is escaped. */
export function ganttOf(run: Tally): string {
  const endMs = Math.max(run.makespanMs, run.heftMs, lastEndMs(run.stretches), 1);
  const x = (ms: number) => round(left + ((width - left - right) * Math.max(0, ms)) / endMs);
  const bands = bandsOf(run);
  const lanes = bands.reduce((sum, band) => sum + band.lanes, 0);
  const lane = Math.max(laneMin, Math.min(laneMax, Math.floor(heightWanted / Math.max(1, lanes))));
  const groups = [...new Set(run.stretches.map((s) => s.group))];
  const colour = new Map(groups.map((group, i) => [group, `hsl(${Math.round((i * 137.5) % 360)} 55% 62%)`]));

  const parts: string[] = [];
  let y = top;
  let labelledY = Number.NEGATIVE_INFINITY;
  for (const band of bands) {
    const height = band.lanes * lane;
    parts.push(
      `<rect class="band" x="${left}" y="${y}" width="${width - left - right}" height="${height}"/>`,
    );
    if (y - labelledY >= labelPixels) {
      parts.push(
        `<text class="node" x="${left - 6}" y="${round(y + Math.min(height / 2 + 4, height + 6))}">${escaped(short(band.node))}</text>`,
      );
      labelledY = y;
    }
    for (const { stretch, at } of band.placed)
      for (const slot of at) parts.push(bar(stretch, x, y + slot * lane, lane, colour.get(stretch.group)!));
    if (band.warmth) parts.push(heat(band.warmth, x, y, height));
    y += height + gap;
  }
  const marks = (
    [
      ["makespan", run.makespanMs],
      ["HEFT", run.heftMs],
      ["bound", run.boundMs],
    ] as const
  ).map(
    ([name, ms], i) =>
      `<line class="mark m${i}" x1="${x(ms)}" y1="${top - 6}" x2="${x(ms)}" y2="${y}"/><text class="mark m${i}" x="${x(ms) - 3}" y="${top - 8 - 11 * i}">${name} ${seconds(ms)}</text>`,
  );
  const legend = legendOf(groups, colour, run, y + 34);
  const heightAll = y + 34 + legend.height;
  return `<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${heightAll}" viewBox="0 0 ${width} ${heightAll}" font-family="sans-serif" font-size="11">
<title>${escaped(`${run.variant}, seed ${run.seed}: ${seconds(run.makespanMs)}, HEFT ${seconds(run.heftMs)}`)}</title>
<defs><pattern id="lost" width="4" height="4" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="4" height="4" fill="#fff" fill-opacity="0.55"/><line x1="0" y1="0" x2="0" y2="4" stroke="#333" stroke-width="1"/></pattern></defs>
<style>.band{fill:#f3f3f3}.node{text-anchor:end;fill:#333}.axis{stroke:#bbb}.tick{text-anchor:middle;fill:#666}line.mark{stroke-width:1}text.mark{text-anchor:end}line.m0{stroke:#000}line.m1{stroke:#06c;stroke-dasharray:4 3}line.m2{stroke:#888;stroke-dasharray:2 3}text.m1{fill:#06c}text.m2{fill:#888}.failed{stroke:#c00;stroke-width:1.5}.twin{stroke:#000;stroke-width:1;stroke-dasharray:2 2}.over{fill:url(#lost)}.died{stroke:#000;stroke-width:1.5}.heat{fill:none;stroke:#d40;stroke-width:1.2}.limit{stroke:#d40;stroke-width:0.6;stroke-dasharray:3 3}</style>
<rect width="${width}" height="${heightAll}" fill="#fff"/>
${parts.join("\n")}
${marks.join("\n")}
${axis(endMs, x, y)}
${legend.text}
</svg>
`;
}

interface Band {
  readonly node: string;
  readonly lanes: number;
  readonly placed: readonly { readonly stretch: Stretch; readonly at: readonly number[] }[];
  readonly warmth: Warmth | undefined;
}

/** Each node's stretches on lanes: the lowest that are free when one begins. More lanes than slots where more ran at once. */
function bandsOf(run: Tally): Band[] {
  const byNode = new Map<string, Stretch[]>(run.slots.map(({ node }) => [node, []]));
  for (const stretch of [...run.stretches].sort((a, b) => a.beganMs - b.beganMs))
    byNode.get(stretch.node)?.push(stretch);
  const warmth = new Map(run.warmth.map((w) => [w.node, w]));
  return run.slots.map(({ node, slots }) => {
    const freeMs: number[] = Array.from({ length: Math.max(1, slots) }, () => Number.NEGATIVE_INFINITY);
    const placed = byNode.get(node)!.map((stretch) => {
      const at: number[] = [];
      for (let slot = 0; at.length < stretch.slots; slot++) {
        if ((freeMs[slot] ?? Number.NEGATIVE_INFINITY) > stretch.beganMs) continue;
        freeMs[slot] = stretch.endedMs;
        at.push(slot);
      }
      return { stretch, at };
    });
    return { node, lanes: freeMs.length, placed, warmth: warmth.get(node) };
  });
}

function bar(s: Stretch, x: (ms: number) => number, y: number, lane: number, colour: string): string {
  const from = x(s.beganMs);
  const wide = Math.max(0.5, round(x(s.endedMs) - from));
  const tall = Math.max(0.7, lane - (lane > 4 ? 1 : 0));
  const place = `x="${from}" y="${y}" width="${wide}" height="${tall}"`;
  const classes = [
    s.ended === "failed" ? "failed" : "",
    s.twin ? "twin" : "",
    s.ended === "died" ? "died" : "",
  ]
    .filter(Boolean)
    .join(" ");
  const words = escaped(
    `${s.action} on ${s.node}: ${seconds(s.beganMs)} to ${seconds(s.endedMs)}, ${s.ended}${s.twin ? ", twin" : ""}`,
  );
  const over = s.ended === "done" ? "" : `<rect class="over" ${place}/>`;
  return `<g><title>${words}</title><rect ${classes ? `class="${classes}" ` : ""}${place} fill="${colour}"/>${over}</g>`;
}

function heat(
  { limitCelsius, samples }: Warmth,
  x: (ms: number) => number,
  y: number,
  height: number,
): string {
  const at = (celsius: number) =>
    round(
      y +
        height *
          (1 -
            (Math.min(celsiusMax, Math.max(celsiusMin, celsius)) - celsiusMin) / (celsiusMax - celsiusMin)),
    );
  const points = samples.map(({ atMs, celsius }) => `${x(atMs)},${at(celsius)}`).join(" ");
  return `<line class="limit" x1="${left}" y1="${at(limitCelsius)}" x2="${width - right}" y2="${at(limitCelsius)}"/><polyline class="heat" points="${points}"/>`;
}

function axis(endMs: number, x: (ms: number) => number, y: number): string {
  const rough = endMs / 8;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = unit * ([1, 2, 5].find((factor) => factor * unit >= rough) ?? 10);
  const ticks: string[] = [];
  for (let i = 0; i * step <= endMs; i++)
    ticks.push(
      `<line class="axis" x1="${x(i * step)}" y1="${y}" x2="${x(i * step)}" y2="${y + 5}"/><text class="tick" x="${x(i * step)}" y="${y + 17}">${seconds(i * step)}</text>`,
    );
  return `<line class="axis" x1="${left}" y1="${y}" x2="${width - right}" y2="${y}"/>${ticks.join("")}`;
}

function legendOf(groups: readonly string[], colour: ReadonlyMap<string, string>, run: Tally, y: number) {
  const shown = groups.slice(0, legendGroupsMax);
  const items = shown.map((group) => ({
    text: short(group),
    swatch: `fill="${colour.get(group)}"`,
    over: false,
  }));
  if (groups.length > shown.length)
    items.push({ text: `and ${groups.length - shown.length} more`, swatch: 'fill="none"', over: false });
  if (run.stretches.some((s) => s.ended === "failed"))
    items.push({ text: "failed", swatch: 'class="failed" fill="#ddd"', over: true });
  if (run.stretches.some((s) => s.twin))
    items.push({ text: "twin", swatch: 'class="twin" fill="#ddd"', over: false });
  if (run.stretches.some((s) => s.ended === "died"))
    items.push({ text: "died with its node", swatch: 'class="died" fill="#ddd"', over: true });
  if (run.stretches.some((s) => s.ended === "stopped" || s.ended === "again"))
    items.push({ text: "thrown away", swatch: 'fill="#ddd"', over: true });
  const perRow = 6;
  const text = items
    .map(({ text: words, swatch, over }, i) => {
      const [atX, atY] = [left + (i % perRow) * 180, y + Math.floor(i / perRow) * 18];
      const box = `x="${atX}" y="${atY}" width="12" height="12"`;
      return `<rect ${box} ${swatch}/>${over ? `<rect class="over" ${box}/>` : ""}<text x="${atX + 17}" y="${atY + 10}">${escaped(words)}</text>`;
    })
    .join("\n");
  return { text, height: 18 * Math.ceil(items.length / perRow) + 8 };
}

const lastEndMs = (stretches: readonly Stretch[]): number =>
  stretches.reduce((last, { endedMs }) => Math.max(last, endedMs), 0);

const round = (value: number): number => Math.round(value * 100) / 100;
const seconds = (ms: number): string => `${round(ms / 1000)} s`;
const short = (text: string): string => (text.length > 24 ? `${text.slice(0, 23)}…` : text);

/** Text for XML: what has a meaning there is written as an entity, what may not stand there at all is taken out. */
function escaped(text: string): string {
  return (
    text
      .toWellFormed()
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
      .replace(/[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g, "")
      .replaceAll("&", "&amp;")
      .replaceAll("<", "&lt;")
      .replaceAll(">", "&gt;")
      .replaceAll('"', "&quot;")
  );
}
