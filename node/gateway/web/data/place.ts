/** Where in a query a complaint points to, when it says so: `at line 2, column 5`. */

export interface Pointed {
  /** Of the query's text. */
  readonly at: number;
  readonly line: string;
  /** As many spaces as stand before the place, and a mark. */
  readonly mark: string;
}

const lineMax = 200;

export function pointedIn(query: string, complaint: string): Pointed | undefined {
  const [, lineText, columnText] = /at line (\d{1,6}), column (\d{1,6})/.exec(complaint) ?? [];
  if (lineText === undefined) return undefined;
  const lines = query.split("\n");
  const [row, column] = [Number(lineText) - 1, Number(columnText) - 1];
  const line = lines[row];
  if (line === undefined || column < 0 || column > line.length) return undefined;
  const before = lines.slice(0, row).reduce((sum, text) => sum + text.length + 1, 0);
  const from = Math.max(0, column - lineMax / 2);
  return {
    at: before + column,
    line: line.slice(from, from + lineMax),
    mark: `${" ".repeat(column - from)}▲`,
  };
}
