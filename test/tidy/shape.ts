/** The shape of a file: it says what it is, is of bearable length, exports by name, and leaves nothing for later. */
import type { Fault, Source, Tree } from "./source.ts";
import { walk } from "./source.ts";

const linesMax = 600;

/** Written by a generator, not by us. */
const generated = ["protocol/build/gen/"];

/** What no text may carry, wherever it stands. The words are taken apart, lest this file carries them itself. */
const bannedText: readonly (readonly [RegExp, string])[] = [
  [/\b(TO[D]O|FIX[M]E|X[X]X|HA[C]K)\b/, "do it, or write an issue"],
  [/\/wor[k]\/(main|shared)\b/, "a path of one machine"],
  [/registry\.np[m]js\.org/, "the name of a registry"],
];

export function shape(tree: Tree, sources: readonly Source[]): Fault[] {
  const faults: Fault[] = [];
  for (const source of sources) {
    const { path } = source;
    if (generated.some((folder) => path.startsWith(folder))) continue;
    const fault = (line: number, text: string) => faults.push({ path, line, rule: "shape", text });
    const name = path.split("/").at(-1)!;
    if (/^(index|utils?|helpers?|misc|common)\.ts$/.test(name))
      fault(1, `${name} says nothing: name the noun`);
    if (!/^[a-z0-9]+(-[a-z0-9]+)*(\.long)?(\.(test|config|d))?\.ts$/.test(name))
      fault(1, "file names are kebab-case");
    if (!name.endsWith(".test.ts") && !/^(#!.*\n)?\s*\/\*\*/.test(source.text))
      fault(1, "a file opens with a doc comment: one sentence that says what it is");
    const lines = source.text.split("\n").length;
    if (lines > linesMax) fault(linesMax, `${lines} lines: more than ${linesMax}, look for the second noun`);
    for (const node of source.program.body as { type: string; start: number; source?: unknown }[]) {
      if (node.type === "ExportDefaultDeclaration" && !name.endsWith(".config.ts"))
        fault(source.lineOf(node.start), "exports have names");
      if (node.type === "ExportAllDeclaration" || (node.type === "ExportNamedDeclaration" && node.source))
        fault(source.lineOf(node.start), "no barrels: import it from where it is");
    }
    for (const node of walk(source.program)) {
      if (node.type !== "CallExpression") continue;
      const callee = node.callee as { type: string; property?: { name?: string } };
      const method = callee.type === "MemberExpression" ? callee.property?.name : undefined;
      const line = source.lineOf(node.start);
      if (method === "localeCompare")
        fault(line, "localeCompare: order by kernel/ids byText, never by locale");
      if ((method === "sort" || method === "toSorted") && (node.arguments as unknown[]).length === 0)
        if (!path.startsWith("test/")) fault(line, `${method}(): say by what (kernel/ids byText)`);
    }
  }
  for (const [path, text] of tree)
    for (const [pattern, why] of bannedText) {
      const found = pattern.exec(text);
      if (found)
        faults.push({
          path,
          line: text.slice(0, found.index).split("\n").length,
          rule: "shape",
          text: `${found[0]}: ${why}`,
        });
    }
  return faults;
}
