import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { encodeGraph } from "../../protocol/build/graph.ts";
import { digestOf } from "../../protocol/kernel/digest.ts";
import { Random } from "../../protocol/kernel/random.ts";
import { layered } from "../../sim/workload.ts";
import type { LabFarm } from "../lab/farm.ts";
import { rottable } from "../lab/rot.ts";
import { draw } from "./troubles.ts";

test("a seed draws the same troubles, whenever they begin", async () => {
  const farm = {
    lab: { names: ["n1", "n2", "n3"] },
    rotAny: async (_name: string, at: unknown) => void (typeof at === "function" && at(10)),
  } as unknown as LabFarm;
  const drawn = async (begins: boolean) => {
    const random = Random.fromNumber(7);
    const whats: string[] = [];
    while (whats.length < 50) {
      const { what, begin } = draw(farm, random, new Set())!;
      whats.push(what);
      if (begins && what.endsWith("rots")) await begin();
    }
    return whats;
  };
  const atOnce = await drawn(true);
  expect(atOnce.some((what) => what.endsWith("rots"))).toBe(true);
  expect(atOnce).toEqual(await drawn(false));
});

describe("what may rot", () => {
  let dir: string;
  const stores = () => ["ann", "ben", "cleo"].map((name) => path.join(dir, name));
  beforeEach(async () => {
    dir = await mkdtemp(path.join(tmpdir(), "swarmd-rot-"));
    for (const store of stores()) await mkdir(path.join(store, "tmp"), { recursive: true });
  });
  afterEach(() => rm(dir, { recursive: true }));

  const put = async (store: string, bytes: Uint8Array, content = bytes): Promise<string> => {
    const digest = digestOf(bytes);
    const file = path.join(store, digest.slice(0, 2), digest.slice(2, 64));
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, content);
    return file;
  };
  const plan = () => encodeGraph(layered(1, 2, 2, 1000).graph).bytes;
  const may = async () => {
    const [ann, ...others] = stores() as [string, ...string[]];
    const found = await Promise.all([0, 0.3, 0.6, 0.99].map((at) => rottable(ann, others, at)));
    return [...new Set(found)];
  };

  test("is any blob, but no plan that lies nowhere else, whole", async () => {
    const [ann, ben, cleo] = stores() as [string, string, string];
    await writeFile(path.join(ann, "tmp", "draft"), "");
    expect(await may()).toEqual([undefined]);
    const planned = await put(ann, plan());
    expect(await may()).toEqual([undefined]);
    await put(ben, plan(), plan().fill(0, 0, 1));
    expect(await may()).toEqual([undefined]);
    const made = await put(ann, Buffer.from("b1 2\n"));
    expect(await may()).toEqual([made]);
    await put(cleo, plan());
    expect(new Set(await may())).toEqual(new Set([planned, made]));
  });
});
