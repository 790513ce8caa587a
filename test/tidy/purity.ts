/** The pure room: protocol/ and sim/ have no clock, no randomness, no I/O and nothing that goes on later by itself. */
import { type Fault, type Source, type SyntaxNode, walk } from "./source.ts";

const pureRooms = ["protocol/", "sim/"];

/** Packages that compute and nothing else. */
const purePackages = new Set(["zod", "multiformats", "@bufbuild/protobuf", "yaml", "picomatch", "yjs"]);

/** Commands that live beside what they run: they read options, start threads and print, and decide nothing. */
const commands: ReadonlySet<string> = new Set(["sim/main.ts"]);

/** The doors of the pure room: file → the package it may use. */
const doors: Readonly<Record<string, string>> = { "protocol/kernel/digest.ts": "node:crypto" };

/** Global name → what to use. */
const bannedGlobals: Readonly<Record<string, string>> = {
  Date: "time comes with the input (Instant)",
  performance: "time comes with the input (Instant)",
  setTimeout: "return a deadline",
  setInterval: "return a deadline",
  setImmediate: "return an effect",
  queueMicrotask: "return an effect",
  Promise: "return an effect; its completion is an input",
  process: "what the process knows is given in (CoreConfig)",
  console: "decisions leave as events",
  fetch: "return an effect",
  WebSocket: "return an effect",
  crypto: "randomness is injected (kernel/random), hashes are in kernel/digest",
  Intl: "text is ordered by kernel/ids byText",
  WeakRef: "what the collector does is not replayable",
  FinalizationRegistry: "what the collector does is not replayable",
  globalThis: "name what is used",
  require: "import it",
};

const bannedMembers: Readonly<Record<string, string>> = {
  "Math.random": "randomness is injected (kernel/random)",
  "process.env": "what the process knows is given in (CoreConfig)",
};

export function purity(sources: readonly Source[]): Fault[] {
  return sources
    .filter((source) => pureRooms.some((room) => source.path.startsWith(room)))
    .filter((source) => !commands.has(source.path))
    .flatMap(impurities);
}

function impurities(source: Source): Fault[] {
  const faults: Fault[] = [];
  const fault = (line: number, text: string) =>
    faults.push({ path: source.path, line, rule: "purity", text });
  for (const { kind, target, line } of source.imports)
    if (kind === "package" && !purePackages.has(target) && doors[source.path] !== target)
      fault(line, `${target} is not for the pure room`);
  const bound = bindingsOf(source.program);
  const written = writtenDates(source.program);
  for (const node of walk(source.program, isReference)) {
    const line = source.lineOf(node.start);
    if (node.type === "AwaitExpression" || (node.type === "ForOfStatement" && node.await === true))
      fault(line, "await: return an effect; its completion is an input");
    if (node.async === true) fault(line, "async: return an effect; its completion is an input");
    if (node.type === "ImportExpression") fault(line, "import() loads later: import it at the top");
    if (node.type === "MemberExpression") {
      const name = `${nameOf(node.object)}.${nameOf(node.property)}`;
      if (Object.hasOwn(bannedMembers, name)) fault(line, `${name}: ${bannedMembers[name]}`);
    }
    if (node.type === "Identifier") {
      const name = nameOf(node)!;
      if (Object.hasOwn(bannedGlobals, name) && !bound.has(name) && !written.has(node))
        fault(line, `${name}: ${bannedGlobals[name]}`);
    }
  }
  return faults;
}

/** `new Date(ms).toISOString()` writes a given moment for people and reads no clock: its `Date` is no fault. */
function writtenDates(program: SyntaxNode): Set<unknown> {
  const dates = new Set<unknown>();
  for (const node of walk(program)) {
    const made = node.object as SyntaxNode | undefined;
    if (node.type !== "MemberExpression" || nameOf(node.property) !== "toISOString") continue;
    if (made?.type === "NewExpression" && (made.arguments as unknown[]).length === 1) dates.add(made.callee);
  }
  return dates;
}

const nameOf = (node: unknown): string | undefined => {
  const { type, name, value } = node as { type?: string; name?: string; value?: unknown };
  return type === "Literal" && typeof value === "string" ? value : name;
};

/** Leaves out types and the names of members, neither of which reaches for a global. */
function isReference(node: SyntaxNode, parent: SyntaxNode | undefined, field: string): boolean {
  if (/^TS(Type|Interface|.*(Keyword|Type|Signature)$)/.test(node.type) && node.type !== "TSTypeAssertion")
    return false;
  if (node.type !== "Identifier" || !parent || parent.computed === true) return true;
  if (parent.type === "MemberExpression") return field !== "property";
  if (/^(Property|PropertyDefinition|MethodDefinition)$/.test(parent.type))
    return field !== "key" || parent.shorthand === true;
  return !/^(ImportSpecifier|ExportSpecifier|LabeledStatement|BreakStatement|ContinueStatement)$/.test(
    parent.type,
  );
}

/** Names the file itself declares at any depth; they hide the global of that name. */
function bindingsOf(program: SyntaxNode): Set<string> {
  const names = new Set<string>();
  const bind = (pattern: unknown): void => {
    const node = pattern as SyntaxNode | null | undefined;
    if (!node) return;
    if (node.type === "Identifier") names.add(node.name as string);
    if (node.type === "AssignmentPattern") bind(node.left);
    if (node.type === "RestElement") bind(node.argument);
    if (node.type === "ArrayPattern") (node.elements as unknown[]).forEach(bind);
    if (node.type === "ObjectPattern")
      for (const property of node.properties as SyntaxNode[])
        bind(property.type === "RestElement" ? property : property.value);
  };
  for (const node of walk(program)) {
    if (node.type === "VariableDeclarator") bind(node.id);
    if (/^(Function|Class)(Declaration|Expression)$/.test(node.type)) bind(node.id);
    if (Array.isArray(node.params)) node.params.forEach(bind);
    if (node.type === "CatchClause") bind(node.param);
    if (/^Import(Default|Namespace)?Specifier$/.test(node.type)) bind(node.local);
  }
  return names;
}
