import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { BuildId } from "../../protocol/kernel/ids.ts";
import { Naps } from "../e2e/naps.ts";
import { lasting, patient, until } from "../patience.ts";
import { LabFarm } from "./farm.ts";
import { missingForLab } from "./lab.ts";
import { entriesOf, merged, resultsOf, saidIn } from "./timeline.ts";
import { complete, parts, submit, summary } from "./work.ts";

const missing = await missingForLab();
if (missing) console.warn(`faults among real daemons are not tried: there is no ${missing}`);

describe.skipIf(missing !== undefined)("faults that last", { timeout: 400_000 }, () => {
  let farm: LabFarm;
  let naps: Naps;
  beforeEach(() => {
    naps = new Naps();
  });
  afterEach(() => farm?.close());

  const open = async (...names: string[]) => {
    farm = await LabFarm.boot(names);
    await farm.found(...names);
  };
  /** So many actions are done, as a member knows it. */
  const doneAt = async (at: string, build: string): Promise<number> => {
    const { counts } = await farm.control(at).build(build as BuildId);
    return counts.done;
  };
  /** What all disks hold, merged; all daemons end. */
  const timeline = async () => {
    for (const name of farm.lab.names) await farm.kill(name);
    return merged(await Promise.all(farm.lab.names.map((name) => entriesOf(farm.homeOf(name)))));
  };

  test("a partition of 20 s: both sides go on; healed, one result per action, and what ran twice is said", async () => {
    await open("ann", "ben", "cleo", "dan");
    const build = await submit(farm, "ann", "parted", parts(60, 1));
    await until(async () => (await doneAt("cleo", build)) > 4);
    await farm.lab.partition(["ann", "ben"], ["cleo", "dan"]);
    const sides = ["ann", "cleo"];
    const before = await Promise.all(sides.map((name) => doneAt(name, build)));
    await lasting(20_000);
    for (const [i, name] of sides.entries())
      await until(async () => (await doneAt(name, build)) > before[i]!, `${name}'s side going on`);
    await farm.lab.heal();
    for (const name of farm.lab.names) await complete(farm, name, build);
    const all = await timeline();
    for (const [action, outcomes] of resultsOf(all, build)) expect([...outcomes], action).toHaveLength(1);
    const actionOf = new Map(saidIn(all, build, "claim").map(({ event }) => [event.claim, event.action]));
    const done = saidIn(all, build, "done").map(({ event }) => actionOf.get(event.claim));
    // What ran twice may end, and be heard of, after the build.
    await Promise.all(farm.lab.names.map((name) => farm.start(name)));
    for (const name of farm.lab.names)
      await vi.waitFor(
        async () =>
          expect((await complete(farm, name, build)).duplicated, name).toBe(done.length - new Set(done).size),
        patient,
      );
  });

  test("SIGSTOP for 30 s and on: its work is taken over, and it goes on with the others", async () => {
    await open("ann", "ben", "cleo");
    const build = await submit(farm, "ann", "stopped", parts(40, 1));
    await until(async () => (await summary(farm, "ann", build)).counts.done > 3);
    await farm.pause("ben");
    await lasting(30_000);
    await farm.resume("ben");
    for (const name of farm.lab.names) await complete(farm, name, build);
    await farm.meet(...farm.lab.names);
    const all = await timeline();
    for (const [action, outcomes] of resultsOf(all, build)) expect([...outcomes], action).toHaveLength(1);
  });

  test("a third of all packets lost at one member: builds end there and everywhere", async () => {
    await open("ann", "ben", "cleo");
    await farm.lab.shape("ben", { delayMs: 2, lossPercent: 33 });
    const build = await submit(farm, "ann", "lossy", parts(20, 0.5));
    for (const name of farm.lab.names) await complete(farm, name, build);
    await farm.lab.shape("ben", {});
    await farm.meet(...farm.lab.names);
  });

  test("a disk that is full: clear words, others build on without it, nothing torn, and on it goes once there is room", async () => {
    farm = await LabFarm.boot(["ann", "ben"]);
    const bytes = 2 ** 33;
    await farm.giveDisk("ben", bytes);
    await farm.found("ann", "ben");
    await farm.fillDisk("ben");
    const file = await farm.terminal.write("full.yaml", `swarmd: 1\nname: full\nactions:\n${parts(6, 0.2)}`);
    const refused = await farm.begin("ben", "submit", file, "--detach").ended;
    expect(refused.code).toBe(4);
    expect(refused.stderr).toMatch(/no room|disk/);
    expect(refused.stderr).toMatch(/\n→ /);
    const without = await submit(farm, "ann", "without", parts(6, 0.2));
    expect((await complete(farm, "ann", without)).byNode).not.toHaveProperty("ben");
    await farm.kill("ben");
    await farm.sizeDisk("ben", bytes);
    await farm.start("ben");
    await farm.meet("ann", "ben");
    const after = await submit(farm, "ben", "after", parts(6, 0.2));
    await complete(farm, "ben", after);
    await farm.kill("ben");
    expect(await entriesOf(farm.outsideOf("ben"))).not.toEqual([]);
    expect(await readdir(farm.outsideOf("ben"))).not.toContain(".filler");
  });

  test("a disk that runs low: it takes no work, says so, serves on, and takes work again, without a start", async () => {
    farm = await LabFarm.boot(["ann", "ben"]);
    const bytes = 2 ** 33;
    await farm.giveDisk("ben", bytes);
    await farm.found("ann", "ben");
    const before = await submit(farm, "ben", "before", parts(6, naps.command));
    await until(() => naps.count === 2);
    expect((await naps.wakeUntil(complete(farm, "ben", before))).byNode.ben).toBeGreaterThan(0);
    await farm.sizeDisk("ben", 2 ** 28);
    const words = "of disk free: it takes no work and serves on";
    for (const at of ["ben", "ann"])
      await until(
        async () => (await farm.good(at, "status")).includes(words),
        `${at} says that ben's is low`,
      );
    const findings = JSON.parse((await farm.run("ben", "doctor", "--json")).stdout);
    expect(findings).toContainEqual(expect.objectContaining({ check: "room", level: "bad" }));
    await farm.good("ann", "fetch", before, "--to", "got-from-ben");
    const meanwhile = await submit(farm, "ann", "meanwhile", parts(6, 0.2));
    expect((await complete(farm, "ann", meanwhile)).byNode).not.toHaveProperty("ben");
    await complete(farm, "ben", meanwhile);
    await farm.sizeDisk("ben", bytes);
    await until(async () => !(await farm.good("ann", "status")).includes(words));
    const after = await submit(farm, "ann", "after", parts(8, naps.command));
    await until(() => naps.count === 2);
    expect((await naps.wakeUntil(complete(farm, "ann", after))).byNode.ben).toBeGreaterThan(0);
  });

  test("a clock that is an hour off: named on both sides with its offset, and builds go on, from both", async () => {
    farm = await LabFarm.boot(["ann", "ben"]);
    await farm.shiftClock("ben", 3600);
    await farm.found("ann", "ben");
    const named = (at: string, other: string) =>
      until(async () =>
        (await farm.good(at, "status")).includes(
          `the clock of ${other} is 1 h 00 min ${other === "ben" ? "ahead of" : "behind"} this node's`,
        ),
      );
    await named("ann", "ben");
    await named("ben", "ann");
    for (const name of ["ann", "ben"]) {
      const build = await submit(farm, name, `from-${name}`, parts(6, 0.2));
      for (const seen of ["ann", "ben"]) await complete(farm, seen, build);
    }
    await farm.shiftClock("ben", -3600);
    const build = await submit(farm, "ben", "jumped", parts(6, 0.2));
    for (const seen of ["ann", "ben"]) await complete(farm, seen, build);
  });

  test("a blob that rots on one disk is fetched from another", async () => {
    await open("ann", "ben", "cleo");
    const text = `rotten${" apple".repeat(10_000)}\n`;
    const fruit = `  fruit:\n    run: echo ${text.trim()} > \${out}\n    out: fruit.txt\n`;
    const build = await submit(farm, "ann", "rot", fruit);
    const [holder] = Object.keys((await complete(farm, "ann", build)).byNode) as [string];
    const [second, asker] = farm.lab.names.filter((name) => name !== holder) as [string, string];
    await farm.good(second, "fetch", build, "--to", "second");
    expect(farm.holds(holder, text) && farm.holds(second, text)).toBe(true);
    await farm.rot(holder, text);
    await farm.good(asker, "fetch", build, "--to", "third");
    expect(await readFile(path.join(farm.terminal.dir, "third/fruit.txt"), "utf8")).toBe(text);
  });

  test("a newcomer in the middle of a build takes part in it", async () => {
    await open("ann", "ben");
    const build = await submit(farm, "ann", "late", parts(60, naps.command));
    await until(() => naps.count === 2);
    await farm.lab.add("eve");
    await farm.admit("eve", "ann");
    await until(() => summary(farm, "eve", build).then((seen) => seen !== undefined));
    await until(() => naps.count === 3);
    const result = await naps.wakeUntil(complete(farm, "eve", build));
    expect(result.byNode.eve).toBeGreaterThan(0);
  });
});
