/** Traces of builds for the tools of others, held against the rules of their formats. */
import { expect, test } from "vitest";
import { z } from "zod";
import { Queries } from "../../node/queries.ts";
import { otlpRequestsOf, traceOf } from "../../node/trace.ts";
import type { OtlpSpan } from "../../protocol/explain/otlp-trace.ts";
import type { Reading } from "../../protocol/explain/readings.ts";
import { Cores } from "../core/cores.ts";
import { graphOf, resultOf } from "../work/facts.ts";
import { accountsOf } from "./accounts.ts";

const mesh = { addresses: () => [], addressesOf: () => [], versionOf: () => undefined };

/** Thirty actions on two nodes, some fetched, one that fails first, one that fails for good, and one build before it. */
function lived() {
  const cores = new Cores({ ann: { slots: 2 }, bob: { slots: 3 } });
  let failures = 1;
  let all = true;
  cores.rules = {
    run: ({ action }, node) => {
      const ms = 40 + ((action.length * 37) % 90);
      const usage = { fetchMs: 25, wallMs: ms, cpuMs: ms, maxRssBytes: 1 << 20, fetchedBytes: 4096 };
      if ((action === "t20" && failures-- > 0) || (action === "last" && !all))
        return {
          ms,
          outcome: { kind: "failed", cause: "deterministic", reason: "exit code 1", exitCode: 1, usage },
        };
      const result = resultOf(action);
      for (const { digest } of result.outputs) node.blobs.add(digest);
      return { ms, outcome: { kind: "done", result, usage } };
    },
  };
  const needs = (count: number) =>
    Object.fromEntries([
      ...Array.from({ length: count }, (_, i) => [`t${i}`, i < 6 ? [] : [`t${i - 6}`, `t${i - 5}`]]),
      ["last", [`t${count - 1}`]],
    ]);
  cores.finish(cores.submit("ann", graphOf(needs(3))));
  all = false;
  const build = cores.submit("ann", graphOf(needs(30)));
  cores.finish(build);
  cores.runFor(1000);
  return { cores, build };
}

const { cores, build } = lived();
const partsOf = (name: string) => {
  const { core } = cores.node(name);
  const queries = new Queries(core, mesh);
  const at = core.desk.builds.get(build)!.submission!.wallMs;
  const readings: Reading[] = [
    {
      peer: cores.node("bob").peer,
      atMs: at + 50,
      load: 1.5,
      temperatureCelsius: 66.5,
      headroomCelsius: 20,
      slots: 3,
      running: 2,
    },
  ];
  return {
    desk: core.desk,
    accounts: accountsOf(core, queries),
    queries,
    readings: {
      async *between() {
        yield* readings;
      },
    },
  };
};
const textOf = async (name: string, format: "chrome" | "otlp") =>
  Buffer.concat(await Array.fromAsync(traceOf({ build, format }, partsOf(name)))).toString();

const micros = z.int().nonnegative();
const place = { name: z.string().min(1), pid: z.int().positive(), tid: z.int().nonnegative() };
const args = z.record(z.string(), z.unknown());
const eventSchema = z.discriminatedUnion("ph", [
  z.strictObject({
    ...place,
    ph: z.literal("M"),
    name: z.enum(["process_name", "thread_name"]),
    args: z.strictObject({ name: z.string().min(1) }),
  }),
  z.strictObject({
    ...place,
    ph: z.literal("X"),
    cat: z.string(),
    ts: micros,
    dur: z.int().positive(),
    args,
  }),
  z.strictObject({
    ...place,
    ph: z.literal("i"),
    s: z.literal("t"),
    cat: z.string(),
    ts: micros,
    args: args.optional(),
  }),
  z.strictObject({ ...place, ph: z.literal("s"), cat: z.string(), id: z.int().positive(), ts: micros }),
  z.strictObject({
    ...place,
    ph: z.literal("f"),
    bp: z.literal("e"),
    cat: z.string(),
    id: z.int().positive(),
    ts: micros,
  }),
  z.strictObject({ ...place, ph: z.literal("C"), ts: micros, args: z.record(z.string(), z.number()) }),
]);
const traceSchema = z.strictObject({
  traceEvents: z.array(eventSchema),
  displayTimeUnit: z.literal("ms"),
  otherData: args,
});

test("Chrome's trace keeps the format: fields, no overlaps on a thread, flows with two ends in slices, everything named", async () => {
  const { traceEvents: events } = traceSchema.parse(JSON.parse(await textOf("ann", "chrome")));
  const slices = events.filter((event) => event.ph === "X");
  const threadOf = ({ pid, tid }: { pid: number; tid: number }) => `${pid}/${tid}`;
  for (const thread of Map.groupBy(slices, threadOf).values()) {
    let free = 0;
    for (const { ts, dur } of thread.toSorted((a, b) => a.ts - b.ts)) {
      expect(ts).toBeGreaterThanOrEqual(free);
      free = ts + dur;
    }
  }
  const ends = events.filter((event) => event.ph === "s" || event.ph === "f");
  for (const pair of Map.groupBy(ends, ({ id }) => id).values()) {
    expect(pair.map(({ ph }) => ph)).toEqual(["s", "f"]);
    const [from, to] = pair as [(typeof ends)[number], (typeof ends)[number]];
    expect(from.ts).toBeLessThanOrEqual(to.ts);
    expect([from.name, from.cat]).toEqual([to.name, to.cat]);
    for (const end of pair) {
      const around = slices.filter(
        (s) => threadOf(s) === threadOf(end) && s.ts <= end.ts && end.ts <= s.ts + s.dur,
      );
      expect(around.length).toBeGreaterThan(0);
    }
  }
  const named = (what: string, tid: boolean) =>
    new Set(
      events.flatMap((e) => (e.ph === "M" && e.name === what ? [tid ? threadOf(e) : String(e.pid)] : [])),
    );
  const [processes, threads] = [named("process_name", false), named("thread_name", true)];
  for (const event of events) {
    if (event.ph === "M") continue;
    expect(processes).toContain(String(event.pid));
    if (event.ph !== "C") expect(threads).toContain(threadOf(event));
  }
});

test("it has every run on its node, what it waited for, what was decided, and how warm it was", async () => {
  const { traceEvents: events } = traceSchema.parse(JSON.parse(await textOf("ann", "chrome")));
  const { claims } = cores.node("ann").build(build);
  const ran = [...claims!.claims.values()].filter(({ done, fail }) => done || fail);
  const runs = events.filter((event) => event.ph === "X" && event.cat?.startsWith("run"));
  expect(runs.map((run) => (run.ph === "X" ? run.args.claim : "")).sort()).toEqual(
    ran.map(({ id }) => id).sort(),
  );
  expect(events.filter((e) => e.ph === "X" && e.cat === "run,failed").length).toBe(
    ran.filter(({ fail }) => fail).length,
  );
  expect(events.filter((e) => e.ph === "s" && e.cat === "dependency").length).toBeGreaterThan(40);
  expect(events.filter((e) => e.ph === "s" && e.cat === "transfer").length).toBeGreaterThan(0);
  expect(events.filter((e) => e.ph === "i" && e.cat === "claim").length).toBe(claims!.claims.size);
  expect(events).toContainEqual(
    expect.objectContaining({ ph: "C", name: "temperature (°C)", args: { "temperature (°C)": 66.5 } }),
  );
  const processes = events.flatMap((e) => (e.ph === "M" && e.name === "process_name" ? [e.args.name] : []));
  expect(processes).toEqual([`build ${build}`, "ann", "bob"]);
});

const attribute = z.strictObject({
  key: z.string().min(1),
  value: z.union([
    z.strictObject({ stringValue: z.string() }),
    z.strictObject({ intValue: z.string().regex(/^-?[0-9]+$/) }),
    z.strictObject({ doubleValue: z.number() }),
    z.strictObject({ boolValue: z.boolean() }),
  ]),
});
const attributes = z.array(attribute).refine((all) => new Set(all.map(({ key }) => key)).size === all.length);
const nanos = z.string().regex(/^[0-9]{19}$/);
const traceId = z.string().regex(/^[0-9a-f]{32}$/);
const spanId = z.string().regex(/^[0-9a-f]{16}$/);
/** `ExportTraceServiceRequest` by the JSON mapping of OTLP: ids in hex, enums as numbers, 64-bit numbers as text. */
const requestSchema = z.strictObject({
  resourceSpans: z.array(
    z.strictObject({
      resource: z.strictObject({ attributes }),
      schemaUrl: z.url(),
      scopeSpans: z.array(
        z.strictObject({
          scope: z.strictObject({ name: z.literal("swarmd"), version: z.string() }),
          schemaUrl: z.url(),
          spans: z.array(
            z.strictObject({
              traceId,
              spanId,
              parentSpanId: spanId.optional(),
              name: z.string().min(1),
              kind: z.literal(1),
              startTimeUnixNano: nanos,
              endTimeUnixNano: nanos,
              attributes,
              events: z
                .array(z.strictObject({ name: z.string(), timeUnixNano: nanos, attributes }))
                .optional(),
              links: z.array(z.strictObject({ traceId, spanId, attributes })).optional(),
              status: z.strictObject({
                code: z.union([z.literal(0), z.literal(2)]),
                message: z.string().optional(),
              }),
            }),
          ),
        }),
      ),
    }),
  ),
});

async function spansOn(name: string): Promise<OtlpSpan[]> {
  const lines = (await textOf(name, "otlp")).trimEnd().split("\n");
  return lines
    .map((line) => requestSchema.parse(JSON.parse(line)))
    .flatMap(({ resourceSpans }) =>
      resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)),
    );
}

test("OTLP keeps the format: one trace, every parent and link there, no span before its begin", async () => {
  const spans = await spansOn("ann");
  const ids = new Set(spans.map((span) => span.spanId));
  expect(ids.size).toBe(spans.length);
  expect(new Set(spans.map((span) => span.traceId)).size).toBe(1);
  expect(spans.filter((span) => span.parentSpanId === undefined).map(({ name }) => name)).toEqual([
    "BUILD demo",
  ]);
  for (const span of spans) {
    if (span.parentSpanId !== undefined) expect(ids).toContain(span.parentSpanId);
    for (const link of span.links ?? []) expect(ids).toContain(link.spanId);
    expect(BigInt(span.endTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(span.startTimeUnixNano));
  }
  const result = (span: OtlpSpan, key: string) => span.attributes.find((one) => one.key === key)?.value;
  expect(result(spans[0]!, "cicd.pipeline.result")).toEqual({ stringValue: "failure" });
  const last = spans.find(({ name }) => name === "last")!;
  expect(result(last, "cicd.pipeline.task.run.result")).toEqual({ stringValue: "failure" });
  expect(last.status.code).toBe(2);
  expect(result(spans.find(({ name }) => name.startsWith("last attempt"))!, "process.exit.code")).toEqual({
    intValue: "1",
  });
});

test("a second export, and one by another node, has the same ids", async () => {
  const idsOn = async (name: string) =>
    (await spansOn(name))
      .map(({ traceId: trace, spanId: span, name: what }) => `${trace} ${span} ${what}`)
      .sort();
  const ids = await idsOn("ann");
  expect(await idsOn("ann")).toEqual(ids);
  expect(await idsOn("bob")).toEqual(ids);
});

test("a build that is not there is refused before anything is given out", async () => {
  const nothing = `demo-${"0".repeat(10)}` as typeof build;
  await expect(otlpRequestsOf(nothing, partsOf("ann"))).rejects.toMatchObject({ code: "not-found" });
  await expect(
    Array.fromAsync(traceOf({ build: nothing, format: "chrome" }, partsOf("ann"))),
  ).rejects.toMatchObject({
    code: "not-found",
  });
});
