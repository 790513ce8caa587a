/** Where two texts differ, in the form of `diff -u`, short. */
import { structuredPatch } from "diff";

/** Larger texts, and such with more changes, are told by their first different byte alone. */
const textBytesMax = 1 << 20;
const editsMax = 2000;
const contextLines = 2;
const linesMax = 40;
const lineCharsMax = 200;

/** Lines of a unified diff; undefined where one of both is no text (UTF-8 without NUL), or too large. */
export function textDifference(before: Uint8Array, after: Uint8Array): string[] | undefined {
  const [old, fresh] = [textOf(before), textOf(after)];
  if (old === undefined || fresh === undefined) return undefined;
  const patch = structuredPatch("", "", old, fresh, "", "", {
    context: contextLines,
    maxEditLength: editsMax,
  });
  if (!patch) return undefined;
  const lines = patch.hunks.flatMap(({ oldStart, oldLines, newStart, newLines, lines }) => [
    `@@ -${oldStart},${oldLines} +${newStart},${newLines} @@`,
    ...lines,
  ]);
  const shown = lines
    .slice(0, linesMax)
    .map((line) => (line.length > lineCharsMax ? `${line.slice(0, lineCharsMax)}…` : line));
  if (lines.length > shown.length) shown.push(`… and ${lines.length - shown.length} more lines`);
  return shown;
}

function textOf(bytes: Uint8Array): string | undefined {
  if (bytes.length > textBytesMax || bytes.includes(0)) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
