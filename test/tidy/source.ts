/** One source file as the tidy rules see it: its imports, its comments and its syntax tree, read by a real parser. */
import path from "node:path";
import { parseSync } from "oxc-parser";

/** A broken rule: where, which, and what to do instead. `line` counts from 1. */
export interface Fault {
  readonly path: string;
  readonly line: number;
  readonly rule: string;
  readonly text: string;
}

/** Text of every file, by path from the project's root with `/`. */
export type Tree = ReadonlyMap<string, string>;

interface Import {
  /** A path in the tree, or the name of a package (`node:fs`, `@scope/name`), without what follows it. */
  readonly target: string;
  readonly specifier: string;
  readonly kind: "file" | "package";
  /** Nothing of it is left when the program runs. */
  readonly typeOnly: boolean;
  /** Read when the line is reached, not with the file. */
  readonly later: boolean;
  readonly line: number;
}

/** A node of the syntax tree (ESTree with TypeScript's nodes beside it). */
export interface SyntaxNode {
  readonly type: string;
  readonly start: number;
  readonly [field: string]: unknown;
}

export interface Source {
  readonly path: string;
  readonly text: string;
  readonly program: SyntaxNode;
  readonly comments: readonly { readonly value: string; readonly line: number }[];
  readonly imports: readonly Import[];
  lineOf(offset: number): number;
}

const read = new WeakMap<Tree, Source[]>();

/** The TypeScript files of a tree, each read once. Throws for one that does not parse. */
export function sourcesOf(tree: Tree): Source[] {
  let sources = read.get(tree);
  if (!sources) {
    sources = [...tree]
      .filter(([file]) => file.endsWith(".ts"))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([file, text]) => readSource(file, text));
    read.set(tree, sources);
  }
  return sources;
}

function readSource(file: string, text: string): Source {
  const { program, comments, errors, module } = parseSync(file, text, { lang: "ts", sourceType: "module" });
  if (errors.length > 0) throw new Error(`${file}: ${errors[0]!.message}`);
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  const lineOf = (offset: number) => {
    let line = starts.length;
    while (starts[line - 1]! > offset) line--;
    return line;
  };
  const found: { specifier: string; typeOnly: boolean; later: boolean; line: number }[] = [];
  for (const one of module.staticImports)
    found.push({
      specifier: one.moduleRequest.value,
      typeOnly: one.entries.length > 0 && one.entries.every((entry) => entry.isType),
      later: false,
      line: lineOf(one.start),
    });
  for (const one of module.staticExports)
    for (const entry of one.entries)
      if (entry.moduleRequest)
        found.push({
          specifier: entry.moduleRequest.value,
          typeOnly: entry.isType,
          later: false,
          line: lineOf(one.start),
        });
  const root = program as unknown as SyntaxNode;
  for (const node of walk(root)) {
    const asked = node.type === "ImportExpression" || node.type === "TSImportType" ? node.source : undefined;
    const specifier = (asked as { value?: unknown } | undefined)?.value;
    if (typeof specifier === "string")
      found.push({
        specifier,
        typeOnly: node.type === "TSImportType",
        later: true,
        line: lineOf(node.start),
      });
  }
  return {
    path: file,
    text,
    program: root,
    comments: comments.map((comment) => ({ value: comment.value, line: lineOf(comment.start) })),
    imports: found.map((one) => ({ ...one, ...resolve(file, one.specifier) })),
    lineOf,
  };
}

/** Every node below `node` and itself, parents first; `enter` says which subtrees are worth a look. */
export function* walk(
  node: SyntaxNode,
  enter: (node: SyntaxNode, parent: SyntaxNode | undefined, field: string) => boolean = () => true,
  parent?: SyntaxNode,
  field = "",
): Generator<SyntaxNode> {
  if (!enter(node, parent, field)) return;
  yield node;
  for (const [name, value] of Object.entries(node)) {
    if (isNode(value)) yield* walk(value, enter, node, name);
    else if (Array.isArray(value))
      for (const item of value) if (isNode(item)) yield* walk(item, enter, node, name);
  }
}

const isNode = (value: unknown): value is SyntaxNode =>
  typeof value === "object" && value !== null && typeof (value as SyntaxNode).type === "string";

function resolve(file: string, specifier: string): { target: string; kind: Import["kind"] } {
  if (specifier.startsWith("."))
    return { kind: "file", target: path.posix.join(path.posix.dirname(file), specifier) };
  const parts = specifier.split("/");
  return { kind: "package", target: parts.slice(0, specifier.startsWith("@") ? 2 : 1).join("/") };
}
