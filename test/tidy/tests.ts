/** Tests wait for what they wait for: no sleeps, no retries, no mocked modules, nothing left out by accident. */
import { type Fault, type Source, type SyntaxNode, walk } from "./source.ts";

/** Measurements, and the one place that knows how to wait. */
const exempt = (path: string): boolean => path.startsWith("test/bench/") || path === "test/patience.ts";

export function testManners(sources: readonly Source[]): Fault[] {
  const faults: Fault[] = [];
  for (const source of sources) {
    if (!source.path.startsWith("test/") || exempt(source.path)) continue;
    const fault = (line: number, text: string) =>
      faults.push({ path: source.path, line, rule: "tests", text });
    for (const node of walk(source.program)) {
      const line = source.lineOf(node.start);
      if (node.type === "CallExpression") {
        const name = dotted(node.callee as SyntaxNode);
        if (/(^|\.)setTimeout$/.test(name))
          fault(line, "no sleeps: wait for the condition (vi.waitFor, an event, a promise)");
        if (name === "Atomics.wait") fault(line, "no sleeps");
        if (/^vi\.(mock|doMock|hoisted)$/.test(name)) fault(line, "no mocked modules: pass a port");
        if (/^(test|it|describe)(\.\w+)*\.only$/.test(name)) fault(line, "only: the others would not run");
        if (/^(test|it|describe)(\.\w+)*\.(skip|todo)$/.test(name))
          fault(line, "skip: say when (skipIf) or take it out");
      }
      if (node.type === "ImportDeclaration" && sleeps(node))
        fault(line, "no sleeps: wait for the condition (vi.waitFor, an event, a promise)");
      if (node.type === "Property" && dotted(node.key as SyntaxNode) === "retry")
        fault(line, "no retries: a test that fails sometimes has found something");
    }
  }
  return faults;
}

/** Whether an import brings in timers that wait for time to pass. */
function sleeps(declaration: SyntaxNode): boolean {
  if (!/^(node:)?timers(\/promises)?$/.test((declaration.source as { value: string }).value)) return false;
  return (declaration.specifiers as { imported?: { name?: string } }[]).some(
    ({ imported }) =>
      imported === undefined || /^(setTimeout|setInterval|scheduler)$/.test(imported.name ?? ""),
  );
}

/** `a.b.c` of nested members; calls in between are looked through. */
function dotted(node: SyntaxNode): string {
  if (node.type === "Identifier") return node.name as string;
  if (node.type === "CallExpression") return dotted(node.callee as SyntaxNode);
  if (node.type !== "MemberExpression") return "";
  return `${dotted(node.object as SyntaxNode)}.${dotted(node.property as SyntaxNode)}`;
}
