/** Links inside a folder that was made: where they lead, and that they stay inside, whatever else lies there. */
import { isFileName } from "./path.ts";

const linkCharsMax = 4096;
const hopsMax = 40;

/**
 * Where a link at `path` (relative to the folder's root) leads, relative to the root too. Undefined when it may leave the root: only at its
 * beginning may a target go up, through folders that are none but what they are called.
 */
export function leadsTo(path: string, target: string): string | undefined {
  if (target === "" || target.length > linkCharsMax || target.startsWith("/")) return undefined;
  const at = path.split("/").slice(0, -1);
  const steps = target.replace(/\/+$/, "").split("/");
  while (steps[0] === ".." || steps[0] === ".") {
    if (steps[0] === ".." && at.pop() === undefined) return undefined;
    steps.shift();
  }
  if (steps.length === 0 || !steps.every(isFileName)) return undefined;
  return [...at, ...steps].join("/");
}

/** The entry that a path stands for, links followed; undefined when that is none of `entries`. */
export function through<T extends { readonly link?: string }>(
  entries: ReadonlyMap<string, T>,
  path: string,
): T | undefined {
  let at: string | undefined = path;
  for (let hops = 0; at !== undefined && hops < hopsMax; hops++) {
    const entry = entries.get(at);
    if (entry?.link === undefined) return entry;
    at = leadsTo(at, entry.link);
  }
  return undefined;
}
