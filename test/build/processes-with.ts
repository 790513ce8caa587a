/** Finding processes of a test by a word in their arguments. */
import { readdirSync, readFileSync } from "node:fs";

/** Pids of live processes with `mark` in their arguments. */
export function processesWith(mark: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    if (!/^[0-9]+$/.test(pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(mark);
    } catch {
      return false; // gone meanwhile
    }
  });
}
