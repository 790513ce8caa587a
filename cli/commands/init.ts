/** `swarmd init`: founds a swarm with this machine as its first member. */
import path from "node:path";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { type Command, optionText } from "../command.ts";

export const init: Command = {
  name: "init",
  description: "Found a swarm; this machine is its first member",
  options: [
    { flags: "--name <name>", description: "Name of this node (this machine's name)" },
    { flags: "--swarm <name>", description: "Name of the swarm (the node's name)" },
  ],
  examples: ["init", "init --name pc --swarm cupboard"],
  async run(context, _, options) {
    const { createHome, findHome, foundSwarm } = await import("../../node/home.ts");
    const { loadConfig } = await import("../../node/config.ts");
    const known = await findHome(context.home);
    if (known?.swarm)
      throw new SwarmError("already-a-member", `${known.dir} is a member of the swarm ${known.swarm.name}`, {
        remedy: `start its daemon: ${context.commandLine(["run"])}; for another swarm use another --home`,
      });
    const { name } = await loadConfig({
      file: path.join(context.home, "config.yaml"),
      env: process.env,
      flags: { name: optionText(options, "name") },
    });
    const made = await createHome(context.home, { name });
    const { home, rootKeyFile } = await foundSwarm(made, { name: optionText(options, "swarm") ?? made.name });
    const { output } = context;
    if (context.json) {
      output.json({
        swarm: home.swarm,
        node: { name: home.name, peerId: home.identity.peer },
        home: home.dir,
        rootKeyFile,
      });
      return 0;
    }
    output.line(`founded the swarm ${home.swarm?.name}; this node is ${home.name}`);
    output.line();
    output.line(`its root key is ${rootKeyFile}:`);
    output.line("it is needed only to rescue the swarm; move it to where it is safe and offline");
    output.line();
    output.line(`start the daemon:  ${context.commandLine(["run"])}`);
    output.line(`let others join:   ${context.commandLine(["invite"])}, then there: swarmd join TICKET`);
    return 0;
  },
};
