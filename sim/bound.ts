/** What no schedule can beat: lower bounds of a shop's makespan. Ways between nodes, messages and heat are ignored, so it may be out of reach. */
import type { Shop } from "./heft.ts";

/**
 * The largest of: the longest path, each task where it is fastest; all work over all slots; and, of the m·k + 1 longest tasks on m slots, that some
 * slot has k + 1 of them. Milliseconds.
 */
export function lowerBoundMs(shop: Shop): number {
  const kinds = new Map<number, number>();
  shop.slots.forEach((slots, node) => {
    if (slots > 0) kinds.set(shop.kinds[node]!, (kinds.get(shop.kinds[node]!) ?? 0) + slots);
  });
  const fastestMs = shop.needs.map((_, task) => {
    let ms = Number.POSITIVE_INFINITY;
    for (const kind of kinds.keys()) ms = Math.min(ms, shop.cost(task, kind));
    return ms;
  });
  return Math.max(pathMs(shop, fastestMs), areaMs(shop, kinds), crowdMs(shop, fastestMs));
}

function pathMs(shop: Shop, ms: readonly number[]): number {
  const ends: number[] = [];
  shop.needs.forEach((needs, task) => {
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
function areaMs(shop: Shop, kinds: ReadonlyMap<number, number>): number {
  const fastest = shop.needs.map((_, task) =>
    Math.min(...[...kinds.keys()].map((kind) => shop.cost(task, kind))),
  );
  let capacity = 0;
  for (const [kind, slots] of kinds) {
    let share = 0;
    fastest.forEach((ms, task) => {
      const own = shop.cost(task, kind);
      if (own > 0 && Number.isFinite(own)) share = Math.max(share, ms / own);
    });
    capacity += slots * share;
  }
  const work = fastest.reduce((sum, ms, task) => sum + ms * (shop.width?.(task) ?? 1), 0);
  return capacity === 0 ? 0 : work / capacity;
}

/** More tasks than slots: two of the m + 1 longest share a slot, three of the 2m + 1 longest, and so on. */
function crowdMs(shop: Shop, ms: readonly number[]): number {
  const slots = shop.slots.reduce((a, b) => a + b, 0);
  const longest = [...ms].sort((a, b) => b - a);
  let boundMs = 0;
  for (let k = 1; k * slots < longest.length; k++) boundMs = Math.max(boundMs, (k + 1) * longest[k * slots]!);
  return boundMs;
}
