/** What an experiment says: figures per variant over its seeds, as a table for people and as plain data. */
import { type Column, columns, figures, type Measure, type Tally } from "./tally.ts";

/** Shown unless a scenario says otherwise. */
const columnsDefault: readonly Column[] = [
  "makespan",
  "bound",
  "heft",
  "ratio",
  "waste",
  "facts",
  "events",
  "unicasts",
  "busy",
  "wait95",
];
const heatColumns: readonly Column[] = ["peak", "above"];

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** One row: a variant over all its seeds. */
export interface Summary {
  readonly variant: string;
  readonly runs: number;
  /** Runs that ended otherwise than complete. */
  readonly trouble: readonly { readonly seed: number; readonly state: Tally["state"] }[];
  /** null where no run has the figure. */
  readonly figures: Readonly<Record<Column, Spread | null>>;
}

/** The line that `swarmd sim --json` ends with, in this order: seconds and plain numbers, medians over the seeds. */
export interface SimResult {
  readonly makespan: number;
  readonly bound: number;
  readonly heft: number;
  readonly ratio: number;
  readonly waste: number;
  readonly factsPerAction: number;
  readonly unicastsPerAction: number;
}

/** Per variant, in the order in which they ran. */
export function summariesOf(runs: readonly Tally[]): Summary[] {
  const byVariant = new Map<string, Tally[]>();
  for (const run of runs) {
    const same = byVariant.get(run.variant);
    if (same) same.push(run);
    else byVariant.set(run.variant, [run]);
  }
  return [...byVariant].map(([variant, own]) => ({
    variant,
    runs: own.length,
    trouble: own.flatMap(({ seed, state }) => (state === "complete" ? [] : [{ seed, state }])),
    figures: Object.fromEntries(
      columns.map((column) => [column, spreadOf(own, column)]),
    ) as Summary["figures"],
  }));
}

export function resultOf({ figures: f }: Summary): SimResult {
  const median = (column: Column) => rounded(f[column]?.median ?? 0);
  return {
    makespan: median("makespan"),
    bound: median("bound"),
    heft: median("heft"),
    ratio: median("ratio"),
    waste: median("waste"),
    factsPerAction: median("facts"),
    unicastsPerAction: median("unicasts"),
  };
}

/** The run in the middle of a variant's: of equal many on both sides the lower. */
export function medianRun(runs: readonly Tally[]): Tally | undefined {
  const sorted = [...runs].sort((a, b) => a.makespanMs - b.makespanMs || a.seed - b.seed);
  return sorted[Math.floor((sorted.length - 1) / 2)];
}

/** Titles and cells: per variant the median, and behind it the least and the most where seeds differ. */
export function tableOf(
  summaries: readonly Summary[],
  wanted?: readonly Column[],
): { readonly titles: readonly string[]; readonly rows: readonly (readonly string[])[] } {
  const warm = summaries.some(({ figures: f }) => f.peak !== null);
  const shown = wanted ?? [...columnsDefault, ...(warm ? heatColumns : [])];
  return {
    titles: ["VARIANT", ...shown.map((column) => column.toUpperCase())],
    rows: summaries.map(({ variant, figures: f }) => [
      variant,
      ...shown.map((column) => cellOf(f[column], figures[column].measure)),
    ]),
  };
}

/** A run without what only pictures need. */
export function plainRun(run: Tally): object {
  const { variant, seed, state, actions, hash } = run;
  const values = columns.map((column) => {
    const value = figures[column].of(run);
    return [column, value === null ? null : rounded(value)];
  });
  return { variant, seed, state, actions, ...Object.fromEntries(values), hash };
}

function spreadOf(runs: readonly Tally[], column: Column): Spread | null {
  const values = runs.flatMap((run) => figures[column].of(run) ?? []).sort((a, b) => a - b);
  if (values.length === 0) return null;
  const middle = (values.length - 1) / 2;
  const median = (values[Math.floor(middle)]! + values[Math.ceil(middle)]!) / 2;
  return { median, min: values[0]!, max: values.at(-1)! };
}

/** `1.05 s (1.02–1.10)`. */
function cellOf(spread: Spread | null, measure: Measure): string {
  if (!spread) return "-";
  const { median, min, max } = spread;
  const large = measure === "bytes" && max >= 2 ** 20;
  const number = (value: number) => digits(large ? value / 1024 : value, measure);
  const unit = { seconds: " s", share: " %", celsius: " °C", bytes: large ? " MiB" : " KiB", number: "" }[
    measure
  ];
  const range = number(min) === number(max) ? "" : ` (${number(min)}–${number(max)})`;
  return `${number(median)}${unit}${range}`;
}

function digits(value: number, measure: Measure): string {
  switch (measure) {
    case "seconds":
      return value.toFixed(value < 100 ? 2 : 0);
    case "share":
      return (100 * value).toFixed(1);
    case "celsius":
      return value.toFixed(1);
    case "bytes":
      return (value / 1024).toFixed(1);
    case "number":
      return value.toFixed(value < 100 ? 3 : 1);
  }
}

/** To a millionth: plain JSON without the noise of binary fractions. */
const rounded = (value: number): number => Math.round(value * 1e6) / 1e6;
