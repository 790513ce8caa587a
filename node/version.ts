/** This program's version, as its package says: `0.1.0`, and behind a `+` the commit where it is known. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { commitOf, packedCommit } from "./commit.ts";

/** The package stands one folder above a clone's `node/`, two above `dist/node/`. */
function readVersion(): string {
  for (const up of ["..", "../.."]) {
    const dir = path.join(import.meta.dirname, up);
    try {
      const text = readFileSync(path.join(dir, "package.json"), "utf8");
      const { name, version } = JSON.parse(text) as { name?: string; version?: string };
      if (name !== "swarmd" || version === undefined) continue;
      const commit = up === ".." ? commitOf(dir) : packedCommit(path.join(dir, "dist"));
      return commit === undefined ? version : `${version}+${commit}`;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
  throw new Error("package.json of swarmd is not where it should be");
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
