/** The rules for known errors: those of the node's owner, then those that come with the project. Read anew at each question, so that a new one counts at once. */
import { readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { SpecError } from "../protocol/build/problem.ts";
import { readSource } from "../protocol/build/source.ts";
import { type Rule, rulesSchema } from "../protocol/explain/diagnosis.ts";
import { codeOf } from "./files.ts";
import { programDir } from "./program.ts";

const filesMax = 64;
const fileBytesMax = 256 << 10;

const own = path.join(programDir, "specs", "diagnosis");

/** Rules in order, and what of them cannot be read and why. Never throws. */
export async function readRules(folder?: string): Promise<{ rules: Rule[]; faults: string[] }> {
  const rules: Rule[] = [];
  const faults: string[] = [];
  for (const dir of [folder, own]) {
    if (dir === undefined) continue;
    let names: string[];
    try {
      names = (await readdir(dir)).filter((name) => name.endsWith(".yaml")).sort((a, b) => (a < b ? -1 : 1));
    } catch (error) {
      faults.push(`${dir}: ${codeOf(error) === "ENOENT" ? "there is no such folder" : String(error)}`);
      continue;
    }
    for (const name of names.slice(0, filesMax)) {
      const file = path.join(dir, name);
      const found = await readFileOf(file).catch((error: unknown) => String(error));
      if (typeof found === "string") faults.push(found);
      else rules.push(...found);
    }
    if (names.length > filesMax) faults.push(`${dir}: more than ${filesMax} files, the rest is left out`);
  }
  return { rules, faults };
}

/** Its rules, or what is wrong with it. */
async function readFileOf(file: string): Promise<Rule[] | string> {
  if ((await stat(file)).size > fileBytesMax) return `${file}: more than ${fileBytesMax} bytes`;
  try {
    const source = readSource(await readFile(file, "utf8"), file);
    const parsed = rulesSchema.safeParse(source.data);
    if (parsed.success) return parsed.data.rules;
    const [issue] = parsed.error.issues;
    const { line, column } = source.placeOf(issue!.path as (string | number)[]);
    return `${file}:${line}:${column}: ${issue!.path.join(".")}: ${issue!.message}`;
  } catch (error) {
    if (error instanceof SpecError) return error.message;
    throw error;
  }
}
