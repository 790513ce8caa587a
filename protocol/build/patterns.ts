/**
 * Patterns over workspace paths: `*` within a segment, `**` over any number of them, `?`, `[a-z]`, `[!a]`, `{a,b}`; a backslash
 * takes the next character as it is. Nothing else is special, names that begin with a dot match like all others, and no
 * pattern takes longer than its length times that of the path.
 */
import type { Trouble } from "./problem.ts";

const patternCharsMax = 1024;
const alternativesMax = 64;

type Token =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "any" }
  | { readonly kind: "one" }
  | {
      readonly kind: "class";
      readonly not: boolean;
      readonly ranges: readonly (readonly [string, string])[];
    };

/** One segment: its tokens, or any number of segments. */
type Segment = readonly Token[] | "**";

/** True when the text holds anything that matches more than itself. */
export const isPattern = (text: string): boolean => /[*?[\]{}]/.test(text.replace(/\\./gs, ""));

/** The text as a pattern that matches exactly it. */
export const escapePattern = (text: string): string => text.replace(/[\\*?[\]{},]/g, "\\$&");

/** The text that a pattern without any wildcard stands for. */
export const unescapePattern = (text: string): string => text.replace(/\\(.)/gs, "$1");

/** What is wrong with a pattern; undefined when it can be used. */
export function patternTrouble(pattern: string): Trouble | undefined {
  const parsed = parse(pattern);
  return Array.isArray(parsed) ? undefined : (parsed as Trouble);
}

/** A test for whole paths. A pattern with trouble matches nothing. */
export function compilePattern(pattern: string): (path: string) => boolean {
  const parsed = parse(pattern);
  if (!Array.isArray(parsed)) return () => false;
  const alternatives: readonly Segment[][] = parsed;
  return (path) => {
    const segments = path.split("/").map((segment) => Array.from(segment));
    return alternatives.some((alternative) => matchesAll(alternative, segments));
  };
}

/** The folder above the first wildcard, without a trailing slash ("" for the top): matches lie below it. */
export function patternBase(pattern: string): string {
  const segments: string[] = [];
  for (const segment of pattern.split("/").slice(0, -1)) {
    if (isPattern(segment)) break;
    segments.push(unescapePattern(segment));
  }
  return segments.join("/");
}

/** A pattern without a slash tells file names apart, wherever they lie; one with a slash, whole paths. */
export const compileExcept = (pattern: string): ((path: string) => boolean) => {
  const test = compilePattern(pattern);
  return pattern.includes("/") ? test : (path) => test(path.slice(path.lastIndexOf("/") + 1));
};

function parse(pattern: string): Segment[][] | Trouble {
  if (pattern.length > patternCharsMax)
    return {
      message: `a pattern is longer than ${patternCharsMax} characters`,
      hint: "write several patterns",
    };
  const texts = alternativesOf(pattern);
  if (typeof texts === "string")
    return {
      message: `the pattern ${pattern} ${texts}`,
      hint: "see specs/spec.md for what patterns are made of",
    };
  const alternatives: Segment[][] = [];
  for (const text of texts) {
    const segments = text.split("/").map((segment) => (segment === "**" ? "**" : tokensOf(segment)));
    if (segments.includes(undefined))
      return {
        message: `the pattern ${pattern} has a bracket without its other`,
        hint: "close it, or write \\[",
      };
    // At the end, any number of segments means at least one: src/** is what lies in src.
    if (segments.at(-1) === "**") segments.push([{ kind: "any" }]);
    alternatives.push(segments as Segment[]);
  }
  return alternatives;
}

/** The pattern without braces, as one text for each alternative; or what is wrong with the braces. */
function alternativesOf(pattern: string): string[] | string {
  let depth = 0;
  let open = -1;
  let from = 0;
  const choices: string[] = [];
  for (let i = 0; i < pattern.length; i++) {
    const c = pattern[i];
    if (c === "\\") i++;
    else if (c === "{" && depth++ === 0) {
      open = i;
      from = i + 1;
    } else if (depth === 1 && (c === "," || c === "}")) {
      choices.push(pattern.slice(from, i));
      from = i + 1;
      if (c === ",") continue;
      const tails = alternativesOf(pattern.slice(i + 1));
      if (typeof tails === "string") return tails;
      const all: string[] = [];
      for (const choice of choices) {
        const middles = alternativesOf(choice);
        if (typeof middles === "string") return middles;
        for (const middle of middles)
          for (const tail of tails) all.push(pattern.slice(0, open) + middle + tail);
        if (all.length > alternativesMax) return `has more than ${alternativesMax} alternatives`;
      }
      return all;
    } else if (c === "}" && --depth < 0) return "has a brace without its other";
  }
  return depth === 0 ? [pattern] : "has a brace without its other";
}

/** Undefined for a bracket without its other. */
function tokensOf(segment: string): Token[] | undefined {
  const tokens: Token[] = [];
  const letters = Array.from(segment);
  for (let i = 0; i < letters.length; i++) {
    const letter = letters[i]!;
    if (letter === "*") {
      if (tokens.at(-1)?.kind !== "any") tokens.push({ kind: "any" });
    } else if (letter === "?") tokens.push({ kind: "one" });
    else if (letter === "]") return undefined;
    else if (letter !== "[") {
      tokens.push({ kind: "text", text: letter === "\\" ? (letters[++i] ?? "\\") : letter });
    } else {
      const not = letters[i + 1] === "!" || letters[i + 1] === "^";
      if (not) i++;
      const ranges: [string, string][] = [];
      for (i++; letters[i] !== "]"; i++) {
        if (i >= letters.length) return undefined;
        const low = letters[i] === "\\" ? letters[++i] : letters[i];
        let high = low;
        if (letters[i + 1] === "-" && letters[i + 2] !== "]" && i + 2 < letters.length) {
          i += 2;
          high = letters[i] === "\\" ? letters[++i] : letters[i];
        }
        if (low === undefined || high === undefined) return undefined;
        ranges.push([low, high]);
      }
      tokens.push({ kind: "class", not, ranges });
    }
  }
  return tokens;
}

function matchesOne(token: Token, letter: string): boolean {
  if (token.kind === "text") return token.text === letter;
  if (token.kind === "class")
    return token.ranges.some(([low, high]) => low <= letter && letter <= high) !== token.not;
  return true;
}

const matchesSegment = (tokens: readonly Token[], letters: readonly string[]): boolean =>
  matches(tokens, letters, (token) => token.kind === "any", matchesOne);

const matchesAll = (pattern: readonly Segment[], path: readonly (readonly string[])[]): boolean =>
  matches(
    pattern,
    path,
    (segment) => segment === "**",
    (segment, letters) => matchesSegment(segment as readonly Token[], letters),
  );

/** Wildcard matching by going back to the last star only, which is enough: what an earlier star took need not change. */
function matches<P, T>(
  pattern: readonly P[],
  text: readonly T[],
  isStar: (part: P) => boolean,
  fits: (part: P, item: T) => boolean,
): boolean {
  let p = 0;
  let star = -1;
  let resume = 0;
  for (let t = 0; t < text.length; ) {
    const part = pattern[p];
    if (part !== undefined && isStar(part)) {
      star = p++;
      resume = t;
    } else if (part !== undefined && fits(part, text[t]!)) {
      p++;
      t++;
    } else if (star >= 0) {
      p = star + 1;
      t = ++resume;
    } else return false;
  }
  while (p < pattern.length && isStar(pattern[p]!)) p++;
  return p === pattern.length;
}
