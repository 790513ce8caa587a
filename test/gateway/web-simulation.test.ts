import { beforeAll, describe, expect, test } from "vitest";
import { bandsOf } from "../../node/gateway/web/simulation/lanes.ts";
import { busyOf, endOf, hottestOf } from "../../node/gateway/web/simulation/over-time.ts";
import { type Picture, readReport } from "../../node/gateway/web/simulation/report-text.ts";
import type { ReportFile } from "../../sim/report-file.ts";
import { simulatedReport } from "./simulated.ts";

let report: ReportFile;
let text: string;
beforeAll(() => {
  report = simulatedReport();
  text = JSON.stringify(report);
});

describe("a report of swarmd sim", () => {
  test("is read as it was written, with a picture for each variant", () => {
    const read = readReport(text, "report.json");
    expect(read.summaries).toEqual(JSON.parse(text).summaries);
    expect(read.pictures.map(({ variant }) => variant)).toEqual(["unified", "cache-first"]);
    expect(read.pictures[0]!.stretches.length).toBeGreaterThanOrEqual(report.summaries[0]!.runs);
  });

  test("is also read from the lines of --json, which have no pictures", () => {
    const lines = [
      ...report.runs.map((run) => ({ run })),
      ...report.summaries.map((summary) => ({ summary })),
      { recorded: 2.5 },
      { makespan: 1 },
    ];
    const read = readReport(lines.map((line) => JSON.stringify(line)).join("\n"), "out.jsonl");
    expect(read).toMatchObject({ name: "out.jsonl", recordedMs: 2500, pictures: [] });
    expect(read.summaries).toHaveLength(2);
  });

  test.each([
    ["nothing", "", /no line of it/],
    ["no JSON", "<svg>", /line 1 is no JSON/],
    ["other JSON", "[1, 2]", /./],
    ["null", "null", /./],
    ["another program's report", '{"swarmdReport": 2}', /swarmdReport/],
  ])("%s is refused with a word", (_, hostile, why) => {
    expect(() => readReport(hostile, "x")).toThrow(why);
    expect(() => readReport(hostile, "x")).toThrow("no report of swarmd sim");
  });

  test.each<[string, (picture: Record<string, unknown>) => void, RegExp]>([
    ["work on a node that is not there", (p) => Object.assign(firstOf(p), { node: "elsewhere" }), /no(ne)?/],
    ["work that ends before it begins", (p) => Object.assign(firstOf(p), { endedMs: -5 }), /when/],
    ["times without an end", (p) => Object.assign(firstOf(p), { endedMs: 1e300 }), /stretches\.0\.endedMs/],
    [
      "a node with more slots than there are",
      (p) => Object.assign(p, { slots: [{ node: "n", slots: 1e9 }] }),
      /slots/,
    ],
    ["names without an end", (p) => Object.assign(firstOf(p), { action: "a".repeat(5000) }), /action/],
  ])("a picture with %s is refused at its place", (_, spoil, why) => {
    const copy = JSON.parse(text);
    spoil(copy.pictures[0]);
    expect(() => readReport(JSON.stringify(copy), "x")).toThrow(why);
  });
});

const firstOf = (picture: Record<string, unknown>) => (picture.stretches as object[])[0]!;

describe("a run over time", () => {
  const stretch = { action: "a", group: "g", ended: "done", twin: false } as const;
  const picture: Picture = {
    variant: "v",
    seed: 1,
    makespanMs: 3000,
    heftMs: 2000,
    boundMs: 1000,
    slots: [
      { node: "n", slots: 2 },
      { node: "m", slots: 2 },
    ],
    stretches: [
      { ...stretch, node: "n", slots: 1, beganMs: 0, endedMs: 1500 },
      { ...stretch, node: "n", slots: 1, beganMs: 500, endedMs: 3000 },
      { ...stretch, node: "m", slots: 2, beganMs: 0, endedMs: 3000 },
    ],
    warmth: [
      {
        node: "n",
        limitCelsius: 80,
        samples: [
          { atMs: 0, celsius: 30 },
          { atMs: 2999, celsius: 70 },
        ],
      },
    ],
  };

  test("says which share of the slots worked, and nothing after its end", () => {
    const busy = busyOf(picture, 6000);
    expect(busy[10]!.value).toBeCloseTo(3 / 4);
    expect(busy[50]!.value).toBeCloseTo(1);
    expect(busy[100]!.value).toBeCloseTo(3 / 4);
    expect(busy.at(-1)!.value).toBeUndefined();
    const whole = busyOf(picture, endOf(picture)).reduce((sum, { value }) => sum + value!, 0);
    expect(whole / 300).toBeCloseTo((1500 + 2500 + 6000) / 12_000);
  });

  test("has the heat of the warmest node, where one has a sensor", () => {
    expect(hottestOf(picture, 3000).map(({ value }) => value)).toEqual([30, 70]);
    expect(hottestOf({ ...picture, warmth: [] }, 3000)).toEqual([]);
  });

  test("puts what ran at once into lanes of its own, wide work into several", () => {
    const [n, m] = bandsOf(picture);
    expect(n!.placed.map(({ at }) => at)).toEqual([[0], [1]]);
    expect(m!.placed.map(({ at }) => at)).toEqual([[0, 1]]);
  });

  test("a thousand things at once on one slot do not make a picture of a thousand lanes", () => {
    const stretches = Array.from({ length: 1000 }, () => picture.stretches[0]!);
    const [n] = bandsOf({ ...picture, stretches });
    expect(n!.lanes).toBe(256);
    expect(n!.placed).toHaveLength(1000);
  });
});
