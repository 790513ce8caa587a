/** Programs of this machine, as actions find them. */
import { accessSync, constants } from "node:fs";
import path from "node:path";

/** Where the commands of actions are looked for, with and without a box; toolchains are probed along the same path. */
export const actionPath = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin";

/** The absolute path of a program on the path of actions. */
export function findProgram(name: string): string | undefined {
  for (const folder of actionPath.split(":")) {
    const file = executable(path.join(folder, name));
    if (file !== undefined) return file;
  }
  return undefined;
}

/** A path, if a program lies there. */
export function executable(file: string): string | undefined {
  try {
    accessSync(file, constants.X_OK);
    return file;
  } catch {
    return undefined;
  }
}
