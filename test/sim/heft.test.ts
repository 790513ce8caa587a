/** The yardsticks, checked on the example of the paper and against what must hold of every plan. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cpop, heft, type Placement, type Plan, type Shop } from "../../sim/heft.ts";

/** Topcuoglu, Hariri, Wu 2002, figure 2 and table 2: ten tasks on three processors. */
const costs = [
  [14, 16, 9],
  [13, 19, 18],
  [11, 13, 19],
  [13, 8, 17],
  [12, 13, 10],
  [13, 16, 9],
  [7, 15, 11],
  [5, 11, 14],
  [18, 12, 20],
  [21, 7, 16],
];
const edges = [
  [1, 2, 18],
  [1, 3, 12],
  [1, 4, 9],
  [1, 5, 11],
  [1, 6, 14],
  [2, 8, 19],
  [2, 9, 16],
  [3, 7, 23],
  [4, 8, 27],
  [4, 9, 23],
  [5, 9, 13],
  [6, 8, 15],
  [7, 10, 17],
  [8, 10, 11],
  [9, 10, 13],
];
const paper: Shop = {
  slots: [1, 1, 1],
  kinds: [0, 1, 2],
  needs: costs.map((_, task) =>
    edges.filter(([, to]) => to === task + 1).map(([from, , ms]) => ({ from: from! - 1, meanMs: ms! })),
  ),
  cost: (task, kind) => costs[task]![kind]!,
  transfer: ({ meanMs }) => meanMs,
};

describe("the ten tasks of Topcuoglu, Hariri, Wu 2002", () => {
  test("HEFT takes 80", () => {
    const plan = heft(paper);
    expect(plan.makespanMs).toBe(80);
    // As in the paper's figure: which processor has which tasks.
    expect(plan.placements.map((p) => p.node + 1)).toEqual([3, 1, 3, 2, 3, 2, 3, 1, 2, 2]);
  });

  test("CPOP takes 86", () => {
    expect(cpop(paper).makespanMs).toBe(86);
  });
});

const shopOf = (
  nodes: readonly { slots: number; speed: number }[],
  tasks: readonly { workMs: number; needs: readonly number[]; wayMs: number }[],
): Shop => ({
  slots: nodes.map((n) => n.slots),
  kinds: nodes.map((_, i) => i),
  needs: tasks.map((t) => t.needs.map((from) => ({ from, meanMs: tasks[from]!.wayMs }))),
  cost: (task, kind) => tasks[task]!.workMs / nodes[kind]!.speed,
  transfer: ({ meanMs }) => meanMs,
});

const shops = fc
  .record({
    nodes: fc.array(fc.record({ slots: fc.integer({ min: 1, max: 3 }), speed: fc.constantFrom(0.5, 1, 2) }), {
      minLength: 1,
      maxLength: 5,
    }),
    tasks: fc.array(
      fc.record({
        workMs: fc.integer({ min: 0, max: 50 }),
        wayMs: fc.integer({ min: 0, max: 20 }),
        needs: fc.array(fc.nat(), { maxLength: 3 }),
      }),
      { minLength: 1, maxLength: 25 },
    ),
  })
  .map(({ nodes, tasks }) => ({
    nodes,
    tasks: tasks.map((t, i) => ({ ...t, needs: i === 0 ? [] : [...new Set(t.needs.map((n) => n % i))] })),
  }));

const lasts = (p: Placement) => p.endMs > p.startMs;

function expectValid(plan: Plan, shop: Shop) {
  for (const p of plan.placements) {
    expect(p.endMs - p.startMs).toBeCloseTo(shop.cost(p.task, shop.kinds[p.node]!));
    expect(p.slots).toHaveLength(shop.width?.(p.task) ?? 1);
    expect(Math.max(...p.slots)).toBeLessThan(shop.slots[p.node]!);
    for (const edge of shop.needs[p.task]!) {
      const made = plan.placements[edge.from]!;
      const wayMs =
        made.node === p.node ? 0 : shop.transfer(edge, shop.kinds[made.node]!, shop.kinds[p.node]!);
      expect(p.startMs).toBeGreaterThanOrEqual(made.endMs + wayMs);
    }
    for (const other of plan.placements)
      if (
        other !== p &&
        other.node === p.node &&
        other.slots.some((s) => p.slots.includes(s)) &&
        lasts(p) &&
        lasts(other)
      )
        expect(other.endMs <= p.startMs || other.startMs >= p.endMs).toBe(true);
  }
}

describe("every plan", () => {
  test("keeps dependencies, ways between nodes, and one task per slot at a time", () => {
    fc.assert(
      fc.property(shops, ({ nodes, tasks }) => {
        const shop = shopOf(nodes, tasks);
        for (const plan of [heft(shop), cpop(shop)]) {
          expect(plan.placements).toHaveLength(tasks.length);
          expectValid(plan, shop);
        }
      }),
      { numRuns: 60 },
    );
  });

  test("is the same whether equal nodes are told to be of one kind or not", () => {
    fc.assert(
      fc.property(shops, ({ nodes, tasks }) => {
        const shop = shopOf(nodes, tasks);
        const speeds = [...new Set(nodes.map((n) => n.speed))];
        const grouped = {
          ...shop,
          kinds: nodes.map((n) => speeds.indexOf(n.speed)),
          cost: (task: number, kind: number) => tasks[task]!.workMs / speeds[kind]!,
        };
        expectValid(heft(grouped), grouped);
        // Who gets a task among equals may differ, and with it what follows; with one kind of way for all, ends do not.
        if (tasks.every((t) => t.needs.length === 0))
          expect(heft(grouped).makespanMs).toBeCloseTo(heft(shop).makespanMs);
      }),
      { numRuns: 60 },
    );
  });

  test("gives a wide task all its slots at once, on one node", () => {
    fc.assert(
      fc.property(
        shops,
        fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 25, maxLength: 25 }),
        (p, widths) => {
          const shop = {
            ...shopOf([...p.nodes, { slots: 3, speed: 1 }], p.tasks),
            width: (task: number) => widths[task]!,
          };
          expectValid(heft(shop), shop);
        },
      ),
      { numRuns: 60 },
    );
    const wide = {
      ...shopOf(
        [{ slots: 2, speed: 1 }],
        [1, 2, 3].map(() => ({ workMs: 10, needs: [], wayMs: 0 })),
      ),
    };
    expect(heft(wide).makespanMs).toBe(20);
    expect(heft({ ...wide, width: () => 2 }).makespanMs).toBe(30);
  });

  test("uses a gap that a task of higher rank left", () => {
    // The slow way of the fast node's output leaves the slow node idle until 30; the little task goes in before.
    const only = [0, 1, 1];
    const shop = {
      ...shopOf(
        [
          { slots: 1, speed: 1 },
          { slots: 1, speed: 1 },
        ],
        [
          { workMs: 10, needs: [], wayMs: 20 },
          { workMs: 10, needs: [0], wayMs: 0 },
          { workMs: 5, needs: [], wayMs: 0 },
        ],
      ),
      cost: (task: number, kind: number) => (only[task] === kind ? [10, 10, 5][task]! : Infinity),
    };
    const { placements, makespanMs } = heft(shop);
    expect(makespanMs).toBe(40);
    expect(placements[2]).toMatchObject({ node: 1, startMs: 0, endMs: 5 });
  });

  test("leaves out nodes where a task cannot run, and refuses one that can run nowhere", () => {
    const shop = shopOf(
      [
        { slots: 1, speed: 4 },
        { slots: 1, speed: 1 },
      ],
      [{ workMs: 10, needs: [], wayMs: 0 }],
    );
    const heavy = {
      ...shop,
      cost: (task: number, kind: number) => (kind === 0 ? Infinity : shop.cost(task, kind)),
    };
    expect(heft(heavy).placements[0]).toMatchObject({ node: 1, endMs: 10 });
    expect(() => heft({ ...shop, cost: () => Infinity })).toThrow(RangeError);
  });
});
