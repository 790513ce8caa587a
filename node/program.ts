/** Where this program lies, and in which form it runs: the sources of a clone, or the few files that `npm run build` makes of them. */
import { existsSync } from "node:fs";
import path from "node:path";

/** The folder that holds package.json, of a clone or of an installed package. */
export const programDir = findProgramDir(import.meta.dirname);

const isBuilt = path.extname(import.meta.filename) === ".js";

/** What `npm run build` makes: the program, the dashboard, and the dashboard for Cockpit. */
export const builtDir = path.join(programDir, "dist");

/** The file that another process or thread is started with; `source` is its path in the clone, without its ending. */
export const startedFrom = (source: string): string =>
  isBuilt ? path.join(builtDir, `${source}.js`) : path.join(programDir, `${source}.ts`);

function findProgramDir(from: string): string {
  for (let dir = from; ; dir = path.dirname(dir)) {
    if (existsSync(path.join(dir, "package.json"))) return dir;
    if (dir === path.dirname(dir)) throw new Error("broken installation: no package.json above the program");
  }
}
