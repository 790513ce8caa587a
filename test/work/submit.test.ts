import { expect, test } from "vitest";
import { encodeGraph, type Graph } from "../../protocol/build/graph.ts";
import type { CommandReply } from "../../protocol/contract.ts";
import type { BuildId } from "../../protocol/kernel/ids.ts";
import { holdDigestsMax } from "../../protocol/swarm/message.ts";
import { Cores, type Rules } from "../core/cores.ts";
import { blob, graphOf } from "./facts.ts";

const graph = graphOf({ a: [], b: ["a"] });
const two = { ann: {}, bob: { vitals: { diskFreeBytes: 2 ** 36 } }, cy: {} };

/** Submits by hand, so that a refusal can be seen. */
function submit(cores: Cores, name: string, given: Graph, fields = {}): CommandReply | undefined {
  const { bytes, digest } = encodeGraph(given);
  cores.graphs.set(digest, bytes);
  for (const d of [digest, ...given.files.map((f) => f.digest)]) cores.node(name).blobs.add(d);
  return cores.command(name, {
    kind: "submit",
    name: "demo",
    graph: digest,
    nonce: "n",
    priority: 0,
    ...fields,
  });
}

const holders = (cores: Cores) => cores.node("ann").said("build.submitted")[0]?.holders;

test("a build is taken in once its graph and inputs lie on the member with the most room", () => {
  const cores = new Cores(two);
  expect(submit(cores, "ann", graph)).toMatchObject({ ok: true, build: expect.stringMatching(/^demo-/) });
  expect(holders(cores)).toEqual([cores.node("ann").peer, cores.node("bob").peer]);
  expect([...cores.node("bob").blobs]).toEqual(
    expect.arrayContaining([encodeGraph(graph).digest, blob("source")]),
  );
});

test("more inputs than one message names are held all the same, message by message", () => {
  const cores = new Cores(two);
  const named: number[] = [];
  cores.rules.drops = (from, to, m) => {
    if (from === "ann" && to === "bob" && m.kind === "hold") named.push(m.digests.length);
    return false;
  };
  const files = Array.from({ length: holdDigestsMax + 9 }, (_, i) => ({
    ...graph.files[0]!,
    path: `f/${i}`,
    digest: blob(`file ${i}`),
  }));
  expect(submit(cores, "ann", { ...graph, files: [...graph.files, ...files] })).toMatchObject({ ok: true });
  expect(holders(cores)).toEqual([cores.node("ann").peer, cores.node("bob").peer]);
  expect(files.every(({ digest }) => cores.node("bob").blobs.has(digest))).toBe(true);
  // Twice: bob is asked again once it has the word that the build was submitted.
  expect(named).toEqual([holdDigestsMax, 11, holdDigestsMax, 11]);
});

test("the reply waits for the disk: it stands behind the durable entry that submits", () => {
  const cores = new Cores(two);
  submit(cores, "ann", graph);
  const effects = cores.node("ann").effects.map(({ effect }) => effect);
  const append = effects.findIndex(
    (e) => e.kind === "append" && e.entry.entry.events.some((x) => x.kind === "build.submitted"),
  );
  expect(effects[append]).toMatchObject({ durable: true });
  expect(effects.findIndex((e) => e.kind === "reply")).toBeGreaterThan(append);
});

test("the reply waits until the second member has the word too: killed at once, the submitter is not needed", () => {
  const cores = new Cores(two);
  cores.rules.drops = (from, to, m) => from === "ann" && to === "cy" && m.kind === "ledger";
  const reply = submit(cores, "ann", graph);
  expect(reply).toEqual({ ok: true, build: expect.stringMatching(/^demo-/) });
  const build = (reply as { build: BuildId }).build;
  expect(cores.node("bob").build(build).submission?.event.holders).toEqual([
    cores.node("ann").peer,
    cores.node("bob").peer,
  ]);
  cores.kill("ann", true);
  cores.finish(build);
  expect(cores.states(build).bob).toEqual(["done", "done"]);
});

test("a second member that dies before it has the word is replaced by another, which then holds all", () => {
  const cores = new Cores(two);
  cores.rules.drops = (from, to, m) => {
    if (from !== "ann" || to !== "bob" || m.kind !== "ledger") return false;
    cores.kill("bob", true);
    return true;
  };
  expect(submit(cores, "ann", graph)).toEqual({ ok: true, build: expect.stringMatching(/^demo-/) });
  expect([...cores.node("cy").blobs]).toEqual(
    expect.arrayContaining([encodeGraph(graph).digest, blob("source")]),
  );
});

test("alone a node submits at once", () => {
  const cores = new Cores({ ann: {} });
  const from = cores.nowMs;
  expect(submit(cores, "ann", graph)).toEqual({ ok: true, build: expect.any(String) });
  expect(cores.nowMs - from).toBeLessThan(100);
  expect(holders(cores)).toEqual([cores.node("ann").peer]);
});

test.each<[string, (cores: Cores) => Rules]>([
  [
    "refuses",
    (cores) => ({
      instead(node, effect) {
        if (node.name !== "bob" || effect.kind !== "fetch") return false;
        const missing = effect.wants.map((w) => w.digest);
        cores.later(node, 5, { kind: "fetched", id: effect.id, missing, fetchedBytes: 0 });
        return true;
      },
    }),
  ],
  [
    "dies",
    (cores) => ({
      instead(node, effect) {
        if (node.name !== "bob" || effect.kind !== "fetch") return false;
        cores.kill("bob", true);
        return true;
      },
    }),
  ],
])("a second member that %s is passed over for the next", (_, rules) => {
  const cores = new Cores(two);
  cores.rules = rules(cores);
  expect(submit(cores, "ann", graph)).toMatchObject({ ok: true });
  expect(holders(cores)).toEqual([cores.node("ann").peer, cores.node("cy").peer]);
});

test("when no second member takes the inputs the submitter keeps them alone, and says so", () => {
  const cores = new Cores(two);
  cores.rules.instead = (node, effect) => {
    if (node.name === "ann" || effect.kind !== "fetch") return false;
    const missing = effect.wants.map((w) => w.digest);
    cores.later(node, 5, { kind: "fetched", id: effect.id, missing, fetchedBytes: 0 });
    return true;
  };
  expect(submit(cores, "ann", graph)).toMatchObject({
    ok: true,
    word: expect.stringContaining("no second member took the inputs"),
  });
  expect(holders(cores)).toEqual([cores.node("ann").peer]);
});

test("a stranger's or a stale word that it holds the inputs counts for nothing", () => {
  const cores = new Cores(two);
  let asked = "";
  cores.rules.drops = (_, to, m) => {
    if (m.kind !== "hold") return false;
    asked = m.id;
    return to === "bob";
  };
  const { bytes, digest } = encodeGraph(graph);
  cores.graphs.set(digest, bytes);
  cores.node("ann").blobs.add(digest);
  const ann = cores.node("ann");
  cores.step(ann, {
    kind: "command",
    id: 99,
    command: { kind: "submit", name: "demo", graph: digest, nonce: "n", priority: 0 },
  });
  cores.runFor(100);
  for (const [from, id] of [
    [cores.node("cy").peer, asked],
    [cores.node("bob").peer, "other"],
  ] as const)
    cores.step(ann, { kind: "message", from, message: { kind: "held", id, missing: [] } });
  expect(holders(cores)).toBeUndefined();
  cores.step(ann, {
    kind: "message",
    from: cores.node("bob").peer,
    message: { kind: "held", id: asked, missing: [] },
  });
  expect(holders(cores)).toEqual([ann.peer, cores.node("bob").peer]);
});

test("what cannot be submitted is refused with a code", () => {
  const cores = new Cores({ ann: {}, bob: { roles: ["builder"] } });
  expect(submit(cores, "bob", graph)).toMatchObject({ ok: false, code: "role-missing" });
  expect(submit(cores, "ann", graph, { name: "../x" })).toMatchObject({ ok: false, code: "spec-invalid" });
  expect(submit(cores, "ann", graph, { graph: blob("nothing") })).toMatchObject({
    ok: false,
    code: "blob-missing",
  });
  cores.graphs.set(blob("junk"), Buffer.from("junk"));
  cores.node("ann").blobs.add(blob("junk"));
  expect(submit(cores, "ann", graph, { graph: blob("junk") })).toMatchObject({
    ok: false,
    code: "malformed",
  });
  expect(cores.nodes.flatMap((n) => n.said("build.submitted"))).toEqual([]);
});

test("nobody needs the submitter once it has its reply", () => {
  const cores = new Cores(two);
  const build = cores.submit("ann", graph);
  cores.runFor(20);
  cores.kill("ann");
  cores.finish(build);
  expect(cores.states(build).cy).toEqual(["done", "done"]);
});
