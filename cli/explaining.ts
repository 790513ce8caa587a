/** What the program says of itself: all commands, or one with its options and examples. */

import { partsOf, version } from "../node/version.ts";
import { chapters, commandNamed } from "./chapters.ts";
import type { Command, CommandOption } from "./command.ts";
import type { Output } from "./output.ts";

/** Options that every command takes. */
export const everywhere: readonly CommandOption[] = [
  {
    flags: "--home <dir>",
    description: "The home of the node ($SWARMD_HOME, else the system's place for state)",
  },
  { flags: "--json", description: "Answer in JSON" },
  { flags: "-h, --help", description: "Explain" },
  { flags: "-V, --version", description: "Print the version" },
];

/** Prints how one command is used; where no name is given, or one that no command has, which commands there are. */
export async function explain(output: Output, name?: string): Promise<void> {
  const command = await commandNamed(name);
  if (!command) {
    const all = await Promise.all(
      chapters.map(async ({ title, commands }) => ({
        title,
        commands: await Promise.all(Object.values(commands).map((load) => load())),
      })),
    );
    output.line(`swarmd ${partsOf(version).number}: a build farm without a server`);
    output.line("\nusage: swarmd <command> [options]\n");
    const width = Math.max(...all.flatMap(({ commands }) => commands.map((one) => usageOf(one).length)));
    for (const { title, commands } of all) {
      output.table(
        [{ title: title.toUpperCase() }, { title: "" }],
        commands.map((one) => [usageOf(one).padEnd(width), one.description]),
      );
      output.line();
    }
    output.line("Daily work: run swarmd status, do what it says, repeat.");
  } else {
    output.line(`${command.description}\n\nusage: swarmd ${usageOf(command)} [options]`);
  }
  output.line();
  output.table(
    [{ title: "OPTION" }, { title: "" }],
    [...(command?.options ?? []), ...everywhere].map(({ flags, description }) => [flags, description]),
  );
  if (command?.examples)
    output.line(`\nexamples:\n${command.examples.map((one) => `  swarmd ${one}`).join("\n")}`);
}

const usageOf = ({ name, args }: Command) => (args === undefined ? name : `${name} ${args}`);
