/** Dependency order: every action behind all it depends on, otherwise in the order given; or the cycle that forbids it. */
import type { ActionName } from "../kernel/ids.ts";
import type { FileSet, GraphAction } from "./graph.ts";

/** For each action the places in the list of those it depends on, ascending, each once. */
export function dependencyIndexes(actions: readonly GraphAction[], sets: readonly FileSet[]): number[][] {
  const byName = new Map(actions.map((action, i) => [action.name, i]));
  return actions.map((action) => {
    const indexes = new Set<number>();
    for (const set of action.inputs) {
      const from = sets[set]?.from;
      const index = from === undefined ? undefined : byName.get(from);
      if (index !== undefined) indexes.add(index);
    }
    return [...indexes].sort((a, b) => a - b);
  });
}

/** The actions in dependency order, or a cycle: each one takes an output of the next, the last one of the first. */
export function order(
  actions: readonly GraphAction[],
  sets: readonly FileSet[],
): GraphAction[] | { readonly cycle: readonly ActionName[] } {
  const dependencies = dependencyIndexes(actions, sets);
  const ordered: GraphAction[] = [];
  const state = new Uint8Array(actions.length); // 0 not seen, 1 on the path, 2 placed
  for (let root = 0; root < actions.length; root++) {
    if (state[root] !== 0) continue;
    // An own stack: a chain of actions may be longer than the engine's.
    const path = [{ index: root, next: 0 }];
    state[root] = 1;
    for (let top = path.at(-1); top; top = path.at(-1)) {
      const dependency = dependencies[top.index]![top.next++];
      if (dependency === undefined) {
        state[top.index] = 2;
        ordered.push(actions[top.index]!);
        path.pop();
      } else if (state[dependency] === 1) {
        const from = path.findIndex((step) => step.index === dependency);
        return { cycle: path.slice(from).map((step) => actions[step.index]!.name) };
      } else if (state[dependency] === 0) {
        state[dependency] = 1;
        path.push({ index: dependency, next: 0 });
      }
    }
  }
  return ordered;
}
