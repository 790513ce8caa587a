/** Finding processes of a test by a word in their arguments. */
import { randomInt } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";

/** A word that no other process has in its arguments, nor a part of one: seconds for `sleep`. */
export const newMark = (): string => `${randomInt(10 ** 11, 10 ** 12)}`;

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
