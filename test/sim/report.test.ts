/** How runs are told: tables, JSON, pictures. */
import { expect, test } from "vitest";
import type { ActionName } from "../../protocol/kernel/ids.ts";
import { ganttOf } from "../../sim/gantt.ts";
import { medianRun, plainRun, resultOf, summariesOf, tableOf } from "../../sim/report.ts";
import type { Stretch, Tally } from "../../sim/tally.ts";

const stretch = (change: Partial<Stretch>): Stretch => ({
  node: "n0",
  action: "a" as ActionName,
  group: "g",
  slots: 1,
  beganMs: 0,
  endedMs: 1000,
  ended: "done",
  twin: false,
  ...change,
});
const run = (change: Partial<Tally>): Tally => ({
  variant: "unified",
  seed: 1,
  state: "complete",
  actions: 10,
  makespanMs: 12_000,
  sealMs: 12_100,
  heftMs: 10_000,
  boundMs: 9000,
  ratio: 1.2,
  waste: 0.01,
  factsPerAction: 2,
  eventsPerAction: 2.5,
  unicastsPerAction: 3,
  gossipsPerAction: 4,
  bytesPerNode: 5000,
  blobBytesPerNode: 5_000_000,
  vitalsBytesPerSecond: 3000,
  ledgerBytesPerAction: 900,
  utilisation: 0.5,
  waitP50Ms: 10,
  waitP95Ms: 100,
  peakCelsius: null,
  aboveLimitMs: null,
  longestAboveMs: null,
  stretches: [stretch({})],
  warmth: [],
  slots: [
    { node: "n0", slots: 2 },
    { node: "n1", slots: 1 },
  ],
  hash: "h",
  ...change,
});
const three = [
  run({ seed: 1, makespanMs: 30_000, ratio: 3 }),
  run({ seed: 2, makespanMs: 10_000, ratio: 1 }),
  run({ seed: 3, makespanMs: 20_000, ratio: 2 }),
];

test("a variant's figures are medians with the least and the most", () => {
  const [summary] = summariesOf(three);
  expect(summary?.figures.makespan).toEqual({ median: 20, min: 10, max: 30 });
  expect(summary?.figures.peak).toBeNull();
  expect(summariesOf(three.slice(0, 2))[0]?.figures.ratio?.median).toBe(2);
  expect(medianRun(three)?.seed).toBe(3);
});

test("the last line of --json has these keys in this order, seconds and plain numbers", () => {
  expect(JSON.stringify(resultOf(summariesOf(three)[0]!))).toBe(
    '{"makespan":20,"bound":9,"heft":10,"ratio":2,"waste":0.01,"factsPerAction":2,"unicastsPerAction":3}',
  );
});

test("the table has a row per variant in the order they ran, and heat only where there is some", () => {
  const { titles, rows } = tableOf(summariesOf([...three, run({ variant: "learned" })]));
  expect(titles).toEqual([
    "VARIANT",
    "MAKESPAN",
    "BOUND",
    "HEFT",
    "RATIO",
    "WASTE",
    "FACTS",
    "EVENTS",
    "UNICASTS",
    "BUSY",
    "WAIT95",
  ]);
  expect(rows.map((row) => row[0])).toEqual(["unified", "learned"]);
  expect(rows[0]?.slice(1, 6)).toEqual([
    "20.00 s (10.00–30.00)",
    "9.00 s",
    "10.00 s",
    "2.000 (1.000–3.000)",
    "1.0 %",
  ]);
  const warm = tableOf(summariesOf([run({ peakCelsius: 91.25, aboveLimitMs: 1500 })]));
  expect(warm.titles.slice(-2)).toEqual(["PEAK", "ABOVE"]);
  expect(warm.rows[0]?.slice(-2)).toEqual(["91.3 °C", "1.50 s"]);
  const chosen = tableOf(summariesOf(three), ["bytes", "blobs", "peak"]);
  expect(chosen.rows[0]).toEqual(["unified", "4.9 KiB", "4.8 MiB", "-"]);
});

test("runs that did not end complete are named", () => {
  expect(summariesOf([run({}), run({ seed: 7, state: "stuck" })])[0]?.trouble).toEqual([
    { seed: 7, state: "stuck" },
  ]);
});

test("a run as plain data has every figure once", () => {
  expect(plainRun(run({}))).toMatchObject({
    variant: "unified",
    seed: 1,
    state: "complete",
    makespan: 12,
    wait95: 0.1,
    peak: null,
  });
});

/** Names of elements, as they are opened, of XML that is well-formed; throws where it is not. */
function elementsOf(xml: string): string[] {
  const names: string[] = [];
  const open: string[] = [];
  const rest = xml
    .replace(/^<\?xml [^?]*\?>/, "")
    .replace(/<(\/?)([a-z]+)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>/gi, (_, close, name, _attributes, self) => {
      if (close) {
        if (open.pop() !== name) throw new Error(`</${name}> closes another`);
      } else {
        names.push(name);
        if (!self) open.push(name);
      }
      return "";
    });
  if (open.length > 0) throw new Error(`${open} stay open`);
  if (/[<>]/.test(rest)) throw new Error(`not XML: ${/.{0,40}[<>].{0,40}/.exec(rest)?.[0]}`);
  if (/&(?!(amp|lt|gt|quot);)/.test(rest)) throw new Error("a bare &");
  return names;
}

test("the picture is one SVG that is well-formed, whatever actions and nodes are called", () => {
  const wild = `<b a="1">&\u0007\u{d800}`;
  const svg = ganttOf(
    run({
      variant: wild,
      stretches: [
        stretch({ action: wild as ActionName, group: wild }),
        stretch({ ended: "failed", beganMs: 100, endedMs: 300 }),
        stretch({ node: "n1", ended: "stopped", twin: true }),
        stretch({ node: "n1", ended: "died", beganMs: 2000, endedMs: 2500 }),
      ],
    }),
  );
  expect(elementsOf(svg)[0]).toBe("svg");
  expect(svg).toContain('xmlns="http://www.w3.org/2000/svg"');
  expect(svg).toContain("&lt;b a=&quot;1&quot;&gt;&amp;");
  for (const word of [
    "failed",
    "twin",
    "died with its node",
    "thrown away",
    "makespan 12 s",
    "HEFT 10 s",
    "bound 9 s",
  ])
    expect(svg).toContain(word);
  expect(svg).not.toMatch(/NaN|undefined|Infinity/);
  expect(() => elementsOf(svg.replace("</svg>", ""))).toThrow();
});

test("what ran at once lies on different lanes, and a wide action on as many as it takes", () => {
  const svg = ganttOf(
    run({
      stretches: [stretch({}), stretch({ beganMs: 500, endedMs: 1500 }), stretch({ node: "n1", slots: 2 })],
      slots: [
        { node: "n0", slots: 2 },
        { node: "n1", slots: 2 },
      ],
    }),
  );
  const bars = [...svg.matchAll(/<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)"[^>]*fill="hsl/g)].map(
    (m) => m[2],
  );
  // Two stretches, one of two lanes, and the swatch of the legend has no colour of its own class.
  expect(new Set(bars.slice(0, 4)).size).toBe(4);
});

test("heat is drawn where it was measured, with its limit", () => {
  const samples = [
    { atMs: 0, celsius: 50 },
    { atMs: 6000, celsius: 90 },
  ];
  const svg = ganttOf(run({ warmth: [{ node: "n1", limitCelsius: 85, samples }] }));
  expect(svg.match(/<polyline class="heat" points="[\d.]+,[\d.]+ [\d.]+,[\d.]+"\/>/g)).toHaveLength(1);
  expect(svg).toContain('class="limit"');
});

test("a thousand nodes still make one picture of bearable height", () => {
  const slots = Array.from({ length: 1000 }, (_, i) => ({ node: `n${i}`, slots: 4 }));
  const svg = ganttOf(run({ slots, stretches: slots.map(({ node }) => stretch({ node })) }));
  expect(Number(/height="(\d+)"/.exec(svg)?.[1])).toBeLessThan(8000);
});
