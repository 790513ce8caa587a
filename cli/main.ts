#!/usr/bin/env node
/** The command line: finds the command that is meant, runs it, and ends with its exit code. The only door to cac. */
import path from "node:path";
import { type CAC, type Command as CacCommand, cac } from "cac";
import { controlClient } from "../node/control/client.ts";
import { defaultHomeDir, placesOf } from "../node/home-places.ts";
import { nearest } from "../protocol/build/nearest.ts";
import { errorCodes, SwarmError } from "../protocol/kernel/errors.ts";
import { asTyped, camelCase, flagOf, quoted, valuesOf, withDashes, withNegatives } from "./arguments.ts";
import { commandNamed, commandNames } from "./chapters.ts";
import type { Command, Context, Options } from "./command.ts";
import { everywhere, explain } from "./explaining.ts";
import { localNext, lookAtHome } from "./local.ts";
import { Output } from "./output.ts";

const output = new Output(process.stdout, process.stderr, process.env);

/** Runs one command line; the exit code. Never throws: what is refused is printed. */
async function main(typed: readonly string[]): Promise<number> {
  const argv = withNegatives(typed);
  const json = argv.includes("--json");
  let home = defaultHomeDir(process.env, process.getuid?.() ?? -1);
  try {
    // What is meant is among the words.
    const named = [...new Set(argv)].filter((word) => commandNames.includes(word));
    const commands = (await Promise.all(named.map(commandNamed))).filter((one) => one !== undefined);
    const parser = parserOf(commands);
    const { args: words, options } = parser.parse(["", "", ...withDashes(argv)], { run: false });
    const args = asTyped(words);
    const parsed = parser.matchedCommand;
    const homes = valuesOf(argv, "home");
    if (homes.at(-1) === "") throw new SwarmError("usage", "--home takes a folder");
    home = path.resolve(homes.at(-1) ?? home);
    if (options.help) {
      await explain(output, parsed?.name);
      return 0;
    }
    const context = contextOf(home, json);
    if (!parsed) {
      if (options.version || options.V)
        return (await commandNamed("version"))!.run(context, [], { local: true });
      if (args[0] === undefined) {
        checkOptions(parser, undefined, options);
        await explain(output);
        return 0;
      }
      throw unknownCommand(args[0]);
    }
    checkOptions(parser, parsed, options);
    checkNegations(parser, parsed, argv);
    parsed.checkOptionValue();
    parsed.checkRequiredArgs();
    parsed.checkUnusedArgs();
    const command = commands.find((one) => one.name === parsed.name)!;
    return await command.run(
      context,
      [...args, ...(options["--"] ?? [])],
      textOptions(parsed, argv, options),
    );
  } catch (thrown) {
    return complain(await explained(thrown, home), argv);
  }
}

function parserOf(commands: readonly Command[]): CAC {
  const parser = cac("swarmd");
  for (const { flags, description } of everywhere) parser.option(flags, description);
  for (const command of commands) {
    // The library has the dots of a list in front.
    const args = command.args?.replaceAll(/([[<])([a-z]+)\.\.\.([\]>])/g, "$1...$2$3");
    const added = parser.command(args ? `${command.name} ${args}` : command.name, command.description);
    for (const option of command.options ?? []) added.option(option.flags, option.description);
  }
  return parser;
}

function contextOf(home: string, json: boolean): Context {
  const usual = home === path.resolve(defaultHomeDir(process.env, process.getuid?.() ?? -1));
  return {
    home,
    json,
    output,
    control: controlClient(placesOf(home).controlSocket),
    commandLine: (args) =>
      [programName(), ...args, ...(usual ? [] : ["--home", shownPath(home)])].map(quoted).join(" "),
    run: (args) => main([...args, ...(usual ? [] : ["--home", home]), ...(json ? ["--json"] : [])]),
    help: async (command) => {
      if (command !== undefined && !commandNames.includes(command)) throw unknownCommand(command);
      await explain(output, command);
    },
  };
}

/** How the reader called us: the launcher's path where it is not the one that a bare `swarmd` finds. */
function programName(): string {
  const called = process.env.SWARMD_CALLED;
  if (!called) return "swarmd";
  const dir = path.resolve(path.dirname(called));
  const onPath = (process.env.PATH ?? "").split(":").some((one) => one !== "" && path.resolve(one) === dir);
  return onPath && path.basename(called) === "swarmd" ? "swarmd" : called;
}

/** The shorter of the absolute path and the one from here. */
function shownPath(dir: string): string {
  const relative = path.relative(process.cwd(), dir) || ".";
  return relative.length < dir.length && !relative.startsWith("../..") ? relative : dir;
}

function checkOptions(parser: CAC, command: CacCommand | undefined, options: Record<string, unknown>) {
  const known = [...(command?.options ?? []), ...parser.globalCommand.options];
  for (const name of Object.keys(options)) {
    if (name === "--" || known.some((option) => option.names.includes(name))) continue;
    const flag = flagOf(name);
    // Of one letter every other is the nearest.
    const best =
      name.length === 1
        ? undefined
        : nearest(
            flag,
            known.flatMap(({ names, negated }) =>
              names.map((one) => flagOf(negated ? camelCase(`no-${one}`) : one)),
            ),
          );
    throw new SwarmError("usage", `there is no option ${flag}${command ? ` for ${command.name}` : ""}`, {
      remedy: best
        ? `did you mean ${best}?`
        : `the options: swarmd ${command ? `${command.name} ` : ""}--help`,
    });
  }
  for (const option of known)
    for (const name of option.names)
      if (option.isBoolean && options[name] !== undefined && typeof options[name] !== "boolean")
        throw new SwarmError("usage", `${flagOf(name)} takes no value`);
}

/** The parser takes `--cache` where only `--no-cache` is an option, and `--no-json` where only `--json` is. */
function checkNegations(parser: CAC, command: CacCommand, argv: readonly string[]) {
  const options = [...command.options, ...parser.globalCommand.options];
  const end = argv.indexOf("--");
  for (const word of end < 0 ? argv : argv.slice(0, end)) {
    const [, no, name] = /^--(no-)?([a-z][a-z-]*)(?:=.*)?$/.exec(word) ?? [];
    if (name === undefined) continue;
    const negated = no !== undefined;
    const meant = options.find((option) => option.names.includes(camelCase(name)));
    if (!meant || meant.negated === negated) continue;
    if (options.some((option) => option.names.includes(camelCase(name)) && option.negated === negated))
      continue;
    throw new SwarmError("usage", `there is no option --${no ?? ""}${name} for ${command.name}`, {
      remedy: `did you mean --${negated ? "" : "no-"}${name}?`,
    });
  }
}

/** Values as they were written; flags as true. */
function textOptions(
  command: CacCommand,
  argv: readonly string[],
  options: Record<string, unknown>,
): Options {
  const texts: Record<string, true | readonly string[]> = {};
  for (const option of command.options) {
    if (options[option.name] === undefined) continue;
    if (option.negated) {
      // Known to the parser by what it turns off, to a command by its own name.
      if (options[option.name] === false) texts[camelCase(`no-${option.name}`)] = true;
      continue;
    }
    texts[option.name] = option.isBoolean ? true : valuesOf(argv, ...option.names);
  }
  return texts;
}

function unknownCommand(word: string): SwarmError {
  const best = nearest(word, commandNames);
  return new SwarmError("usage", `there is no command ${word}`, {
    remedy: best ? `did you mean swarmd ${best}?` : "the commands: swarmd --help",
  });
}

/** Without a daemon, what leads to one in this very home. */
async function explained(thrown: unknown, home: string): Promise<unknown> {
  if (!(thrown instanceof SwarmError) || thrown.code !== "daemon-unreachable") return thrown;
  if (!thrown.remedy?.includes("start it: swarmd run")) return thrown;
  const { command } = localNext(await lookAtHome(home).catch(() => ({})));
  const context = contextOf(home, false);
  return new SwarmError("daemon-unreachable", `no daemon answers for ${home}`, {
    remedy: command ? context.commandLine(command) : undefined,
    cause: thrown,
  });
}

/** Prints what went wrong; the exit code. */
function complain(thrown: unknown, argv: readonly string[]): number {
  if (thrown instanceof Error && thrown.name === "CACError") {
    const message = thrown.message.replaceAll("`", "");
    const named = argv.find((word) => commandNames.includes(word));
    const remedy = `how it is used: swarmd help${named === undefined ? "" : ` ${named}`}`;
    return complain(new SwarmError("usage", message, { remedy }), argv);
  }
  const known = thrown instanceof SwarmError;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  if (argv.includes("--json"))
    output.json({
      error: known ? { code: thrown.code, message, remedy: thrown.remedy } : { code: "fault", message },
    });
  output.note(`swarmd: ${message}`);
  if (known && thrown.remedy !== undefined) output.note(`→ ${thrown.remedy}`);
  if (process.env.SWARMD_DEBUG && thrown instanceof Error) output.note(thrown.stack ?? "");
  else if (!known) output.note("→ this is a fault of swarmd; SWARMD_DEBUG=1 shows where");
  return known ? errorCodes[thrown.code] : 70;
}

process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  // The reader of a pipe has left: nothing more to say.
  process.exit(error.code === "EPIPE" ? 0 : 70);
});
// Not by falling off the end: what a library forgot to close must not keep a person waiting.
process.exit(await main(process.argv.slice(2)));
