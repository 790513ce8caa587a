/** `swarmd config`: the settings of this home's daemon: what holds and where it was said, what is wrong, a file to begin with. */
import { stat } from "node:fs/promises";
import path from "node:path";
import { placesOf } from "../../node/home-places.ts";
import {
  environmentNameOf,
  fallbackText,
  type Setting,
  settingKeys,
  settingOf,
  valueText,
} from "../../node/settings.ts";
import { nearest } from "../../protocol/build/nearest.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { flagOf } from "../arguments.ts";
import type { Command, Context } from "../command.ts";

/** Names in the environment that are ours and no settings. */
const otherNames = ["SWARMD_HOME", "SWARMD_DEBUG", "SWARMD_CALLED", "SWARMD_CPUS"];

export const config: Command = {
  name: "config",
  args: "<show|check|init> [file]",
  description:
    "Show the daemon's settings and where each was said, check them, or write a config.yaml to begin with",
  examples: ["config show", "config check", "config check other.yaml", "config init", "config show --json"],
  async run(context, [verb, file]) {
    if (verb === "check") return check(context, path.resolve(file ?? placesOf(context.home).config));
    if (file !== undefined)
      throw new SwarmError("usage", `config ${verb} takes no file`, {
        remedy: "swarmd config check FILE looks at a file of your choice",
      });
    if (verb === "show") return show(context, placesOf(context.home).config);
    if (verb === "init") return init(context, placesOf(context.home).config);
    const best = nearest(verb ?? "", ["show", "check", "init"]);
    throw new SwarmError("usage", `there is no command config ${verb}`, {
      remedy: best ? `did you mean config ${best}?` : "config show, config check, config init",
    });
  },
};

async function show(context: Context, file: string): Promise<number> {
  const { readSettings } = await import("../../node/config.ts");
  const { values, places, faults } = await readSettings({ file, env: process.env, flags: {} });
  const { output } = context;
  if (context.json) {
    const told = settingKeys.map((key) => [
      key,
      { value: values[key] ?? null, from: places.get(key) ?? "default" },
    ]);
    output.json({ file, settings: Object.fromEntries(told), faults });
  } else {
    output.table(
      [{ title: "SETTING" }, { title: "VALUE" }, { title: "FROM" }],
      settingKeys.map((key) => [
        key,
        valueText(values[key], settingOf(key).kind) || `(${fallbackText(key)})`,
        places.get(key) ?? "default",
      ]),
    );
    complain(context, faults);
  }
  return faults.length > 0 ? 2 : 0;
}

async function check(context: Context, file: string): Promise<number> {
  const { readSettings } = await import("../../node/config.ts");
  const there = await stat(file).catch(() => undefined);
  if (!there && file !== placesOf(context.home).config)
    throw new SwarmError("not-found", `there is no file ${file}`);
  const { faults } = await readSettings({ file, env: process.env, flags: {} });
  const found = [...faults, ...strangeNames(process.env)];
  const { output } = context;
  if (context.json) output.json({ file, faults: found });
  else if (found.length === 0)
    output.line(there ? `${file} is in order` : `there is no ${file}: every setting has its default`);
  else complain(context, found);
  return found.length > 0 ? 2 : 0;
}

/** Variables that look like settings and are none: a typing error would go unnoticed. */
function strangeNames(env: NodeJS.ProcessEnv) {
  const names = settingKeys.map(environmentNameOf);
  return Object.keys(env)
    .filter((name) => name.startsWith("SWARMD_") && !names.includes(name) && !otherNames.includes(name))
    .map((name) => {
      const best = nearest(name, names);
      return {
        place: name,
        message: "no setting has this name",
        ...(best === undefined ? {} : { remedy: `did you mean ${best}?` }),
      };
    });
}

function complain(
  { output }: Context,
  faults: readonly { readonly place: string; readonly message: string; readonly remedy?: string }[],
) {
  for (const { place, message, remedy } of faults) {
    output.note(`${place}: ${message}`);
    if (remedy !== undefined) output.note(`→ ${remedy}`);
  }
}

async function init(context: Context, file: string): Promise<number> {
  const { codeOf, giveToOwnerOf, makeFolder, reasonOf, writeFileOnce } = await import("../../node/files.ts");
  let written: boolean;
  try {
    makeFolder(context.home, 0o700);
    written = await writeFileOnce(file, commentedFile());
  } catch (cause) {
    if (cause instanceof SwarmError || codeOf(cause) === undefined) throw cause;
    throw new SwarmError("home-invalid", `${file} cannot be written: ${reasonOf(cause)}`, {
      remedy: "name a folder of your own: --home DIR",
      cause,
    });
  }
  if (!written)
    throw new SwarmError("refused", `${file} is there already`, {
      remedy: `what holds: ${context.commandLine(["config", "show"])}; to begin anew, remove it first`,
    });
  await giveToOwnerOf(context.home, file);
  if (context.json) context.output.json({ file });
  else context.output.line(`${file}: every setting with its default; take off the # where you want another`);
  return 0;
}

/** A config.yaml that says nothing yet: each setting commented out, with what it is for. */
export function commentedFile(): string {
  const lines = [
    "# Settings of the swarmd daemon of this home. A variable (SWARMD_SLOTS) overrides what stands here, a flag (--slots) overrides both.",
    "# Check it: swarmd config check; what holds, and where it was said: swarmd config show.",
  ];
  for (const key of settingKeys) {
    const { heading, text, otherwise, example, fallback, kind }: Setting = settingOf(key);
    if (heading !== undefined) lines.push("", `## ${heading}`);
    lines.push("", `# ${text}.${otherwise === undefined ? "" : ` Default: ${otherwise}.`}`);
    lines.push(`# ${environmentNameOf(key)}, ${flagOf(key)}`);
    lines.push(`#${key}: ${example ?? valueText(fallback, kind)}`);
  }
  return `${lines.join("\n")}\n`;
}
