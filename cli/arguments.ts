/** What stands in the arguments, word for word: cac takes `0123` for a number, and ids lose digits by that. */

/** `--no-color` → `noColor`. */
export const camelCase = (flag: string): string =>
  flag.replace(/^-+/, "").replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** `noColor` → `--no-color`; one letter → `-x`. */
export const flagOf = (name: string): string =>
  name.length === 1 ? `-${name}` : `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/** Every value that `--flag VALUE` or `--flag=VALUE` gives, in order, as it was written; a flag may have several names, `-f` among them. */
export function valuesOf(argv: readonly string[], ...names: readonly string[]): string[] {
  const values: string[] = [];
  for (let at = 0; at < argv.length && argv[at] !== "--"; at++) {
    const word = argv[at]!;
    const equals = word.indexOf("=");
    const flag = equals < 0 ? word : word.slice(0, equals);
    const name = camelCase(flag);
    if (!flag.startsWith(name.length === 1 ? "-" : "--") || !names.includes(name)) continue;
    if (equals >= 0) values.push(word.slice(equals + 1));
    else if (at + 1 < argv.length && !/^-./.test(argv[at + 1]!)) values.push(argv[++at]!);
  }
  return values;
}

/** `--since -5m` → `--since=-5m`: no option begins with a digit, so what does is a value, to be judged by who takes it. */
export function withNegatives(argv: readonly string[]): string[] {
  const end = argv.indexOf("--");
  const words: string[] = [];
  for (const [at, word] of argv.entries()) {
    const before = words.at(-1);
    const isValue =
      (end < 0 || at < end) &&
      /^-[0-9.]/.test(word) &&
      before !== undefined &&
      /^--?[a-zA-Z][^=]*$/.test(before);
    if (isValue) words[words.length - 1] = `${before}=${word}`;
    else words.push(word);
  }
  return words;
}

/** A dash alone stands for standard input or output. cac loses it, so it goes through under a name that nobody can type. */
const dash = "\0-";
export const withDashes = (argv: readonly string[]): string[] =>
  argv.map((word) => (word === "-" ? dash : word));
export const asTyped = (words: readonly string[]): string[] =>
  words.map((word) => (word === dash ? "-" : word));

/** A word as a POSIX shell takes it for that word. */
export const quoted = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
