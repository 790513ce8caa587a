/** The swarm as it is: who is there, how well, how warm, and what each does. */
import { useEffect, useMemo, useRef } from "preact/hooks";
import type { NodeView, ReachView, StatusView } from "../../../control/api.ts";
import type { Sample } from "../../series.ts";
import { Line } from "../chart.tsx";
import { Command } from "../command.tsx";
import { Bar, Empty, Facts, Shows, Sign, Table, Title } from "../parts.tsx";
import { bytes, count, duration, measured, unknown } from "../quantity.ts";
import { linkTo } from "../route.ts";
import { nodeStates } from "../states.ts";
import { Topology } from "../topology.tsx";
import { useRead } from "../use-read.ts";
import { historyOf, recall, remember, spanOf } from "../vitals-history.ts";

/** Vitals are no events: they are read at this pace. */
const everyMs = 2000;
const runningMax = 4;

export function Swarm() {
  const nodes = useRead<NodeView[]>("/nodes?all=true", {
    everyMs,
    on: ({ family, kind }) => family === "node" || kind === "claim" || kind === "done",
  });
  const reach = useRead<ReachView>("/reach", { everyMs: 20_000 });
  const status = useRead<StatusView>("/status", { everyMs: 5000 });
  const kept = useRead<Record<string, Sample[]>>("/metrics", { everyMs: 0 });
  useEffect(() => {
    if (kept.value) recall(kept.value);
  }, [kept.value]);
  const remembered = useRef<unknown>(undefined);
  if (nodes.value !== undefined && remembered.current !== nodes.value) {
    remembered.current = nodes.value;
    remember(nodes.value);
  }
  return (
    <>
      <Title>Swarm</Title>
      {status.value && <Counts status={status.value} />}
      <Shows reading={nodes}>
        {(all) => (
          <>
            <Topology nodes={all} reach={reach.value} />
            <Nodes nodes={all} />
          </>
        )}
      </Shows>
    </>
  );
}

function Counts({ status }: { status: StatusView }) {
  const { counts, next } = status;
  return (
    <section class="summary" aria-label="Counts">
      <Facts
        of={[
          ["needed", count(counts.needed)],
          ["building", count(counts.building)],
          ["complete", count(counts.complete)],
          [
            "blocked",
            <span key="b" class={counts.blocked > 0 ? "bad" : ""}>
              {count(counts.blocked)}
            </span>,
          ],
          ["files staged", count(counts.staged)],
        ]}
      />
      {next.command ? (
        <div class="advice">
          Next <Command words={next.command} why={next.why} />
        </div>
      ) : (
        <p class="advice quiet">{next.why}</p>
      )}
    </section>
  );
}

const shownFirst = ["self", "alive", "suspect", "dead", "unseen"];

function Nodes({ nodes }: { nodes: readonly NodeView[] }) {
  const sorted = useMemo(
    () =>
      [...nodes].sort(
        (a, b) => shownFirst.indexOf(a.state) - shownFirst.indexOf(b.state) || (a.name < b.name ? -1 : 1),
      ),
    [nodes],
  );
  if (sorted.length === 0) return <Empty>No node was ever heard of.</Empty>;
  return (
    <Table
      label="Nodes"
      head={[
        "Node",
        "State",
        ["Slots", "number"],
        "Load",
        "Temperature",
        ["Memory free", "number"],
        ["Disk free", "number"],
        "Does now",
      ]}
    >
      {sorted.map((node) => (
        <Row key={node.peerId} node={node} />
      ))}
    </Table>
  );
}

function Row({ node }: { node: NodeView }) {
  const { vitals: v, peerId } = node;
  const history = historyOf(node.name);
  const slots = v ? (v.slotsMax ?? v.slots) : 0;
  const hot = v && typeof v.headroomCelsius === "number" && v.headroomCelsius < 10;
  return (
    <tr>
      <th scope="row" title={peerId}>
        {node.name}
        {node.clockAheadMs !== undefined && (
          <small class="bad">
            {" "}
            clock {duration(Math.abs(node.clockAheadMs))} {node.clockAheadMs > 0 ? "ahead" : "behind"}
          </small>
        )}
      </th>
      <td>
        <Sign of={nodeStates[node.state]} />
        {v?.limitedBy && (
          <small
            class="sign busy"
            title="It runs less at once than its slots allow, and takes nothing new where none is left"
          >
            {" "}
            {v.limitedBy}
          </small>
        )}
      </td>
      <td class="number">
        {v ? (
          <>
            <Bar
              of={slots}
              label={`${v.running} of ${slots} slots taken${v.slots < slots ? `, ${v.slots} open` : ""}`}
              shares={[{ tone: "busy", value: v.running, word: "taken" }]}
            />
            <span class="figure narrow">
              {v.running}/{v.slots}
            </span>
          </>
        ) : (
          unknown
        )}
      </td>
      <td class="charted">
        <Line
          tone="load"
          label={`Load of ${node.name} over the last minutes`}
          points={history.map(({ atMs, load }) => ({ atMs, value: load }))}
          spanMs={spanOf(history)}
          top={v?.cores ?? 1}
        />
        <span class="figure">{measured(v?.load, "", 2)}</span>
      </td>
      <td class="charted">
        <Line
          tone="temperature"
          label={`Temperature of ${node.name} over the last minutes`}
          points={history.map(({ atMs, temperatureCelsius }) => ({ atMs, value: temperatureCelsius }))}
          spanMs={spanOf(history)}
          top={100}
        />
        <span class={hot ? "figure bad" : "figure"}>{measured(v?.temperatureCelsius, "°C")}</span>
      </td>
      <td class="number">{bytes(v?.memoryFreeBytes)}</td>
      <td class="number">{bytes(v?.diskFreeBytes)}</td>
      <td class="does">
        {node.running.slice(0, runningMax).map(({ build, action, sinceMs }) => (
          <a key={`${build}/${action}`} href={linkTo(["builds", build], { action })}>
            {action} <span class="quiet">{duration(sinceMs)}</span>
          </a>
        ))}
        {node.running.length > runningMax && (
          <span class="quiet">and {node.running.length - runningMax} more</span>
        )}
        {node.running.length === 0 && <span class="quiet">{v ? "idle" : "nothing is heard of it"}</span>}
      </td>
    </tr>
  );
}
