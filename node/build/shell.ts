/** Text for a POSIX shell: quoting that nothing gets out of. */
import { SwarmError } from "../../protocol/kernel/errors.ts";

const plain = /^[A-Za-z0-9_./:=@%+,-]+$/;

/** One shell word that stands for exactly this text. Throws `malformed` for text no argument can hold (NUL). */
export function quote(text: string): string {
  if (plain.test(text)) return text;
  if (text.includes("\0")) throw new SwarmError("malformed", "an argument holds a NUL byte");
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Several words. */
export const quoteAll = (words: readonly string[]): string => words.map(quote).join(" ");

/** Whether a shell can hold a variable of this name. */
const isVariableName = (name: string): boolean => /^[A-Za-z_][A-Za-z0-9_]*$/.test(name);

/** What no process can be given as its environment, in words. Without a box it passes through a shell. */
export function badEnvironment(env: Readonly<Record<string, string>>, boxed: boolean): string | undefined {
  for (const [name, value] of Object.entries(env)) {
    if (name === "" || name.includes("=") || name.includes("\0") || value.includes("\0"))
      return `not an environment variable: ${JSON.stringify(name)}`;
    if (!boxed && !isVariableName(name))
      return `the environment variable ${JSON.stringify(name)} has no name that a shell can hold`;
  }
  return undefined;
}
