/** This program's version, as its package says: `0.1.0`, and behind a `+` the commit where it is known. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { builtCommit, commitOf } from "./commit.ts";
import { builtDir, programDir } from "./program.ts";

function readVersion(): string {
  const text = readFileSync(path.join(programDir, "package.json"), "utf8");
  const { version } = JSON.parse(text) as { version: string };
  const commit = commitOf(programDir) ?? builtCommit(builtDir);
  return commit === undefined ? version : `${version}+${commit}`;
}

export const version: string = readVersion();

/** `0.1.0+245ccb5d12`, as members say it, in its parts. */
export function partsOf(version: string): { number: string; commit?: string } {
  const [number = "", commit] = version.split("+");
  return { number, ...(commit ? { commit } : {}) };
}

/** Whether two programs are certainly not the same: a package that was made without git knows no commit, and may be of any. */
export function differ(one: string, other: string): boolean {
  const [a, b] = [partsOf(one), partsOf(other)];
  return a.number !== b.number || (a.commit !== b.commit && a.commit !== undefined && b.commit !== undefined);
}
