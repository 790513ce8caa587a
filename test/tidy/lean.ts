/** What every command reads before it does anything is little: packages that only some need are read by those, when they do. */
import type { Fault, Source } from "./source.ts";

const start = "cli/main.ts";
/** Each command is a process of its own: what stands here costs each of them its time. */
const light = ["cac", "modern-tar", "multiformats"];

export function lean(sources: readonly Source[]): Fault[] {
  const byPath = new Map(sources.map((source) => [source.path, source]));
  const importedBy = new Map<string, string | undefined>([[start, undefined]]);
  const faults: Fault[] = [];
  for (const file of importedBy.keys())
    for (const { target, kind, typeOnly, later, line } of byPath.get(file)?.imports ?? []) {
      if (typeOnly || later) continue;
      if (kind === "file") {
        if (!importedBy.has(target)) importedBy.set(target, file);
      } else if (!target.startsWith("node:") && !light.includes(target)) {
        const way: string[] = [];
        for (let at: string | undefined = file; at !== undefined; at = importedBy.get(at)) way.unshift(at);
        faults.push({
          path: file,
          line,
          rule: "lean",
          text: `every command reads ${target}, by ${way.join(" > ")}: import() one of them where it is used`,
        });
      }
    }
  return faults;
}
