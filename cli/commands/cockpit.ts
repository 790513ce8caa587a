/** `swarmd cockpit`: the dashboard as a page of Cockpit, which brings it to browsers elsewhere under Cockpit's own login. */
import { builtForCockpit } from "../../node/gateway/assets.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { choiceOf } from "../choice.ts";
import { installInCockpit, packageFolder, removeFromCockpit } from "../cockpit.ts";
import { type Command, type Context, optionText } from "../command.ts";

export const cockpit: Command = {
  name: "cockpit",
  args: "<install|uninstall>",
  description: "Show the dashboard in Cockpit: root's for everybody, else your own",
  options: [
    { flags: "--port <n>", description: "The gateway's port on this machine (the running daemon's)" },
  ],
  examples: ["cockpit install", "cockpit install --port 4780", "cockpit uninstall"],
  async run(context, [word], options) {
    const verb = choiceOf("cockpit", word!, ["install", "uninstall"]);
    const folder = packageFolder(process.getuid?.() ?? -1, process.env);
    if (verb === "install") {
      const port = await portOf(context, optionText(options, "port"));
      await installInCockpit(builtForCockpit, folder, port);
      if (context.json) context.output.json({ folder, port });
      else {
        context.output.line(`${folder} is written; it reads the gateway at port ${port}`);
        context.output.line("Cockpit shows it under Tools: log out of Cockpit and in again");
      }
      return 0;
    }
    const removed = await removeFromCockpit(folder);
    if (context.json) context.output.json({ folder, removed });
    else context.output.line(removed ? `${folder} is removed` : `there is no ${folder}`);
    return 0;
  },
};

async function portOf(context: Context, given: string | undefined): Promise<number> {
  if (given !== undefined) {
    const port = /^[1-9][0-9]{0,4}$/.test(given) ? Number(given) : 0;
    if (port < 1 || port > 65_535)
      throw new SwarmError("usage", `--port takes a port, not ${given}`, { remedy: "--port 4780" });
    return port;
  }
  const { gateway, node } = await context.control.status();
  if (gateway === null)
    throw new SwarmError("not-found", `${node.name} runs without a gateway`, {
      remedy: `start it with one: ${context.commandLine(["run", "--gateway-listen", "127.0.0.1:4780"])}`,
    });
  return Number(new URL(gateway).port);
}
