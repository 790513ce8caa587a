/** Actions that ask for more than any node has, and which node comes nearest: what plan and submit warn of. */
import type { NodeView } from "../node/control/api.ts";
import type { Graph, GraphAction } from "../protocol/build/graph.ts";
import type { ActionName } from "../protocol/kernel/ids.ts";
import { shortfalls, whyNobody } from "../protocol/work/eligible.ts";
import type { Context } from "./command.ts";

export interface Unfit {
  readonly actions: readonly ActionName[];
  readonly why: string;
}

/**
 * Of the actions with `requires` or secrets, those that no live node fits for good, those of one kind together. `resolved`: their toolchains
 * are fingerprints that nodes offer, so that they count too.
 */
function unfitFor(actions: readonly GraphAction[], nodes: readonly NodeView[], resolved: boolean): Unfit[] {
  const live = nodes.filter((n) => n.vitals && n.state !== "dead" && n.roles.includes("builder"));
  const kinds = new Map<string, ActionName[]>();
  const first = new Map<string, GraphAction>();
  for (const action of actions) {
    if (!action.requires && !action.secrets) continue;
    const kind = JSON.stringify([action.group, action.requires, action.toolchains, action.secrets]);
    kinds.set(kind, [...(kinds.get(kind) ?? []), action.name]);
    if (!first.has(kind)) first.set(kind, action);
  }
  return [...kinds].flatMap(([kind, names]) => {
    // What could not be resolved is complained of by itself; whose work it is does not matter to what it requires.
    const action = { ...first.get(kind)!, ...(resolved ? {} : { toolchains: {} }) };
    const found = live.map((n) => ({
      name: n.name,
      shortfalls: shortfalls(n.vitals!, action, n.peerId).filter((s) => s.never),
    }));
    if (found.some((n) => n.shortfalls.length === 0)) return [];
    return [{ actions: names, why: whyNobody(found) }];
  });
}

/** As `unfitFor`, asking the daemon. Without one nobody knows what the nodes have: then nothing is said of it. */
export async function unfitOf(context: Context, graph: Graph, resolved: boolean): Promise<Unfit[]> {
  if (!graph.actions.some((action) => action.requires ?? action.secrets)) return [];
  const nodes = await context.control.nodes().catch(() => []);
  return nodes.length === 0 ? [] : unfitFor(graph.actions, nodes, resolved);
}

export const unfitText = ({ actions, why }: Unfit): string =>
  `${actions[0]}${actions.length > 1 ? ` and ${actions.length - 1} more` : ""}: ${why}`;

/** Of a build that was submitted: what will wait until the swarm has another node. */
export const waitingLines = async (context: Context, graph: Graph): Promise<string[]> =>
  (await unfitOf(context, graph, true)).map((one) => `waits: ${unfitText(one)}`);
