/** Results outlive who made them, on real daemons: what any member built is not built again, and what is lost is made again. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { BuildResult, HolderView } from "../../node/control/api.ts";
import { digestOf } from "../../protocol/kernel/digest.ts";
import { until } from "../patience.ts";
import { Farm } from "./farm.ts";
import { Naps } from "./naps.ts";

/** `name`, with six actions that take a while each and one that takes all their outputs. */
const spec = (name: string) => `swarmd: 1
name: ${name}
actions:
  part:
    foreach: { i: { count: 6 } }
    run: sleep 0.4; echo \${i} > \${out}
    out: parts/\${i}.txt
  whole:
    run: cat \${part.out} > \${out}
    out: whole.txt
`;

describe("a swarm", () => {
  let farm: Farm;
  let common: string;

  beforeAll(async () => {
    farm = await Farm.open();
    await farm.found("ann", "ben", "cleo");
    common = await farm.terminal.write("common.yaml", spec("common"));
  }, 180_000);
  afterAll(() => farm?.close());

  test("shares what two builds have in common that are asked for at once", {
    timeout: 240_000,
  }, async () => {
    const other = await farm.terminal.write("other.yaml", spec("other"));
    const results = await Promise.all([
      farm.json<BuildResult>("ann", "submit", common),
      farm.json<BuildResult>("ben", "submit", other),
    ]);
    for (const result of results) expect(result).toMatchObject({ state: "complete", actions: 7 });
    const [one, two] = results as [BuildResult, BuildResult];
    // Exactly once where news travel faster than work: test/sim/cache.test.ts. Here a busy machine may hold them up.
    expect(one.executed + two.executed).toBeLessThan(14);
    expect(one.cached + two.cached).toBeGreaterThan(0);
  });

  test("builds nothing again for who joins later", { timeout: 240_000 }, async () => {
    await farm.admit("dan", "ann");
    await farm.meet("ann", "dan");
    const again = await farm.json<BuildResult>("dan", "submit", common);
    expect(again).toMatchObject({ state: "complete", executed: 0, cached: 7 });
  });

  test("builds all of it anew when it is told not to look in the cache, and says so", {
    timeout: 240_000,
  }, async () => {
    const build = (await farm.json<{ build: string }>("ben", "submit", common, "--no-cache", "--detach"))
      .build;
    await until(async () => (await farm.control("cleo").builds()).some((b) => b.build === build && b.fresh));
    const result = await farm.json<BuildResult>("cleo", "watch", build);
    expect(result).toMatchObject({ state: "complete", executed: 7, cached: 0, divergent: [] });
    expect(await farm.json<BuildResult>("ann", "submit", common)).toMatchObject({ executed: 0, cached: 7 });
  });
});

describe("the only holder of something needed", () => {
  let farm: Farm;
  beforeAll(async () => {
    farm = await Farm.open();
    await farm.found("ann", "ben");
  }, 180_000);
  afterAll(() => farm?.close());

  test("dies: it is made again, and the build ends", { timeout: 240_000 }, async () => {
    const naps = new Naps();
    const file = await farm.terminal.write(
      "lone.yaml",
      `swarmd: 1
name: lone
actions:
  early: { run: "echo early > \${out}", out: early.txt }
  late: { run: "${naps.command} && echo late > \${out}", out: late.txt }
  both: { run: "cat \${early.out} \${late.out} > \${out}", out: both.txt }
`,
    );
    const { build } = await farm.json<{ build: string }>("ann", "submit", file, "--detach");
    // Past the command line: `late` must not end before its neighbour does.
    const early = digestOf(Buffer.from("early\n"));
    let holders: readonly HolderView[] = [];
    await until(async () => {
      holders = (await farm.control("ann").holders(early)).filter((h) => h.holds === "yes");
      return holders.length > 0;
    });
    expect(holders).toHaveLength(1);
    const dead = holders[0]!.node;
    await farm.kill(dead);
    const left = dead === "ann" ? "ben" : "ann";
    const result = await naps.wakeUntil(farm.json<BuildResult>(left, "watch", build));
    expect(result).toMatchObject({ state: "complete", actions: 3, failed: 0 });
    expect(result.byNode[left]).toBe(3);
    await farm.good(left, "fetch", build, "--to", "got");
    expect(await readFile(path.join(farm.terminal.dir, "got/both.txt"), "utf8")).toBe("early\nlate\n");
  });
});
