/** The answer to a query as a table: sorted by any column, numbers aligned, moments and sizes as people read them. */
import { useMemo, useState } from "preact/hooks";
import type { SqlAnswer, SqlValue } from "../../../control/data.ts";
import { Empty } from "../parts.tsx";
import { count, measured } from "../quantity.ts";
import { linkTo, linkToArtifact, shortHashOf } from "../route.ts";
import { type CellKind, isAligned, kindsOf, sorted, textOf } from "./cells.ts";
import { csvOf } from "./csv.ts";

export function Result({ answer }: { answer: SqlAnswer }) {
  const { columns, rows, truncated, tookMs } = answer;
  const kinds = useMemo(() => kindsOf(answer), [answer]);
  const [order, setOrder] = useState<{ at: number; isDescending: boolean } | undefined>(undefined);
  const shown = useMemo(() => (order ? sorted(rows, order.at, order.isDescending) : rows), [rows, order]);
  const sort = (at: number) =>
    setOrder((before) => {
      if (before?.at !== at) return { at, isDescending: false };
      return before.isDescending ? undefined : { at, isDescending: true };
    });
  return (
    <section aria-label="Answer">
      <div class="tools">
        <span class="quiet" role="status">
          {truncated ? "The first " : ""}
          {count(rows.length)} {rows.length === 1 ? "row" : "rows"} in {measured(tookMs, "ms", 1)}
          {truncated ? ": there are more; ask for less, or with limit and offset" : ""}
        </span>
        {rows.length > 0 && <Take answer={answer} />}
      </div>
      {rows.length === 0 ? (
        <Empty>No row is like this.</Empty>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
        <section class="scroll result" tabIndex={0} aria-label="Rows">
          <table>
            <thead>
              <tr>
                {columns.map(({ name }, at) => (
                  <th
                    key={`${at}`}
                    scope="col"
                    class={isAligned(kinds[at]!) ? "number" : undefined}
                    aria-sort={
                      order?.at === at ? (order.isDescending ? "descending" : "ascending") : undefined
                    }
                  >
                    <button type="button" class="sorts" onClick={() => sort(at)}>
                      {name}
                      <span aria-hidden="true">
                        {order?.at === at ? (order.isDescending ? " ▾" : " ▴") : ""}
                      </span>
                    </button>
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {shown.map((row, i) => (
                <tr key={`${i}`}>
                  {columns.map(({ name }, at) => (
                    <Cell key={`${at} ${name}`} value={row[at] ?? null} kind={kinds[at]!} />
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
    </section>
  );
}

/** What is longer is cut, or may be: all of it is in the title. */
const [cellMax, wholeMax] = [400, 40];
const [idMin, idHead, idTail] = [48, 10, 18];

/** One long word, which differs from its neighbours at its end, if anywhere. */
const isId = (text: string): boolean => text.length > idMin && /^[\w.:/-]+$/.test(text);
const middleCut = (text: string): string => `${text.slice(0, idHead)}…${text.slice(-idTail)}`;

function Cell({ value, kind }: { value: SqlValue; kind: CellKind }) {
  if (value === null) return <td class="quiet">null</td>;
  const text = textOf(value, kind);
  if (kind === "build")
    return (
      <td>
        <a href={linkTo(["builds", text])}>{text}</a>
      </td>
    );
  if (kind === "digest")
    return (
      <td title={text}>
        <a href={linkToArtifact(text)}>{shortHashOf(text)}</a>
      </td>
    );
  const isWhole = text === String(value) && text.length <= wholeMax;
  return (
    <td class={isAligned(kind) ? "number" : "cell"} title={isWhole ? undefined : String(value)}>
      {text.length > cellMax ? `${text.slice(0, cellMax)}…` : isId(text) ? middleCut(text) : text}
    </td>
  );
}

/** Every value as it came, not as it is shown. */
function Take({ answer }: { answer: SqlAnswer }) {
  const [said, say] = useState("");
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(csvOf(answer));
      say("Copied");
    } catch {
      say("This browser does not let it be copied: save it");
    }
  };
  const save = () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([csvOf(answer)], { type: "text/csv" }));
    link.download = "swarmd.csv";
    link.click();
    URL.revokeObjectURL(link.href);
  };
  return (
    <>
      <button type="button" onClick={copy}>
        Copy CSV
      </button>
      <button type="button" onClick={save}>
        Save CSV
      </button>
      <span class="quiet" role="status">
        {said}
      </span>
    </>
  );
}
