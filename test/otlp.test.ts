/** Traces given to a collector: a real HTTP server, which decodes what comes and has its moods. */
import http from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { OtlpReporter, postTrace, tracesUrl } from "../node/otlp.ts";
import { type OtlpRequest, otlpTraceOf, traceIdOf } from "../protocol/explain/otlp-trace.ts";
import type { BuildId } from "../protocol/kernel/ids.ts";
import type { Build } from "../protocol/work/build.ts";
import { Cores } from "./core/cores.ts";
import { patient } from "./patience.ts";
import { graphOf } from "./work/facts.ts";

/** What the collector answers next, one for each request; afterwards all is well. */
let moods: { status: number; headers?: http.OutgoingHttpHeaders; body?: unknown }[] = [];
let got: { path: string; type: string | undefined; request: OtlpRequest }[] = [];
const server = http.createServer(async (request, response) => {
  const chunks: Uint8Array[] = [];
  for await (const chunk of request) chunks.push(chunk as Uint8Array);
  const mood = moods.shift() ?? { status: 200, body: {} };
  if (mood.status < 300)
    got.push({
      path: `${request.method} ${request.url}`,
      type: request.headers["content-type"],
      request: JSON.parse(Buffer.concat(chunks).toString()) as OtlpRequest,
    });
  response.writeHead(mood.status, { "content-type": "application/json", ...mood.headers });
  response.end(JSON.stringify(mood.body ?? {}));
});
let endpoint: string;
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => void server.close());
beforeEach(() => {
  moods = [];
  got = [];
});

const cores = new Cores({ ann: { slots: 2 }, bob: {} }, { run: () => ({ ms: 20 }) });
const submit = (by: string): BuildId => {
  const build = cores.submit(by, graphOf({ a: [], b: ["a"], c: ["a"] }));
  cores.finish(build);
  return build;
};
const { desk } = cores.node("ann").core;
const nameOf = (peer: string) => peer;
const recall = { find: async (id: BuildId) => desk.builds.get(id)! };
const requestsOf = (id: BuildId) => [...otlpTraceOf({ build: desk.builds.get(id)!, nameOf, version: "1" })];
const spansIn = (all: readonly { request: OtlpRequest }[]) =>
  all.flatMap(({ request }) => request.resourceSpans.flatMap((r) => r.scopeSpans.flatMap((s) => s.spans)));
/** Until the collector has every request of these builds: one that is still under way would take the mood of the next test. */
const taken = (...builds: readonly BuildId[]) =>
  vi.waitFor(() => expect(got).toHaveLength(builds.flatMap(requestsOf).length), patient);
const signal = new AbortController().signal;

test("a collector gets every span of a build, as JSON at the path of traces", async () => {
  const build = submit("ann");
  const spans = await postTrace(endpoint, requestsOf(build), { signal });
  expect(new Set(got.map(({ path, type }) => `${path} ${type}`))).toEqual(
    new Set(["POST /v1/traces application/json"]),
  );
  expect(spansIn(got)).toHaveLength(spans);
  expect(new Set(spansIn(got).map(({ traceId }) => traceId))).toEqual(new Set([traceIdOf(build)]));
  expect(spansIn(got).map(({ name }) => name)).toEqual(
    expect.arrayContaining(["BUILD demo", "a", "b attempt 1"]),
  );
});

test("one that is busy is asked again, later and later, and as late as it says", async () => {
  moods = [{ status: 503 }, { status: 429, headers: { "retry-after": "7" } }, { status: 502 }];
  const waits: number[] = [];
  const wait = async (ms: number) => void waits.push(ms);
  await postTrace(endpoint, requestsOf(submit("ann")).slice(0, 1), { signal, wait });
  expect(waits).toEqual([1000, 7000, 4000]);
  expect(got).toHaveLength(1);
});

test("what it refuses, takes in part, or is not there for is told, with its words", async () => {
  const [request] = requestsOf(submit("ann"));
  const wait = async () => {};
  moods = [{ status: 400, body: { message: "no such tenant" } }];
  await expect(postTrace(endpoint, [request!], { signal, wait })).rejects.toMatchObject({
    code: "refused",
    message: expect.stringContaining("no such tenant"),
  });
  moods = [{ status: 200, body: { partialSuccess: { rejectedSpans: "2", errorMessage: "too old" } } }];
  await expect(postTrace(endpoint, [request!], { signal, wait })).rejects.toMatchObject({
    message: expect.stringContaining("left out 2 spans: too old"),
  });
  moods = [{ status: 302, headers: { location: "http://127.0.0.1:1/" } }];
  await expect(postTrace(endpoint, [request!], { signal, wait })).rejects.toMatchObject({
    code: "refused",
  });
  await expect(postTrace("http://127.0.0.1:1", [request!], { signal, wait })).rejects.toMatchObject({
    code: "peer-unreachable",
  });
  expect(() => tracesUrl("file:///etc/passwd")).toThrow(expect.objectContaining({ code: "usage" }));
  expect(tracesUrl("http://h:4318/tenant/").href).toBe("http://h:4318/tenant/v1/traces");
  expect(tracesUrl("https://h/v1/traces").href).toBe("https://h/v1/traces");
});

test("a daemon posts each build of its own once it has ended, none of others, none that ended before", async () => {
  const warned: unknown[] = [];
  const log = { debug: () => {}, warn: (fields: unknown) => void warned.push(fields) };
  const early = submit("ann");
  const reporter = new OtlpReporter({ endpoint, desk, recall, nameOf, log, wait: async () => {} });
  const theirs = submit("bob");
  const own = [submit("ann"), submit("ann")];
  reporter.look();
  reporter.look();
  await taken(...own);
  expect(spansIn(got).filter(({ name }) => name === "BUILD demo")).toHaveLength(2);
  const traces = new Set(spansIn(got).map(({ traceId }) => traceId));
  expect(traces).toEqual(new Set(own.map(traceIdOf)));
  for (const id of [early, theirs]) expect(traces).not.toContain(traceIdOf(id));
  await reporter.close();
  expect(warned).toEqual([]);
});

test("a collector that never answers well costs a warning with the way by hand, and the next build is tried", async () => {
  const warned: { build?: string; remedy?: string }[] = [];
  const log = { debug: () => {}, warn: (fields: object) => void warned.push(fields) };
  const reporter = new OtlpReporter({
    endpoint,
    desk,
    recall,
    nameOf,
    log: log as never,
    wait: async () => {},
  });
  moods = [{ status: 500 }];
  const [first, second] = [submit("ann"), submit("ann")];
  reporter.look();
  await taken(second);
  await reporter.close();
  expect(warned).toMatchObject([{ build: first, remedy: expect.stringContaining("--otlp-endpoint") }]);
});

test("a build that left memory at its end is told of as well", async () => {
  const log = { debug: () => {}, warn: () => {} };
  const archived = new Map<BuildId, Build>();
  const find = async (id: BuildId) => archived.get(id)!;
  const reporter = new OtlpReporter({ endpoint, desk, recall: { find }, nameOf, log, wait: async () => {} });
  const build = cores.submit("ann", graphOf({ a: [] }));
  reporter.look();
  cores.finish(build);
  const count = requestsOf(build).length;
  archived.set(build, desk.builds.get(build)!);
  desk.builds.delete(build);
  reporter.look();
  await vi.waitFor(() => expect(got).toHaveLength(count), patient);
  expect(new Set(spansIn(got).map(({ traceId }) => traceId))).toEqual(new Set([traceIdOf(build)]));
  await reporter.close();
});
