import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../patience.ts";
import { LabFarm } from "./farm.ts";
import { missingForLab } from "./lab.ts";
import { entriesOf, merged, resultsOf, saidIn } from "./timeline.ts";
import { complete, parts, submit, summary } from "./work.ts";

const missing = await missingForLab();
if (missing) console.warn(`faults among real daemons are not tried: there is no ${missing}`);

const names = ["ann", "ben", "cleo", "dan"];

describe.skipIf(missing !== undefined)("four daemons on four machines, one fault after the other", () => {
  let farm: LabFarm;

  beforeAll(async () => {
    farm = await LabFarm.boot(names);
    await farm.found(...names);
  }, 120_000);
  afterAll(() => farm?.close());

  test("kill -9 of every daemon once in turn during one build: it ends", { timeout: 240_000 }, async () => {
    const build = await submit(farm, "ann", "turns", parts(48, 1));
    for (const name of names) {
      await farm.kill(name);
      await farm.start(name);
    }
    for (const name of names) await complete(farm, name, build);
    await farm.meet(...names);
  });

  test("kill -9 of a steward: the others go on with what it handed out", { timeout: 240_000 }, async () => {
    const steps = Array.from({ length: 20 }, (_, i) => {
      const takes = i === 0 ? "true" : `cat \${s${i - 1}.out}`;
      return `  s${i}:\n    run: ${takes} > \${out}; sleep 0.2; echo ${i} >> \${out}\n    out: s${i}.txt\n`;
    });
    // How soon: test/sim/swarm.test.ts, where the machine is as quick as it is said to be.
    const line = await submit(farm, "ann", "line", steps.join(""));
    await until(async () => (await summary(farm, "ann", line)).counts.done >= 3);
    await farm.kill("ben");
    await complete(farm, "ann", line);
    await farm.start("ben");
    await farm.meet(...names);
  });

  test("a one-way cut: whoever is heard but does not hear ends the build with the rest", {
    timeout: 240_000,
  }, async () => {
    await farm.lab.cut("dan", "ann");
    const build = await submit(farm, "ann", "oneway", parts(12, 0.5));
    for (const name of ["ann", "ben", "cleo"]) await complete(farm, name, build);
    await farm.lab.heal();
    await complete(farm, "dan", build);
    await farm.meet(...names);
  });

  test("afterwards one result per action stands on all disks", {
    timeout: 240_000,
  }, async () => {
    for (const name of names) await farm.kill(name);
    const disks = await Promise.all(names.map((name) => entriesOf(farm.homeOf(name))));
    const all = merged(disks);
    const builds = new Set(all.flatMap(({ entry }) => entry.build ?? []));
    expect(builds.size).toBe(3);
    for (const build of builds) {
      for (const [action, results] of resultsOf(all, build)) expect([...results], action).toHaveLength(1);
      const states = saidIn(all, build, "sealed").map(({ event }) => event.state);
      expect(new Set(states)).toEqual(new Set(["complete"]));
    }
  });
});
