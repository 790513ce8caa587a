/** What no schedule can beat: lower bounds of a plant's makespan. Ways between nodes, messages and heat are ignored, so it may be out of reach. */
import type { Plant } from "./heft.ts";

/**
 * The largest of: the longest path, each task where it is fastest; all work over all slots; and, of the m·k + 1 longest tasks on m slots, that some
 * slot has k + 1 of them. Milliseconds.
 */
export function lowerBoundMs(plant: Plant): number {
  const kinds = new Map<number, number>();
  plant.slots.forEach((slots, node) => {
    if (slots > 0) kinds.set(plant.kinds[node]!, (kinds.get(plant.kinds[node]!) ?? 0) + slots);
  });
  const fastestMs = plant.needs.map((_, task) => {
    let ms = Number.POSITIVE_INFINITY;
    for (const kind of kinds.keys()) ms = Math.min(ms, plant.cost(task, kind));
    return ms;
  });
  return Math.max(pathMs(plant, fastestMs), areaMs(plant, kinds), crowdMs(plant, fastestMs));
}

function pathMs(plant: Plant, ms: readonly number[]): number {
  const ends: number[] = [];
  plant.needs.forEach((needs, task) => {
    let startMs = 0;
    for (const { from } of needs) startMs = Math.max(startMs, ends[from]!);
    ends.push(startMs + ms[task]!);
  });
  return ends.reduce((a, b) => Math.max(a, b), 0);
}

/**
 * If every slot were busy until the end. A slot counts as the best it does for any task (how fast its kind is, against the fastest), so that the bound
 * also holds where kinds are good at different tasks.
 */
function areaMs(plant: Plant, kinds: ReadonlyMap<number, number>): number {
  const fastest = plant.needs.map((_, task) =>
    Math.min(...[...kinds.keys()].map((kind) => plant.cost(task, kind))),
  );
  let capacity = 0;
  for (const [kind, slots] of kinds) {
    let share = 0;
    fastest.forEach((ms, task) => {
      const own = plant.cost(task, kind);
      if (own > 0 && Number.isFinite(own)) share = Math.max(share, ms / own);
    });
    capacity += slots * share;
  }
  const work = fastest.reduce((sum, ms, task) => sum + ms * (plant.width?.(task) ?? 1), 0);
  return capacity === 0 ? 0 : work / capacity;
}

/** More tasks than slots: two of the m + 1 longest share a slot, three of the 2m + 1 longest, and so on. */
function crowdMs(plant: Plant, ms: readonly number[]): number {
  const slots = plant.slots.reduce((a, b) => a + b, 0);
  const longest = [...ms].sort((a, b) => b - a);
  let boundMs = 0;
  for (let k = 1; k * slots < longest.length; k++) boundMs = Math.max(boundMs, (k + 1) * longest[k * slots]!);
  return boundMs;
}
