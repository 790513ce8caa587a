/** How long accounts of a large build take: why, critical path, autopsy, and the build at a moment. Its facts come from a simulated swarm. */
import { AccountQueries } from "../../node/account-queries.ts";
import { readRules } from "../../node/diagnosis-rules.ts";
import { Queries } from "../../node/queries.ts";
import type { ActionName, BuildId } from "../../protocol/kernel/ids.ts";
import { Swarm } from "../../sim/swarm.ts";
import { type Task, workloadOf } from "../../sim/workload.ts";

export interface AccountRun {
  /** Milliseconds of the slowest of several asked one after the other, the first of which reads the build's course. */
  readonly whyMs: number;
  readonly criticalPathMs: number;
  readonly autopsyMs: number;
  readonly momentMs: number;
}

/** A build that a simulated swarm lived through, and who may be asked about it. */
export interface Lived {
  readonly build: BuildId;
  readonly names: readonly ActionName[];
  readonly makespanMs: number;
  readonly queries: Queries;
  readonly asked: AccountQueries;
}

/** A build of `count` actions in layers of 500, one in fifty of which fails once. */
export function lived(count: number): Lived {
  const tasks = Array.from({ length: count }, (_, i): Task => {
    const before = i - 500;
    return {
      id: `t${i}`,
      deps: before < 0 ? [] : [`t${before}`, `t${Math.max(0, before - (i % 7))}`],
      workMs: 200 + (i % 9) * 50,
      outputBytes: 1000,
      group: `g${i % 20}`,
      inputs: [1000 + (i % 40)],
    };
  });
  const failed = new Set<string>();
  const swarm = new Swarm({
    seed: 1,
    hosts: ["ann", "bob", "cat", "dan"].map((name) => ({ name, slots: 32 })),
    keep: () => false,
    twist: ({ action }) => {
      if (Number(action.slice(1)) % 50 !== 7 || failed.has(action)) return undefined;
      failed.add(action);
      return { ends: "fails" };
    },
  }).start();
  const ann = swarm.hosts[0]!;
  const build = swarm.submit(ann, workloadOf("large", tasks));
  const { makespanMs } = swarm.finish(build);
  const mesh = { addresses: () => [], addressesOf: () => [], versionOf: () => undefined };
  const queries = new Queries(ann.core, mesh);
  const asked = new AccountQueries({
    core: ann.core,
    queries,
    recall: { find: async (id) => queries.find(id) },
    tailOf: async () => null,
    rules: () => readRules(),
  });
  return { build, names: tasks.map(({ id }) => id as ActionName), makespanMs, queries, asked };
}

export async function accounts(count: number): Promise<AccountRun> {
  const { build, names, makespanMs, queries, asked } = lived(count);
  const slowest = async (times: number, ask: (nth: number) => Promise<unknown>) => {
    let ms = 0;
    for (let nth = 0; nth < times; nth++) {
      const begun = performance.now();
      await ask(nth);
      ms = Math.max(ms, performance.now() - begun);
    }
    return ms;
  };
  const whyMs = await slowest(20, (nth) => asked.why(build, names[Math.floor((nth * count) / 20)]!));
  const { submission } = queries.find(build);
  return {
    whyMs,
    criticalPathMs: await slowest(3, () => asked.criticalPath(build)),
    autopsyMs: await slowest(3, () => asked.autopsy(build)),
    momentMs: await slowest(3, async (nth) => {
      const atMs = submission!.wallMs + (makespanMs * (nth + 1)) / 3;
      for await (const _ of asked.replay({ build, atMs, steps: false }));
    }),
  };
}
