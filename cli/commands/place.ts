/** `swarmd place BUILD ACTION NODE`: the action runs there and nowhere else, whatever the scheduler would choose. */
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { ActionName } from "../../protocol/kernel/ids.ts";
import type { Command } from "../command.ts";
import { selectBuild, selectNode } from "../select.ts";
import { carryOut, wordOptions } from "../word.ts";

export const place: Command = {
  name: "place",
  args: "<build> <action> [node]",
  description: "Let an action run on one node and on no other; it waits where that node cannot take it",
  options: [{ flags: "--clear", description: "Let it run wherever it suits again" }, ...wordOptions],
  examples: [
    "place leveldb link/db_test pc",
    'place leveldb link/db_test pc --reason "it has the fast disk"',
    "place leveldb link/db_test --clear",
  ],
  async run(context, [word, action, nodeWord], options) {
    const clear = options.clear === true;
    if (clear === (nodeWord !== undefined))
      throw new SwarmError("usage", clear ? "--clear takes no node" : "place takes a node, or --clear", {
        remedy: `the nodes: ${context.commandLine(["node", "list"])}`,
      });
    const { build } = await selectBuild(context.control, word!);
    const node = nodeWord === undefined ? undefined : selectNode(await context.control.nodes(), nodeWord);
    const there = node ? `on ${node.name} alone` : "wherever it suits";
    return carryOut(context, options, {
      is: () => `${action} of ${build} runs ${there}`,
      wouldBe: `${action} of ${build} would run ${there}`,
      ...(node ? { node: node.name } : {}),
      say: (how) =>
        context.control.debug(
          build,
          { op: "place", action: action as ActionName, ...(node ? { peer: node.peerId } : {}) },
          how,
        ),
    });
  },
};
