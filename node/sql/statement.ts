/** One SQL statement as text: its words, whether it is one SELECT and no more, and where in it something stands. */
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { sqlBytesMax } from "../control/data.ts";

export interface Token {
  readonly text: string;
  readonly at: number;
}

/** Blanks and comments; strings and quoted names; words and numbers; anything else, a sign at a time. */
const tokenPattern =
  /(\s+|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$))|'(?:[^']|'')*'?|"(?:[^"]|"")*"?|`(?:[^`]|``)*`?|\[[^\]]*\]?|[\p{L}\p{N}_$@:#?.]+|[\s\S]/gu;

function tokensOf(sql: string): Token[] {
  const tokens: Token[] = [];
  for (const found of sql.matchAll(tokenPattern))
    if (found[1] === undefined) tokens.push({ text: found[0], at: found.index });
  return tokens;
}

/** The statement without what ends it. Throws `usage` for none, `refused` for anything but one SELECT, `too-large`. */
export function oneSelect(sql: string): string {
  if (Buffer.byteLength(sql) > sqlBytesMax)
    throw new SwarmError("too-large", `the query is longer than ${sqlBytesMax} bytes`, {
      remedy: "ask for less at once",
    });
  if (sql.includes("\0")) throw new SwarmError("usage", "the query holds a NUL", { remedy: "leave it out" });
  const tokens = tokensOf(sql);
  while (tokens.at(-1)?.text === ";") tokens.pop();
  const [first] = tokens;
  if (!first)
    throw new SwarmError("usage", "there is no query", {
      remedy: "select * from builds; the tables: swarmd sql --tables",
    });
  const second = tokens.find(({ text }) => text === ";");
  if (second)
    throw new SwarmError("refused", `one statement at a time: another begins ${placeIn(sql, second.at)}`, {
      remedy: "ask one after the other",
    });
  const word = first.text.toUpperCase();
  if (word === "EXPLAIN")
    throw new SwarmError("refused", "EXPLAIN is off", { remedy: "ask the SELECT itself" });
  if (!["SELECT", "WITH", "VALUES"].includes(word) && first.text !== "(")
    throw new SwarmError("refused", `only SELECT may be asked, not ${first.text.slice(0, 32)}`, {
      remedy: "begin with SELECT or WITH; nothing can be changed here",
    });
  const last = tokens.at(-1)!;
  return sql.slice(0, last.at + last.text.length);
}

/** Names that a query gives to parts of itself: `WITH name AS (`, `WITH name(column) AS (`. */
export function partsNamed(sql: string): ReadonlySet<string> {
  const names = new Set<string>();
  const tokens = tokensOf(sql).map(({ text }) => text.toLowerCase());
  for (const [at, name] of tokens.entries()) {
    let next = at + 1;
    if (tokens[next] === "(") next = tokens.indexOf(")", next) + 1;
    if (next > at && tokens[next] === "as" && ["(", "not", "materialized"].includes(tokens[next + 1] ?? ""))
      names.add(name);
  }
  return names;
}

/** `at line 2, column 5`, counted from 1. */
function placeIn(sql: string, at: number): string {
  const before = sql.slice(0, at).split("\n");
  return `at line ${before.length}, column ${before.at(-1)!.length + 1}`;
}

/**
 * Where a complaint of SQLite points to; undefined where it does not say. `isIncomplete`: whether a text is the beginning of some statement, as far
 * as it goes.
 */
export function placeOf(
  complaint: string,
  sql: string,
  isIncomplete: (text: string) => boolean,
): string | undefined {
  if (/incomplete input/.test(complaint)) return placeIn(sql, sql.length);
  const tokens = tokensOf(sql);
  if (/syntax error|unrecognized token/.test(complaint)) {
    // The first word that cannot follow those before it: all shorter texts could still become a statement.
    let [low, high] = [0, tokens.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      const { at, text } = tokens[middle]!;
      if (isIncomplete(sql.slice(0, at + text.length))) low = middle + 1;
      else high = middle;
    }
    return tokens[low] && placeIn(sql, tokens[low]!.at);
  }
  const [, name] = /(?:: |function )"?([\p{L}\p{N}_.$]+)/u.exec(complaint) ?? [];
  if (name === undefined) return undefined;
  const token = tokens.find(({ text }) => text.toLowerCase() === name.toLowerCase());
  return token && placeIn(sql, token.at);
}
