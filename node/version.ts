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
