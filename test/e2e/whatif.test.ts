/** A build that real daemons ran, simulated by the same core: as it was, and otherwise. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { until } from "../patience.ts";
import { Farm } from "./farm.ts";

let farm: Farm;
beforeEach(async () => {
  farm = await Farm.open();
});
afterEach(() => farm.close());

test("sim --from tells what a build took, what it takes in virtual time, and what it would take without a node", {
  timeout: 240_000,
}, async () => {
  await farm.found("ann", "ben");
  const spec = await farm.terminal.write(
    "naps.yaml",
    `swarmd: 1
name: naps
actions:
  nap:
    foreach: { i: { count: 8 } }
    run: sleep 0.8; echo \${i} > \${out}
    out: naps/\${i}.txt
`,
  );
  await farm.good("ann", "submit", spec);
  const simulate = async (...flags: string[]) => {
    const out = await farm.good("ann", "sim", "--from", "naps", "--seeds", "1", "--json", ...flags);
    const lines = out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, number>);
    return {
      recorded: lines.find((line) => "recorded" in line)!.recorded!,
      makespan: lines.at(-1)!.makespan!,
    };
  };
  // Where the machine is busy a nap may be a long one, and the first answer late.
  let longest = 0;
  await until(async () => {
    const { items } = await farm.json<{ items: { runs: number; p95Ms: number }[] }>(
      "ann",
      "stats",
      "--by",
      "package",
    );
    longest = items[0]!.p95Ms / 1000;
    return items[0]!.runs >= 8;
  });
  const as = await simulate();
  expect(as.recorded).toBeGreaterThan(3);
  // Four naps one after the other on each: what the daemons took beside sleeping is not in it.
  expect(as.makespan).toBeGreaterThan(3);
  expect(as.makespan).toBeLessThan(as.recorded * 1.1 + longest - 0.8);
  const alone = await simulate("--without", "ben");
  expect(alone.recorded).toBe(as.recorded);
  expect(alone.makespan).toBeGreaterThan(as.makespan);
  const many = await simulate("--nodes", "8");
  expect(many.makespan).toBeLessThan(Math.max(as.makespan * 0.6, longest + 1));
  const told = await farm.good(
    "ann",
    "sim",
    "--from",
    "naps",
    "--seeds",
    "1",
    "--mode",
    "unified",
    "--latency",
    "20ms",
  );
  expect(told).toContain("when it ran; simulated");
});
