/** `swarmd resume`: a build or a node that was paused, or a node that was drained, goes on. */
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { Command, Context } from "../command.ts";
import { selectBuildOrNode } from "../select.ts";
import { carryOut, wordOptions } from "../word.ts";

export const resume: Command = {
  name: "resume",
  args: "[build|node]",
  description: "Let a paused build, or a paused or drained node, go on",
  options: wordOptions,
  examples: ["resume", "resume leveldb", "resume pc"],
  async run(context, [word], options) {
    const what = word === undefined ? await onlyOne(context) : await selectBuildOrNode(context.control, word);
    const name = "node" in what ? what.node.name : what.build.build;
    return carryOut(context, options, {
      is: () => `${name} goes on`,
      wouldBe: `${name} would go on`,
      ...("node" in what ? { node: name } : {}),
      say: (how) =>
        "node" in what
          ? context.control.operate({ op: "resume", peer: what.node.peerId }, how)
          : context.control.control(what.build.build, "resume", how),
    });
  },
};

/** All that rests: a word is needed only where that is not one thing. */
async function onlyOne(context: Context): ReturnType<typeof selectBuildOrNode> {
  const [builds, nodes] = await Promise.all([context.control.builds(), context.control.nodes()]);
  const resting = [
    ...builds.filter(({ state }) => state === "paused").map((build) => ({ build })),
    ...nodes
      .filter(({ vitals }) => vitals?.limitedBy === "paused" || vitals?.limitedBy === "drained")
      .map((node) => ({ node })),
  ];
  if (resting.length === 1) return resting[0]!;
  if (resting.length === 0)
    throw new SwarmError("not-found", "nothing is paused or drained", {
      remedy: `what there is: ${context.commandLine(["status"])}`,
    });
  const names = resting.map((one) => ("node" in one ? one.node.name : one.build.build));
  throw new SwarmError("ambiguous", `these rest: ${names.join(", ")}`, {
    remedy: `say which: ${context.commandLine(["resume", names[0]!])}`,
  });
}
