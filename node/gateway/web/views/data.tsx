/** Questions in SQL over what was said: the query in the address, so that it can be sent to others, tables and columns beside it. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { SqlAnswer, SqlTable, SqlTableSchema } from "../../../control/data.ts";
import { pointedIn } from "../data/place.ts";
import { Result } from "../data/result.tsx";
import { Loading, Shows, Title } from "../parts.tsx";
import { count } from "../quantity.ts";
import { amend } from "../route.ts";
import { Refused, read } from "../source.ts";
import { useRead } from "../use-read.ts";

const examples: readonly (readonly [name: string, query: string])[] = [
  [
    "The newest builds",
    "select build, state, wall_ms, actions\nfrom builds\norder by submitted_ms desc\nlimit 20",
  ],
  [
    "What takes longest",
    "select kind, count(*) as runs, avg(wall_ms) as mean_ms, max(wall_ms) as max_ms\nfrom actions\nwhere wall_ms is not null\ngroup by kind\norder by sum(wall_ms) desc\nlimit 20",
  ],
  [
    "Nodes compared",
    "select node, count(*) as runs, sum(state = 'failed') as failed,\n  avg(wall_ms) as mean_ms, sum(fetched_bytes) as fetched_bytes\nfrom attempts\ngroup by node\norder by runs desc",
  ],
  [
    "Failures and their reasons",
    "select build, action, node, cause, reason, ended_ms\nfrom attempts\nwhere state = 'failed'\norder by ended_ms desc\nlimit 50",
  ],
  [
    "Served from the cache",
    "select build, sum(cached) as cached, count(*) as actions,\n  round(100.0 * sum(cached) / count(*), 1) as percent\nfrom actions\ngroup by build\norder by build",
  ],
  [
    "What was said, by kind",
    "select family, kind, count(*) as events\nfrom events\ngroup by family, kind\norder by events desc",
  ],
];

export function Data({ query }: { query: URLSearchParams }) {
  const asked = query.get("q") ?? "";
  const [text, setText] = useState(asked || examples[0]![1]);
  const [turn, setTurn] = useState(0);
  const at = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    if (asked !== "") setText(asked);
  }, [asked]);
  const state = useAnswer(asked, turn);
  const ask = (q: string) => {
    amend(["data"], { q });
    setTurn(turn + 1);
  };
  return (
    <>
      <Title>Data</Title>
      <div class="split two data">
        <div>
          <form
            onSubmit={(e) => {
              e.preventDefault();
              ask(text);
            }}
          >
            <label class="query">
              <span class="hidden">Query</span>
              <textarea
                ref={at}
                rows={Math.min(14, Math.max(4, text.split("\n").length + 1))}
                spellcheck={false}
                autocapitalize="off"
                aria-label="Query"
                value={text}
                onInput={(e) => setText(e.currentTarget.value)}
                onKeyDown={(e) => {
                  if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) {
                    e.preventDefault();
                    ask(text);
                  }
                }}
              />
            </label>
            <div class="tools">
              <button type="submit" disabled={text.trim() === ""}>
                Ask
              </button>
              <span class="quiet">Ctrl+Enter</span>
              <select
                aria-label="Examples"
                value=""
                onChange={(e) => {
                  const example = examples[Number(e.currentTarget.value)]?.[1];
                  e.currentTarget.value = "";
                  if (example === undefined) return;
                  setText(example);
                  ask(example);
                }}
              >
                <option value="">Examples…</option>
                {examples.map(([name], i) => (
                  <option key={name} value={i}>
                    {name}
                  </option>
                ))}
              </select>
            </div>
          </form>
          {state === "reads" && <Loading />}
          {state instanceof Refused && (
            <Complaint
              query={asked}
              refused={state}
              show={(place) => {
                setText(asked);
                requestAnimationFrame(() => {
                  at.current?.focus();
                  at.current?.setSelectionRange(place, place + 1);
                });
              }}
            />
          )}
          {state !== undefined && state !== "reads" && !(state instanceof Refused) && (
            <Result key={`${turn} ${asked}`} answer={state} />
          )}
        </div>
        <Schema choose={(table) => setText(`select *\nfrom ${table}\nlimit 100`)} />
      </div>
    </>
  );
}

/** Undefined: nothing was asked yet. */
function useAnswer(query: string, turn: number): SqlAnswer | Refused | "reads" | undefined {
  const [state, setState] = useState<SqlAnswer | Refused | "reads" | undefined>(undefined);
  // `turn`: the same is asked again.
  useEffect(() => {
    if (query === "") return setState(undefined);
    const over = new AbortController();
    setState("reads");
    read<SqlAnswer>(`/sql/query?${new URLSearchParams({ q: query })}`, over.signal).then(
      setState,
      (fault) => {
        if (over.signal.aborted) return;
        setState(fault instanceof Refused ? fault : new Refused(0, "malformed", String(fault), ""));
      },
    );
    return () => over.abort();
  }, [query, turn]);
  return state;
}

function Complaint({
  query,
  refused: { message, code, remedy },
  show,
}: {
  query: string;
  refused: Refused;
  show: (at: number) => void;
}) {
  const pointed = pointedIn(query, message);
  return (
    <div class="trouble" role="alert">
      <p>
        <strong>{message}</strong> <code>{code}</code>
      </p>
      {pointed && (
        <>
          <pre class="pointed">
            {pointed.line}
            {"\n"}
            {pointed.mark}
          </pre>
          <button type="button" onClick={() => show(pointed.at)}>
            Go there
          </button>
        </>
      )}
      {remedy && <p class="quiet">{remedy}</p>}
    </div>
  );
}

const rowsText = (rows: number | undefined): string =>
  rows === undefined ? "" : `${count(rows)} ${rows === 1 ? "row" : "rows"}`;

function Schema({ choose }: { choose: (table: string) => void }) {
  const schema = useRead<SqlTableSchema[]>("/sql/schema", { everyMs: 0 });
  const tables = useRead<SqlTable[]>("/sql/tables", { everyMs: 30_000 });
  const rowsOf = new Map(tables.value?.map(({ name, rows }) => [name, rows]));
  return (
    <aside class="schema" aria-label="Tables">
      <h2>Tables</h2>
      <Shows reading={schema}>
        {(all) =>
          all.map(({ name, about, columns }) => (
            <details key={name}>
              <summary>
                <strong>{name}</strong> <span class="quiet">{rowsText(rowsOf.get(name))}</span>
              </summary>
              <p class="quiet">
                {about}.{" "}
                <button type="button" onClick={() => choose(name)}>
                  Look into it
                </button>
              </p>
              <dl>
                {columns.map((column) => (
                  <div key={column.name}>
                    <dt>
                      <code>{column.name}</code> <span class="quiet">{column.type.toLowerCase()}</span>
                    </dt>
                    <dd class="quiet">{column.about}</dd>
                  </div>
                ))}
              </dl>
            </details>
          ))
        }
      </Shows>
    </aside>
  );
}
