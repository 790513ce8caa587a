/** A real member that lies among honest ones: their builds end, in little more time than without it, and what it forged does not outlive it. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { BuildResult, NodeView, StatusView } from "../../node/control/api.ts";
import type { BuildId } from "../../protocol/kernel/ids.ts";
import { Naps } from "../e2e/naps.ts";
import { until } from "../patience.ts";
import { LabFarm } from "./farm.ts";
import { missingForLab } from "./lab.ts";
import type { Lie } from "./liar.ts";
import { complete, parts, submit } from "./work.ts";

const missing = await missingForLab();
if (missing) console.warn(`a real member that lies is not tried: there is no ${missing}`);

const honest = ["ann", "ben", "cleo"];
const count = 60;

describe.skipIf(missing !== undefined)("a real member that lies", { timeout: 400_000 }, () => {
  let farm: LabFarm;
  let withoutMs: number;
  let builds = 0;
  // Each works a little longer than the one before: the cache knows none of it.
  const begin = (seconds = 1) =>
    submit(farm, "ann", `build-${builds}`, parts(count, seconds + builds++ / 1000));

  /** The honest ones know that the liar is gone. */
  const alone = async () => {
    await farm.kill("mal");
    for (const name of honest)
      await until(async () => {
        const nodes = await farm.json<NodeView[]>(name, "node", "list");
        return nodes.some((node) => node.name === "mal" && node.state === "dead");
      });
  };
  const among = async (how: Lie) => {
    farm.lies("mal", how);
    await farm.start("mal");
    await farm.meet(...honest);
    await until(async () => {
      const nodes = await farm.json<NodeView[]>("ann", "node", "list");
      return nodes.some((node) => node.name === "mal" && node.state === "alive" && node.vitals !== null);
    });
  };

  beforeAll(async () => {
    farm = await LabFarm.boot(
      [...honest, "mal"],
      (name): Record<string, string> => (honest.includes(name) ? { SWARMD_LABELS: "honest" } : {}),
    );
    await farm.found(...honest, "mal");
    await alone();
    withoutMs = (await complete(farm, "ann", await begin())).wallMs;
  }, 400_000);
  afterEach(() => farm.kill("mal"));
  afterAll(() => farm?.close());

  test.each<Lie>(["flooding", "never-runs", "equivocation"])(
    "%s: builds end on all honest ones",
    async (how) => {
      await among(how);
      const build = await begin();
      const { wallMs } = await complete(farm, "ann", build);
      for (const name of honest) await complete(farm, name, build);
      console.log(`${how}: ${wallMs} ms, ${(wallMs / withoutMs).toFixed(2)} of ${withoutMs} ms without it`);
      // A quarter is what is aimed at; a machine that is busy with other things is given more.
      expect(wallMs).toBeLessThan(3 * withoutMs + 60_000);
      if (how === "equivocation")
        for (const name of honest) {
          await until(async () => {
            const { forks } = await farm.json<StatusView>(name, "status");
            return forks.some((fork) => fork.node === "mal");
          });
          expect(await farm.good(name, "status")).toContain("mal told two stories in its start");
        }
      expect(farm.deaths).toEqual([]);
    },
  );

  /** What a member fetches as the end of a build, in the order of its parts. */
  const wholeOf = async (name: string, build: string, to: string) => {
    await farm.good(name, "fetch", build, "--to", to);
    const text = await readFile(path.join(farm.terminal.dir, to, "whole.txt"), "utf8");
    const lines = text.trim().split("\n");
    return lines.sort((a, b) => Number(a) - Number(b));
  };
  const few = 18;
  const right = Array.from({ length: few }, (_, i) => String(i));

  test("forged results: believed while nobody knows better, and used no more once their maker is outvoted", async () => {
    await among("forged-results");
    // Who has not heard yet of the others takes nothing.
    await farm.meet(...honest, "mal");
    const file = await farm.terminal.write(
      "forged.yaml",
      `swarmd: 1\nname: forged\nactions:\n${parts(few, 0.5)}`,
    );
    const run = (...flags: string[]) => farm.json<BuildResult>("ann", "submit", file, ...flags);
    const believed = await run();
    expect(believed.state).toBe("complete");
    expect(believed.byNode.mal).toBeGreaterThan(0);
    await alone();
    const again = await run("--no-cache");
    expect(again.byNode.mal).toBeUndefined();
    const cached = await run();
    expect(cached.cached).toBe(few + 1);
    const makers = cached.divergent.flatMap(({ results }) => results.at(-1)!.nodes);
    expect(new Set(makers)).toEqual(new Set(["mal"]));
    for (const name of honest) {
      await complete(farm, name, cached.build);
      expect(await wholeOf(name, cached.build, `voted-${name}`)).toEqual(right);
    }
  });

  test("forged results: what their maker said is made again by others once it is disowned", async () => {
    await among("forged-results");
    await farm.meet(...honest, "mal");
    // What is made again is made in a build that has not ended: one action keeps it open, which only honest ones may run.
    const naps = new Naps();
    const open = `  open:\n    requires: { labels: [honest] }\n    run: ${naps.command} && echo > \${out}\n    out: open.txt\n`;
    const build = await submit(farm, "ann", "disowned", parts(few, 1.5) + open);
    await until(async () => ((await farm.control("ann").build(build as BuildId)).result.byNode.mal ?? 0) > 0);
    expect(farm.holds("mal", "forged\n")).toBe(true);
    await farm.good("ann", "member", "revoke", "mal", "--disown", "--reason", "forged", "--yes");
    const { byNode } = await naps.wakeUntil(complete(farm, "ann", build));
    expect(byNode.mal).toBeUndefined();
    for (const name of honest) {
      await complete(farm, name, build);
      expect(await wholeOf(name, build, `disowned-${name}`)).toEqual(right);
    }
    // It was told that it is a member no more, and ended.
    await farm.ended("mal");
    for (const death of farm.deaths.splice(0)) expect(death).toContain("the daemon of mal ended with 4");
  });
});
