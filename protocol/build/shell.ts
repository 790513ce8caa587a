/** Values put into `sh` command strings: quoted, or refused where quotes of the author's own would break them. */

const safe = /^[A-Za-z0-9_@%+=:,./-]+$/;

/** The text as one word of a POSIX shell. */
export const shellQuote = (text: string): string =>
  safe.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;

/** True for text that needs no quotes anywhere in a command. */
export const isShellSafe = (text: string): boolean => safe.test(text);

/** Where a scan of a command string stands: inside which quotes, if any. */
export type ShellQuote = "none" | "single" | "double";

/** The state behind `text`, begun in `state`. Comments are skipped up to their line's end; here-documents are read as commands. */
export function shellQuoteAfter(text: string, state: ShellQuote): ShellQuote {
  let quote = state;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (quote === "single") {
      if (c === "'") quote = "none";
    } else if (c === "\\") i++;
    else if (c === '"') quote = quote === "double" ? "none" : "double";
    else if (quote === "none") {
      if (c === "'") quote = "single";
      else if (c === "#" && (i === 0 || /[\s;&|(]/.test(text[i - 1]!))) {
        const end = text.indexOf("\n", i);
        if (end < 0) return quote;
        i = end;
      }
    }
  }
  return quote;
}
