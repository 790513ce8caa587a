/** Small parts that all views are made of: signs, empty and loading places, refusals, bars. */
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { Refused } from "./source.ts";
import type { Shown } from "./states.ts";
import type { Reading } from "./use-read.ts";

export function Sign({ of }: { of: Shown }) {
  return (
    <span class={`sign ${of.tone}`}>
      <span aria-hidden="true">{of.sign}</span> {of.word}
    </span>
  );
}

/** What was read, or why it is not there. `children` is called with what is. */
export function Shows<T>({
  reading,
  children,
}: {
  reading: Reading<T>;
  children: (value: T) => ComponentChildren;
}) {
  const { value, refused, again } = reading;
  if (value === undefined) return refused ? <Trouble refused={refused} again={again} /> : <Loading />;
  return (
    <>
      {refused && (
        <p class="stale" role="status">
          Not up to date: {refused.message}.
        </p>
      )}
      {children(value)}
    </>
  );
}

export function Loading() {
  return (
    <p class="quiet pad loading" role="status">
      Reading…
    </p>
  );
}

export function Trouble({ refused, again }: { refused: Refused; again?: () => void }) {
  return (
    <div class="trouble" role="alert">
      <p>
        <strong>{refused.message}</strong> <code>{refused.code}</code>
      </p>
      {refused.remedy && <p class="quiet">{refused.remedy}</p>}
      {again && (
        <button type="button" onClick={again}>
          Try again
        </button>
      )}
    </div>
  );
}

export function Empty({ children }: { children: ComponentChildren }) {
  return <p class="empty">{children}</p>;
}

/** A table that scrolls by itself where the page is narrow; its head names what the numbers are, those that say so themselves for the ear alone. */
export function Table({
  label,
  head,
  children,
}: {
  label: string;
  head: readonly (string | readonly [string, "number" | "unseen"])[];
  children: ComponentChildren;
}) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
    <section class="scroll" tabIndex={0} aria-label={label}>
      <table>
        <thead>
          <tr>
            {head.map((one) => {
              const [name, kind] = typeof one === "string" ? [one, undefined] : one;
              return (
                <th key={name} scope="col" class={kind === "number" ? kind : undefined}>
                  {kind === "unseen" ? <span class="hidden">{name}</span> : name}
                </th>
              );
            })}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </section>
  );
}

export interface Share {
  readonly tone: Shown["tone"];
  readonly value: number;
  readonly word: string;
}

/** Parts of a whole, beside each other. Widths are set by script: the page's policy takes no styles in its text. */
export function Bar({ shares, of, label }: { shares: readonly Share[]; of: number; label: string }) {
  return (
    <span class="bar" role="img" aria-label={label} title={label}>
      {shares.map(({ tone, value, word }) =>
        value > 0 ? (
          <span key={word} class={`part ${tone}`} style={{ width: `${(100 * value) / Math.max(1, of)}%` }} />
        ) : null,
      )}
    </span>
  );
}

/** A row of numbers with their names. */
export function Facts({ of }: { of: readonly (readonly [string, ComponentChildren])[] }) {
  return (
    <dl class="facts">
      {of.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** Takes the eye and the screen reader to the view that was chosen. */
export function Title({ children }: { children: ComponentChildren }) {
  const at = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${at.current?.textContent ?? ""} · swarmd`;
  });
  return <h1 ref={at}>{children}</h1>;
}
