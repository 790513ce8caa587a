/** `swarmd version`: what is installed here, what the daemon runs, and what the other members run. */
import type { NodeView } from "../../node/control/api.ts";
import { programDir } from "../../node/program.ts";
import { differ, version as installed, partsOf } from "../../node/version.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { Command, Context } from "../command.ts";
import { plain } from "../output.ts";
import { isClone } from "../project.ts";
import { skewText, versionOf } from "../versions.ts";

export const version: Command = {
  name: "version",
  description: "Print the version, and those that the members of the swarm run",
  options: [{ flags: "--local", description: "Only what is installed here: no daemon is asked" }],
  examples: ["version", "version --local", "version --json"],
  async run(context, _, options) {
    const nodes = options.local ? [] : await nodesOf(context);
    const self = nodes.find(({ state }) => state === "self");
    const own = (self && versionOf(self)) ?? null;
    if (context.json)
      context.output.json({
        version: partsOf(installed).number,
        commit: partsOf(installed).commit ?? null,
        node: process.versions.node,
        project: programDir,
        clone: isClone,
        daemon: own,
        members: nodes.map((one) => {
          const { name, peerId, state } = one;
          const theirs = versionOf(one);
          return {
            name,
            peerId,
            state,
            version: theirs ? partsOf(theirs).number : null,
            commit: (theirs && partsOf(theirs).commit) ?? null,
          };
        }),
      });
    else {
      context.output.line(`swarmd ${installed} (node ${process.versions.node})`);
      if (nodes.length > 0) show(context, nodes, own);
    }
    return 0;
  },
};

/** None where no daemon runs. */
async function nodesOf(context: Context): Promise<readonly NodeView[]> {
  try {
    return await context.control.nodes();
  } catch (thrown) {
    if (thrown instanceof SwarmError && thrown.code === "daemon-unreachable") return [];
    throw thrown;
  }
}

/** A dash stands for what is not known: of a member that was not met since this daemon started. */
function show({ output, commandLine }: Context, nodes: readonly NodeView[], own: string | null) {
  output.line();
  output.table(
    [{ title: "NODE" }, { title: "STATE" }, { title: "VERSION" }, { title: "COMMIT" }],
    nodes.map((one) => {
      const theirs = versionOf(one);
      const { number, commit } = partsOf(plain(theirs ?? "-"));
      return [one.name, one.state, output.tone(theirs === own ? "good" : "note", number), commit ?? "-"];
    }),
  );
  const notes = [
    ...(own !== null && differ(own, installed)
      ? [
          `the daemon runs ${own}, installed is ${installed}: restart it: ${commandLine(["stop"])} && ${commandLine(["run", "--detach"])}`,
        ]
      : []),
    ...[skewText(nodes)].flatMap((text) => text ?? []),
  ];
  if (notes.length > 0) output.line();
  for (const note of notes) output.line(output.tone("note", plain(note)));
}
