/**
 * Patterns over workspace paths: `*` within a segment, `**` over any number of them, `?`, `[a-z]`, `{a,b}`; a backslash takes
 * the next character as it is. Names that begin with a dot match like all others. Bounded, so that no pattern takes long.
 */
import picomatch from "picomatch/posix.js";
import type { Trouble } from "./problem.ts";

export const patternCharsMax = 1024;
const starsMax = 12;
const alternativesMax = 64;

/** True when the text holds anything that matches more than itself. */
export const isPattern = (text: string): boolean => /[*?[\]{}]/.test(text.replace(/\\./gs, ""));

/** The text as a pattern that matches exactly it. */
export const escapePattern = (text: string): string => text.replace(/[\\*?[\]{}()!+@|^$]/g, "\\$&");

/** The text that a pattern without any wildcard stands for. */
export const unescapePattern = (text: string): string => text.replace(/\\(.)/gs, "$1");

/** What is wrong with a pattern, in words; undefined when it can be used. */
export function patternTrouble(pattern: string): Trouble | undefined {
  const bare = pattern.replace(/\\./gs, "");
  if (pattern.length > patternCharsMax)
    return {
      message: `a pattern is longer than ${patternCharsMax} characters`,
      hint: "write several patterns",
    };
  if (/[()|]/.test(bare))
    return {
      message: `the pattern ${pattern} has parentheses or bars`,
      hint: "write alternatives as {a,b}, and take files out again with except:",
    };
  if ((bare.match(/\*+/g) ?? []).length > starsMax || (bare.match(/[{,]/g) ?? []).length > alternativesMax)
    return {
      message: `the pattern ${pattern} has too many wildcards`,
      hint: `at most ${starsMax} stars and ${alternativesMax} alternatives: write several patterns`,
    };
  let open = 0;
  for (const c of bare) {
    if (c === "{") open++;
    if (c === "}" && --open < 0) break;
  }
  if (open !== 0)
    return {
      message: `the pattern ${pattern} has a brace without its other`,
      hint: "close it, or write \\{",
    };
  if ((bare.match(/\[/g) ?? []).length !== (bare.match(/\]/g) ?? []).length)
    return {
      message: `the pattern ${pattern} has a bracket without its other`,
      hint: "close it, or write \\[",
    };
  return undefined;
}

/** A test for whole paths. The pattern must be free of trouble. */
export const compilePattern = (pattern: string): ((path: string) => boolean) =>
  picomatch(pattern, { dot: true, noextglob: true, nonegate: true });

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
