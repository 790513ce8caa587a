/** `swarmd pause`: a build rests, or a node takes nothing new, until it is resumed. */
import type { Command } from "../command.ts";
import { selectBuildOrNode, selectLive } from "../select.ts";
import { carryOut, wordOptions } from "../word.ts";

export const pause: Command = {
  name: "pause",
  args: "[build|node]",
  description: "Let a build rest, or a node take nothing new; what runs is finished",
  options: wordOptions,
  examples: ["pause", "pause leveldb", 'pause pc --reason "it is needed for a talk"'],
  async run(context, [word], options) {
    const what =
      word === undefined
        ? { build: await selectLive(context, ({ state }) => state === "running", "paused") }
        : await selectBuildOrNode(context.control, word);
    const name = "node" in what ? what.node.name : what.build.build;
    return carryOut(context, options, {
      is: () => `${name} is paused`,
      wouldBe: `${name} would be paused`,
      ...("node" in what ? { node: name } : {}),
      say: (how) =>
        "node" in what
          ? context.control.operate({ op: "pause", peer: what.node.peerId }, how)
          : context.control.control(what.build.build, "pause", how),
    });
  },
};
