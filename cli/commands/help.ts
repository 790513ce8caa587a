/** `swarmd help [command]`. */
import type { Command } from "../command.ts";

export const help: Command = {
  name: "help",
  args: "[command]",
  description: "Explain a command",
  examples: ["help submit"],
  async run(context, [command]) {
    await context.help(command);
    return 0;
  },
};
