/**
 * What clients of earlier epochs still ask for stands in the folder of a new one too, under its name of content: so a plain web server that knows
 * `current` alone never answers them with a 404. Each epoch hands on what is its own, so that what was carried ends with its epoch.
 */
import { readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { byText } from "../../protocol/kernel/ids.ts";
import { codeOf } from "../files.ts";
import { linkOrCopy } from "./linking.ts";
import { makeFolders } from "./open-folders.ts";
import { isLasting } from "./served-path.ts";

/** Lists what a folder holds for others. No client is served it: its name begins with a dot. */
const listName = ".carried";
/** Where names of content are found in any format. */
const roots = ["blobs", "dists", "pool", "provenance"];

/** Links into `fresh`, a folder that nobody sees yet, what the folders of kept epochs have and it has not; the number of files. */
export async function carryOver(fresh: string, kept: readonly string[]): Promise<number> {
  const carried = new Set<string>();
  for (const folder of kept) {
    const others = new Set(((await textOf(path.join(folder, listName))) ?? "").split("\n"));
    for (const root of roots)
      for await (const name of filesBelow(folder, root)) {
        if (!isLasting(name) || others.has(name)) continue;
        await makeFolders(fresh, name);
        if (await linkOrCopy(path.join(folder, name), path.join(fresh, name))) carried.add(name);
      }
  }
  if (carried.size > 0)
    await writeFile(path.join(fresh, listName), `${[...carried].sort(byText).join("\n")}\n`, { flush: true });
  return carried.size;
}

async function* filesBelow(folder: string, inside: string): AsyncGenerator<string> {
  const entries = await readdir(path.join(folder, inside), { withFileTypes: true }).catch((cause) => {
    if (codeOf(cause) === "ENOENT" || codeOf(cause) === "ENOTDIR") return [];
    throw cause;
  });
  for (const entry of entries) {
    const name = `${inside}/${entry.name}`;
    if (entry.isDirectory()) yield* filesBelow(folder, name);
    else if (entry.isFile()) yield name;
  }
}

const textOf = (file: string): Promise<string | undefined> =>
  readFile(file, "utf8").catch((cause) => {
    if (codeOf(cause) === "ENOENT") return undefined;
    throw cause;
  });
