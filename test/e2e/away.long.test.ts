/** A member that was away while more builds ended than anybody keeps in memory, on real daemons. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { BuildResult, BuildSummary, StatusView } from "../../node/control/api.ts";
import { until } from "../patience.ts";
import { Farm } from "./farm.ts";

const count = 60;
const atOnce = 6;

let farm: Farm;
beforeEach(async () => {
  farm = await Farm.open();
  await farm.found("ann", "ben");
  await farm.good("ben", "stop");
}, 180_000);
afterEach(() => farm.close());

const submit = async (i: number) => {
  const spec = `swarmd: 1\nname: b${i}\nactions:\n  say:\n    run: echo of ${i}; echo ${i} > \${out}\n    out: say.txt\n`;
  await farm.good("ann", "submit", await farm.terminal.write(`b${i}.yaml`, spec), "--detach");
};

test("sixty builds end meanwhile: it gets them all, and any of them is watched, fetched and its log read", {
  timeout: 300_000,
}, async () => {
  for (let at = 0; at < count; at += atOnce)
    await Promise.all(Array.from({ length: atOnce }, (_, i) => submit(at + i)));
  const complete = async (name: string) =>
    (await farm.json<BuildSummary[]>(name, "history", "--limit", "100")).filter(
      ({ state }) => state === "complete",
    ).length;
  await until(async () => (await complete("ann")) === count);
  const keptBy = async (name: string) => (await farm.json<StatusView>(name, "status")).builds;
  await until(async () => (await keptBy("ann")).length === 50, "the archiving of all but 50 builds");
  const kept = await keptBy("ann");
  const all = await farm.json<BuildSummary[]>("ann", "history", "--limit", "100");
  expect(all).toHaveLength(count);
  await farm.start("ben");
  await until(async () => (await complete("ben")) === count);
  await until(async () => (await farm.json<StatusView>("ben", "status")).behind.builds === 0);
  const oldest = all.find(({ build }) => !kept.some((k) => k.build === build))!;
  const number = oldest.name.slice(1);
  for (const name of ["ann", "ben"]) {
    const watched = await farm.json<BuildResult>(name, "watch", oldest.build);
    expect(watched).toMatchObject({ state: "complete", actions: 1, executed: 1, byNode: { ann: 1 } });
    expect(await farm.good(name, "logs", oldest.build)).toContain(`of ${number}\n`);
    await farm.good(name, "fetch", oldest.build, "--to", `got-${name}`);
    expect(await readFile(path.join(farm.terminal.dir, `got-${name}`, "say.txt"), "utf8")).toBe(
      `${number}\n`,
    );
  }
});
