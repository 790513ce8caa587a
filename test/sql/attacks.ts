/** Queries that must not be answered, by what they try: the code and words of the refusal. */
import type { ErrorCode } from "../../protocol/kernel/errors.ts";

export interface Attack {
  readonly what: string;
  readonly sql: string;
  readonly code: ErrorCode;
  readonly says: RegExp;
}

const attack = (what: string, sql: string, code: ErrorCode, says: RegExp): Attack => ({
  what,
  sql,
  code,
  says,
});
const onlySelect = /only SELECT/;
const cross = "events a, events b, events c, events d, events e, events f, events g, events h";

/** Refused before anything runs. */
export const forbidden: readonly Attack[] = [
  attack("another database", "ATTACH DATABASE '/tmp/other.sqlite' AS o", "refused", onlySelect),
  attack("a pragma", "PRAGMA table_info(builds)", "refused", onlySelect),
  attack(
    "a pragma as a table",
    "SELECT * FROM pragma_table_info('builds')",
    "refused",
    /pragma_table_info|may not be read|only read/,
  ),
  attack("a copy of all", "VACUUM INTO '/tmp/copy.sqlite'", "refused", onlySelect),
  attack("a write", "DELETE FROM builds", "refused", onlySelect),
  attack("an insert", "INSERT INTO builds(build) VALUES ('x')", "refused", onlySelect),
  attack("a write behind WITH", "WITH x AS (SELECT 1) DELETE FROM builds", "refused", /only read/),
  attack(
    "a write that returns",
    "WITH x AS (SELECT 1) UPDATE builds SET name = 'x' RETURNING name",
    "refused",
    /only read/,
  ),
  attack("a table of its own", "CREATE TEMP TABLE t AS SELECT 1", "refused", onlySelect),
  attack("a view of its own", "CREATE VIEW v AS SELECT 1", "refused", onlySelect),
  attack("a transaction", "BEGIN IMMEDIATE", "refused", onlySelect),
  attack("the list of all tables", "SELECT * FROM sqlite_master", "refused", /may not be read/),
  attack("the list by its other name", "SELECT sql FROM sqlite_schema", "refused", /may not be read/),
  attack("the projection's own marks", "SELECT * FROM marks", "refused", /marks may not be read/),
  attack(
    "its own marks in a subquery",
    "SELECT (SELECT count(*) FROM holders)",
    "refused",
    /holders may not be read/,
  ),
  attack("a table of numbers", "SELECT * FROM json_each('[1,2]')", "refused", /may not be read|only read/),
  attack("pages of the file", "SELECT * FROM dbstat", "refused", /may not be read|only read/),
  attack("a library", "SELECT load_extension('/tmp/x.so')", "refused", /load_extension/),
  attack(
    "a file",
    "SELECT writefile('/tmp/x', 'y')",
    "usage",
    /no such function: writefile, at line 1, column 8/,
  ),
  attack("many zeroes", "SELECT length(zeroblob(1000000000))", "refused", /zeroblob/),
  attack("much chance", "SELECT randomblob(1000000000)", "refused", /randomblob/),
  attack("a wide format", "SELECT printf('%*d', 1000000000, 1)", "refused", /printf/),
  attack("a wide format by its other name", "SELECT format('%.1000000000f', 1)", "refused", /format/),
  attack(
    "a text that grows",
    "SELECT replace(replace('aa','a',hex('aaaa')),'6','bbbbbbbb')",
    "refused",
    /replace|hex/,
  ),
  attack(
    "a question of itself",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT count(*) FROM n",
    "refused",
    /RECURSIVE/,
  ),
  attack(
    "a question of itself unsaid",
    "WITH n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT i FROM n",
    "refused",
    /RECURSIVE/,
  ),
  attack(
    "pages of the file behind a part of that name",
    "WITH dbstat AS (SELECT 1) SELECT count(*) FROM dbstat",
    "refused",
    /may not be read/,
  ),
  attack(
    "marks behind a part of that name",
    "WITH marks AS (SELECT 1) SELECT count(*) FROM main.marks",
    "refused",
    /may not be read/,
  ),
  attack("how it would be done", "EXPLAIN SELECT 1", "refused", /EXPLAIN/),
  attack("the plan of it", "explain query plan select 1", "refused", /EXPLAIN/),
  attack(
    "a second statement",
    "SELECT 1; DROP TABLE builds",
    "refused",
    /another begins at line 1, column 9/,
  ),
  attack(
    "a second one behind a comment",
    "SELECT 1; -- so\n/* there */ SELECT 2",
    "refused",
    /another begins/,
  ),
  attack("nothing", " -- nothing\n ;; ", "usage", /no query/),
  attack("a NUL", "SELECT 1\0; DROP TABLE builds", "usage", /NUL/),
  attack(
    "a mistyped word",
    "SELECT *\nFORM builds",
    "usage",
    /near "FORM": syntax error, at line 2, column 1/,
  ),
  attack(
    "a name that is none",
    "SELECT build,\n  nam FROM builds",
    "usage",
    /no such column: nam, at line 2, column 3/,
  ),
  attack(
    "a table that is none",
    "SELECT * FROM bilds",
    "usage",
    /no such table: bilds, at line 1, column 15/,
  ),
  attack("half a statement", "SELECT * FROM", "usage", /incomplete input, at line 1, column 14/),
  attack("an open string", "SELECT 'x", "usage", /unrecognized token|incomplete/),
  attack("a text in double quotes", 'SELECT "builds"', "usage", /no such column/),
  attack("a value from outside", "SELECT * FROM builds WHERE build = ?", "usage", /variable|\?/i),
  attack(
    "a deep expression",
    `SELECT ${"(".repeat(150)}1${")".repeat(150)} + ${"1+".repeat(400)}1`,
    "usage",
    /depth|overflow|too large/i,
  ),
  attack("many unions", Array(60).fill("SELECT 1").join(" UNION ALL "), "usage", /too many terms/i),
  attack("a wide row", `SELECT ${Array(400).fill("1").join()}`, "usage", /too many columns/i),
  attack("a long text", `SELECT ${" ".repeat(17_000)} 1`, "too-large", /longer than/),
  attack(
    "a pattern of hundreds of parts",
    `SELECT 1 FROM builds WHERE name LIKE '${"%a".repeat(400)}'`,
    "usage",
    /pattern too complex/,
  ),
];

/** Refused while they run: they would take all time or memory, whichever ends first. */
export const bombs: readonly { readonly what: string; readonly sql: string }[] = [
  { what: "a cross join", sql: `SELECT count(*) FROM ${cross}` },
  {
    what: "a cross join that is kept",
    sql: `SELECT count(*) FROM ${cross} GROUP BY a.event||b.seq||c.event||d.seq||e.event||f.seq||g.event||h.seq||a.place`,
  },
  { what: "a text of all", sql: `SELECT group_concat(a.event || b.event || c.event) FROM ${cross}` },
  {
    what: "a pattern that backtracks",
    sql: `SELECT count(*) FROM ${cross} WHERE a.event||b.event||c.event GLOB '${"*a".repeat(60)}*b'`,
  },
];
export const ended: readonly ErrorCode[] = ["timed-out", "too-large"];
