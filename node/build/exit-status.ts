/** How a command ended, from the status that a shell saw. */
import os from "node:os";

/** What a shell means by these. */
const shellWords: Readonly<Record<number, string>> = { 126: " (cannot be executed)", 127: " (not found)" };

const signalNames = new Map(Object.entries(os.constants.signals).map(([name, number]) => [number, name]));

/** The signal that ended it, if one did. */
export const signalOf = (status: number): string | undefined =>
  status > 128 ? signalNames.get(status - 128) : undefined;

/** `fileBytesMax`: the largest file it could write. */
export function statusText(status: number, fileBytesMax: number): string {
  const died = signalOf(status);
  if (died === undefined) return `exit code ${status}${shellWords[status] ?? ""}`;
  return `killed by ${died}${died === "SIGXFSZ" ? ` (a file larger than ${fileBytesMax} bytes)` : ""}`;
}
