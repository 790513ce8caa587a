/** The project this program is a part of: a clone or an installed package, its version and its examples. */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { programDir, startedFrom } from "../node/program.ts";

export const projectDir = programDir;

export const version: string = JSON.parse(
  readFileSync(path.join(projectDir, "package.json"), "utf8"),
).version;

/** Runs from a clone, and not from an installed package. */
export const isClone = existsSync(path.join(projectDir, "cli", "main.ts"));

/** The file that this process was started with, to start another. */
export const mainFile = startedFrom("cli/main");

/** A spec that comes with the project. */
export const exampleSpec = (name: string): string =>
  path.join(projectDir, "specs", "examples", `${name}.yaml`);
