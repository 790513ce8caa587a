/** `swarmd sql QUERY`: asks what was said, as tables. */
import { readFile, stat } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { type SqlAnswer, type SqlTableSchema, type SqlValue, sqlBytesMax } from "../../node/control/data.ts";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import type { Command, Context } from "../command.ts";
import { plain } from "../output.ts";
import { countText } from "../units.ts";

const cellMax = 80;

export const sql: Command = {
  name: "sql",
  args: "[query]",
  description: "Ask what was said by SQL: one SELECT, a file that holds it, or - for standard input",
  options: [
    { flags: "--tables", description: "List the tables and how many rows they have" },
    { flags: "--schema", description: "List their columns, with units; with a table's name only its own" },
    { flags: "--csv", description: "Answer as comma-separated values" },
  ],
  examples: [
    "sql --tables",
    "sql --schema attempts",
    'sql "select node, count(*) runs, sum(cpu_ms) cpu_ms from attempts group by node order by runs desc"',
    "sql \"select action, reason from attempts where state = 'failed' order by ended_ms desc limit 20\"",
    "sql \"select at_ms, event ->> 'reason' from events where kind = 'node.down'\" --csv",
    "sql query.sql --json",
  ],
  async run(context, [word], options) {
    const { control, output } = context;
    if (options.tables === true && (word !== undefined || options.schema === true))
      throw new SwarmError("usage", "--tables takes nothing beside it", { remedy: "swarmd sql --tables" });
    if (options.tables === true) {
      const tables = await control.sqlTables();
      if (context.json) output.json(tables);
      else
        output.table(
          [{ title: "TABLE" }, { title: "ROWS", right: true }, { title: "A ROW IS" }],
          tables.map(({ name, rows, about }) => [name, String(rows), about]),
        );
      return 0;
    }
    if (options.schema === true) return printSchema(context, await control.sqlSchema(), word);
    const query = word === undefined ? undefined : await queryIn(word);
    if (query === undefined)
      throw new SwarmError("usage", "there is no query", {
        remedy: 'swarmd sql "select * from builds"; the tables: swarmd sql --tables',
      });
    const answer = await control.sqlQuery(query);
    if (context.json) output.json(answer);
    else if (options.csv === true) printCsv(context, answer);
    else print(context, answer);
    if (answer.truncated && !context.json)
      output.note(
        `there is more than these ${countText(answer.rows.length, "row")}: narrow it, or add LIMIT and OFFSET`,
      );
    return 0;
  },
};

/** The query itself, standard input, or a file. */
async function queryIn(word: string): Promise<string> {
  if (word === "-") return text(process.stdin);
  if (/\s/.test(word)) return word;
  const found = await stat(word).catch(() => undefined);
  if (!found?.isFile()) return word;
  if (found.size > sqlBytesMax)
    throw new SwarmError("too-large", `${word} is longer than ${sqlBytesMax} bytes`, {
      remedy: "ask for less at once",
    });
  return readFile(word, "utf8");
}

function printSchema(context: Context, all: readonly SqlTableSchema[], word: string | undefined): number {
  const { output } = context;
  const schema = word === undefined ? all : all.filter(({ name }) => name === word);
  if (schema.length === 0)
    throw new SwarmError("not-found", `there is no table ${word}`, {
      remedy: `those that are there: ${all.map(({ name }) => name).join(", ")}`,
    });
  if (context.json) output.json(schema);
  else
    for (const [at, { name, about, columns }] of schema.entries()) {
      if (at > 0) output.line();
      output.line(`${output.tone("strong", name)}: ${about}`);
      for (const { name: column, type, about: what } of columns)
        output.line(`  ${column.padEnd(18)}  ${type.padEnd(7)}  ${what}`);
    }
  return 0;
}

function print({ output }: Context, { columns, rows }: SqlAnswer): void {
  const isNumber = columns.map(
    (_, at) =>
      rows.some((row) => row[at] !== null) &&
      rows.every((row) => row[at] === null || typeof row[at] === "number"),
  );
  output.table(
    columns.map(({ name }, at) => ({ title: plain(name), right: isNumber[at]! })),
    rows.map((row) => row.map(cellOf)),
  );
  if (rows.length === 0) output.note("no row");
}

function cellOf(value: SqlValue): string {
  const line = value === null ? "" : plain(String(value)).replaceAll(/\s+/g, " ");
  return line.length <= cellMax ? line : `${line.slice(0, cellMax - 1)}…`;
}

/** RFC 4180, with line feeds; what is null is empty. */
function printCsv({ output }: Context, { columns, rows }: SqlAnswer): void {
  const field = (value: SqlValue): string => {
    const line = value === null ? "" : String(value);
    return /[",\r\n]/.test(line) ? `"${line.replaceAll('"', '""')}"` : line;
  };
  output.line(columns.map(({ name }) => field(name)).join(","));
  for (const row of rows) output.line(row.map(field).join(","));
}
