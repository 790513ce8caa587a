import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { foretoldBlob } from "../../node/foretell.ts";
import { type DiskBlobs, openBlobStore } from "../../node/store/blobs.ts";
import { decodeGraph, encodeGraph } from "../../protocol/build/graph.ts";
import { digestOf } from "../../protocol/kernel/digest.ts";
import { Estimates } from "../../protocol/work/estimates.ts";
import { foretold } from "../../protocol/work/foretell.ts";
import { inputsOf } from "../../protocol/work/inputs.ts";
import { peerNamed } from "../contract/chain.ts";
import { emptyClaims, graphOf } from "./facts.ts";

const graph = graphOf({ a: [], b: ["a"], c: [] });
const estimates = new Estimates();
estimates.note("demo", graph.actions[0]!, peerNamed("ann"), 1234);
estimates.note("other", graph.actions[1]!, peerNamed("ann"), 99);

describe("a graph that is foretold", () => {
  test("says what its own actions took before, and nothing of those that never ran under its name", () => {
    expect(foretold(graph, estimates).actions.map((a) => a.estimateMs)).toEqual([1234, undefined, undefined]);
    expect(foretold(graph, new Estimates())).toBe(graph);
  });

  test("keeps what it says already", () => {
    const [first, ...rest] = graph.actions;
    const told = { ...graph, actions: [{ ...first!, estimateMs: 5 }, ...rest] };
    expect(foretold(told, estimates)).toBe(told);
  });

  test("has another digest, and actions with the same keys", () => {
    const told = foretold(graph, estimates);
    expect(encodeGraph(told).digest).not.toBe(encodeGraph(graph).digest);
    const files = new Map(graph.files.map((f) => [f.path, f]));
    const keys = (g: typeof graph) =>
      [0, 2].map((index) => {
        const inputs = inputsOf(emptyClaims(g), index, new Map(), files);
        return inputs.kind === "known" ? inputs.key : inputs.kind;
      });
    expect(keys(told)).toEqual(keys(graph));
    expect(keys(told)[0]).toMatch(/^[0-9a-f]{64}/);
  });
});

describe("the blob of a graph that is submitted", () => {
  let folder: string;
  let blobs: DiskBlobs;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "swarmd-foretell-"));
    blobs = await openBlobStore(path.join(folder, "blobs"));
  });
  afterAll(() => rm(folder, { recursive: true }));

  test("is stored anew with what this node knows", async () => {
    const plain = await blobs.put(encodeGraph(graph).bytes);
    const told = await foretoldBlob(plain, blobs, estimates);
    expect(told).not.toBe(plain);
    expect(decodeGraph(await blobs.read(told)).actions[0]!.estimateMs).toBe(1234);
    expect(await foretoldBlob(plain, blobs, new Estimates())).toBe(plain);
    expect(await foretoldBlob(told, blobs, estimates)).toBe(told);
  });

  test("is left for the core to judge where it is none, or not here", async () => {
    const absent = digestOf(new Uint8Array([7]));
    expect(await foretoldBlob(absent, blobs, estimates)).toBe(absent);
    const none = await blobs.put(new Uint8Array([1, 2, 3]));
    expect(await foretoldBlob(none, blobs, estimates)).toBe(none);
  });
});
