/** Who reaches whom, as a table for people: a row says it of its node; and which pairs need a third between them. */
import type { ReachRow, ReachView } from "../node/control/api.ts";
import type { Output } from "./output.ts";
import { latencyText } from "./units.ts";

/** More columns than this are no table any more: each row says whom it lacks. */
const columnsMax = 12;

export function printReach(output: Output, { rows }: ReachView): void {
  const here = rows.filter(({ state }) => state !== "dead" && state !== "unseen");
  if (here.length < 2) return output.line("no other member is here");
  if (here.length <= columnsMax)
    output.table(
      [{ title: "" }, ...here.map(({ node }) => ({ title: node, right: true }))],
      here.map((from) => [from.node, ...here.map((to) => cell(output, from, to))]),
    );
  else
    output.table(
      [
        { title: "NODE" },
        { title: "REACHES", right: true },
        { title: "SLOWEST", right: true },
        { title: "LACKS" },
      ],
      here.map((from) => line(from, here)),
    );
  output.line();
  for (const word of verdicts(here)) output.line(word);
  for (const { node } of rows.filter(({ state }) => state === "dead" || state === "unseen"))
    output.line(`${node} is away`);
}

function cell(output: Output, from: ReachRow, to: ReachRow): string {
  if (from.peerId === to.peerId) return output.tone("faint", "·");
  if (!from.ways) return output.tone("note", "?");
  const way = from.ways.find(({ peerId }) => peerId === to.peerId);
  if (!way) return output.tone("bad", "no");
  return way.latencyMs === undefined ? output.tone("bad", "silent") : latencyText(way.latencyMs);
}

function line({ node, peerId, ways }: ReachRow, here: readonly ReachRow[]): string[] {
  const others = here.filter((other) => other.peerId !== peerId);
  if (!ways) return [node, "?", "", "it could not be asked"];
  const reached = new Map(ways.map((way) => [way.peerId, way]));
  const lacks = others.flatMap((other) => (reached.has(other.peerId) ? [] : [other.node]));
  const slowest = Math.max(...ways.map(({ latencyMs }) => latencyMs ?? 0));
  return [
    node,
    `${others.length - lacks.length} of ${others.length}`,
    ways.length === 0 ? "" : latencyText(slowest),
    lacks.slice(0, 8).join(" ") + (lacks.length > 8 ? ` and ${lacks.length - 8} more` : ""),
  ];
}

/** In words, what the table means: nothing to do where each reaches each. */
function verdicts(here: readonly ReachRow[]): string[] {
  const reaches = (a: ReachRow, b: ReachRow) =>
    [
      a.ways?.some(({ peerId }) => peerId === b.peerId),
      b.ways?.some(({ peerId }) => peerId === a.peerId),
    ].includes(true);
  const words: string[] = [];
  for (const [at, a] of here.entries())
    for (const b of here.slice(at + 1)) {
      if (reaches(a, b)) continue;
      const between = here.filter((c) => c !== a && c !== b && reaches(a, c) && reaches(c, b));
      words.push(
        between.length > 0
          ? `${a.node} and ${b.node} do not reach each other: they work through ${between.map(({ node }) => node).join(", ")}`
          : `${a.node} and ${b.node} do not reach each other, and no member lies between them: swarmd doctor on both says why`,
      );
    }
  return words.length > 0 ? words : ["all that are here reach each other"];
}
