/** Workloads by rule: a shape, how long actions take and how that spreads, how much they make, and how many are heavy. */
import { z } from "zod";
import { graphActionsMax } from "../protocol/build/graph.ts";
import type { ActionName } from "../protocol/kernel/ids.ts";
import { Random } from "../protocol/kernel/random.ts";
import { type Task, type Workload, workloadOf } from "./workload.ts";

const count = z.int().positive().max(graphActionsMax).optional();
const bytes = z
  .int()
  .nonnegative()
  .max(2 ** 40)
  .optional();

/** Keys of a made-up workload, beside what an action takes. */
export const syntheticKeys = {
  shape: z.enum(["chain", "fan", "diamond", "layered", "independent"]).optional(),
  /** In all, for every shape but layered; 100. */
  actions: count,
  /** Of layered; 8 of 25. */
  layers: count,
  width: count,
  /** equal; uniform: 0.2 to 1.8 times the mean; lognormal: a long tail (sigma 0.8). */
  spread: z.enum(["equal", "uniform", "lognormal"]).optional(),
  outputBytes: bytes,
  /** Of the submitted file that each action reads. */
  inputBytes: bytes,
  /** A share of the actions asks for more than a slot. */
  heavy: z
    .strictObject({
      share: z.number().min(0).max(1),
      cpus: z.int().positive().max(1024).optional(),
      memoryBytes: z.int().nonnegative().optional(),
      labels: z.array(z.string().min(1).max(64)).max(32).optional(),
    })
    .optional(),
};
const schema = z.strictObject(syntheticKeys).required({ shape: true });
export type Synthetic = z.infer<typeof schema> & {
  /** Mean of what an action takes at speed 1. */
  readonly workMs: number;
};

const sigma = 0.8;

/** How much longer than the mean; its own mean is 1. */
const spreads: Readonly<Record<NonNullable<Synthetic["spread"]>, (random: Random) => number>> = {
  equal: () => 1,
  uniform: (random) => 0.2 + 1.6 * random.float(),
  lognormal: (random) => Math.exp(sigma * gaussian(random) - sigma ** 2 / 2),
};

/** Standard normal, by Box and Muller. */
export const gaussian = (random: Random): number =>
  Math.sqrt(-2 * Math.log(1 - random.float())) * Math.cos(2 * Math.PI * random.float());

/** The workload of a seed. Throws `spec-invalid` when it would hold more actions than a graph may. */
export function synthesize(synthetic: Synthetic, seed: number): Workload {
  const random = Random.fromNumber(seed);
  const spread = spreads[synthetic.spread ?? "uniform"];
  const links = linksOf(synthetic, random);
  const tasks = links.map(
    ({ id, group, deps }): Task => ({
      id,
      deps,
      group,
      workMs: Math.max(0.001, Math.round(synthetic.workMs * spread(random) * 1000) / 1000),
      outputBytes: synthetic.outputBytes ?? 100_000,
      inputs: (synthetic.inputBytes ?? 0) > 0 ? [synthetic.inputBytes!] : [],
    }),
  );
  const workload = workloadOf(synthetic.shape, tasks);
  const { heavy } = synthetic;
  if (!heavy) return workload;
  const { share, ...requires } = heavy;
  const chosen = new Set<ActionName>();
  for (const { name } of workload.graph.actions) if (random.float() < share) chosen.add(name);
  return {
    ...workload,
    graph: {
      ...workload.graph,
      actions: workload.graph.actions.map((action) =>
        chosen.has(action.name) ? { ...action, requires } : action,
      ),
    },
  };
}

type Shaped = Pick<Task, "id" | "deps" | "group">;

function linksOf(synthetic: Synthetic, random: Random): Shaped[] {
  const { actions = 100, layers = 8, width = 25, shape } = synthetic;
  const many = (n: number, group: string, deps: (i: number) => string[] = () => []): Shaped[] =>
    Array.from({ length: n }, (_, i) => ({ id: `${group}${i}`, group, deps: deps(i) }));
  const one = (group: string, deps: string[] = []): Shaped => ({ id: group, group, deps });
  const sides = many(Math.max(1, actions - 2), "side", () => ["top"]);
  const parts = many(Math.max(1, actions - 1), "part");
  switch (shape) {
    case "chain":
      return many(actions, "link", (i) => (i === 0 ? [] : [`link${i - 1}`]));
    case "independent":
      return many(actions, "task");
    case "fan":
      return [
        ...parts,
        one(
          "whole",
          parts.map((p) => p.id),
        ),
      ];
    case "diamond":
      return [
        one("top"),
        ...sides,
        one(
          "bottom",
          sides.map((s) => s.id),
        ),
      ];
    case "layered":
      return Array.from({ length: layers }, (_, layer) =>
        many(width, `layer${layer}-`, () => {
          if (layer === 0) return [];
          const deps = new Set<string>();
          const needed = 1 + random.below(Math.min(3, width));
          while (deps.size < needed) deps.add(`layer${layer - 1}-${random.below(width)}`);
          return [...deps];
        }),
      ).flat();
  }
}
