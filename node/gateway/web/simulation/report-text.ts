/** From the text of a file to a report of `swarmd sim`: what `--out` writes (report.json), or the lines of `--json`, which have no pictures. */
import * as z from "zod/mini";
import { Refused } from "../source.ts";

export const fileBytesMax = 128 << 20;
const [runsMax, variantsMax, nodesMax, stretchesMax, samplesMax] = [50_000, 2000, 4096, 200_000, 1_000_000];
/** A thousand years of virtual time. */
const msMax = 3.2e13;

const word = z.string().check(z.minLength(1), z.maxLength(512));
const figure = z.number().check(z.minimum(-1e18), z.maximum(1e18));
const ms = z.number().check(z.minimum(-msMax), z.maximum(msMax));
const index = z.int().check(z.minimum(0), z.maximum(1e9));
const few = z.int().check(z.minimum(0), z.maximum(100_000));

const spread = z.object({ median: figure, min: figure, max: figure });
const summary = z.object({
  variant: word,
  runs: index,
  trouble: z.array(z.object({ seed: index, state: word })).check(z.maxLength(runsMax)),
  figures: z.record(word, z.nullable(spread)),
});
const run = z.looseObject({ variant: word, seed: index, state: word, actions: index });
const stretch = z.object({
  node: word,
  action: word,
  group: word,
  slots: few,
  beganMs: ms,
  endedMs: ms,
  ended: z.enum(["done", "again", "failed", "stopped", "died", "running"]),
  twin: z.boolean(),
});
const picture = z.object({
  variant: word,
  seed: index,
  makespanMs: ms,
  heftMs: ms,
  boundMs: ms,
  slots: z.array(z.object({ node: word, slots: few })).check(z.maxLength(nodesMax)),
  stretches: z.array(stretch).check(z.maxLength(stretchesMax)),
  warmth: z
    .array(
      z.object({
        node: word,
        limitCelsius: figure,
        samples: z.array(z.object({ atMs: ms, celsius: figure })).check(z.maxLength(samplesMax)),
      }),
    )
    .check(z.maxLength(nodesMax)),
});
const measure = z.enum(["seconds", "share", "number", "bytes", "celsius"]);
const report = z.object({
  swarmdReport: z.literal(1),
  name: word,
  about: z.string().check(z.maxLength(10_000)),
  nodes: index,
  recordedMs: z.nullable(ms),
  measures: z.record(word, measure),
  shown: z.nullable(z.array(word).check(z.maxLength(64))),
  summaries: z.array(summary).check(z.maxLength(variantsMax)),
  runs: z.array(run).check(z.maxLength(runsMax)),
  pictures: z.array(picture).check(z.maxLength(variantsMax)),
});

export type Report = z.infer<typeof report>;
export type Measure = z.infer<typeof measure>;
export type Picture = z.infer<typeof picture>;
export type Stretch = z.infer<typeof stretch>;
export type Summary = z.infer<typeof summary>;

const remedy = "write one: swarmd sim SCENARIO --out DIR, and open DIR/report.json";

/** `name` is the file's. Throws `Refused` with the place of what is wrong. */
export function readReport(text: string, name: string): Report {
  if (text.length > fileBytesMax) throw refused("it is larger than any report");
  const whole = jsonOf(text);
  const value = whole === undefined ? linesOf(text, name) : whole;
  const read = report.safeParse(value);
  if (!read.success) throw refused(complaint(read.error));
  const { data } = read;
  const nodes = data.pictures.map(({ slots }) => new Set(slots.map(({ node }) => node)));
  for (const [i, { stretches, variant }] of data.pictures.entries())
    for (const { node, beganMs, endedMs } of stretches)
      if (!nodes[i]!.has(node) || endedMs < beganMs)
        throw refused(`the picture of ${variant} has work where or when there is none`);
  return data;
}

const refused = (why: string): Refused =>
  new Refused(0, "malformed", `This is no report of swarmd sim: ${why}`, remedy);

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What `--json` prints: a line per run, one per variant, and a last one that this does not need. */
function linesOf(text: string, name: string): unknown {
  const runs: unknown[] = [];
  const summaries: unknown[] = [];
  let recordedMs: number | null = null;
  const lines = text.split("\n", runsMax + variantsMax + 3).filter((line) => line.trim() !== "");
  for (const [i, line] of lines.entries()) {
    const said = jsonOf(line);
    if (typeof said !== "object" || said === null) throw refused(`line ${i + 1} is no JSON`);
    if ("run" in said) runs.push(said.run);
    else if ("summary" in said) summaries.push(said.summary);
    else if ("recorded" in said && typeof said.recorded === "number") recordedMs = 1000 * said.recorded;
  }
  if (summaries.length === 0) throw refused("no line of it sums anything up");
  const measures: Record<string, Measure> = { ...measuresKnown };
  return {
    swarmdReport: 1,
    name: name || "report",
    about: "",
    nodes: 0,
    recordedMs,
    measures,
    shown: null,
    summaries,
    runs,
    pictures: [],
  };
}

/** Lines do not say how their figures are measured; those left out are plain numbers. */
const measuresKnown = {
  makespan: "seconds",
  bound: "seconds",
  heft: "seconds",
  waste: "share",
  busy: "share",
  wait50: "seconds",
  wait95: "seconds",
  seal: "seconds",
  above: "seconds",
  peak: "celsius",
  bytes: "bytes",
  blobs: "bytes",
  vitals: "bytes",
  ledger: "bytes",
} as const;

function complaint(error: z.core.$ZodError): string {
  const [issue] = error.issues;
  if (!issue) return "its form is another";
  const place = issue.path.map(String).join(".").slice(0, 200);
  return place === "" ? issue.message || "its form is another" : `${place} is not as it should be`;
}
