/** An answer as RFC 4180 has it: for spreadsheets and scripts, every value as it came. */
import type { SqlAnswer, SqlValue } from "../../../control/data.ts";

export function csvOf({ columns, rows }: SqlAnswer): string {
  const lines = [columns.map(({ name }) => field(name)), ...rows.map((row) => row.map(field))];
  return `${lines.map((line) => line.join(",")).join("\r\n")}\r\n`;
}

function field(value: SqlValue): string {
  if (value === null) return "";
  const text = String(value);
  return /[",\r\n]/.test(text) || text === "" ? `"${text.replaceAll('"', '""')}"` : text;
}
