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
    else if (at + 1 < argv.length && !argv[at + 1]!.startsWith("-")) values.push(argv[++at]!);
  }
  return values;
}

/** A word as a POSIX shell takes it for that word. */
export const quoted = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
