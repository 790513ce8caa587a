/** Who got what: each decision of a build, with its candidates, the parts of its score, and what it saw. */
import type { Candidate, Decision, DecisionsView } from "../../../../protocol/explain/decisions.ts";
import { Empty, Facts, Shows, Sign, Table } from "../parts.tsx";
import { count, duration, moment, unknown } from "../quantity.ts";
import { amend, linkTo } from "../route.ts";
import { Contender, Parts, Score } from "../score.tsx";
import type { Shown } from "../states.ts";
import { useRead } from "../use-read.ts";

const pageMax = 100;

const kinds: Readonly<Record<Decision["kind"], string>> = {
  asked: "asked for by score",
  given: "given along",
  twin: "a twin",
  known: "known already",
};

const outcomes: Readonly<Record<Decision["outcome"], Shown>> = {
  open: { tone: "busy", sign: "▶", word: "in hand" },
  done: { tone: "ok", sign: "✓", word: "done" },
  failed: { tone: "bad", sign: "✕", word: "failed" },
  "given back": { tone: "held", sign: "↩", word: "given back" },
  "taken back": { tone: "held", sign: "↩", word: "taken back" },
};

export function Decisions({ build, query }: { build: string; query: URLSearchParams }) {
  const asked = {
    kind: query.get("kind") ?? "",
    node: query.get("node") ?? "",
    action: query.get("action") ?? "",
    offset: query.get("offset") ?? "",
  };
  const chosen = query.get("chosen") ?? undefined;
  const given = Object.entries(asked).filter(([, value]) => value !== "");
  const search = new URLSearchParams([...given, ["limit", String(pageMax)]]);
  const reading = useRead<DecisionsView>(`/builds/${build}/decisions?${search}`, {
    everyMs: 0,
    on: (line) => line.build === build && (line.family === "schedule_decision" || line.kind === "cached"),
    apartMs: 2000,
  });
  const go = (change: Readonly<Record<string, string | undefined>>) =>
    amend(["builds", build, "decisions"], { ...asked, chosen, ...change });
  const filter = (change: Readonly<Record<string, string>>) =>
    go({ ...change, offset: undefined, chosen: undefined });
  const { counts, nodes = [] } = reading.value ?? {};
  return (
    <section aria-label="Decisions">
      <div class="tools">
        <input
          type="search"
          placeholder="Search actions"
          aria-label="Search actions"
          value={asked.action}
          onInput={(e) => filter({ action: e.currentTarget.value.trim() })}
        />
        <label>
          Node{" "}
          <select value={asked.node} onChange={(e) => filter({ node: e.currentTarget.value })}>
            <option value="">All</option>
            {[...new Set([...nodes, ...(asked.node === "" ? [] : [asked.node])])].map((node) => (
              <option key={node}>{node}</option>
            ))}
          </select>
        </label>
        <label>
          Kind{" "}
          <select value={asked.kind} onChange={(e) => filter({ kind: e.currentTarget.value })}>
            <option value="">All</option>
            {(Object.keys(kinds) as Decision["kind"][]).map((kind) => (
              <option key={kind} value={kind}>
                {kinds[kind]}
                {counts ? ` (${counts[kind]})` : ""}
              </option>
            ))}
          </select>
        </label>
      </div>
      <Shows reading={reading}>
        {(view) => <Listed build={build} view={view} chosen={chosen} offset={Number(asked.offset)} go={go} />}
      </Shows>
    </section>
  );
}

const keyOf = ({ action, attempt, node }: Decision): string => `${attempt} ${node} ${action}`;

interface Props {
  readonly build: string;
  readonly view: DecisionsView;
  readonly chosen: string | undefined;
  readonly offset: number;
  readonly go: (change: Readonly<Record<string, string | undefined>>) => void;
}

function Listed({ build, view: { items, total, next }, chosen, offset, go }: Props) {
  const open = items.find((one) => keyOf(one) === chosen);
  if (items.length === 0) return <Empty>Nothing like this was decided.</Empty>;
  return (
    <div class={open ? "split two" : "split"}>
      <div class="list">
        <Table
          label="Decisions by time"
          head={["Action", "Went to", ["After", "number"], "Score", ["Among", "number"], "How", "Became"]}
        >
          {items.map((one) => {
            const key = keyOf(one);
            return (
              <tr key={key} class={key === chosen ? "chosen" : ""}>
                <th scope="row">
                  <button
                    type="button"
                    class="link"
                    aria-expanded={key === chosen}
                    onClick={() => go({ chosen: key === chosen ? undefined : key })}
                  >
                    {one.action}
                    {one.attempt > 1 && <span class="quiet"> #{one.attempt}</span>}
                  </button>
                </th>
                <td>{one.node}</td>
                <td class="number">{duration(one.sinceMs)}</td>
                <td>
                  <Score value={one.score} most={1} />
                </td>
                <td class="number">{one.view?.nodes ?? unknown}</td>
                <td>{kinds[one.kind]}</td>
                <td>
                  <Sign of={outcomes[one.outcome]} />
                </td>
              </tr>
            );
          })}
        </Table>
        <p class="tools">
          <button
            type="button"
            disabled={offset === 0}
            onClick={() => go({ offset: offset <= pageMax ? undefined : String(offset - pageMax) })}
          >
            Earlier
          </button>
          <button type="button" disabled={next === null} onClick={() => go({ offset: String(next) })}>
            Later
          </button>
          <span class="quiet">
            {count(offset + 1)} to {count(offset + items.length)} of {count(total)}
          </span>
        </p>
      </div>
      {open && (
        <aside class="details" aria-label={`Decision about ${open.action}`}>
          <header>
            <h2>{open.action}</h2>
            <button type="button" aria-label="Close" onClick={() => go({ chosen: undefined })}>
              ✕
            </button>
          </header>
          <Opened
            build={build}
            decision={open}
            show={(action) => {
              const there = items.find((one) => one.action === action && one.kind === "asked");
              go(
                there
                  ? { chosen: keyOf(there) }
                  : { action, chosen: undefined, offset: undefined, kind: undefined, node: undefined },
              );
            }}
          />
        </aside>
      )}
    </div>
  );
}

function Opened({
  build,
  decision,
  show,
}: {
  build: string;
  decision: Decision;
  show: (action: string) => void;
}) {
  const { candidates, parts, view, others } = decision;
  const most = Math.max(0.01, ...candidates.map(({ score }) => score ?? 0));
  return (
    <>
      <p class="why">{decision.text}</p>
      <Facts
        of={[
          ["went to", decision.node],
          ["decided by", decision.steward],
          ["at", moment(decision.claimedMs)],
          ["attempt", decision.attempt === 0 ? unknown : String(decision.attempt)],
          ["mode", decision.mode ?? unknown],
          ["open to all for", duration(decision.openMs)],
          [
            "view",
            view
              ? `${count(view.nodes)} nodes, ${duration(view.ageMs)} old${view.partial ? ", partial" : ""}`
              : unknown,
          ],
        ]}
      />
      {decision.along && (
        <p>
          Decided for{" "}
          <button type="button" class="link" onClick={() => show(decision.along!)}>
            {decision.along}
          </button>
          : its candidates and its score stand there.
        </p>
      )}
      {parts && Object.keys(parts).length > 0 && (
        <section>
          <h3>Score {decision.score?.toFixed(2)}</h3>
          <Parts parts={parts} />
        </section>
      )}
      {candidates.length > 0 && (
        <Table
          label="Candidates"
          head={["Candidate", "Score", ["Slots", "number"], ["Heat left", "number"], ["Speed", "number"]]}
        >
          {candidates.map((one) => (
            <Row key={one.node} candidate={one} most={most} />
          ))}
        </Table>
      )}
      {others > 0 && <p class="quiet">and {count(others)} more that were seen, not named in the record</p>}
      <p>
        <a href={linkTo(["builds", build], { action: decision.action })}>The action in the graph</a> ·{" "}
        <a
          href={linkTo(["builds", build, "replay"], {
            at: String(decision.sinceMs),
            action: decision.action,
          })}
        >
          the build at this moment
        </a>
      </p>
    </>
  );
}

function Row({ candidate, most }: { candidate: Candidate; most: number }) {
  const { node, score, slots, headroomCelsius, speed, chosen } = candidate;
  return (
    <tr class={chosen ? "chosen" : ""}>
      <Contender node={node} chosen={chosen} />
      <td>
        <Score value={score} most={most} />
      </td>
      <td class="number">{slots ?? unknown}</td>
      <td class="number">{typeof headroomCelsius === "number" ? `${headroomCelsius} °C` : unknown}</td>
      <td class="number">{speed === undefined ? unknown : `${speed.toFixed(1)}×`}</td>
    </tr>
  );
}
