import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import type { Command } from "../cli/command.ts";

const root = path.resolve(import.meta.dirname, "..");
const readme = readFileSync(path.join(root, "README.md"), "utf8");
const globalOptions = ["--home", "--json", "--help", "--version"];

/** The lines of all shell blocks, each as its words; `&&` begins a new one. */
const lines = [...readme.matchAll(/^```sh [\w-]+\n([\s\S]*?)^```$/gm)]
  .flatMap((block) => block[1]!.split(/\n|&&/))
  .map((line) => line.trim().split(/\s+/))
  .filter((words) => words[0] !== "");

/** Command lines named in the text itself. */
const inline = [...readme.matchAll(/`((?:cli\/swarmd|npm) [^`]+)`/g)].map((found) => found[1]!.split(/\s+/));

async function commandOf(name: string): Promise<Command | undefined> {
  const file = path.join(root, "cli/commands", `${name}.ts`);
  if (!existsSync(file)) return undefined;
  const module = (await import(file)) as Record<string, unknown>;
  return Object.values(module).find((value) => (value as Command | undefined)?.name === name) as
    | Command
    | undefined;
}

test("README shows the two quick starts and the walk by hand", () => {
  const text = lines.map((words) => words.join(" "));
  for (const line of ["npm ci", "npm start", "npm test", "cli/swarmd invite"]) expect(text).toContain(line);
  expect(lines.length).toBeGreaterThan(8);
});

for (const words of [...lines, ...inline].filter(([program]) => program === "cli/swarmd"))
  test(`README's \`${words.join(" ")}\` is a command, with its options`, async () => {
    const [, name, ...rest] = words;
    const command = await commandOf(name!);
    expect(command, `there is no command ${name}`).toBeDefined();
    const known = [
      ...globalOptions,
      ...(command!.options ?? []).map((option) => option.flags.split(/[ ,]/)[0]!),
    ];
    expect(known).toEqual(expect.arrayContaining(rest.filter((word) => word.startsWith("--"))));
    for (const file of rest.filter((word) => word.endsWith(".yaml")))
      expect(existsSync(path.join(root, file))).toBe(true);
  });

test("README's npm scripts are scripts", () => {
  const { scripts } = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8")) as {
    scripts: Record<string, string>;
  };
  const named = [...lines, ...inline]
    .filter(([program]) => program === "npm")
    .map(([, verb, script]) => (verb === "run" ? script! : verb!))
    .filter((verb) => verb !== "ci");
  expect(named.length).toBeGreaterThan(1);
  expect(Object.keys(scripts)).toEqual(expect.arrayContaining(named));
});

test("the places that README sends a line to are there", () => {
  const table = readme.slice(readme.indexOf("## Where does my line go?")).split(/\n## /)[0]!;
  const places = table
    .split("\n")
    .filter((line) => line.startsWith("| ") && !line.startsWith("| it |"))
    .flatMap((line) => [...line.matchAll(/`([^`]+)`/g)].map((found) => found[1]!));
  expect(places.length).toBeGreaterThan(12);
  expect(places.filter((place) => !existsSync(path.join(root, place)))).toEqual([]);
});
