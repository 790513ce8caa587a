/** Which builds' results were fetched through this home: a short list beside the logs, so that status stops asking for it. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { type BuildId, isBuildId } from "../../protocol/kernel/ids.ts";
import { writeFileAtomic } from "../files.ts";

const buildsMax = 1000;

const fileOf = (home: string) => path.join(home, "logs", "fetched");

/** Empty when nothing was fetched, or the list cannot be read: it serves a hint, not a fact. */
export async function readFetched(home: string): Promise<Set<BuildId>> {
  const text = await readFile(fileOf(home), "utf8").catch(() => "");
  return new Set(text.split("\n").filter(isBuildId));
}

/** Remembers the last thousand. Two at once may forget one of them; fetching again mends it. */
export async function noteFetched(home: string, build: BuildId): Promise<void> {
  const known = await readFetched(home);
  known.delete(build);
  known.add(build);
  await writeFileAtomic(fileOf(home), `${[...known].slice(-buildsMax).join("\n")}\n`);
}
