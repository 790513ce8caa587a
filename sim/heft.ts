/**
 * List scheduling with perfect knowledge, to measure the swarm against: HEFT and CPOP (Topcuoglu, Hariri, Wu 2002), insertion-based, for nodes
 * that run several tasks at once. A plan made once, by somebody who knows every duration, is never disturbed and needs no messages.
 */
import { invariant } from "../protocol/kernel/errors.ts";
import { type Agenda, agendaOf } from "./agenda.ts";

/** What an output costs to use: an edge of the graph. */
export interface Edge {
  /** The task that makes it, by place; it stands before the one that takes it. */
  readonly from: number;
  /** What it takes on the way between two different nodes, on average, milliseconds; ranks count with it. */
  readonly meanMs: number;
  /** How much that is. */
  readonly bytes?: number;
}

export interface Shop {
  /** Tasks at once, of each node. */
  readonly slots: readonly number[];
  /** Nodes of one kind cost the same: place of the kind, of each node. Tasks are planned alike for them. */
  readonly kinds: readonly number[];
  /** In dependency order: what each task takes. */
  readonly needs: readonly (readonly Edge[])[];
  /** Slots that a task takes, all of one node; 1 when absent. */
  width?(task: number): number;
  /** Milliseconds of a task on a node of a kind; Infinity where it cannot run. */
  cost(task: number, kind: number): number;
  /** Milliseconds of the way of an edge's output between two different nodes, by their kinds. */
  transfer(edge: Edge, fromKind: number, toKind: number): number;
}

export interface Placement {
  readonly task: number;
  readonly node: number;
  readonly slots: readonly number[];
  readonly startMs: number;
  readonly endMs: number;
}

export interface Plan {
  readonly makespanMs: number;
  /** By task. */
  readonly placements: readonly Placement[];
}

/** Heterogeneous Earliest Finish Time: tasks by upward rank, each where it ends first. Throws when a task can run nowhere. */
export function heft(shop: Shop): Plan {
  const { up } = ranksOf(shop);
  // A task without cost may rank no higher than what needs it: places, which are in dependency order, decide then.
  const order = [...up.keys()].sort((a, b) => up[b]! - up[a]! || a - b);
  const planner = new Planner(shop);
  for (const task of order) planner.place(task);
  return planner.plan();
}

/** Critical Path On a Processor: tasks by the longest path through them; those of the critical path on the one node that runs it fastest. */
export function cpop(shop: Shop): Plan {
  const { up, down } = ranksOf(shop);
  const priority = up.map((rank, task) => rank + down[task]!);
  const dependents = dependentsOf(shop);
  const nearly = (a: number, b: number) => Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(b));
  const entries = shop.needs.flatMap((needs, task) => (needs.length === 0 ? [task] : []));
  let at = entries.reduce<number | undefined>(
    (best, task) => (best === undefined || priority[task]! > priority[best]! ? task : best),
    undefined,
  );
  const path = new Set<number>();
  const length = at === undefined ? 0 : priority[at]!;
  while (at !== undefined) {
    path.add(at);
    at = dependents[at]!.find((task) => nearly(priority[task]!, length));
  }
  const nodes = shop.slots.flatMap((slots, node) => (slots > 0 ? [node] : []));
  const along = (node: number) =>
    [...path].reduce((sum, task) => sum + shop.cost(task, shop.kinds[node]!), 0);
  const home = nodes.reduce((best, node) => (along(node) < along(best) ? node : best), nodes[0]!);

  const planner = new Planner(shop);
  const open = shop.needs.map((needs) => needs.length);
  const ready = new Set(entries);
  while (ready.size > 0) {
    let next = -1;
    for (const task of ready)
      if (next < 0 || priority[task]! > priority[next]! || (priority[task] === priority[next] && task < next))
        next = task;
    ready.delete(next);
    planner.place(next, path.has(next) ? home : undefined);
    for (const task of dependents[next]!) if (--open[task]! === 0) ready.add(task);
  }
  return planner.plan();
}

/** Upward rank: the longest path from a task to the end, itself included; downward rank: from the begin to it, itself left out. Mean costs. */
function ranksOf(shop: Shop): { up: number[]; down: number[] } {
  const mean = meanCosts(shop);
  const up = [...mean];
  for (let task = shop.needs.length - 1; task >= 0; task--)
    for (const { from, meanMs } of shop.needs[task]!) {
      invariant(from < task, "tasks stand in dependency order");
      up[from] = Math.max(up[from]!, mean[from]! + meanMs + up[task]!);
    }
  const down = shop.needs.map(() => 0);
  shop.needs.forEach((needs, task) => {
    for (const { from, meanMs } of needs)
      down[task] = Math.max(down[task]!, down[from]! + mean[from]! + meanMs);
  });
  return { up, down };
}

/** Over all slots where a task can run. */
function meanCosts(shop: Shop): number[] {
  const slotsOfKind = new Map<number, number>();
  shop.slots.forEach((slots, node) => {
    const kind = shop.kinds[node]!;
    slotsOfKind.set(kind, (slotsOfKind.get(kind) ?? 0) + slots);
  });
  return shop.needs.map((_, task) => {
    let sum = 0;
    let count = 0;
    for (const [kind, slots] of slotsOfKind) {
      const ms = shop.cost(task, kind);
      if (!Number.isFinite(ms)) continue;
      sum += ms * slots;
      count += slots;
    }
    return count === 0 ? 0 : sum / count;
  });
}

function dependentsOf(shop: Shop): number[][] {
  const dependents: number[][] = shop.needs.map(() => []);
  shop.needs.forEach((needs, task) => {
    for (const { from } of needs) dependents[from]!.push(task);
  });
  return dependents;
}

/** The first moment at which so many slots are free at once for so long, and which; undefined when there are not so many. */
function together(
  agendas: readonly Agenda[],
  width: number,
  fromMs: number,
  forMs: number,
): { startMs: number; slots: number[] } | undefined {
  if (agendas.length < width) return undefined;
  if (width === 1) return alone(agendas, fromMs, forMs);
  for (let startMs = fromMs; ; ) {
    const free = agendas.map((agenda, slot) => ({ slot, ms: agenda.earliest(startMs, forMs) }));
    free.sort((a, b) => a.ms - b.ms || a.slot - b.slot);
    // Before the last of the earliest `width` no moment has so many.
    const nextMs = free[width - 1]!.ms;
    if (nextMs === startMs) return { startMs, slots: free.slice(0, width).map(({ slot }) => slot) };
    startMs = nextMs;
  }
}

function alone(agendas: readonly Agenda[], fromMs: number, forMs: number) {
  let bestMs = Number.POSITIVE_INFINITY;
  let best = 0;
  for (let slot = 0; slot < agendas.length && bestMs > fromMs; slot++) {
    const ms = agendas[slot]!.earliest(fromMs, forMs);
    if (ms < bestMs) [bestMs, best] = [ms, slot];
  }
  return { startMs: bestMs, slots: [best] };
}

/** Where tasks have been placed so far. */
class Planner {
  private readonly shop: Shop;
  /** Of each node, of each slot. */
  private readonly agendas: readonly (readonly Agenda[])[];
  private readonly nodesOfKind = new Map<number, number[]>();
  private readonly placements: Placement[] = [];

  constructor(shop: Shop) {
    this.shop = shop;
    this.agendas = shop.slots.map((slots) => Array.from({ length: slots }, agendaOf));
    shop.kinds.forEach((kind, node) => {
      const nodes = this.nodesOfKind.get(kind) ?? [];
      this.nodesOfKind.set(kind, nodes);
      nodes.push(node);
    });
  }

  /**
   * Puts a task where it ends first: of all nodes, or of the one given. Nodes of one kind that hold none of its inputs have them at the same
   * moment, so the first free slot at that moment ends the search through the kind; only holders of inputs are looked at one by one.
   */
  place(task: number, only?: number): void {
    const { shop } = this;
    const holders = new Set(shop.needs[task]!.map(({ from }) => this.placements[from]!.node));
    const width = shop.width?.(task) ?? 1;
    let best: Omit<Placement, "task"> | undefined;
    /** Whether the task could begin there as soon as its inputs are there: no other node of the kind does better. */
    const tryNode = (node: number, readyMs: number, costMs: number): boolean => {
      const free = together(this.agendas[node]!, width, readyMs, costMs);
      if (!free) return false;
      const endMs = free.startMs + costMs;
      if (!best || endMs < best.endMs || (endMs === best.endMs && node < best.node))
        best = { node, ...free, endMs };
      return free.startMs === readyMs;
    };
    for (const [kind, nodes] of this.nodesOfKind) {
      const costMs = shop.cost(task, kind);
      if (!Number.isFinite(costMs)) continue;
      const apartMs = this.readyMs(task, kind, undefined);
      // No node of the kind could end it sooner than what was found.
      const hopeless = best !== undefined && apartMs + costMs > best.endMs;
      if (only === undefined && !hopeless)
        for (const node of nodes) if (!holders.has(node) && tryNode(node, apartMs, costMs)) break;
      for (const node of only === undefined ? holders : [only])
        if (shop.kinds[node] === kind) tryNode(node, this.readyMs(task, kind, node), costMs);
    }
    if (!best) throw new RangeError(`task ${task} can run on no node`);
    for (const slot of best.slots) this.agendas[best.node]![slot]!.take(best.startMs, best.endMs);
    this.placements[task] = { task, ...best };
  }

  plan(): Plan {
    let makespanMs = 0;
    for (const { endMs } of this.placements) makespanMs = Math.max(makespanMs, endMs);
    return { makespanMs, placements: this.placements };
  }

  /** When all inputs of a task can be on a node of a kind; `node` absent: on one that made none of them. */
  private readyMs(task: number, kind: number, node: number | undefined): number {
    let readyMs = 0;
    for (const edge of this.shop.needs[task]!) {
      const made = this.placements[edge.from]!;
      const wayMs = made.node === node ? 0 : this.shop.transfer(edge, this.shop.kinds[made.node]!, kind);
      readyMs = Math.max(readyMs, made.endMs + wayMs);
    }
    return readyMs;
  }
}
