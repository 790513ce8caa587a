/** No two files import each other, not even through others, not even for types alone. */
import type { Fault, Source } from "./source.ts";

export function cycles(sources: readonly Source[]): Fault[] {
  return groupsOf(sources).map((group) => {
    const first = group[0]!;
    const inside = new Set(group);
    const entrance = sources
      .find((source) => source.path === first)!
      .imports.find((one) => inside.has(one.target));
    return {
      path: first,
      line: entrance?.line ?? 1,
      rule: "cycles",
      text: `these import each other: ${group.join(", ")}; move what they share below them`,
    };
  });
}

/** Strongly connected files, more than one each (Tarjan 1972), sorted. */
function groupsOf(sources: readonly Source[]): string[][] {
  const targets = new Map(
    sources.map((source) => [
      source.path,
      source.imports.filter((one) => one.kind === "file").map((one) => one.target),
    ]),
  );
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const stack: string[] = [];
  const groups: string[][] = [];
  const visit = (file: string) => {
    order.set(file, order.size);
    lowest.set(file, order.get(file)!);
    stack.push(file);
    for (const next of targets.get(file)!) {
      if (!targets.has(next)) continue;
      if (!order.has(next)) visit(next);
      else if (!stack.includes(next)) continue;
      lowest.set(file, Math.min(lowest.get(file)!, lowest.get(next)!));
    }
    if (lowest.get(file) !== order.get(file)) return;
    const group = stack.splice(stack.indexOf(file));
    if (group.length > 1 || targets.get(file)!.includes(file)) groups.push(group.sort());
  };
  for (const file of targets.keys()) if (!order.has(file)) visit(file);
  return groups;
}
