/** Members as they were: slots, what they had in hand, and how loaded and warm they were as far as that was said. */
import type { Reading } from "../../../../protocol/explain/readings.ts";
import { Bar, Table } from "../parts.tsx";
import { measured, unknown } from "../quantity.ts";
import type { NodeThen } from "./film.ts";

/** What a node said of itself is told for so long: a swarm at rest beats seldom. */
const readingMsMax = 600_000;

interface Props {
  readonly nodes: readonly NodeThen[];
  readonly wallMs: number;
  readonly readings: Readonly<Record<string, readonly Reading[]>>;
}

export function MembersThen({ nodes, wallMs, readings }: Props) {
  return (
    <Table
      label="Members at this moment"
      head={["Node", ["Slots", "number"], ["Load", "number"], ["Heat", "number"], "Has in hand"]}
    >
      {nodes.map(({ node, running, slots: seen, headroomCelsius }) => {
        const said = lastBy(readings[node] ?? [], wallMs);
        const slots = said?.slots ?? seen;
        return (
          <tr key={node}>
            <th scope="row">{node}</th>
            <td class="number" title={said?.limitedBy}>
              <Bar
                of={slots ?? Math.max(1, running.length)}
                label={`${running.length} of ${slots ?? "unknown"} slots taken${said?.limitedBy ? `, ${said.limitedBy}` : ""}`}
                shares={[{ tone: "busy", value: running.length, word: "taken" }]}
              />
              <span class="figure narrow">
                {running.length}/{slots ?? unknown}
              </span>
            </td>
            <td class="number">{measured(said?.load, "", 2)}</td>
            <td class="number">
              {typeof said?.temperatureCelsius === "number"
                ? measured(said.temperatureCelsius, "°C")
                : headroomCelsius === undefined
                  ? unknown
                  : `${headroomCelsius} °C left`}
            </td>
            <td class="hand" title={running.join(", ")}>
              {running.length === 0 ? <span class="quiet">nothing</span> : running.join(", ")}
            </td>
          </tr>
        );
      })}
    </Table>
  );
}

/** The last that was said by a moment, if it is not too old. */
function lastBy(readings: readonly Reading[], wallMs: number): Reading | undefined {
  let [low, high] = [0, readings.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (readings[middle]!.atMs <= wallMs) low = middle + 1;
    else high = middle;
  }
  const last = readings[low - 1];
  return last && wallMs - last.atMs <= readingMsMax ? last : undefined;
}
