/** `swarmd version`: what runs here. */
import type { Command } from "../command.ts";
import { isClone, projectDir, version as projectVersion } from "../project.ts";

export const version: Command = {
  name: "version",
  description: "Print the version",
  examples: ["version --json"],
  async run(context) {
    if (context.json)
      context.output.json({
        version: projectVersion,
        node: process.versions.node,
        project: projectDir,
        clone: isClone,
      });
    else context.output.line(`swarmd ${projectVersion} (node ${process.versions.node})`);
    return 0;
  },
};
