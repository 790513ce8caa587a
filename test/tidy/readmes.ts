/** Every folder has a README.md that names what is in it: each file and folder once, and nothing that is gone. */
import type { Fault, Tree } from "./source.ts";

const rooms = ["cli", "node", "protocol", "sim", "specs", "test"];

/** Folders of test/ that mirror no other folder; the mirrors are explained by the README of what they mirror. */
const testFolders = [
  "test",
  "test/bench",
  "test/contract",
  "test/e2e",
  "test/fuzz",
  "test/golden",
  "test/tidy",
];

/** A line of the list: `- \`name\`: what it is`, or a row of a table that begins so. Several names may share a line. */
const listed = /^(?:[-*]|\|) *((?:`[^`]+`(?:,| and| ·)? *)+)/;

export function readmes(tree: Tree): Fault[] {
  const folders = new Map<string, Set<string>>();
  for (const file of tree.keys()) {
    const parts = file.split("/");
    if (!rooms.includes(parts[0]!)) continue;
    for (let depth = 1; depth < parts.length; depth++) {
      const folder = parts.slice(0, depth).join("/");
      const items = folders.get(folder) ?? new Set();
      items.add(depth === parts.length - 1 ? parts[depth]! : `${parts[depth]}/`);
      folders.set(folder, items);
    }
  }
  return [...folders]
    .filter(([folder]) => isDescribed(folder))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([folder, items]) => faultsOf(folder, items, tree.get(`${folder}/README.md`)));
}

/** Pages that sources cite (`specs/store.md`) are there. */
export function citations(tree: Tree): Fault[] {
  const faults: Fault[] = [];
  for (const [path, text] of tree) {
    if (!path.endsWith(".ts") || path.startsWith("test/tidy")) continue;
    for (const found of text.matchAll(/\bspecs\/[\w./-]+\.md\b/g))
      if (!tree.has(found[0]))
        faults.push({
          path,
          line: text.slice(0, found.index).split("\n").length,
          rule: "citations",
          text: `${found[0]} is not there`,
        });
  }
  return faults;
}

function isDescribed(folder: string): boolean {
  if (/(^|\/)(gen|fixtures)(\/|$)|^specs\/examples\/./.test(folder)) return false;
  return !folder.startsWith("test") || testFolders.includes(folder);
}

function faultsOf(folder: string, items: ReadonlySet<string>, text: string | undefined): Fault[] {
  const path = `${folder}/README.md`;
  if (text === undefined)
    return [{ path, line: 1, rule: "readmes", text: "the folder says nothing of itself: write one" }];
  const faults: Fault[] = [];
  const named = new Set<string>();
  for (const [at, line] of text.split("\n").entries())
    for (const [, name] of (listed.exec(line)?.[1] ?? "").matchAll(/`([^`]+)`/g)) {
      if (!/^[\w.*-]+(\.\w+|\/)$/.test(name!) && !items.has(name!)) continue;
      if (named.has(name!))
        faults.push({ path, line: at + 1, rule: "readmes", text: `${name} is named twice` });
      named.add(name!);
      if (!items.has(name!) && !name!.includes("*"))
        faults.push({ path, line: at + 1, rule: "readmes", text: `${name} is not there` });
    }
  for (const item of items)
    if (item !== "README.md" && !named.has(item) && ![...named].some((name) => covers(name, item)))
      faults.push({ path, line: 1, rule: "readmes", text: `${item} is not named` });
  return faults;
}

/** `*.test.ts` and the like name a family. */
function covers(name: string, item: string): boolean {
  if (!name.includes("*")) return false;
  const [before, after] = name.split("*") as [string, string];
  return item.length >= name.length - 1 && item.startsWith(before) && item.endsWith(after);
}
