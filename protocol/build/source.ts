/** The text of a spec as plain data that remembers where everything stands: YAML, bounded, without surprises. */
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Node,
  parseDocument,
} from "yaml";
import { type Place, type Problem, SpecError, type Trouble } from "./problem.ts";

export const specBytesMax = 1 << 20;
const nodesMax = 200_000;
const tokensMax = 400_000;
const depthMax = 16;
/** Indicators (`-`, `?`, `:`, anchors, tags) in one line outside of brackets. */
const marksMax = 64;

/** Where a value stands in the data: keys and indexes from the top. */
export type DataPath = readonly (string | number)[];

export class Source {
  readonly file: string;
  readonly data: unknown;
  private readonly values: ReadonlyMap<string, Place>;
  private readonly keys: ReadonlyMap<string, Place>;

  constructor(
    file: string,
    data: unknown,
    values: ReadonlyMap<string, Place>,
    keys: ReadonlyMap<string, Place>,
  ) {
    this.file = file;
    this.data = data;
    this.values = values;
    this.keys = keys;
  }

  /** Where a value begins; for a path that is not there, the nearest one above it. */
  placeOf(path: DataPath): Place {
    for (let length = path.length; length >= 0; length--) {
      const place = this.values.get(keyOf(path.slice(0, length)));
      if (place) return place;
    }
    return { line: 1, column: 1 };
  }

  /** Where a key of a map begins; else as `placeOf`. */
  placeOfKey(path: DataPath): Place {
    return this.keys.get(keyOf(path)) ?? this.placeOf(path);
  }

  problem(place: Place, message: string, hint?: string): Problem {
    return { file: this.file, line: place.line, column: place.column, message, ...(hint ? { hint } : {}) };
  }
}

const keyOf = (path: DataPath): string => path.join("\0");

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
  const wild = excessOf(text);
  if (wild) throw new SpecError([{ file, ...wild }]);
  // Keys are told apart below: the package compares each with all others.
  const doc: Document.Parsed = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    version: "1.2",
    merge: false,
    uniqueKeys: false,
  });
  if (doc.errors.length > 0)
    throw new SpecError(
      doc.errors.slice(0, 100).map((error) => ({
        file,
        ...at(error.pos[0]),
        ...trouble(error.code, error.message),
      })),
    );

  const values = new Map<string, Place>();
  const keys = new Map<string, Place>();
  let nodes = 0;
  const plain = (node: Node | null, path: DataPath, from: Place, depth: number): unknown => {
    const place = node?.range ? at(node.range[0]) : from;
    values.set(keyOf(path), place);
    if (++nodes > nodesMax)
      refuse(place, `the spec holds more than ${nodesMax} values`, "aliases count each time they are used");
    if (depth > depthMax) refuse(place, "the spec is nested too deep", `keep it within ${depthMax} levels`);
    if (node === null) return null;
    if (isAlias(node)) return plain((node.resolve(doc) as Node | undefined) ?? null, path, place, depth + 1);
    if (node.tag !== undefined && !plainTags.has(node.tag))
      refuse(place, `the tag ${node.tag} has no meaning in a spec`, "write the value without a tag");
    if (isScalar(node)) {
      const value = node.value ?? null;
      if (typeof value === "string" && !isPlainText(value))
        refuse(
          place,
          "the text holds characters that no file can have",
          "no NUL, no half of a surrogate pair",
        );
      return typeof value === "bigint" ? Number(value) : value;
    }
    if (isSeq(node)) return node.items.map((item, i) => plain(item as Node, [...path, i], place, depth + 1));
    if (!isMap(node)) return refuse(place, "only maps, lists and plain values make a spec");
    const map: Record<string, unknown> = {};
    for (const { key, value } of node.items) {
      const keyPlace = isScalar(key) && key.range ? at(key.range[0]) : place;
      if (!isScalar(key)) return refuse(keyPlace, "a key must be plain text");
      const name = typeof key.value === "string" ? key.value : (key.source ?? String(key.value));
      if (!isPlainText(name)) refuse(keyPlace, "the name holds characters that no file can have");
      if (name === "__proto__") refuse(keyPlace, "no key may be named __proto__");
      if (name === "<<") refuse(keyPlace, "merge keys are not part of YAML 1.2", "write the keys out");
      if (Object.hasOwn(map, name))
        refuse(keyPlace, `"${name}" stands here twice`, "rename or remove one of them");
      keys.set(keyOf([...path, name]), keyPlace);
      map[name] = plain(value as Node | null, [...path, name], keyPlace, depth + 1);
    }
    return map;
  };
  return new Source(file, plain(doc.contents, [], top, 0), values, keys);
}

/**
 * Nesting and length beyond what a spec can need, seen by a scan of the text's tokens: the package composes documents recursively, and takes
 * seconds and gigabytes for what nobody means.
 */
function excessOf(text: string): (Place & Trouble) | undefined {
  let line = 1;
  let flow = 0;
  let marks = 0;
  let tokens = 0;
  for (const token of new Lexer().lex(text)) {
    const first = token[0];
    if (first === "\n" || first === "\r") marks = 0;
    else if (token === "[" || token === "{") flow++;
    else if (token === "]" || token === "}") flow--;
    else if (flow === 0 && (first === "&" || first === "!" || (token.length === 1 && "-?:".includes(token))))
      marks++;
    if (flow > depthMax || marks > marksMax)
      return {
        line,
        column: 1,
        message: "the spec is nested too deep",
        hint: `keep it within ${depthMax} levels`,
      };
    if (++tokens > tokensMax)
      return { line, column: 1, message: "the spec has too many parts", hint: "split it into several specs" };
    for (let at = token.indexOf("\n"); at >= 0; at = token.indexOf("\n", at + 1)) line++;
  }
  return undefined;
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
