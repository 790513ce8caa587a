/** Text with `${name}` in it: how it is read, and how values are put into commands, arguments, paths and the environment. */
import { escapePattern, isPattern } from "./patterns.ts";
import type { Trouble } from "./problem.ts";
import { isShellSafe, type ShellQuote, shellQuote, shellQuoteAfter } from "./shell.ts";

export type Part = { readonly literal: string } | { readonly reference: string };

/** Gives the values of a reference (`cc.stem`, `out`, `lib.out`), or says why there are none. */
export type Lookup = (reference: string) => readonly string[] | Trouble;

/** A rendered text, or what is wrong with it. */
export type Rendered<T> = { readonly value: T } | { readonly trouble: Trouble };

const templates = new Map<string, readonly Part[]>();

/** The parts of a text. `$${` stands for `${` and is left to the shell; a brace that is never closed is plain text. */
export function parseTemplate(text: string): readonly Part[] {
  const known = templates.get(text);
  if (known) return known;
  const parts: Part[] = [];
  let literal = "";
  let from = 0;
  for (const match of text.matchAll(/\$\$\{|\$\{([^{}]*)\}/g)) {
    literal += text.slice(from, match.index);
    from = match.index + match[0].length;
    if (match[1] === undefined) literal += "${";
    else {
      if (literal !== "") parts.push({ literal });
      parts.push({ reference: match[1].trim() });
      literal = "";
    }
  }
  literal += text.slice(from);
  if (literal !== "") parts.push({ literal });
  if (templates.size > 4096) templates.clear();
  templates.set(text, parts);
  return parts;
}

/** The references of a text, in order. */
export const referencesOf = (text: string): string[] =>
  parseTemplate(text).flatMap((part) => ("reference" in part ? [part.reference] : []));

const isTrouble = (found: readonly string[] | Trouble): found is Trouble => !Array.isArray(found);

/** A command for `sh`: every value is quoted, lists are joined by spaces. */
export function renderCommand(text: string, lookup: Lookup): Rendered<string> {
  let command = "";
  let quote: ShellQuote = "none";
  for (const part of parseTemplate(text)) {
    if ("literal" in part) {
      command += part.literal;
      quote = shellQuoteAfter(part.literal, quote);
      continue;
    }
    const values = lookup(part.reference);
    if (isTrouble(values)) return { trouble: values };
    if (quote !== "none" && !values.every(isShellSafe))
      return {
        trouble: {
          message: `\${${part.reference}} stands between quotes, and its value needs quotes of its own`,
          hint: "take the quotes away: values are quoted where they are put in",
        },
      };
    command += values.map(shellQuote).join(" ");
  }
  return { value: command };
}

/** One item of an argument list: a reference alone gives as many arguments as it has values. */
export function renderArguments(text: string, lookup: Lookup): Rendered<readonly string[]> {
  const parts = parseTemplate(text);
  const [only] = parts;
  if (parts.length === 1 && only && "reference" in only) {
    const values = lookup(only.reference);
    return isTrouble(values) ? { trouble: values } : { value: values };
  }
  const one = renderSingle(parts, lookup, (value) => value);
  return "trouble" in one ? one : { value: [one.value] };
}

/** A path: values are put in as they are. */
export const renderPath = (text: string, lookup: Lookup): Rendered<string> =>
  renderSingle(parseTemplate(text), lookup, (value) => value);

/** A path or a pattern, as the text itself says; values in a pattern match only themselves. */
export const renderPattern = (text: string, lookup: Lookup): Rendered<string> =>
  renderSingle(
    parseTemplate(text),
    lookup,
    isPattern(withoutReferences(text)) ? escapePattern : (value) => value,
  );

/** The literal parts of a text. */
export const withoutReferences = (text: string): string =>
  parseTemplate(text)
    .flatMap((part) => ("literal" in part ? [part.literal] : []))
    .join("");

/** The value of an environment variable: lists are joined by spaces, nothing is quoted. */
export function renderVariable(text: string, lookup: Lookup): Rendered<string> {
  let value = "";
  for (const part of parseTemplate(text)) {
    const values = "literal" in part ? [part.literal] : lookup(part.reference);
    if (isTrouble(values)) return { trouble: values };
    value += values.join(" ");
  }
  return { value };
}

function renderSingle(
  parts: readonly Part[],
  lookup: Lookup,
  put: (value: string) => string,
): Rendered<string> {
  let text = "";
  for (const part of parts) {
    if ("literal" in part) {
      text += part.literal;
      continue;
    }
    const values = lookup(part.reference);
    if (isTrouble(values)) return { trouble: values };
    if (values.length !== 1)
      return {
        trouble: {
          message: `\${${part.reference}} stands for ${values.length} values, but there is room for one`,
          hint: "write it as an item of its own",
        },
      };
    text += put(values[0]!);
  }
  return { value: text };
}
