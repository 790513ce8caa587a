import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { BuildResult, BuildSummary } from "../../node/control/api.ts";
import { until } from "../patience.ts";
import { LabFarm } from "./farm.ts";
import { missingForLab } from "./lab.ts";
import { entriesOf, merged, resultsOf, saidIn } from "./timeline.ts";

const missing = await missingForLab();
if (missing) console.warn(`faults among real daemons are not tried: there is no ${missing}`);

const names = ["ann", "ben", "cleo", "dan"];

describe.skipIf(missing !== undefined)(
  "four daemons on four machines, one fault after the other",
  {
    timeout: 90_000,
  },
  () => {
    let farm: LabFarm;
    /** Builds in which each action waits for the one before. */
    const lines: string[] = [];
    beforeAll(async () => {
      farm = await LabFarm.boot(names);
      await farm.found(...names);
    }, 90_000);
    afterAll(() => farm?.close());

    const submit = async (at: string, name: string, actions: string): Promise<string> => {
      const file = await farm.terminal.write(
        `${name}.yaml`,
        `swarmd: 1\nname: ${name}\nactions:\n${actions}`,
      );
      return (await farm.json<{ build: string }>(at, "submit", file, "--detach")).build;
    };
    const parts = (count: number, seconds: number) => `  part:
    foreach: { i: { count: ${count} } }
    run: sleep ${seconds}; echo \${i} > \${out}
    out: parts/\${i}.txt
  whole:
    run: cat \${part.out} > \${out}
    out: whole.txt
`;
    const summary = async (at: string, build: string) =>
      (await farm.json<{ builds: BuildSummary[] }>(at, "status")).builds.find((one) => one.build === build)!;
    const complete = async (at: string, build: string) => {
      const result = await farm.json<BuildResult>(at, "watch", build);
      expect(result.state).toBe("complete");
      return result;
    };

    test("kill -9 of every daemon once in turn during one build: it ends, with one result per action", async () => {
      const build = await submit("ann", "turns", parts(24, 0.8));
      let done = 0;
      for (const [at, name] of names.entries()) {
        const other = names[(at + 1) % names.length]!;
        await until(async () => (await summary(other, build)).counts.done > done);
        done = (await summary(other, build)).counts.done;
        await farm.kill(name);
        await farm.start(name);
      }
      for (const name of names) await complete(name, build);
      await farm.meet(...names);
    });

    test("kill -9 of a steward: another takes over within 5 s", async () => {
      const steps = Array.from({ length: 20 }, (_, i) => {
        const takes = i === 0 ? "true" : `cat \${s${i - 1}.out}`;
        return `  s${i}:\n    run: ${takes} > \${out}; sleep 0.2; echo ${i} >> \${out}\n    out: s${i}.txt\n`;
      });
      const build = await submit("ann", "line", steps.join(""));
      await until(async () => (await summary("ann", build)).counts.done >= 3);
      await farm.kill("ben");
      await complete("ann", build);
      await farm.start("ben");
      await farm.meet(...names);
      lines.push(build);
    });

    test("one-way: a daemon that is heard by another that it cannot hear ends its build with the rest", async () => {
      await farm.lab.cut("dan", "ann");
      const build = await submit("ann", "oneway", parts(12, 0.5));
      for (const name of ["ann", "ben", "cleo"]) await complete(name, build);
      await farm.lab.heal();
      await complete("dan", build);
      await farm.meet(...names);
    });

    test("one result per action, told alike on all disks", async () => {
      for (const name of names) await farm.kill(name);
      const disks = await Promise.all(names.map((name) => entriesOf(farm.homeOf(name))));
      const all = merged(disks);
      for (const build of new Set(all.flatMap(({ entry }) => entry.build ?? []))) {
        for (const [action, results] of resultsOf(all, build)) expect([...results], action).toHaveLength(1);
        const states = saidIn(all, build, "sealed").map(({ event }) => event.state);
        expect(new Set(states)).toEqual(new Set(["complete"]));
      }
    });
  },
);
