/** The version of this program, as its package says. */
import { readFileSync } from "node:fs";
import path from "node:path";

/** The package stands one folder above a clone's `node/`, two above `dist/node/`. */
function readVersion(): string {
  for (const up of ["..", "../.."]) {
    try {
      const text = readFileSync(path.join(import.meta.dirname, up, "package.json"), "utf8");
      const { name, version } = JSON.parse(text) as { name?: string; version?: string };
      if (name === "swarmd" && version !== undefined) return version;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
  throw new Error("package.json of swarmd is not where it should be");
}

export const version: string = readVersion();
