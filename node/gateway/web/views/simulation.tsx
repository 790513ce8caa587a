/** A report of `swarmd sim`, opened from a file that stays in the browser: variants against HEFT and the bound, and their runs over virtual time. */
import { useEffect, useMemo, useState } from "preact/hooks";
import { Facts, Table, Title, Trouble } from "../parts.tsx";
import { Plot, SeriesKey } from "../plot.tsx";
import { count, duration, unknown } from "../quantity.ts";
import { Bands } from "../simulation/bands.tsx";
import { busyOf, endOf, hottestOf } from "../simulation/over-time.ts";
import {
  fileBytesMax,
  type Measure,
  type Report,
  readReport,
  type Summary,
} from "../simulation/report-text.ts";
import { Refused } from "../source.ts";

/** Shown unless a scenario says otherwise. */
const shownDefault = ["ratio", "waste", "busy", "wait95", "unicasts", "facts", "peak", "above"];
const inBar = ["makespan", "heft", "bound"];
const headroomCelsius = 10;

/** Kept while the page is open: who looks elsewhere and comes back finds it. */
let opened: Report | Refused | undefined;

export function Simulation() {
  const [state, setState] = useState<Report | Refused | "reads" | undefined>(opened);
  const [isOver, setOver] = useState(false);
  const open = async (file: File | undefined) => {
    if (!file) return;
    setState("reads");
    opened = await reportIn(file);
    setState(opened);
  };
  useEffect(() => {
    // A file that falls beside the place for it would take the page's own place.
    const dragged = (e: DragEvent) => {
      e.preventDefault();
      setOver(e.type === "dragover");
      if (e.type === "drop") void open(e.dataTransfer?.files[0]);
    };
    for (const kind of ["dragover", "dragleave", "drop"] as const) addEventListener(kind, dragged);
    return () => {
      for (const kind of ["dragover", "dragleave", "drop"] as const) removeEventListener(kind, dragged);
    };
  }, []);
  return (
    <>
      <Title>Simulator</Title>
      <div class={isOver ? "file over-it" : "file"}>
        <label>
          Report{" "}
          <input
            type="file"
            accept=".json,.jsonl,application/json"
            onChange={(e) => void open(e.currentTarget.files?.[0])}
          />
        </label>
        <span class="quiet">or drop one anywhere here. It stays in this browser.</span>
      </div>
      {state === undefined && (
        <p class="empty">
          A report comes from <code>swarmd sim SCENARIO --out DIR</code>: open <code>DIR/report.json</code>.
        </p>
      )}
      {state === "reads" && (
        <p class="quiet pad" role="status">
          Reading…
        </p>
      )}
      {state instanceof Refused && <Trouble refused={state} />}
      {state !== undefined && state !== "reads" && !(state instanceof Refused) && <Known report={state} />}
    </>
  );
}

async function reportIn(file: File): Promise<Report | Refused> {
  try {
    if (file.size > fileBytesMax)
      throw new Refused(0, "too-large", `${file.name} is larger than any report`, "choose a report.json");
    return readReport(await file.text(), file.name);
  } catch (fault) {
    return fault instanceof Refused
      ? fault
      : new Refused(0, "unreadable", `${file.name} cannot be read`, "choose it again");
  }
}

function Known({ report }: { report: Report }) {
  const { name, about, nodes, runs, recordedMs, summaries, pictures } = report;
  const [chosen, choose] = useState<string | undefined>(undefined);
  const picture = pictures.find(({ variant }) => variant === chosen) ?? pictures[0];
  const troubled = summaries.flatMap(({ variant, trouble }) =>
    trouble.map(({ seed, state }) => `${variant}, seed ${seed}: the build ended ${state}`),
  );
  return (
    <>
      <h2>{name}</h2>
      {about && <p class="quiet close">{about}</p>}
      <Facts
        of={[
          ["actions", count(runs[0]?.actions)],
          ["nodes", nodes === 0 ? unknown : count(nodes)],
          ["runs", count(runs.length)],
          ...(recordedMs === null ? [] : ([["took when it ran", duration(recordedMs)]] as const)),
        ]}
      />
      {troubled.slice(0, 20).map((text) => (
        <p key={text} class="bad">
          {text}
        </p>
      ))}
      {troubled.length > 20 && <p class="bad">and {troubled.length - 20} more</p>}
      <Variants report={report} />
      {picture ? (
        <>
          <OverTime report={report} />
          <h2>Who did what when</h2>
          {pictures.length > 1 && (
            <div class="tools">
              <label>
                Variant{" "}
                <select value={picture.variant} onChange={(e) => choose(e.currentTarget.value)}>
                  {pictures.map(({ variant }) => (
                    <option key={variant}>{variant}</option>
                  ))}
                </select>
              </label>
            </div>
          )}
          <p class="quiet close">
            Seed {picture.seed}, the run in the middle: {duration(picture.makespanMs)}; HEFT{" "}
            {duration(picture.heftMs)}, bound {duration(picture.boundMs)}.
          </p>
          <Bands key={picture.variant} picture={picture} />
        </>
      ) : (
        <p class="empty">
          This file has figures alone. Runs over time stand in the <code>report.json</code> of{" "}
          <code>swarmd sim … --out DIR</code>.
        </p>
      )}
    </>
  );
}

function Variants({ report: { summaries, measures, shown } }: { report: Report }) {
  const [isAll, showAll] = useState(false);
  const has = (column: string) => summaries.some((summary) => spreadOf(summary, column));
  const columns = (isAll ? Object.keys(measures) : (shown ?? shownDefault))
    .filter((column) => !inBar.includes(column) && has(column))
    .slice(0, 64);
  const longest = Math.max(
    ...summaries.flatMap((summary) => inBar.map((one) => spreadOf(summary, one)?.max ?? 0)),
    1e-9,
  );
  return (
    <>
      <h2>Against HEFT and the bound</h2>
      <div class="tools">
        <span class="key">
          <span>
            <i class="busy" />
            makespan, from the least to the most
          </span>
          <span>
            <i class="mark heft" />
            HEFT
          </span>
          <span>
            <i class="mark bound" />
            bound
          </span>
        </span>
        <label class="check">
          <input type="checkbox" checked={isAll} onChange={(e) => showAll(e.currentTarget.checked)} /> All
          figures
        </label>
      </div>
      <Table
        label="Variants"
        head={[
          "Variant",
          ["Makespan", "number"],
          ["Against HEFT and the bound", "unseen"],
          ["HEFT", "number"],
          ["Bound", "number"],
          ...columns.map((column) => [headOf(column), "number"] as const),
        ]}
      >
        {summaries.map((summary) => (
          <tr key={summary.variant}>
            <th scope="row">
              {summary.variant}
              <small class="quiet"> {summary.runs === 1 ? "1 run" : `${summary.runs} runs`}</small>
            </th>
            <Figure of={summary} column="makespan" measure="seconds" />
            <td>
              <Against summary={summary} longest={longest} />
            </td>
            <Figure of={summary} column="heft" measure="seconds" />
            <Figure of={summary} column="bound" measure="seconds" />
            {columns.map((column) => (
              <Figure key={column} of={summary} column={column} measure={measureOf(measures, column)} />
            ))}
          </tr>
        ))}
      </Table>
    </>
  );
}

const heads: Readonly<Record<string, string>> = {
  ratio: "× HEFT",
  waste: "Wasted",
  wait50: "Wait, median",
  wait95: "Wait, 95 %",
  unicasts: "Unicasts/action",
  facts: "Facts/action",
  events: "Events/action",
  gossips: "Gossips/action",
  ledger: "Ledger/action",
  bytes: "Bytes/node",
  blobs: "Blobs/node",
  vitals: "Vitals/s",
  peak: "Hottest",
  above: "Too hot",
};
const headOf = (column: string): string =>
  Object.hasOwn(heads, column) ? heads[column]! : column.charAt(0).toUpperCase() + column.slice(1);

/** By names that stand in the file: those every object has are none of them. */
const spreadOf = ({ figures }: Summary, column: string) =>
  Object.hasOwn(figures, column) ? figures[column] : undefined;
const measureOf = (measures: Report["measures"], column: string): Measure =>
  Object.hasOwn(measures, column) ? measures[column]! : "number";

function Figure({ of, column, measure }: { of: Summary; column: string; measure: Measure }) {
  const spread = spreadOf(of, column);
  if (!spread) return <td class="number">{unknown}</td>;
  const text = (value: number) => textOf(value, measure);
  const isSame = text(spread.min) === text(spread.max);
  return (
    <td class="number" title={isSame ? undefined : `from ${text(spread.min)} to ${text(spread.max)}`}>
      {text(spread.median)}
    </td>
  );
}

function textOf(value: number, measure: Measure): string {
  if (measure === "seconds") return duration(1000 * value);
  if (measure === "share") return `${(100 * value).toFixed(1)} %`;
  if (measure === "celsius") return `${value.toFixed(1)} °C`;
  if (measure === "number") return value.toFixed(2);
  return value >= 2 ** 20 ? `${(value / 2 ** 20).toFixed(1)} MiB` : `${(value / 1024).toFixed(1)} KiB`;
}

/** The least and the most of the makespan as a bar, HEFT and the bound as marks on the same scale. */
function Against({ summary, longest }: { summary: Summary; longest: number }) {
  const { variant } = summary;
  const [makespan, heft, bound] = inBar.map((one) => spreadOf(summary, one));
  const place = (value: number) => `${(100 * Math.max(0, value)) / longest}%`;
  if (!makespan) return null;
  return (
    <span class="against" role="img" aria-label={`${variant}: makespan against HEFT and the bound`}>
      <span class="reached" style={{ width: place(makespan.median) }} />
      <span class="range" style={{ left: place(makespan.min), width: place(makespan.max - makespan.min) }} />
      {bound && <span class="mark bound" style={{ left: place(bound.median) }} />}
      {heft && <span class="mark heft" style={{ left: place(heft.median) }} />}
    </span>
  );
}

function OverTime({ report: { pictures } }: { report: Report }) {
  const { busy, hottest, endMs, limit, top } = useMemo(() => {
    const endMs = Math.max(...pictures.map(endOf));
    const hottest = pictures.map((picture) => ({ name: picture.variant, points: hottestOf(picture, endMs) }));
    const limits = pictures.flatMap(({ warmth }) => warmth.map(({ limitCelsius }) => limitCelsius));
    const limit = limits.length === 0 ? undefined : Math.min(...limits);
    const highest = hottest.flatMap(({ points }) => points.map(({ value }) => value ?? 0));
    const top = highest.reduce(
      (most, value) => Math.max(most, value + headroomCelsius),
      (limit ?? 0) + headroomCelsius,
    );
    return {
      busy: pictures.map((picture) => ({ name: picture.variant, points: busyOf(picture, endMs) })),
      hottest,
      endMs,
      limit,
      top: Math.ceil(top / 10) * 10,
    };
  }, [pictures]);
  return (
    <>
      <h2>Over virtual time</h2>
      <SeriesKey names={pictures.map(({ variant }) => variant)} />
      <Plot
        label="Share of all slots that work"
        series={busy}
        endMs={endMs}
        from={0}
        to={1}
        text={(value) => `${Math.round(100 * value)} %`}
      />
      {hottest.some(({ points }) => points.length > 0) && (
        <Plot
          label="The warmest node"
          series={hottest}
          endMs={endMs}
          from={20}
          to={top}
          text={(value) => `${Math.round(value)} °C`}
          limit={limit}
        />
      )}
    </>
  );
}
