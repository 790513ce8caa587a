/** The project this program is a part of: a clone or an installed package, its version and its examples. */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

/** The folder that holds package.json. A clone runs cli/main.ts, a package dist/cli/main.js. */
export const projectDir = findProjectDir(path.dirname(fileURLToPath(import.meta.url)));

export const version: string = JSON.parse(
  readFileSync(path.join(projectDir, "package.json"), "utf8"),
).version;

/** Runs from a clone, and not from an installed package. */
export const isClone = existsSync(path.join(projectDir, "cli", "main.ts"));

/** The file that this process was started with, to start another. */
export const mainFile = path.join(projectDir, isClone ? "cli/main.ts" : "dist/cli/main.js");

/** A spec that comes with the project. */
export const exampleSpec = (name: string): string =>
  path.join(projectDir, "specs", "examples", `${name}.yaml`);

function findProjectDir(from: string): string {
  for (let dir = from; ; dir = path.dirname(dir)) {
    if (existsSync(path.join(dir, "package.json"))) return dir;
    if (dir === path.dirname(dir)) throw new Error("broken installation: no package.json above the program");
  }
}
