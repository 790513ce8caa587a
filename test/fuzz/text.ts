/** Texts that somebody altered: lines and words moved, doubled, cut and spliced, indents and indicators where they have a meaning. */
import type { Dice } from "./dice.ts";

/** What YAML, or whoever reads what it says, may stumble over. */
const words = [
  "&a ",
  "*a",
  "!!binary ",
  "!!js/function ",
  "!x ",
  "<<: ",
  "? ",
  ": ",
  "- ",
  "[",
  "]",
  "{",
  "}",
  "|\n",
  ">\n",
  "#",
  "'",
  '"',
  "---\n",
  "...\n",
  "%YAML 1.1\n",
  "\t",
  "\0",
  "\ud800",
  "\u2028",
  "\ufeff",
  "\r",
  "__proto__: ",
  "constructor: ",
  "toString: ",
  "null",
  "~",
  "yes",
  "0x7fffffffffffffff",
  "1e999",
  ".nan",
  "-.inf",
  "${",
  "}",
  "$${",
  "**/*",
  "../",
  "/",
  "\\",
  "1970-01-01",
  "9".repeat(400),
  "x".repeat(3000),
  "[[[[[[[[",
  "a: {b: ",
];

/** One hostile text, at most `maxChars` long. */
export function hostileText(dice: Dice, samples: readonly string[], maxChars: number): string {
  if (dice.once(15)) return noise(dice).slice(0, maxChars);
  let text = dice.pick(samples);
  for (let left = 1 + dice.below(4); left > 0; left--) text = altered(dice, text, samples);
  return text.slice(0, maxChars);
}

function noise(dice: Dice): string {
  if (dice.once(3)) return dice.pick(words).repeat(dice.size(3000));
  return Array.from({ length: dice.size(300) }, () =>
    dice.once(2) ? dice.pick(words) : `k${dice.below(9)}`,
  ).join(dice.pick(["", " ", "\n", "\n  "]));
}

function altered(dice: Dice, text: string, samples: readonly string[]): string {
  const at = dice.below(text.length + 1);
  const to = at + dice.size(text.length - at);
  switch (dice.below(9)) {
    case 0:
    case 1:
      return text.slice(0, at) + dice.pick(words) + text.slice(at);
    case 2:
      return text.slice(0, at) + text.slice(to);
    case 3:
      return text.slice(0, at);
    case 4: {
      const other = dice.pick(samples);
      return text.slice(0, at) + other.slice(dice.below(other.length + 1));
    }
    case 5:
      return lines(dice, text, (list, line) => [
        ...list.slice(0, line),
        ...list.slice(line, line + 9),
        ...list.slice(line),
      ]);
    case 6:
      return lines(dice, text, (list, line) => list.toSpliced(line, 1));
    case 7:
      return lines(dice, text, (list, line) =>
        list.with(line, dice.pick(["  ", "\t", " ", "    - "]) + list[line]),
      );
    default:
      return text.slice(0, at) + text.slice(at, to).repeat(2 + dice.size(50)) + text.slice(to);
  }
}

function lines(dice: Dice, text: string, change: (list: string[], line: number) => string[]): string {
  const list = text.split("\n");
  return change(list, dice.below(list.length)).join("\n");
}
