/** What a command is: its name, its options, and what it does with them. Commands know nothing of how arguments are parsed. */
import type { Control } from "../node/control/api.ts";
import type { Output } from "./output.ts";

export interface CommandOption {
  /** `--detach`, or `--to <dir>` for one that takes a value. */
  readonly flags: string;
  readonly description: string;
}

/** Option name in camel case → true for a flag, else every value given, as text. */
export type Options = Readonly<Record<string, true | readonly string[] | undefined>>;

export interface Context {
  /** Absolute. */
  readonly home: string;
  readonly json: boolean;
  readonly output: Output;
  /** The daemon of the home; nothing is connected before the first call. */
  readonly control: Control;
  /** A command line to copy: the program, the arguments, and `--home` where the home is not the default one. */
  commandLine(args: readonly string[]): string;
  /** Runs another command line on the same home, as if it had been typed; its exit code. */
  run(args: readonly string[]): Promise<number>;
  /** Prints the help of a command, or of all. */
  help(command?: string): Promise<void>;
}

export interface Command {
  readonly name: string;
  /** As in a usage line: `<build> [paths...]`. */
  readonly args?: string;
  readonly description: string;
  readonly options?: readonly CommandOption[];
  /** Without the program's name; each is tried by a test for its form. */
  readonly examples?: readonly string[];
  /** Answers with the exit code. Throws `SwarmError` for what is refused. */
  run(context: Context, args: readonly string[], options: Options): Promise<number>;
}

/** The last value of an option; undefined when it was not given. */
export function optionText(options: Options, name: string): string | undefined {
  const value = options[name];
  return value === undefined || value === true ? undefined : value.at(-1);
}

/** Every value of an option, a comma between several counting as a new one. */
export function optionList(options: Options, name: string): string[] | undefined {
  const value = options[name];
  if (value === undefined || value === true) return undefined;
  return value.flatMap((item) => item.split(",")).filter((item) => item !== "");
}
