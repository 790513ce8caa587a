/** The project this program is a part of: a clone or an installed package, its examples, and the file to start it with. */
import { existsSync } from "node:fs";
import path from "node:path";
import { programDir, startedFrom } from "../node/program.ts";

/** Runs from a clone, and not from an installed package. */
export const isClone = existsSync(path.join(programDir, "cli", "main.ts"));

/** The file that this process was started with, to start another. */
export const mainFile = startedFrom("cli/main");

/** A spec that comes with the project. */
export const exampleSpec = (name: string): string =>
  path.join(programDir, "specs", "examples", `${name}.yaml`);
