/** Actions that ask for more than any node has, and which node comes nearest: what plan warns of. */
import type { NodeView } from "../node/control/api.ts";
import type { GraphAction } from "../protocol/build/graph.ts";
import type { ActionName } from "../protocol/kernel/ids.ts";
import { shortfalls, whyNobody } from "../protocol/work/eligible.ts";

export interface Unfit {
  readonly actions: readonly ActionName[];
  readonly why: string;
}

/** Of the actions with `requires`, those that no live node fits for good, those of one kind together. */
export function unfitFor(actions: readonly GraphAction[], nodes: readonly NodeView[]): Unfit[] {
  const live = nodes.filter((n) => n.vitals && n.state !== "dead" && n.roles.includes("builder"));
  const kinds = new Map<string, ActionName[]>();
  const first = new Map<string, GraphAction>();
  for (const action of actions) {
    if (!action.requires) continue;
    const kind = JSON.stringify([action.group, action.requires]);
    kinds.set(kind, [...(kinds.get(kind) ?? []), action.name]);
    if (!first.has(kind)) first.set(kind, action);
  }
  return [...kinds].flatMap(([kind, names]) => {
    // Toolchains are resolved, or complained of, by themselves; whose work it is does not matter to what it requires.
    const action = { ...first.get(kind)!, toolchains: {} };
    const found = live.map((n) => ({
      name: n.name,
      shortfalls: shortfalls(n.vitals!, action, n.peerId).filter((s) => s.never),
    }));
    if (found.some((n) => n.shortfalls.length === 0)) return [];
    return [{ actions: names, why: whyNobody(found) }];
  });
}
