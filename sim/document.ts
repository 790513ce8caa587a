/** A file that a person hands to the simulator, JSON or YAML: plain data checked against a schema, and every refusal at its line and column. */
import { z } from "zod";
import { nearest } from "../protocol/build/nearest.ts";
import { type Place, type Problem, SpecError, type Trouble } from "../protocol/build/problem.ts";
import { type DataPath, readSource, type Source } from "../protocol/build/source.ts";
import { SwarmError } from "../protocol/kernel/errors.ts";

/** Problems beyond these are counted, not listed. */
const problemsMax = 10;

export interface Document {
  /** As messages name it. */
  readonly file: string;
  /** What it is, in words: `workload`. */
  readonly what: string;
  readonly data: unknown;
  /** Where a value begins, or the nearest one above it. */
  placeOf(path: DataPath): Place;
  /** Where the key of a value begins. */
  placeOfKey(path: DataPath): Place;
}

/** Reads JSON of at most `charsMax` characters, or YAML of at most a mebibyte. Throws `spec-invalid` at a line and column, `too-large`. */
export function readDocument(text: string, file: string, what: string, charsMax: number): Document {
  if (text.length > charsMax)
    throw new SwarmError("too-large", `${file}: a ${what} of ${text.length} characters exceeds ${charsMax}`, {
      remedy: "split it, or leave out what the simulation does not need",
    });
  const data = jsonOf(text);
  if (data !== undefined)
    return {
      file,
      what,
      data,
      placeOf: (path) => placeAt(text, jsonOffset(text, path, false)),
      placeOfKey: (path) => placeAt(text, jsonOffset(text, path, true)),
    };
  const source = sourceOf(text, file, what);
  return {
    file,
    what,
    data: source.data,
    placeOf: (path) => source.placeOf(path),
    placeOfKey: (path) => source.placeOfKey(path),
  };
}

/** What a schema makes of a document. Throws `spec-invalid` with every problem at its place. */
export function checked<T>(document: Document, schema: z.ZodType<T>): T {
  const parsed = schema.safeParse(document.data);
  if (parsed.success) return parsed.data;
  throw refusal(
    document,
    parsed.error.issues.flatMap((issue) => problemsOf(document, issue, [], schema)),
  );
}

/** A refusal at one place. */
export function refusalAt(document: Document, path: DataPath, message: string, hint?: string): SwarmError {
  return refusal(document, [{ file: document.file, ...document.placeOf(path), message, hint }]);
}

/** `file:line:column: message`, one line per problem, in the order of the file. */
function refusal(document: Document, problems: readonly Problem[]): SwarmError {
  const sorted = [...problems].sort((a, b) => a.line - b.line || a.column - b.column);
  const lines = sorted
    .slice(0, problemsMax)
    .map((p) => `${p.file}:${p.line}:${p.column}: ${p.message}${p.hint ? `\n  hint: ${p.hint}` : ""}`);
  if (sorted.length > lines.length) lines.push(`and ${sorted.length - lines.length} more`);
  return new SwarmError("spec-invalid", lines.join("\n"), {
    remedy: `correct the ${document.what} and try again; its format is in specs/scenario.md`,
  });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** The YAML reader speaks of specs; here it is something else. */
function sourceOf(text: string, file: string, what: string): Source {
  try {
    return readSource(text, file);
  } catch (error) {
    if (!(error instanceof SpecError)) throw error;
    const named = (trouble: string) => trouble.replaceAll(/\b(the|a) spec\b/g, `$1 ${what}`);
    throw refusal(
      {
        file,
        what,
        data: undefined,
        placeOf: () => error.problems[0]!,
        placeOfKey: () => error.problems[0]!,
      },
      error.problems.map((p) => ({
        ...p,
        message: named(p.message),
        hint: p.hint?.includes("specs/spec.md") ? undefined : p.hint && named(p.hint),
      })),
    );
  }
}

/** What zod found, in words, at the places in the file. */
function problemsOf(
  document: Document,
  issue: z.core.$ZodIssue,
  above: DataPath,
  schema: z.ZodType,
): Problem[] {
  const path = [...above, ...(issue.path as (string | number)[])];
  const at = (place: Place, trouble: Trouble): Problem => ({ file: document.file, ...place, ...trouble });
  if (issue.code === "unrecognized_keys")
    return issue.keys.map((key) => {
      const best = nearest(key, wordsOf(schema));
      return at(document.placeOfKey([...path, key]), {
        message: `unknown key "${key}"`,
        hint: best === undefined ? "remove it" : `did you mean "${best}"?`,
      });
    });
  if (issue.code === "invalid_union") {
    // The branch that was meant: the one whose trouble lies deepest.
    const depth = (issues: readonly z.core.$ZodIssue[]) =>
      issues.reduce((deepest, one) => Math.max(deepest, one.path.length), 0);
    const branch = [...issue.errors].sort((a, b) => depth(b) - depth(a))[0];
    if (branch && depth(branch) > 0)
      return branch.flatMap((inner) => problemsOf(document, inner, path, schema));
  }
  const name = path.length === 0 ? `the ${document.what}` : path.join(".");
  return [at(document.placeOf(path), { message: `${name}: ${lowerFirst(issue.message)}` })];
}

const lowerFirst = (text: string) => text.slice(0, 1).toLowerCase() + text.slice(1);

/** Every key that the schema knows anywhere: a slip is near to one of them. */
function wordsOf(schema: z.ZodType): string[] {
  const words = new Set<string>();
  const look = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    for (const [key, inner] of Object.entries(value)) {
      if (key === "properties") for (const word of Object.keys(inner as object)) words.add(word);
      look(inner);
    }
  };
  look(z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }));
  return [...words];
}

/** Line and column of an offset, both from 1. */
function placeAt(text: string, offset: number): Place {
  const before = text.slice(0, offset);
  return { line: before.split("\n").length, column: offset - before.lastIndexOf("\n") };
}

const jsonString = /"[^"\\]*(?:\\.[^"\\]*)*"/y;
const jsonBlank = /\s*/y;

/** Where a value of valid JSON begins (or the key that names it); for a path that is not there, the nearest above it. */
function jsonOffset(text: string, path: DataPath, key: boolean): number {
  const take = (pattern: RegExp, from: number): number => {
    pattern.lastIndex = from;
    pattern.exec(text);
    return Math.max(from, pattern.lastIndex);
  };
  const skip = (from: number): number => {
    let depth = 0;
    for (let at = from; at < text.length; ) {
      const c = text[at]!;
      if (c === '"') at = take(jsonString, at);
      else if (depth === 0 && (c === "," || c === "]" || c === "}")) return at;
      else {
        if (c === "[" || c === "{") depth++;
        if (c === "]" || c === "}") depth--;
        at++;
      }
    }
    return text.length;
  };
  let at = take(jsonBlank, 0);
  for (const [i, step] of path.entries()) {
    const map = text[at] === "{";
    if (!map && text[at] !== "[") return at;
    let found: number | undefined;
    let item = take(jsonBlank, at + 1);
    for (let n = 0; item < text.length && text[item] !== "}" && text[item] !== "]"; n++) {
      let value = item;
      let name: unknown = n;
      if (map) {
        const end = take(jsonString, item);
        name = JSON.parse(text.slice(item, end));
        value = take(jsonBlank, take(jsonBlank, end) + 1);
      }
      if (name === step) {
        found = value;
        if (key && map && i === path.length - 1) return item;
        break;
      }
      item = skip(value);
      if (text[item] === ",") item = take(jsonBlank, item + 1);
    }
    if (found === undefined) return at;
    at = found;
  }
  return at;
}
