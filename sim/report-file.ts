/** The report of an experiment as one file: what the dashboard's Simulator view opens, and others may read. Its form is in specs/sim.md. */
import { medianRun, plainRun, type Summary, summariesOf } from "./report.ts";
import {
  type Column,
  columns,
  figures,
  type Measure,
  type Stretch,
  type Tally,
  type Warmth,
} from "./tally.ts";

/** Over all pictures: what a browser still draws at once. */
const stretchesMax = 200_000;

export interface ReportFile {
  readonly swarmdReport: 1;
  readonly name: string;
  readonly about: string;
  readonly nodes: number;
  /** How long the build took when it ran; null for what never ran. */
  readonly recordedMs: number | null;
  readonly measures: Readonly<Record<Column, Measure>>;
  /** Of these the report's table is made, where a scenario names them. */
  readonly shown: readonly Column[] | null;
  readonly summaries: readonly Summary[];
  readonly runs: readonly object[];
  readonly pictures: readonly Picture[];
}

/** The run in the middle of a variant's, over time. Times are from the moment the submission was accepted. */
export interface Picture {
  readonly variant: string;
  readonly seed: number;
  readonly makespanMs: number;
  readonly heftMs: number;
  readonly boundMs: number;
  readonly slots: Tally["slots"];
  readonly stretches: readonly Stretch[];
  readonly warmth: readonly Warmth[];
}

/** Variants whose run has no room any more have no picture. */
export function reportFileOf(
  experiment: {
    readonly name: string;
    readonly about: string;
    readonly cluster: { readonly nodes: readonly unknown[] };
  },
  runs: readonly Tally[],
  more: { readonly recordedMs?: number; readonly report?: readonly Column[] } = {},
): ReportFile {
  const { name, about, cluster } = experiment;
  const summaries = summariesOf(runs);
  let room = stretchesMax;
  const pictures = summaries.flatMap(({ variant }) => {
    const run = medianRun(runs.filter((one) => one.variant === variant));
    if (!run || run.stretches.length > room) return [];
    room -= run.stretches.length;
    return [pictureOf(run)];
  });
  return {
    swarmdReport: 1,
    name,
    about,
    nodes: cluster.nodes.length,
    recordedMs: more.recordedMs ?? null,
    measures: Object.fromEntries(columns.map((column) => [column, figures[column].measure])) as Record<
      Column,
      Measure
    >,
    shown: more.report ?? null,
    summaries,
    runs: runs.map(plainRun),
    pictures,
  };
}

function pictureOf({ variant, seed, makespanMs, heftMs, boundMs, slots, stretches, warmth }: Tally): Picture {
  return {
    variant,
    seed,
    makespanMs: rounded(makespanMs),
    heftMs: rounded(heftMs),
    boundMs: rounded(boundMs),
    slots,
    stretches: stretches.map((one) => ({
      ...one,
      beganMs: rounded(one.beganMs),
      endedMs: rounded(one.endedMs),
    })),
    warmth: warmth.map(({ samples, ...one }) => ({
      ...one,
      samples: samples.map(({ atMs, celsius }) => ({ atMs: rounded(atMs), celsius: rounded(celsius) })),
    })),
  };
}

const rounded = (value: number): number => Math.round(value * 100) / 100;
