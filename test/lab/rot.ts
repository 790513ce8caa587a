/** Which file of a blob store may rot: any but the plan of a build that no other disk has, for nobody could make that again. */
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { decodeGraph } from "../../protocol/build/graph.ts";

/** `at`, from 0 to 1, says which of them. Undefined where there is none. */
export async function rottable(
  store: string,
  others: readonly string[],
  at: number,
): Promise<string | undefined> {
  const found = await readdir(store, { recursive: true, withFileTypes: true });
  const files = found
    .filter((item) => item.isFile() && /^[0-9a-f]{62}$/.test(item.name))
    .map((item) => path.relative(store, path.join(item.parentPath, item.name)))
    .sort();
  const from = Math.floor(at * files.length);
  for (const file of [...files.slice(from), ...files.slice(0, from)])
    if (!(await isLastPlan(file, store, others))) return path.join(store, file);
  return undefined;
}

async function isLastPlan(file: string, store: string, others: readonly string[]): Promise<boolean> {
  const bytes = await readFile(path.join(store, file));
  try {
    decodeGraph(bytes);
  } catch {
    return false;
  }
  for (const other of others) {
    const there = await readFile(path.join(other, file)).catch(() => undefined);
    if (there?.equals(bytes)) return false;
  }
  return true;
}
