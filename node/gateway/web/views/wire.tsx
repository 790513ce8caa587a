/** What this node and the others said to each other: rates over time, by kind and by peer, and the last messages, without what stood in them. */
import { useEffect, useState } from "preact/hooks";
import type { WireCount, WireDensity, WireLine, WireStats } from "../../../control/data.ts";
import { Bar, Empty, Facts, Shows, Table, Title } from "../parts.tsx";
import { Plot, SeriesKey } from "../plot.tsx";
import { bytes, clock, count, duration, moment } from "../quantity.ts";
import { amend, linkTo } from "../route.ts";
import { Refused, read } from "../source.ts";
import { type MessagesAsked, useMessages } from "../use-messages.ts";
import { type Reading, useRead } from "../use-read.ts";

const everyMs = 2000;
const rowsMax = 200;
const steps = 120;
const spans = [
  [60_000, "1 min"],
  [600_000, "10 min"],
  [3_600_000, "1 h"],
] as const;

export function Wire({ query }: { query: URLSearchParams }) {
  const asked = { kind: query.get("kind") ?? "", peer: query.get("peer") ?? "" };
  const [isLive, setLive] = useState(true);
  const pace = { everyMs: isLive ? everyMs : 0, on: () => false };
  const stats = useRead<WireStats>("/wire/stats", pace);
  const ask = (change: Partial<typeof asked>) => amend(["wire"], { ...asked, ...change });
  return (
    <>
      <Title>Wire</Title>
      <div class="tools">
        {stats.value && (
          <label class="check">
            <input type="checkbox" checked={isLive} onChange={(e) => setLive(e.currentTarget.checked)} /> Live
          </label>
        )}
        {asked.kind !== "" && (
          <button type="button" onClick={() => ask({ kind: "" })}>
            only {asked.kind} ✕
          </button>
        )}
        {asked.peer !== "" && (
          <button type="button" onClick={() => ask({ peer: "" })}>
            only {asked.peer} ✕
          </button>
        )}
      </div>
      <Shows reading={stats}>
        {(value) => (
          <>
            <Totals stats={value} />
            <Density isLive={isLive} />
            <div class="halves">
              <Counted
                name="By kind"
                head="Kind"
                rows={value.byKind.map(({ kind, way, ...rest }) => ({
                  key: `${kind} ${way}`,
                  name: kind,
                  more: way === "gossip" ? "gossip" : "",
                  ...rest,
                }))}
                choose={(kind) => ask({ kind })}
              />
              <Counted
                name="By peer"
                head="Peer"
                rows={value.byPeer.map(({ node, peerId, ...rest }) => ({
                  key: peerId,
                  name: node,
                  more: "",
                  ...rest,
                }))}
                choose={(peer) => ask({ peer })}
              />
            </div>
          </>
        )}
      </Shows>
      {stats.value && (
        <>
          <h2>The last messages</h2>
          <LastMessages asked={asked} isLive={isLive} />
        </>
      )}
    </>
  );
}

function Totals({
  stats: { sent, received, perSecond, sinceMs, atMs, held, heldMax },
}: {
  stats: WireStats;
}) {
  return (
    <Facts
      of={[
        ["sent", both(sent)],
        ["received", both(received)],
        ["sent now", rate(perSecond.sent)],
        ["received now", rate(perSecond.received)],
        ["counted for", duration(atMs - sinceMs)],
        ["messages kept", `${count(held)} of ${count(heldMax)}`],
      ]}
    />
  );
}

const both = ({ count: messages, bytes: size }: WireCount): string => `${count(messages)} · ${bytes(size)}`;
const rate = ({ count: messages, bytes: size }: WireCount): string =>
  `${messages.toFixed(1)}/s · ${bytes(Math.round(size))}/s`;

function Density({ isLive }: { isLive: boolean }) {
  const [spanMs, setSpan] = useState<number>(600_000);
  const [what, setWhat] = useState<keyof WireCount>("count");
  const reading = useDensity(spanMs, isLive);
  const text = (value: number) =>
    what === "count" ? `${trimmed(value)}/s` : `${bytes(Math.round(value))}/s`;
  return (
    <>
      <div class="tools">
        <label>
          Over{" "}
          <select value={spanMs} onChange={(e) => setSpan(Number(e.currentTarget.value))}>
            {spans.map(([ms, name]) => (
              <option key={ms} value={ms}>
                {name}
              </option>
            ))}
          </select>
        </label>
        <label>
          of{" "}
          <select
            value={what}
            onChange={(e) => setWhat(e.currentTarget.value === "bytes" ? "bytes" : "count")}
          >
            <option value="count">messages</option>
            <option value="bytes">bytes</option>
          </select>
        </label>
        <SeriesKey names={["sent", "received"]} />
      </div>
      <Shows reading={reading}>
        {({ fromMs: begin, stepMs: each, steps: all }) => {
          const line = (side: "sent" | "received") =>
            all.map((step, i) => ({ atMs: (i + 0.5) * each, value: (1000 * step[side][what]) / each }));
          const series = [
            { name: "sent", points: line("sent") },
            { name: "received", points: line("received") },
          ];
          const highest = Math.max(...series.flatMap(({ points }) => points.map(({ value }) => value)), 0);
          return (
            <Plot
              label={what === "count" ? "Messages per second" : "Bytes per second"}
              series={series}
              endMs={Math.max(1, each * all.length)}
              from={0}
              to={roundUp(highest)}
              text={text}
              at={(ms) => clock(begin + ms)}
            />
          );
        }}
      </Shows>
    </>
  );
}

/** Read again at a pace: its beginning moves along. */
function useDensity(spanMs: number, isLive: boolean): Reading<WireDensity> {
  const [turn, setTurn] = useState(0);
  const [state, setState] = useState<{ spanMs?: number; value?: WireDensity; refused?: Refused }>({});
  // `turn`: somebody tries again.
  useEffect(() => {
    const over = new AbortController();
    const look = async () => {
      if (document.hidden) return;
      const query = new URLSearchParams({ steps: String(steps), sinceMs: String(Date.now() - spanMs) });
      try {
        setState({ spanMs, value: await read<WireDensity>(`/wire/density?${query}`, over.signal) });
      } catch (fault) {
        if (over.signal.aborted) return;
        const refused = fault instanceof Refused ? fault : new Refused(0, "malformed", String(fault), "");
        setState((before) => ({ ...before, refused }));
      }
    };
    void look();
    const timer = isLive ? window.setInterval(look, Math.max(everyMs, spanMs / steps)) : 0;
    return () => {
      over.abort();
      clearInterval(timer);
    };
  }, [spanMs, isLive, turn]);
  const again = () => setTurn(turn + 1);
  return state.spanMs === spanMs ? { ...state, again } : { again };
}

/** The least of 1, 2, 5 by a power of ten that is not below. */
function roundUp(value: number): number {
  const unit = 10 ** Math.floor(Math.log10(Math.max(1, value)));
  return [1, 2, 5, 10].map((factor) => factor * unit).find((round) => round >= value) ?? value;
}

const trimmed = (value: number): string => String(Number(value.toFixed(1)));

interface CountedRow {
  readonly key: string;
  readonly name: string;
  readonly more: string;
  readonly sent: WireCount;
  readonly received: WireCount;
}

function Counted({
  name,
  head,
  rows,
  choose,
}: {
  name: string;
  head: string;
  rows: readonly CountedRow[];
  choose: (name: string) => void;
}) {
  const size = ({ sent, received }: CountedRow) => sent.bytes + received.bytes;
  const sorted = [...rows].sort((a, b) => size(b) - size(a) || (a.key < b.key ? -1 : 1));
  const most = Math.max(1, ...rows.map(size));
  return (
    <section>
      <h2>{name}</h2>
      {rows.length === 0 ? (
        <Empty>Nothing was said yet.</Empty>
      ) : (
        <Table
          label={name}
          head={[
            head,
            ["Sent", "number"],
            ["Sent bytes", "unseen"],
            ["Received", "number"],
            ["Received bytes", "unseen"],
            "Bytes",
          ]}
        >
          {sorted.slice(0, rowsMax).map((row) => (
            <tr key={row.key}>
              <th scope="row">
                <button type="button" class="plainly" onClick={() => choose(row.name)}>
                  {row.name}
                </button>
                {row.more && <small class="quiet"> {row.more}</small>}
              </th>
              <td class="number">{count(row.sent.count)}</td>
              <td class="number quiet">{bytes(row.sent.bytes)}</td>
              <td class="number">{count(row.received.count)}</td>
              <td class="number quiet">{bytes(row.received.bytes)}</td>
              <td>
                <Bar
                  of={most}
                  label={`${bytes(size(row))} in all`}
                  shares={[
                    { tone: "next", value: row.sent.bytes, word: "sent" },
                    { tone: "busy", value: row.received.bytes, word: "received" },
                  ]}
                />
              </td>
            </tr>
          ))}
        </Table>
      )}
      {rows.length > rowsMax && <p class="quiet">and {rows.length - rowsMax} more</p>}
    </section>
  );
}

function LastMessages({ asked, isLive }: { asked: MessagesAsked; isLive: boolean }) {
  return <Shows reading={useMessages(asked, isLive)}>{(lines) => <Lines lines={lines} />}</Shows>;
}

function Lines({ lines }: { lines: readonly WireLine[] }) {
  if (lines.length === 0) return <Empty>No message that is kept is like this.</Empty>;
  return (
    <Table
      label="The last messages"
      head={["At", "Direction", "Kind", "Peer", ["Size", "number"], ["Entries", "number"], "Build"]}
    >
      {lines.toReversed().map((line) => (
        <tr key={line.number}>
          <td title={moment(line.atMs)}>{clock(line.atMs)}</td>
          <td>
            <span aria-hidden="true">{line.direction === "out" ? "→" : "←"}</span>{" "}
            {line.direction === "out" ? "sent" : "received"}
          </td>
          <td>
            {line.kind}
            {line.way === "gossip" && <small class="quiet"> gossip</small>}
          </td>
          <td>{line.node ?? <span class="quiet">all members</span>}</td>
          <td class="number">{bytes(line.bytes)}</td>
          <td class="number" title={line.entries.join("\n")}>
            {line.entryCount === 0 ? "" : count(line.entryCount)}
          </td>
          <td>{line.build && <a href={linkTo(["builds", line.build])}>{line.build}</a>}</td>
        </tr>
      ))}
    </Table>
  );
}
