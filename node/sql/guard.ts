/** What a query may do: read the named tables with the named functions, within bounds. Everything else is refused before it runs. */
import { constants, type DatabaseSync } from "node:sqlite";
import { SwarmError } from "../../protocol/kernel/errors.ts";
import { type SqlAnswer, type SqlValue, sqlBytesMax } from "../control/data.ts";
import { oneSelect, partsNamed, placeOf } from "./statement.ts";
import { tableNames } from "./tables.ts";

/** Of one answer. */
const rowsMax = 1000;
const answerBytesMax = 1 << 20;
/** Of one value, also on its way. */
const valueBytesMax = 4 << 20;

/** None of them makes something large of something small but `group_concat`, which `valueBytesMax` bounds. */
const functions: ReadonlySet<string> = new Set([
  ...["count", "sum", "total", "avg", "min", "max", "group_concat", "string_agg"],
  ...["median", "percentile", "percentile_cont", "percentile_disc"],
  ...["row_number", "rank", "dense_rank", "percent_rank", "cume_dist", "ntile"],
  ...["lag", "lead", "first_value", "last_value", "nth_value"],
  ...["abs", "round", "ceil", "ceiling", "floor", "trunc", "sign", "mod", "sqrt", "pow", "power", "exp"],
  ...["ln", "log", "log10", "log2"],
  ...["length", "lower", "upper", "substr", "substring", "instr", "trim", "ltrim", "rtrim", "like", "glob"],
  ...["coalesce", "ifnull", "nullif", "iif", "if", "typeof"],
  ...["date", "time", "datetime", "julianday", "unixepoch", "strftime"],
  ...["json_extract", "->", "->>", "json_array_length", "json_type", "json_valid"],
]);

/** Tables that SQLite brings along. */
const builtIn =
  /^(sqlite_|pragma_|json|dbstat|fts|rtree|geopoly|bytecode|tables_used|completion|generate_series)/i;

interface Denied {
  readonly code: number;
  readonly first: string | null;
  readonly second: string | null;
}

/** The one door of a database to queries of others. */
export class Guard {
  private readonly database: DatabaseSync;
  private denied: Denied | undefined;
  /** Of the query that is looked at: its own parts are no tables. */
  private parts: ReadonlySet<string> = new Set();

  /** `database` is open read-only, and is used for nothing else. */
  constructor(database: DatabaseSync) {
    this.database = database;
    database.exec("PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8192; PRAGMA query_only = 1");
    Object.assign(database.limits, {
      length: valueBytesMax,
      sqlLength: 2 * sqlBytesMax,
      column: 200,
      exprDepth: 100,
      compoundSelect: 20,
      vdbeOp: 100_000,
      functionArg: 32,
      attach: 0,
      likePatternLength: 256,
      variableNumber: 0,
      triggerDepth: 0,
    });
    const tables: ReadonlySet<string> = new Set(tableNames);
    const own = database.prepare("SELECT name FROM sqlite_schema").all() as { name: string }[];
    const hidden: ReadonlySet<string> = new Set(own.map(({ name }) => name.toLowerCase()));
    // Of a part of which nothing but its rows is read SQLite asks by its name alone.
    const isPart = (name: string) =>
      this.parts.has(name.toLowerCase()) && !hidden.has(name.toLowerCase()) && !builtIn.test(name);
    const { SQLITE_OK, SQLITE_DENY, SQLITE_SELECT, SQLITE_READ, SQLITE_FUNCTION } = constants;
    database.setAuthorizer((code, first, second) => {
      const may =
        code === SQLITE_SELECT ||
        (code === SQLITE_READ && first !== null && (tables.has(first) || (second === "" && isPart(first)))) ||
        (code === SQLITE_FUNCTION && second !== null && functions.has(second.toLowerCase()));
      if (!may) this.denied ??= { code, first, second };
      return may ? SQLITE_OK : SQLITE_DENY;
    });
  }

  /** Throws `usage` with the place in it, `refused`, `too-large`. It takes as long as it takes: whoever asks puts an end to it. */
  query(text: string): SqlAnswer {
    const sql = oneSelect(text);
    this.denied = undefined;
    this.parts = partsNamed(sql);
    const beganMs = performance.now();
    try {
      const statement = this.database.prepare(sql);
      statement.setReturnArrays(true);
      statement.setReadBigInts(true);
      const columns = statement.columns().map(({ name }) => ({ name }));
      const rows: SqlValue[][] = [];
      let bytes = 0;
      let truncated = false;
      for (const row of statement.iterate() as Iterable<unknown>) {
        const values = (row as unknown[]).map(plain);
        bytes += values.reduce<number>(
          (sum, value) => sum + (typeof value === "string" ? value.length : 8),
          8,
        );
        truncated = rows.length >= rowsMax || bytes > answerBytesMax;
        if (truncated) break;
        rows.push(values);
      }
      return { columns, rows, truncated, tookMs: Math.round((performance.now() - beganMs) * 10) / 10 };
    } catch (thrown) {
      throw this.refusalOf(thrown, sql);
    }
  }

  private refusalOf(thrown: unknown, sql: string): unknown {
    const { errcode } = thrown as { errcode?: number };
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    if (this.denied) return forbidden(this.denied);
    if (errcode === undefined) return thrown;
    if (errcode === 18 || errcode === 7)
      return new SwarmError("too-large", "something in this query grows too large", {
        remedy: `a value holds at most ${valueBytesMax >> 20} MiB, a query ${sqlBytesMax >> 10} KiB`,
      });
    const place = placeOf(message, sql, (text) => this.isIncomplete(text));
    return new SwarmError("usage", place === undefined ? message : `${message}, ${place}`, {
      remedy: "the tables and their columns: swarmd sql --schema",
    });
  }

  private isIncomplete(text: string): boolean {
    try {
      this.database.prepare(text);
      return true;
    } catch (thrown) {
      return !/syntax error|unrecognized token/.test((thrown as Error).message);
    }
  }
}

function forbidden({ code, first, second }: Denied): SwarmError {
  const { SQLITE_READ, SQLITE_FUNCTION, SQLITE_RECURSIVE } = constants;
  if (code === SQLITE_READ)
    return new SwarmError("refused", `${first} may not be read`, {
      remedy: `the tables: ${tableNames.join(", ")}`,
    });
  if (code === SQLITE_FUNCTION)
    return new SwarmError("refused", `the function ${second} is not among those that may be used`, {
      remedy: `those are: ${[...functions].join(", ")}`,
    });
  if (code === SQLITE_RECURSIVE)
    return new SwarmError("refused", "a query may not ask itself: RECURSIVE is off", {
      remedy: "join the tables instead",
    });
  return new SwarmError("refused", "a query may only read", {
    remedy: "SELECT alone; nothing can be changed here",
  });
}

/** As JSON can carry it. */
function plain(value: unknown): SqlValue {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (typeof value === "string" || value === null) return value;
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  return null;
}
