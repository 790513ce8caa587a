/** `swarmd submit SPEC`: hands a build to the swarm and follows it. */
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { type Command, type CommandOption, type Options, optionText } from "../command.ts";
import { follow } from "../follow.ts";
import { pronounce } from "../verdict.ts";

export const priorityOption: CommandOption = {
  flags: "--priority <n>",
  description: "Before builds of lower priority, -100 to 100 (the spec's, else 0)",
};

/** Undefined when nothing is said: the spec's own holds. Throws `usage`. */
export function priorityOf(options: Options): number | undefined {
  const text = optionText(options, "priority");
  if (text === undefined) return undefined;
  if (!/^-?[0-9]{1,3}$/.test(text) || Math.abs(Number(text)) > 100)
    throw new SwarmError("usage", `--priority takes a number from -100 to 100, not ${text}`, {
      remedy: "--priority 10",
    });
  return Number(text);
}

export const setOption: CommandOption = {
  flags: "--set <name=value>",
  description: "Value of a variable of the spec; may be given several times",
};

/** The values that `--set` gives. Throws `usage`. */
export function valuesOf(options: Options): Map<string, readonly string[]> {
  const values = new Map<string, readonly string[]>();
  const given = options.set === true ? [] : (options.set ?? []);
  for (const item of given) {
    const [, name, value] = /^([A-Za-z_][A-Za-z0-9_]{0,31})=(.*)$/s.exec(item) ?? [];
    if (name === undefined || value === undefined)
      throw new SwarmError("usage", `--set takes name=value, not ${item}`, { remedy: "--set level=3" });
    values.set(name, [value]);
  }
  return values;
}

export const submit: Command = {
  name: "submit",
  args: "<spec>",
  description: "Submit a build and follow it; Ctrl-C leaves it running",
  options: [
    { flags: "--detach", description: "Do not follow it" },
    { flags: "--no-cache", description: "Run everything, also what is known of other builds" },
    priorityOption,
    setOption,
  ],
  examples: [
    "submit specs/examples/hello.yaml",
    "submit build.yaml --detach",
    "submit build.yaml --no-cache",
    "submit build.yaml --set mode=debug --set level=3",
  ],
  async run(context, [spec], options) {
    const priority = priorityOf(options);
    const { prepare, submit: hand } = await import("../submission.ts");
    const prepared = await prepare(context, spec!, valuesOf(options));
    const fresh = options.noCache !== undefined;
    const build = await hand(context, prepared, { ...(priority === undefined ? {} : { priority }), fresh });
    const { waitingLines } = await import("../unfit.ts");
    if (!context.json)
      for (const line of await waitingLines(context, prepared.graph)) context.output.note(line);
    if (options.detach) {
      if (context.json) context.output.json({ build });
      else {
        context.output.line(build);
        context.output.note(`follow it: ${context.commandLine(["watch", build])}`);
      }
      return 0;
    }
    const result = await follow(
      context,
      build,
      `submitted ${build}${fresh ? "; everything runs, the cache is not asked" : ""}`,
    );
    return result ? pronounce(context, result) : 130;
  },
};
