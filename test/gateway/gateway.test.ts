import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Gateway, openGateway } from "../../node/gateway/gateway.ts";
import { reads } from "../../node/gateway/reads.ts";
import { encodeGraph, type Graph } from "../../protocol/build/graph.ts";
import { cidOf, digestOf, hashOf } from "../../protocol/kernel/digest.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { BuildId } from "../../protocol/kernel/ids.ts";
import { MemoryControl } from "../control/memory.ts";
import { graphOf } from "../work/facts.ts";

let views: MemoryControl;
let gateway: Gateway;
let build: BuildId;
const faults: unknown[] = [];

beforeAll(async () => {
  views = new MemoryControl({ nodes: ["alpha", "beta"], failing: ["c"] });
  gateway = await openGateway({
    listen: "127.0.0.1:0",
    hosts: [],
    views,
    onFault: (fault) => faults.push(fault),
  });
  const graph: Graph = graphOf({ a: [], b: ["a"], c: ["a"], d: ["c"] });
  const { bytes, digest } = encodeGraph(graph);
  views.blobs.set(digest, bytes);
  for (const file of graph.files) views.blobs.set(file.digest, new Uint8Array());
  ({ build } = await views.submit({ name: "demo", graph: digest, priority: 0 }));
  for await (const event of views.watch(build, new AbortController().signal)) if (event.kind === "end") break;
});
afterAll(async () => {
  await gateway.close();
  expect(faults).toEqual([]);
});

const get = (target: string, headers = {}) =>
  fetch(`${gateway.url}${target}`, { headers, redirect: "manual" });
const json = async (target: string) => {
  const answer = await get(target);
  expect(answer.headers.get("content-type")).toBe("application/json");
  // biome-ignore lint/suspicious/noExplicitAny: what comes is what is tested
  return { status: answer.status, body: (await answer.json()) as any };
};
// biome-ignore lint/suspicious/noExplicitAny: what comes is what is tested
const api = async (target: string): Promise<any> => (await json(`/api/v1${target}`)).body;

describe("the gateway", () => {
  test("says what the control socket says", async () => {
    expect(await api("/status")).toEqual(JSON.parse(JSON.stringify(await views.status())));
    expect(await api("/nodes?all=true")).toEqual(JSON.parse(JSON.stringify(await views.nodes())));
    expect((await api("/nodes/beta")).name).toBe("beta");
    expect(await api("/queue")).toEqual([]);
    expect((await api("/members")).members).toHaveLength(2);
    expect(await api("/staging")).toEqual([]);
  });

  test("gives builds and their actions in pages", async () => {
    const builds = await api("/builds");
    expect(builds).toMatchObject({ total: 1, next: null, items: [{ build, name: "demo", state: "failed" }] });
    const whole = await api(`/builds/${build}`);
    expect(whole.result).toMatchObject({ actions: 4, blocked: 2 });
    expect(whole).not.toHaveProperty("actionViews");
    const names: string[] = [];
    for (let offset: number | null = 0; offset !== null; ) {
      const page: { items: { name: string }[]; next: number | null } = await api(
        `/builds/${build}/actions?offset=${offset}&limit=3`,
      );
      names.push(...page.items.map(({ name }) => name));
      offset = page.next;
    }
    expect(names).toEqual(["a", "b", "c", "d"]);
    expect((await api(`/builds/${build}/actions?state=blocked`)).items[0]).toMatchObject({ name: "c" });
    expect((await api(`/builds/${build}/actions?search=d`)).total).toBe(1);
    expect((await api(`/builds/${build}/actions?node=alpha&state=waiting`)).items).toEqual([]);
    expect(await api(`/builds/${build}/action?name=c`)).toMatchObject({ name: "c", state: "blocked" });
  });

  test("gives an artifact's bytes as they are, by CID or hash, and knows when the asker has them", async () => {
    const bytes = new TextEncoder().encode("artifact");
    const digest = digestOf(bytes);
    views.blobs.set(digest, bytes);
    const answer = await get(`/ipfs/${cidOf(digest)}?format=raw`);
    expect(new Uint8Array(await answer.arrayBuffer())).toEqual(bytes);
    expect(answer.headers.get("content-type")).toBe("application/vnd.ipld.raw");
    expect(answer.headers.get("content-security-policy")).toContain("sandbox");
    const again = await get(`/ipfs/${hashOf(digest)}`, { "if-none-match": answer.headers.get("etag")! });
    expect(again.status).toBe(304);
    expect((await get(`/ipfs/${cidOf(digest)}?format=car`)).status).toBe(400);
    expect((await get(`/ipfs/${cidOf(digestOf(new Uint8Array([1, 2])))}`)).status).toBe(404);
  });

  test("says what needs a person, and how each node is", async () => {
    const { items, next } = await api("/troubles");
    expect(items).toContainEqual({
      level: "person",
      about: `build ${build}`,
      text: "1 blocked, 1 behind them",
      command: `swarmd fix-blocked ${build}`,
    });
    expect(next).toHaveProperty("why");
    expect(await api("/node-health")).toMatchObject([
      { node: "alpha", ok: true, why: [] },
      { node: "beta", ok: true, why: [] },
    ]);
  });

  test("gives again what it just gave, byte for byte, with the same guards before it and the same heads on it", async () => {
    const heads = (answer: Response) =>
      [...answer.headers].filter(([name]) => !["date", "connection", "keep-alive"].includes(name)).sort();
    const first = await get("/api/v1/nodes?all=true");
    const body = await first.text();
    // The next of many has it from the one before, unless it comes so late that it is made anew: both are the same.
    for (let n = 0; n < 5; n++) {
      const again = await get("/api/v1/nodes?all=true");
      expect(await again.text()).toBe(body);
      expect(heads(again)).toEqual(heads(first));
    }
    const head = await fetch(`${gateway.url}/api/v1/nodes?all=true`, { method: "HEAD" });
    expect([head.status, await head.text()]).toEqual([200, ""]);
    const foreign = await get("/api/v1/nodes?all=true", { origin: "https://elsewhere.example" });
    expect(foreign.status).toBe(403);
  });

  test("answers 304 to who has the same answer", async () => {
    const first = await get("/api/v1/members");
    const etag = first.headers.get("etag")!;
    const again = await get("/api/v1/members", { "if-none-match": etag });
    expect([first.status, again.status]).toEqual([200, 304]);
    expect(await again.text()).toBe("");
  });

  test("answers HEAD as GET, without the body", async () => {
    const answer = await fetch(`${gateway.url}/api/v1/members`, { method: "HEAD" });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("etag")).toMatch(/^"/);
    expect(await answer.text()).toBe("");
  });

  test("tells wrong input and unknown things apart, with a remedy", async () => {
    for (const [target, status, code] of [
      ["/api/v1/builds/nothing", 400, "usage"],
      ["/api/v1/builds?limit=0", 400, "usage"],
      ["/api/v1/builds?limit=many", 400, "usage"],
      ["/api/v1/nodes/nobody", 404, "not-found"],
      [`/api/v1/builds/${build}/action?name=zz`, 404, "not-found"],
      ["/api/v1/nothing", 404, "not-found"],
      ["/api/v1/wire?kind=zz", 400, "usage"],
      ["/api/v1/wire?kind=legder", 400, "usage"],
      ["/api/v1/stats?by=colour", 400, "usage"],
      [`/api/v1/builds/${build}/actions?state=blokced`, 400, "usage"],
      [`/api/v1/builds/${build}/actions?node=nobody`, 404, "not-found"],
      [`/api/v1/builds/${build}/actions?target=zz`, 404, "not-found"],
      ["/api/v1/artifacts/nothing", 404, "blob-missing"],
    ] as const) {
      const { status: got, body } = await json(target);
      expect([target, got, body.error.code]).toEqual([target, status, code]);
      expect(body.error.remedy).toBeTruthy();
    }
  });

  test("refuses a parameter that a path does not take, names those it does, and the nearest", async () => {
    for (const [target, message, remedy] of [
      ["/api/v1/wire?knid=ledger", "takes peer, kind, sinceMs, limit, not knid", "did you mean kind?"],
      ["/api/v1/wire/stream?knid=ledger", "takes kind, peer, not knid", "did you mean kind?"],
      ["/api/v1/stream?build=x", "takes no parameter, and was given build", "openapi.json"],
      ["/api/v1/status?all=true", "takes no parameter, and was given all", "openapi.json"],
      ["/api/v1/metrics?all=true", "takes no parameter, and was given all", "openapi.json"],
      [`/api/v1/builds/${build}?build=x`, "takes no parameter, and was given build", "openapi.json"],
      [`/api/v1/builds/${build}/log?follw=true`, "takes action, follow, not follw", "did you mean follow?"],
      [`/api/v1/builds/${build}/trace?kind=otlp`, "takes format, not kind", "openapi.json"],
      ["/ipfs/nothing?form=raw", "takes format, not form", "openapi.json"],
      ["/api/v1/builds?limit=1&limit=2", "limit is given twice", "openapi.json"],
    ] as const) {
      const { status, body } = await json(target);
      expect([target, status, body.error.code]).toEqual([target, 400, "usage"]);
      expect(body.error.message).toContain(message);
      expect(body.error.remedy).toContain(remedy);
    }
    const { paths } = await api("/openapi.json");
    for (const [path, { get: asked }] of Object.entries<{
      get: { parameters: { name: string; in: string }[] };
    }>(paths)) {
      if (path === "/metrics") continue;
      const { body } = await json(`${path.replaceAll(/[{}]/g, "")}?zzzzzzzz=1`);
      const known = asked.parameters.filter((one) => one.in === "query").map(({ name }) => name);
      const said = known.length === 0 ? "no parameter, and was given" : `${known.join(", ")}, not`;
      expect([path, body.error?.message]).toEqual([path, expect.stringContaining(`takes ${said} zzzzzzzz`)]);
    }
  });

  test("is unhealthy past the thresholds", async () => {
    expect((await json("/api/v1/health")).status).toBe(200);
    const behind = { builds: 1, entries: 3 };
    const { status } = views;
    views.status = async () => ({ ...(await status.call(views)), behind });
    try {
      const { status, body } = await json("/api/v1/health?gapsMax=3&lagMsMax=1000000");
      expect([status, body.ok, body.gaps]).toEqual([503, false, 4]);
      expect((await json("/api/v1/health?gapsMax=4&lagMsMax=1000000")).status).toBe(200);
    } finally {
      views.status = status;
    }
  });

  test("documents every route it has", async () => {
    const { openapi, paths } = await api("/openapi.json");
    expect(openapi).toBe("3.1.0");
    for (const { path } of reads)
      expect(paths).toHaveProperty([`/api/v1${path.replaceAll(/:(\w+)/g, "{$1}")}`]);
    const { parameters } = paths["/api/v1/builds/{build}/actions"].get;
    expect(parameters).toContainEqual({
      name: "build",
      in: "path",
      required: true,
      schema: { type: "string" },
    });
    expect(parameters.map(({ name }: { name: string }) => name)).toContain("search");
  });

  test("shows numbers to monitoring, one series for each node", async () => {
    const answer = await get("/metrics");
    expect(answer.headers.get("content-type")).toMatch(/^application\/openmetrics-text/);
    const text = await answer.text();
    expect(text).toContain('swarmd_node_up{node="alpha"} 1');
    expect(text).toMatch(/swarmd_members 2\n/);
    expect(text.trimEnd().endsWith("# EOF")).toBe(true);
  });

  test("knows the paths of the tools before", async () => {
    for (const [from, to] of [
      ["sessions", "builds"],
      ["events/history", "events"],
      ["drone-health", "node-health"],
      ["escalation", "troubles"],
      ["build-stats/by-package", "stats?by=package"],
      ["protocol", "wire"],
      ["protocol/stats", "wire/stats"],
      ["protocol/density", "wire/density"],
      ["protocol/snapshot", "wire/snapshot"],
    ]) {
      const answer = await get(`/api/v1/${from}`);
      expect([answer.status, answer.headers.get("location")]).toEqual([307, `/api/v1/${to}`]);
      expect((await get(`/api/v1/${to}`)).status).toBe(200);
    }
    for (const path of ["history", "metrics", "ping", "health?lagMsMax=1000000", "sql/tables", "sql/schema"])
      expect((await get(`/api/v1/${path}`)).status, path).toBe(200);
    expect((await api("/history")).items).toMatchObject([{ build, state: "failed" }]);
    expect((await get("/ui/live_dag.html")).headers.get("location")).toBe("/#/builds/latest");
    expect((await get(`/ui/replay.html?build=${build}`)).headers.get("location")).toBe(
      `/#/builds/${build}/replay`,
    );
    for (const what of ["autopsy", "replay"])
      expect((await get(`/api/${what}/${build}?atMs=5`)).headers.get("location")).toBe(
        `/api/v1/builds/${build}/${what}?atMs=5`,
      );
    for (const target of ["/api/v1/work", "/api/v1/profiles/x", "/api/v1/snapshots"]) {
      const { status, body } = await json(target);
      expect(status).toBe(410);
      expect(body.error.remedy).toMatch(/swarmd/);
    }
  });

  test("prints what actions printed", async () => {
    const text = await (await get(`/api/v1/builds/${build}/log?action=a`)).text();
    expect(text).not.toContain("a: ");
    const all = await (await get(`/api/v1/builds/${build}/log`)).text();
    expect(all.length).toBeGreaterThan(text.length);
  });

  test("prints a part of what an action printed", async () => {
    const part = async (range: string) => {
      const answer = await get(`/api/v1/builds/${build}/log?action=c`, { range });
      return [answer.status, answer.headers.get("content-range"), await answer.text()];
    };
    const [, , whole] = (await part("lines=1-2")) as [number, null, string];
    const last = whole.length - 1;
    expect(last).toBeGreaterThan(4);
    expect(await part("bytes=1-3")).toEqual([206, expect.stringMatching(/^bytes 1-3\//), whole.slice(1, 4)]);
    expect(await part("bytes=-4")).toEqual([206, `bytes ${last - 3}-${last}/${last + 1}`, whole.slice(-4)]);
    expect(await part("bytes=2-")).toEqual([206, `bytes 2-${last}/${last + 1}`, whole.slice(2)]);
    expect((await part(`bytes=${last + 1}-`))[0]).toBe(416);
  });

  test("listening on all addresses, it is told by one that it is called by", async () => {
    const other = await openGateway({
      listen: "0.0.0.0:0",
      hosts: [],
      token: "a-token-of-some-length",
      views,
      onFault: (fault) => faults.push(fault),
    });
    const { status } = await fetch(other.url);
    await other.close();
    expect(other.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(status).toBe(200);
  });

  test("what cannot be loaded is told in the log and in words, each time anew", async () => {
    const told: unknown[] = [];
    const other = await openGateway({
      listen: "127.0.0.1:0",
      hosts: [],
      views,
      page: import.meta.filename,
      onFault: (fault) => told.push(fault),
    });
    const answers = [await fetch(`${other.url}/`), await fetch(`${other.url}/api/v1/ping`)];
    await other.close();
    for (const answer of answers)
      expect([answer.status, await answer.json()]).toMatchObject([500, { error: { code: "refused" } }]);
    expect(told).toHaveLength(2);
  });

  test("what is refused as things stand is no trouble of the server", async () => {
    const ended = {
      ...views,
      preview: async () => Promise.reject(new SwarmError("refused", "it has ended")),
    };
    const other = await openGateway({
      listen: "127.0.0.1:0",
      hosts: [],
      views: Object.setPrototypeOf(ended, views),
      onFault: (fault) => faults.push(fault),
    });
    const { status } = await fetch(`${other.url}/api/v1/builds/${build}/preview`);
    await other.close();
    expect(status).toBe(409);
  });
});
