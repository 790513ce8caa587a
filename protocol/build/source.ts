/** The text of a spec as plain data that remembers where everything stands: YAML, bounded, without surprises. */
import {
  type Alias,
  Composer,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Node,
  Parser,
  type Scalar,
  visit,
  YAMLParseError,
} from "yaml";
import { type Place, type Problem, SpecError, type Trouble } from "./problem.ts";

export const specBytesMax = 1 << 20;
const nodesMax = 200_000;
const nodesByAliasMax = 10_000;
const tokensMax = 400_000;
const depthMax = 16;
/** Characters that separate parts. */
const charMarksMax = 160_000;
/** Lines of which each is indented deeper than the one before, block texts included. */
const indentsMax = 64;
/** Indicators (`-`, `?`, `:`, anchors, tags) in one line outside of brackets. */
const marksMax = 64;

/** Where a value stands in the data: keys and indexes from the top. */
export type DataPath = readonly (string | number)[];

/** Where every value and key of a document stands; found when asked, for most specs have no problem. */
interface Places {
  valueAt(path: DataPath): Place | undefined;
  keyAt(path: DataPath): Place | undefined;
}

export class Source {
  readonly file: string;
  readonly data: unknown;
  private readonly places: Places;

  constructor(file: string, data: unknown, places: Places) {
    this.file = file;
    this.data = data;
    this.places = places;
  }

  /** Where a value begins; for a path that is not there, the nearest one above it. */
  placeOf(path: DataPath): Place {
    for (let length = path.length; length >= 0; length--) {
      const place = this.places.valueAt(path.slice(0, length));
      if (place) return place;
    }
    return { line: 1, column: 1 };
  }

  /** Where a key of a map begins; else as `placeOf`. */
  placeOfKey(path: DataPath): Place {
    return this.places.keyAt(path) ?? this.placeOf(path);
  }

  problem(place: Place, message: string, hint?: string): Problem {
    return { file: this.file, line: place.line, column: place.column, message, ...(hint ? { hint } : {}) };
  }
}

/** Reads YAML text (1.2, one document, plain data). `file` is only for messages. Throws `SpecError`. */
export function readSource(text: string, file: string): Source {
  const lines = new LineCounter();
  const at = (offset: number | undefined): Place => {
    const found = lines.linePos(offset ?? 0);
    return { line: Math.max(found.line, 1), column: Math.max(found.col, 1) };
  };
  const refuse = (place: Place, message: string, hint?: string): never => {
    throw new SpecError([{ file, ...place, message, ...(hint ? { hint } : {}) }]);
  };
  const top = { line: 1, column: 1 };
  if (text.length > specBytesMax || new TextEncoder().encode(text).length > specBytesMax)
    refuse(top, `the spec is larger than ${specBytesMax} bytes`, "split it into several specs");
  const crowd = crowdOf(text);
  const read = crowd ? { wild: crowd } : tokensOf(text);
  if ("wild" in read) throw new SpecError([{ file, ...read.wild }]);
  const doc = composed(read.tokens, text.length, lines);
  if (doc.errors.length > 0)
    throw new SpecError(
      doc.errors.slice(0, 100).map((error) => ({
        file,
        ...at(error.pos[0]),
        ...trouble(error.code, error.message),
      })),
    );

  const targets = targetsOf(doc, text);
  let nodes = 0;
  // Without aliases no value is shorter than a character: a short text that holds much is meant to.
  const nodesMost = Math.min(nodesMax, nodesByAliasMax + text.length);
  const plain = (node: Node | null, from: number | undefined, depth: number): unknown => {
    const offset = node?.range?.[0] ?? from;
    if (++nodes > nodesMost)
      refuse(
        at(offset),
        `the spec holds more than ${nodesMost} values`,
        "aliases count each time they are used",
      );
    if (depth > depthMax)
      refuse(at(offset), "the spec is nested too deep", `keep it within ${depthMax} levels`);
    if (node === null) return null;
    if (isAlias(node)) return plain(targets.get(node) ?? null, offset, depth + 1);
    if (node.tag !== undefined && !plainTags.has(node.tag))
      refuse(at(offset), `the tag ${node.tag} has no meaning in a spec`, "write the value without a tag");
    if (isScalar(node)) {
      const value = node.value ?? null;
      if (typeof value === "string" && !isPlainText(value))
        refuse(
          at(offset),
          "the text holds characters that no file can have",
          "no NUL, no half of a surrogate pair",
        );
      return typeof value === "bigint" ? Number(value) : value;
    }
    if (isSeq(node)) return node.items.map((item) => plain(item as Node, offset, depth + 1));
    if (!isMap(node)) return refuse(at(offset), "only maps, lists and plain values make a spec");
    const map: Record<string, unknown> = {};
    for (const { key, value } of node.items) {
      const keyOffset = isScalar(key) && key.range ? key.range[0] : offset;
      if (!isScalar(key)) return refuse(at(keyOffset), "a key must be plain text");
      const name = nameOf(key);
      if (!isPlainText(name)) refuse(at(keyOffset), "the name holds characters that no file can have");
      if (name === "__proto__") refuse(at(keyOffset), "no key may be named __proto__");
      if (name === "<<") refuse(at(keyOffset), "merge keys are not part of YAML 1.2", "write the keys out");
      if (Object.hasOwn(map, name))
        refuse(at(keyOffset), `"${name}" stands here twice`, "rename or remove one of them");
      map[name] = plain(value as Node | null, keyOffset, depth + 1);
    }
    return map;
  };
  const data = plain(doc.contents, 0, 0);

  /** Walks from the top; `offset` is where the value, or in its absence the key above it, begins. */
  const walk = (path: DataPath): { offset: number | undefined; key?: number | undefined } | undefined => {
    let node: Node | null = doc.contents;
    let offset = node?.range?.[0] ?? 0;
    let key: number | undefined;
    for (const step of path) {
      for (let hops = 0; isAlias(node) && hops <= depthMax; hops++) node = targets.get(node) ?? null;
      if (isSeq(node) && typeof step === "number" && step < node.items.length)
        node = node.items[step] as Node | null;
      else if (isMap(node)) {
        const pair: { key: unknown; value: unknown } | undefined = node.items.find(
          (item) => isScalar(item.key) && nameOf(item.key) === String(step),
        );
        if (!pair) return undefined;
        key = (pair.key as Scalar).range?.[0];
        offset = key ?? offset;
        node = pair.value as Node | null;
      } else return undefined;
      offset = node?.range?.[0] ?? offset;
    }
    return { offset, key };
  };
  return new Source(file, data, {
    valueAt(path) {
      const found = walk(path);
      return found && at(found.offset);
    },
    keyAt(path) {
      const found = walk(path);
      return found?.key === undefined ? undefined : at(found.key);
    },
  });
}

const nameOf = (key: Scalar): string =>
  typeof key.value === "string" ? key.value : (key.source ?? String(key.value));

/** What each alias stands for: the last anchor of its name before it. The package looks through the whole document for each. */
function targetsOf(doc: Document.Parsed, text: string): Map<Alias, Node> {
  const anchors = new Map<string, Node>();
  const targets = new Map<Alias, Node>();
  if (!text.includes("&")) return targets;
  visit(doc, {
    Node(_, node) {
      if (isAlias(node)) {
        const target = anchors.get(node.source);
        if (target) targets.set(node, target);
      } else if (node.anchor !== undefined) anchors.set(node.anchor, node);
    },
  });
  return targets;
}

/**
 * More structure than a spec can need, seen without reading it: what separates parts, and lines each deeper than the one before. To read
 * such a text, or only to split it, takes the better part of a second.
 */
function crowdOf(text: string): (Place & Trouble) | undefined {
  let marks = 0;
  let line = 1;
  const indents: number[] = [];
  for (let i = 0, start = true, indent = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (start) {
      if (code === 0x20) {
        indent++;
        continue;
      }
      start = false;
      if (code !== 0x0a && code !== 0x23) {
        while ((indents.at(-1) ?? -1) >= indent) indents.pop();
        if (indents.push(indent) > indentsMax)
          return {
            line,
            column: 1,
            message: "the spec is nested too deep",
            hint: `keep it within ${depthMax} levels`,
          };
      }
    }
    if (!isMark[code]) continue;
    if (++marks > charMarksMax)
      return { line, column: 1, message: "the spec has too many parts", hint: "split it into several specs" };
    if (code === 0x0a) {
      line++;
      start = true;
      indent = 0;
    }
  }
  return undefined;
}

/** Characters that begin or end a part: line feeds, brackets, quotes, commas, colons. */
const isMark = new Uint8Array(0x10000);
for (const char of "\n[]{},:\"'") isMark[char.charCodeAt(0)] = 1;

/** What the package's own `parseDocument` does, over tokens that are there: reading them twice takes a tenth of a second for a large spec. */
function composed(tokens: readonly string[], length: number, lines: LineCounter): Document.Parsed {
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  function* parsed() {
    for (const token of tokens) yield* parser.next(token);
    yield* parser.end();
  }
  // Keys are told apart when the document is read: the package compares each with all others.
  const composer = new Composer({ prettyErrors: false, version: "1.2", merge: false, uniqueKeys: false });
  let doc: Document.Parsed | undefined;
  for (const next of composer.compose(parsed(), true, length))
    if (!doc) doc = next;
    else {
      doc.errors.push(
        new YAMLParseError([next.range[0], next.range[1]], "MULTIPLE_DOCS", "several documents"),
      );
      break;
    }
  return doc!;
}

/**
 * The tokens of a text; or nesting and length in them beyond what a spec can need: the package composes documents recursively, and takes
 * seconds and gigabytes for what nobody means.
 */
function tokensOf(text: string): { tokens: string[] } | { wild: Place & Trouble } {
  let line = 1;
  let flow = 0;
  let marks = 0;
  const tokens: string[] = [];
  const wild = (message: string, hint: string) => ({ wild: { line, column: 1, message, hint } });
  for (const token of new Lexer().lex(text)) {
    const first = token[0];
    if (first === "\n" || first === "\r") marks = 0;
    else if (token === "[" || token === "{") flow++;
    else if (token === "]" || token === "}") flow--;
    else if (flow === 0 && (first === "&" || first === "!" || (token.length === 1 && "-?:".includes(token))))
      marks++;
    if (flow > depthMax || marks > marksMax)
      return wild("the spec is nested too deep", `keep it within ${depthMax} levels`);
    if (tokens.push(token) > tokensMax)
      return wild("the spec has too many parts", "split it into several specs");
    for (let at = token.indexOf("\n"); at >= 0; at = token.indexOf("\n", at + 1)) line++;
  }
  return { tokens };
}

const plainTags = new Set(
  ["str", "int", "float", "bool", "null", "map", "seq"].map((name) => `tag:yaml.org,2002:${name}`),
);

const isPlainText = (text: string): boolean => !text.includes("\0") && text.isWellFormed();

function trouble(code: string, text: string): Trouble {
  const message = text.split("\n", 1)[0]!.slice(0, 200);
  switch (code) {
    case "TAB_AS_INDENT":
      return { message, hint: "indent with spaces" };
    case "MULTIPLE_DOCS":
      return { message: "the file holds several documents", hint: "one file is one spec: remove the ---" };
    case "BAD_INDENT":
    case "MISSING_CHAR":
    case "UNEXPECTED_TOKEN":
    case "BLOCK_AS_IMPLICIT_KEY":
    case "MULTILINE_IMPLICIT_KEY":
      return {
        message,
        hint: 'check the indentation, and put text with ": ", "{", "*" or "#" in quotes',
      };
    default:
      // Thousands of lines, each indented deeper than the one before.
      if (message.includes("call stack"))
        return { message: "the spec is nested too deep", hint: `keep it within ${depthMax} levels` };
      return { message, hint: "see specs/spec.md for how a spec is written" };
  }
}
